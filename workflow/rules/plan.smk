"""The plan of a run: what its jobs ask for. Nothing else is run."""


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
        snakefile=workflow.main_snakefile,
        settings=configuration.as_is(
            canonical(
                {
                    "configfiles": list(map(str, workflow.overwrite_configfiles)),
                    "config": workflow.config_settings.overwrite_config,
                }
            )
        ),
    message:
        "Planning all jobs"
    shell:
        "python -m eyechart.plan.resource_table --snakefile {params.snakefile:q}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


if CONTAINERIZE:
    for ENV in environments.names():

        rule:
            name:
                f"environment_{ENV}"
            conda:
                f"../../envs/{ENV}.yaml"
            shell:
                "true"
