"""Calibration: how often the verdict is correct on models with planted failures."""


rule calibrate:
    output:
        table=paths.CALIBRATION.rule(),
        page=paths.CALIBRATION_PAGE.rule(),
        figure=paths.CALIBRATION_FIGURE.rule(),
    log:
        "<logs>/calibrate.log",
    benchmark:
        "<benchmarks>/calibrate.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=VERDICT.calibration_settings(),
        seed=config["seed"],
        code=fingerprint("eyechart.verdict.calibrate"),
        environment=ENVIRONMENT,
    message:
        "Calibrating the verdict on planted models"
    shell:
        "python -m eyechart.verdict.calibrate --settings {params.settings:q} --seed {params.seed:q}"
        " --output {output.table:q} --page {output.page:q} --figure {output.figure:q} 2>&1 | tee {log:q}"


rule calibration:
    input:
        rules.calibrate.output,
