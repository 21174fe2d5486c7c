"""The check of the user's own data before a run. Nothing else is run."""


rule check_data:
    localrule: True
    log:
        "<logs>/check_data.log",
    conda:
        BASE
    params:
        snakefile=lambda _: workflow.main_snakefile,
        settings=lambda _: canonical(
            {
                "configfiles": list(map(str, workflow.overwrite_configfiles)),
                "config": workflow.config_settings.overwrite_config,
            }
        ),
    message:
        "Reading the data, planning all jobs"
    shell:
        "python -m eyechart.plan.check_data --snakefile {params.snakefile:q}"
        " --settings {params.settings:q} 2>&1 | tee {log}"
