"""Mining: pairs of images that one encoder finds similar and another different."""


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
    wildcard_constraints:
        dataset=MINING.parted_pattern(False),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mining_mb,
        runtime=RESOURCES.mining_minutes,
    params:
        settings=MINING.settings(*SETTINGS),
        code=fingerprint("eyechart.mining.find_pairs"),
        environment=ENVIRONMENT,
    message:
        "Finding images of {wildcards.dataset} that {wildcards.second} separates and"
        " {wildcards.first} does not"
    shell:
        "python -m eyechart.mining.find_pairs --first {input.first:q} --second {input.second:q}"
        " --images {input.image_table:q} --settings {params.settings:q} --output {output:q}"
        " 2>&1 | tee {log:q}"


rule align_features:
    input:
        first=paths.MANIFEST.rule(model="{first}", scope="image"),
        second=paths.MANIFEST.rule(model="{second}", scope="image"),
        image_table=paths.IMAGES.rule(),
    output:
        first=paths.ALIGNED_FEATURES.rule(side="first"),
        second=paths.ALIGNED_FEATURES.rule(side="second"),
        images=paths.ALIGNED.rule(),
    log:
        "<logs>/align_features/{first}_against_{second}/{dataset}.log",
    benchmark:
        "<benchmarks>/align_features/{first}_against_{second}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=RESOURCES.aligning_minutes,
    params:
        settings=MINING.settings("centre"),
        code=fingerprint("eyechart.mining.align_features"),
        environment=ENVIRONMENT,
    message:
        "Aligning the features of {wildcards.first} and {wildcards.second} on {wildcards.dataset}"
    shell:
        "python -m eyechart.mining.align_features --first {input.first:q} --second {input.second:q}"
        " --images {input.image_table:q} --settings {params.settings:q} --output {output.images:q}"
        " 2>&1 | tee {log:q}"


rule find_pairs_of_parts:
    input:
        first=rules.align_features.output.first,
        second=rules.align_features.output.second,
        images=rules.align_features.output.images,
    output:
        paths.PAIRS_PART.rule(),
    log:
        "<logs>/find_pairs_of_parts/{first}_against_{second}/{dataset}/{part}-{other}.log",
    benchmark:
        "<benchmarks>/find_pairs_of_parts/{first}_against_{second}/{dataset}/{part}-{other}.jsonl"
    wildcard_constraints:
        other=r"\d{3}",
        dataset=MINING.parted_pattern(True),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.mining_mb,
        runtime=RESOURCES.mining_minutes,
    params:
        settings=MINING.settings(*OF_A_PART),
        parts=MINING.parts,
        code=fingerprint("eyechart.mining.find_pairs_of_parts"),
        environment=ENVIRONMENT,
    message:
        "Finding images of {wildcards.dataset} that {wildcards.second} separates and"
        " {wildcards.first} does not, parts {wildcards.part} and {wildcards.other}"
    shell:
        "python -m eyechart.mining.find_pairs_of_parts --features {input.images:q}"
        " --settings {params.settings:q} --part {wildcards.part:q} --other {wildcards.other:q}"
        " --parts {params.parts:q} --output {output:q} 2>&1 | tee {log:q}"


rule join_pairs:
    input:
        MINING.part_tables,
    output:
        paths.PAIRS.rule(),
    log:
        "<logs>/join_pairs/{first}_against_{second}/{dataset}.log",
    benchmark:
        "<benchmarks>/join_pairs/{first}_against_{second}/{dataset}.jsonl"
    wildcard_constraints:
        dataset=MINING.parted_pattern(True),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(30),
    params:
        code=fingerprint("eyechart.mining.join_pairs"),
    message:
        "Joining the pairs of {wildcards.dataset} that {wildcards.first} does not separate"
    shell:
        "python -m eyechart.mining.join_pairs --parts {input:q} --output {output:q}"
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
