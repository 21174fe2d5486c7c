"""Tuning: which component has to learn before a model can answer a task."""


rule tune:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        item_tables=TUNING.items,
        image_tables=TUNING.images,
        regions=TUNING.regions,
    output:
        answers=paths.TUNED.rule(table="answers"),
        curve=paths.TUNED.rule(table="curve"),
        adapters=TUNING.trainings(),
    log:
        "<logs>/tune/{model}/{dataset}/{task}/{arm}.log",
    benchmark:
        "<benchmarks>/tune/{model}/{dataset}/{task}/{arm}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
        task=TUNING.task_pattern(),
        arm=TUNING.arm_pattern(),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.tuning_mb,
        runtime=RESOURCES.tuning_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        datasets=TUNING.asked,
        settings=TUNING.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        threads=config["threads"],  # Snakemake would scale a rule's threads down to --cores
        seed=config["seed"],
        code=PLAN.code_with_family("eyechart.tuning.tune"),
        environment=ENVIRONMENTS.state,
    message:
        "Tuning {wildcards.arm} of {wildcards.model} on {wildcards.task} of {wildcards.dataset}"
    shell:
        "{params.python:q} -m eyechart.tuning.tune --model {wildcards.model:q} --task {wildcards.task:q}"
        " --arm {wildcards.arm:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --datasets {params.datasets:q} --items {input.item_tables:q} --images {input.image_tables:q}"
        " --regions {input.regions:q} --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --threads {params.threads:q} --seed {params.seed:q} --output {output.answers:q} 2>&1 | tee {log:q}"


rule map_attention:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=TUNING.regions,
        adapters=TUNING.adapters,
    output:
        paths.TUNED_MAPS.rule(),
    log:
        "<logs>/map_attention/{model}/{dataset}/{task}.log",
    benchmark:
        "<benchmarks>/map_attention/{model}/{dataset}/{task}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
        task=TUNING.task_pattern(),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.map_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=TUNING.map_settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=config["seed"],
        code=PLAN.code_with_family("eyechart.tuning.map_attention"),
        environment=ENVIRONMENTS.state,
    message:
        "Mapping the attention of {wildcards.model}, tuned on {wildcards.task} of {wildcards.dataset}"
    shell:
        "{params.python:q} -m eyechart.tuning.map_attention --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --task {wildcards.task:q} --spec {input.spec:q}"
        " --checkpoint {params.checkpoint:q} --items {input.item_table:q} --images {input.image_table:q}"
        " --regions {input.regions:q} --adapters {input.adapters:q} --settings {params.settings:q}"
        " --loading {params.loading:q} {params.allowance} --seed {params.seed:q} --output {output:q}"
        " 2>&1 | tee {log:q}"


rule compare_arms:
    input:
        answers=TUNING.answers,
        readouts=TUNING.readouts,
    output:
        paths.TUNING.rule(),
    log:
        "<logs>/compare_arms/{model}.log",
    benchmark:
        "<benchmarks>/compare_arms/{model}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=TUNING.table_settings(),
        code=fingerprint("eyechart.tuning.compare"),
        environment=ENVIRONMENT,
    message:
        "Comparing the arms of {wildcards.model}"
    shell:
        "python -m eyechart.tuning.compare --model {wildcards.model:q} --answers {input.answers:q}"
        " --readouts {input.readouts:q} --settings {params.settings:q} --output {output:q}"
        " 2>&1 | tee {log:q}"
