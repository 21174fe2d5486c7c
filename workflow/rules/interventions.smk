"""Interventions: the states and attention that a language model's answers depend on."""


rule intervene:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        card=paths.CARD.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        regions=INTERVENTIONS.regions,
    output:
        edits=paths.INTERVENTIONS.rule(table="edits"),
        erasers=paths.INTERVENTIONS.rule(table="erasers"),
    log:
        "<logs>/intervene/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/intervene/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=PLAN.model_pattern("vlm"),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.intervention_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=INTERVENTIONS.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=config["seed"],
        code=INTERVENTIONS.code,
        environment=ENVIRONMENTS.state,
    message:
        "Intervening in {wildcards.model} on {wildcards.dataset}"
    shell:
        "{params.python:q} -m eyechart.interventions.intervene --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --card {input.card:q} --items {input.item_table:q} --images {input.image_table:q}"
        " --regions {input.regions:q} --settings {params.settings:q} --loading {params.loading:q}"
        " {params.allowance} --seed {params.seed:q} --output {output.edits:q} 2>&1 | tee {log:q}"


rule measure_effects:
    input:
        edits=paths.INTERVENTIONS.rule(table="edits"),
    output:
        paths.INTERVENTIONS.rule(table="effects"),
    log:
        "<logs>/measure_effects/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_effects/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=INTERVENTIONS.effect_settings,
        seed=config["seed"],
        code=fingerprint("eyechart.interventions.measure_effects"),
        environment=ENVIRONMENT,
    message:
        "Measuring the effects of interventions in {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.interventions.measure_effects --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --edits {input.edits:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --output {output:q} 2>&1 | tee {log:q}"
