"""Models: what a checkpoint is, seen in one forward pass."""


rule describe_model:
    input:
        spec="config/models/{model}.yaml",
        ready="data/models/{model}/ready.json",
    output:
        "<results>/models/{model}/card.json",
    log:
        "<logs>/describe_model/{model}.log",
    benchmark:
        "<benchmarks>/describe_model/{model}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=SIZES.describing_mb,
        runtime=SIZES.describing_minutes,
    params:
        checkpoint=subpath(input.ready, parent=True),
        code=EXAM.code_with_family("eyechart.models.describe_model"),
        environment=ENVIRONMENT,
    message:
        "Describing {wildcards.model}"
    shell:
        "python -m eyechart.models.describe_model --model {wildcards.model} --spec {input.spec}"
        " --checkpoint {params.checkpoint} --output {output} 2>&1 | tee {log}"
