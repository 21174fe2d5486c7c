"""Attention: where a language model attends, and from which block on its answer is fixed."""


rule trace_items:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=ATTENTION.regions,
    output:
        attention=paths.ATTENTION.rule(table="attention"),
        lens=paths.ATTENTION.rule(table="lens"),
        words=paths.ATTENTION.rule(table="words"),
        maps=paths.ATTENTION.rule(table="maps"),
    log:
        "<logs>/trace_items/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/trace_items/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(False),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.attention_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        parts=PLAN.part_flags(),
        settings=ATTENTION.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=config["seed"],
        code=PLAN.code_with_family("eyechart.attention.trace_items"),
        environment=ENVIRONMENTS.state,
    message:
        "Tracing the attention of {wildcards.model} on {wildcards.dataset}"
    shell:
        "{params.python:q} -m eyechart.attention.trace_items --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --items {input.item_table:q} --images {input.image_table:q} --regions {input.regions:q}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --seed {params.seed:q} {params.parts} --output {output.attention:q} 2>&1 | tee {log:q}"


use rule trace_items as trace_items_part with:
    output:
        attention=paths.ATTENTION_PARTS.rule(table="attention"),
        lens=paths.ATTENTION_PARTS.rule(table="lens"),
        words=paths.ATTENTION_PARTS.rule(table="words"),
        maps=paths.ATTENTION_PARTS.rule(table="maps"),
    log:
        "<logs>/trace_items_part/{model}/{dataset}/{part}.log",
    benchmark:
        "<benchmarks>/trace_items_part/{model}/{dataset}/{part}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(True),
    message:
        "Tracing the attention of {wildcards.model} on {wildcards.dataset}, part {wildcards.part}"


rule join_traces:
    input:
        attention=ATTENTION.parts("attention"),
        lens=ATTENTION.parts("lens"),
        words=ATTENTION.parts("words"),
        maps=ATTENTION.parts("maps"),
    output:
        rules.trace_items.output,
    log:
        "<logs>/join_traces/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/join_traces/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(True),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        code=fingerprint("eyechart.attention.join_traces"),
    message:
        "Joining the attention of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.attention.join_traces --parts {input:q} --outputs {output:q}"
        " 2>&1 | tee {log:q}"


rule summarise_attention:
    input:
        attention=paths.ATTENTION.rule(table="attention"),
        lens=paths.ATTENTION.rule(table="lens"),
    output:
        paths.ATTENTION.rule(table="summary"),
    log:
        "<logs>/summarise_attention/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/summarise_attention/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=ATTENTION.summary_settings,
        seed=config["seed"],
        code=fingerprint("eyechart.attention.summarise"),
        environment=ENVIRONMENT,
    message:
        "Summarising the attention of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.attention.summarise --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --attention {input.attention:q} --lens {input.lens:q}"
        " --settings {params.settings:q} --seed {params.seed:q} --output {output:q} 2>&1 | tee {log:q}"
