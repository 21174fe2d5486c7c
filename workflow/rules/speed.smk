"""Speed: time and memory of each model. Run this stage alone: other jobs disturb the times."""

from eyechart.plan.speed import SpeedPlan

SPEED = SpeedPlan(config)


rule measure_speed:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
    output:
        paths.SPEED.rule(),
    log:
        "<logs>/measure_speed/{model}.log",
    benchmark:
        "<benchmarks>/measure_speed/{model}.jsonl"
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=resources.fixed(240),
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=SPEED.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=config["seed"],
        code=PLAN.code_with_family("eyechart.speed.measure"),
        environment=ENVIRONMENTS.state,
    message:
        "Measuring the speed and memory of {wildcards.model}"
    shell:
        "{params.python:q} -m eyechart.speed.measure --model {wildcards.model:q}"
        " --spec {input.spec:q} --checkpoint {params.checkpoint:q} --settings {params.settings:q}"
        " --loading {params.loading:q} {params.allowance} --seed {params.seed:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule draw_speed:
    input:
        SPEED.tables,
    output:
        paths.SPEED_PAGE.rule(),
    log:
        "<logs>/draw_speed.log",
    benchmark:
        "<benchmarks>/draw_speed.jsonl"
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(500),
        runtime=resources.fixed(10),
    params:
        code=fingerprint("eyechart.report.sections.speed.sheet"),
    message:
        "Drawing the page of speed and memory"
    shell:
        "python -m eyechart.report.sections.speed.sheet --tables {input:q} --output {output:q}"
        " 2>&1 | tee {log:q}"
