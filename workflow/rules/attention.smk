"""Attention: where a language model looks, and which block knows the answer first."""


rule trace_items:
    input:
        spec="config/models/{model}.yaml",
        base_specs=EXAM.checkpoints.base_specs,
        ready="data/models/{model}/ready.json",
        item_table="<results>/datasets/{dataset}/items.parquet",
        image_table="<results>/datasets/{dataset}/images.parquet",
        regions=TRACING.regions,
    output:
        attention="<results>/attention/{model}/{dataset}/attention.parquet",
        lens="<results>/attention/{model}/{dataset}/lens.parquet",
        words="<results>/attention/{model}/{dataset}/words.parquet",
        maps="<results>/attention/{model}/{dataset}/maps.parquet",
    log:
        "<logs>/trace_items/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/trace_items/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=EXAM.any_model("vlm"),
    conda:
        ENVIRONMENTS.file
    threads: config["threads"]
    resources:
        mem_mb=SIZES.extracting_mb,
        runtime=SIZES.answering_minutes,
        gpu=SIZES.gpus,
        cpus_per_gpu=sizing.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=TRACING.setting,
        loading=EXAM.loading,
        allowance=EXAM.checkpoints.allowance,
        seed=config["seed"],
        code=EXAM.code_with_family("eyechart.attention.trace_items"),
        environment=ENVIRONMENTS.state,
    message:
        "Tracing where {wildcards.model} looks in {wildcards.dataset}"
    shell:
        "{params.python} -m eyechart.attention.trace_items --model {wildcards.model}"
        " --dataset {wildcards.dataset} --spec {input.spec} --checkpoint {params.checkpoint}"
        " --items {input.item_table} --images {input.image_table} --regions {input.regions}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --seed {params.seed} --output {output.attention} 2>&1 | tee {log}"


rule summarise_attention:
    input:
        attention="<results>/attention/{model}/{dataset}/attention.parquet",
        lens="<results>/attention/{model}/{dataset}/lens.parquet",
    output:
        "<results>/attention/{model}/{dataset}/summary.parquet",
    log:
        "<logs>/summarise_attention/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/summarise_attention/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=TRACING.summing,
        seed=config["seed"],
        code=fingerprint("eyechart.attention.summarise"),
        environment=ENVIRONMENT,
    message:
        "Summing up where {wildcards.model} looks in {wildcards.dataset}"
    shell:
        "python -m eyechart.attention.summarise --model {wildcards.model}"
        " --dataset {wildcards.dataset} --attention {input.attention} --lens {input.lens}"
        " --settings {params.settings:q} --seed {params.seed} --output {output} 2>&1 | tee {log}"
