"""Mining: pairs of images that are similar to one encoder and different to another."""


rule find_pairs:
    input:
        first=paths.MANIFEST.rule(model="{first}", scope="image"),
        second=paths.MANIFEST.rule(model="{second}", scope="image"),
        image_table=paths.IMAGES.rule(),
    output:
        paths.PAIRS.rule(),
    log:
        "<logs>/find_pairs/{first}_against_{second}/{dataset}.log",
    benchmark:
        "<benchmarks>/find_pairs/{first}_against_{second}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mining_mb,
        runtime=RESOURCES.mining_minutes,
    params:
        settings=MINING.settings,
        code=fingerprint("eyechart.mining.find_pairs"),
        environment=ENVIRONMENT,
    message:
        "Finding images of {wildcards.dataset} that {wildcards.second} tells apart and"
        " {wildcards.first} does not"
    shell:
        "python -m eyechart.mining.find_pairs --first {input.first:q} --second {input.second:q}"
        " --images {input.image_table:q} --settings {params.settings:q} --output {output:q}"
        " 2>&1 | tee {log:q}"


rule export_labels:
    input:
        pairs=paths.PAIRS.rule(),
        image_table=paths.IMAGES.rule(),
    output:
        paths.LABELS.rule(),
    log:
        "<logs>/export_labels/{first}_against_{second}/{dataset}.log",
    benchmark:
        "<benchmarks>/export_labels/{first}_against_{second}/{dataset}.jsonl"
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=resources.fixed(10),
    params:
        code=fingerprint("eyechart.mining.export_labels"),
    message:
        "Writing pairs of {wildcards.dataset} for labelling"
    shell:
        "python -m eyechart.mining.export_labels --pairs {input.pairs:q}"
        " --images {input.image_table:q} --output {output:q} 2>&1 | tee {log:q}"
