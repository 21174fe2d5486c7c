"""Readouts: items answered from a model's representations alone, at every address."""


rule train_depth_heads:
    input:
        manifests=READOUT.depth_manifests,
        item_table=READOUT.depth_tables(paths.ITEMS),
        image_table=READOUT.depth_tables(paths.IMAGES),
    output:
        heads=paths.DEPTH_HEADS.rule(),
        metrics=paths.DEPTH_ERRORS.rule(),
    log:
        "<logs>/train_depth_heads/{model}.log",
    benchmark:
        "<benchmarks>/train_depth_heads/{model}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(8000),
        runtime=resources.fixed(240),
    params:
        dataset=READOUT.depth_dataset,
        settings=READOUT.head_settings,
        seed=config["seed"],
        code=fingerprint("eyechart.readout.depth.train_depth_heads"),
        environment=ENVIRONMENT,
    message:
        "Training the depth heads of {wildcards.model}"
    shell:
        "python -m eyechart.readout.depth.train_depth_heads --model {wildcards.model:q}"
        " --dataset {params.dataset:q} --manifests {input.manifests:q} --items {input.item_table:q}"
        " --images {input.image_table:q} --settings {params.settings:q} --seed {params.seed:q}"
        " --threads {threads:q} --heads {output.heads:q} --metrics {output.metrics:q} 2>&1 | tee {log:q}"


rule read_out:
    input:
        manifests=PLAN.scope_manifests,
        item_table=paths.ITEMS.rule(),
        regions=paths.REGIONS.rule(),
        heads=READOUT.heads,
        answers=READOUT.responses,
    output:
        scores=paths.READOUTS.rule(),
        predictions=paths.READOUT_PREDICTIONS.rule(),
    log:
        "<logs>/read_out/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/read_out/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(8000),
        runtime=RESOURCES.readout_minutes,
    params:
        seed=config["seed"],
        code=READOUT.code,
        environment=ENVIRONMENT,
    message:
        "Computing readouts of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.readout.read_out --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --items {input.item_table:q} --regions {input.regions:q}"
        " --manifests {input.manifests:q} --heads {input.heads:q} --answers {input.answers:q}"
        " --seed {params.seed:q} --threads {threads:q}"
        " --scores {output.scores:q} --predictions {output.predictions:q} 2>&1 | tee {log:q}"
