"""Saliency: which image tokens an answer depends on, by gradients."""


rule attribute:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        card=paths.CARD.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=SALIENCY.regions,
    output:
        maps=paths.SALIENCY.rule(table="maps"),
        curves=paths.SALIENCY.rule(table="curves"),
        inputs=paths.SALIENCY.rule(table="inputs"),
    log:
        "<logs>/attribute/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/attribute/{model}/{dataset}.jsonl"
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.saliency_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=SALIENCY.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=config["seed"],
        code=PLAN.code_with_family("eyechart.saliency.attribute"),
        environment=ENVIRONMENTS.state,
    message:
        "Attributing the answers of {wildcards.model} on {wildcards.dataset}"
    shell:
        "{params.python:q} -m eyechart.saliency.attribute --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --card {input.card:q} --items {input.item_table:q} --images {input.image_table:q}"
        " --regions {input.regions:q} --settings {params.settings:q} --loading {params.loading:q}"
        " {params.allowance} --seed {params.seed:q} --output {output.maps:q} 2>&1 | tee {log:q}"


rule summarise_saliency:
    input:
        curves=paths.SALIENCY.rule(table="curves"),
    output:
        paths.SALIENCY.rule(table="summary"),
    log:
        "<logs>/summarise_saliency/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/summarise_saliency/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=SALIENCY.summary_settings,
        seed=config["seed"],
        code=fingerprint("eyechart.saliency.summarise"),
        environment=ENVIRONMENT,
    message:
        "Summarising the saliency of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.saliency.summarise --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --curves {input.curves:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --output {output:q} 2>&1 | tee {log:q}"


rule measure_image_use:
    input:
        inputs=SALIENCY.inputs,
        responses=SALIENCY.responses,
        item_tables=SALIENCY.items,
        attention=SALIENCY.attention,
        effects=SALIENCY.effects,
    output:
        paths.IMAGE_USE.rule(),
    log:
        "<logs>/measure_image_use/{model}.log",
    benchmark:
        "<benchmarks>/measure_image_use/{model}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        code=fingerprint("eyechart.saliency.measure_image_use"),
        environment=ENVIRONMENT,
    message:
        "Measuring whether {wildcards.model} uses the image"
    shell:
        "python -m eyechart.saliency.measure_image_use --model {wildcards.model:q}"
        " --inputs {input.inputs:q} --responses {input.responses:q} --items {input.item_tables:q}"
        " --attention {input.attention:q} --effects {input.effects:q} --output {output:q}"
        " 2>&1 | tee {log:q}"
