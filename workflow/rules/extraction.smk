"""Extraction: one job loads one model once and writes every address and span of one part."""


rule extract_encoder:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        card=paths.CARD.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=PLAN.extraction.regions,
    output:
        image=paths.ACTIVATIONS.rule(scope="image"),
        item=paths.ACTIVATIONS.rule(scope="item"),
    log:
        "<logs>/extract_encoder/{model}/{dataset}/{part}.log",
    benchmark:
        "<benchmarks>/extract_encoder/{model}/{dataset}/{part}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("encoder"),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.extraction_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        env=ENVIRONMENTS.name,
        parts=PLAN.part_flags("extraction"),
        settings=PLAN.extraction.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        code=PLAN.code_with_family("eyechart.extraction.extract_activations"),
        environment=ENVIRONMENTS.state,
    message:
        "Extracting {wildcards.model} on {wildcards.dataset}, part {wildcards.part},"
        " in {params.env}"
    shell:
        "{params.python:q} -m eyechart.extraction.extract_activations --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --card {input.card:q} --items {input.item_table:q} --images {input.image_table:q}"
        " --regions {input.regions:q} {params.parts} --settings {params.settings:q}"
        " --loading {params.loading:q} {params.allowance}"
        " --image-output {output.image:q} --item-output {output.item:q} 2>&1 | tee {log:q}"


use rule extract_encoder as extract_vlm with:
    log:
        "<logs>/extract_vlm/{model}/{dataset}/{part}.log",
    benchmark:
        "<benchmarks>/extract_vlm/{model}/{dataset}/{part}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),


rule write_manifest:
    input:
        card=paths.CARD.rule(),
        rows=branch(
            evaluate("{scope} == 'item'"),
            then=paths.ITEMS.rule(),
            otherwise=paths.IMAGES.rule(),
        ),
        parts=PLAN.parts,
    output:
        paths.MANIFEST.rule(),
    log:
        "<logs>/write_manifest/{model}/{dataset}/{scope}.log",
    benchmark:
        "<benchmarks>/write_manifest/{model}/{dataset}/{scope}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=RESOURCES.manifest_minutes,
    params:
        settings=PLAN.extraction.settings,
        code=fingerprint("eyechart.extraction.write_manifest"),
    message:
        "Writing the manifest of {wildcards.model} on {wildcards.dataset}, scope {wildcards.scope}"
    shell:
        "python -m eyechart.extraction.write_manifest --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --scope {wildcards.scope:q} --card {input.card:q}"
        " --rows {input.rows:q} --parts {input.parts:q} --settings {params.settings:q}"
        " --output {output:q} 2>&1 | tee {log:q}"
