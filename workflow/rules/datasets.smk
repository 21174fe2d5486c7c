"""Datasets: rendered, linked or downloaded in their official layout, then written as tables."""


rule draw_scenes:
    output:
        paths.SHARD.rule(),
    log:
        "<logs>/draw_scenes/{dataset}/{split}-{shard}.log",
    benchmark:
        "<benchmarks>/draw_scenes/{dataset}/{split}-{shard}.jsonl"
    wildcard_constraints:
        dataset=PLAN.dataset_pattern("render"),
    group:
        "draw"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=RESOURCES.scene_minutes,
    params:
        root=subpath(output[0], ancestor=2),
        settings=PLAN.scene_settings,
        seed=PLAN.seed,
        step=PLAN.step("draw_step"),
        code=PLAN.code_of_step("draw_step"),
        environment=ENVIRONMENT,
    message:
        "Rendering {wildcards.dataset}/{wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m {params.step:q} --dataset {wildcards.dataset:q}"
        " --split {wildcards.split:q} --shard {wildcards.shard:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --root {params.root:q} --output {output:q} 2>&1 | tee {log:q}"


use rule draw_scenes as pack_drawn with:
    input:
        paths.SHARD.rule(),
    output:
        paths.DRAWN.rule(),
    log:
        "<logs>/pack_drawn/{dataset}/{split}-{shard}.log",
    benchmark:
        "<benchmarks>/pack_drawn/{dataset}/{split}-{shard}.jsonl"
    params:
        root=subpath(input[0], ancestor=2),
        settings=PLAN.scene_settings,
        seed=PLAN.seed,
        step="eyechart.rendering.shipped",
        code=fingerprint("eyechart.rendering.shipped"),
        environment=ENVIRONMENT,
    message:
        "Packing the images of {wildcards.dataset}/{wildcards.split}, shard {wildcards.shard}"


rule write_drawn:
    input:
        shards=PLAN.shards,
    output:
        paths.RECEIPT.rule(),
    log:
        "<logs>/write_drawn/{dataset}.log",
    benchmark:
        "<benchmarks>/write_drawn/{dataset}.jsonl"
    wildcard_constraints:
        dataset=PLAN.dataset_pattern("render"),
    group:
        "tables"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.dataset_mb,
        runtime=RESOURCES.dataset_minutes,
    params:
        root=subpath(output[0], parent=True),
        settings=PLAN.question_settings,
        seed=PLAN.seed,
        step=PLAN.step("write_step"),
        code=PLAN.code_of_step("write_step"),
    message:
        "Writing {wildcards.dataset} in its official layout"
    shell:
        "python -m {params.step:q} --dataset {wildcards.dataset:q}"
        " --shards {input.shards:q} --settings {params.settings:q} --seed {params.seed:q}"
        " --root {params.root:q} --output {output:q} 2>&1 | tee {log:q}"


rule acquire_local:
    input:
        own=PLAN.own.files,
    output:
        paths.RECEIPT.rule(),
    log:
        "<logs>/acquire_local/{dataset}.log",
    benchmark:
        "<benchmarks>/acquire_local/{dataset}.jsonl"
    wildcard_constraints:
        dataset=PLAN.dataset_pattern("local"),
    group:
        "tables"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.dataset_mb,
        runtime=RESOURCES.dataset_minutes,
    params:
        root=subpath(output[0], parent=True),
        source=lookup("datasets/{dataset}/path", within=config),
        settings=PLAN.acquire_settings,
        other_files=PLAN.own.other_files,
        step=PLAN.step("local_step"),
        code=PLAN.code_of_step("local_step"),
    message:
        "Importing {wildcards.dataset} from {params.source}"
    shell:
        "python -m {params.step:q} --dataset {wildcards.dataset:q}"
        " --source={params.source:q} --settings {params.settings:q} --root {params.root:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule download:
    input:
        versions=paths.VERSIONS.rule(),
    output:
        paths.RECEIPT.rule(),
    log:
        "<logs>/download/{dataset}.log",
    benchmark:
        "<benchmarks>/download/{dataset}.jsonl"
    wildcard_constraints:
        dataset=PLAN.dataset_pattern("download"),
    retries: 2
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.dataset_mb,
        runtime=resources.fixed(1440),
    params:
        root=subpath(output[0], parent=True),
        cache=paths.DOWNLOADS.rule(),
        lock=paths.VERSION_LOCK.rule(),
        settings=PLAN.acquire_settings,
        code=PLAN.code_of_step("download_step"),
    message:
        "Downloading {wildcards.dataset}"
    shell:
        "python -m eyechart.data.sources.download --dataset {wildcards.dataset:q}"
        " --versions {input.versions:q} --lock {params.lock:q} --cache {params.cache:q}"
        " --settings {params.settings:q} --root {params.root:q} --output {output:q} 2>&1 | tee {log:q}"


rule prepare_dataset:
    input:
        receipt=paths.RECEIPT.rule(),
    output:
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
    log:
        "<logs>/prepare_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/prepare_dataset/{dataset}.jsonl"
    wildcard_constraints:
        dataset=PLAN.region_pattern(False),
    group:
        "tables"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.dataset_mb,
        runtime=RESOURCES.dataset_minutes,
    params:
        settings=PLAN.prepare_settings,
        seed=PLAN.seed,
        step=PLAN.step("prepare_step"),
        code=PLAN.code_of_step("prepare_step"),
        regions=configuration.output_flag("--regions", "regions"),
    message:
        "Writing the tables of {wildcards.dataset}"
    shell:
        "python -m {params.step:q} --dataset {wildcards.dataset:q}"
        " --receipt {input.receipt:q} --settings {params.settings:q} --seed {params.seed:q}"
        " --items {output.item_table:q} --images {output.image_table:q} {params.regions}"
        " 2>&1 | tee {log:q}"


use rule prepare_dataset as prepare_marked with:
    output:
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=paths.REGIONS.rule(),
    log:
        "<logs>/prepare_marked/{dataset}.log",
    benchmark:
        "<benchmarks>/prepare_marked/{dataset}.jsonl"
    wildcard_constraints:
        dataset=PLAN.region_pattern(True),
