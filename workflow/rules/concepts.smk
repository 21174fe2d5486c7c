"""Concepts: coloured words compared with images of colours."""


rule compare_concepts:
    input:
        manifests=PLAN.scope_manifests,
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        answers=CONCEPTS.responses,
    output:
        cues=paths.CONCEPTS.rule(table="cues"),
        separation=paths.CONCEPTS.rule(table="separation"),
        projection=paths.CONCEPTS.rule(table="projection"),
    log:
        "<logs>/compare_concepts/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_concepts/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(120),
    params:
        settings=CONCEPTS.settings,
        seed=config["seed"],
        code=fingerprint("eyechart.concepts.compare"),
        environment=ENVIRONMENT,
    message:
        "Comparing words and colours of {wildcards.dataset} in {wildcards.model}"
    shell:
        "python -m eyechart.concepts.compare --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --manifests {input.manifests:q} --items {input.item_table:q}"
        " --images {input.image_table:q} --answers {input.answers:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --cues {output.cues:q} --separation {output.separation:q}"
        " --projection {output.projection:q} 2>&1 | tee {log:q}"
