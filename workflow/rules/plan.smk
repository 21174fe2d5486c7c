"""The plan of a run: the resources of its jobs, and a check of its files. Nothing is run."""

# Params that define a plan: the main Snakefile and the configuration, which may contain braces.
PLANNED = {
    "snakefile": configuration.as_is(str(workflow.main_snakefile)),
    "settings": configuration.as_is(
        canonical(
            {
                "configfiles": list(map(str, FILES)),
                "config": dict(workflow.config_settings.config),
            }
        )
    ),
}


rule plan_resources:
    log:
        "<logs>/plan_resources.log",
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        **PLANNED,
    message:
        "Planning all jobs"
    shell:
        "python -m eyechart.plan.resource_table --snakefile {params.snakefile:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule check_data:
    log:
        "<logs>/check_data.log",
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        **PLANNED,
    message:
        "Reading the data and planning all jobs"
    shell:
        "python -m eyechart.plan.check_data --snakefile {params.snakefile:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


# As in every run, the check runs before jobs are planned; here it reads every byte.
rule verify:
    log:
        "<logs>/verify.log",
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(500),
        runtime=resources.fixed(60),
    message:
        "Every file between stages has been read and is unchanged"
    shell:
        "echo 'eyechart: every file is as it was written' | tee {log:q}"


if CONTAINERIZE:
    for ENV in environments.names():

        rule:
            name:
                f"environment_{ENV}"
            conda:
                f"../../envs/{ENV}.yaml"
            shell:
                "true"


plan_quickly(workflow)  # the last rules are above
