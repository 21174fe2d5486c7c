"""Probing: one job trains the probes and controls of one task at every address."""


rule train_probes:
    input:
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        manifest=PLAN.manifest,
        image_manifest=PLAN.image_manifest,
    output:
        metrics=paths.PROBES.rule(),
        predictions=paths.PROBE_PREDICTIONS.rule(),
    log:
        "<logs>/train_probes/{model}/{dataset}/{task}.log",
    benchmark:
        "<benchmarks>/train_probes/{model}/{dataset}/{task}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.probing_mb,
        runtime=RESOURCES.probing_minutes,
        gpu=RESOURCES.probing_gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        settings=canonical(config["probing"]),
        seed=config["seed"],
        code=fingerprint("eyechart.probing.train_probes"),
        environment=ENVIRONMENT,
    message:
        "Probing {wildcards.model} on {wildcards.dataset}: {wildcards.task}"
    shell:
        "python -m eyechart.probing.train_probes --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --task {wildcards.task:q} --items {input.item_table:q}"
        " --images {input.image_table:q} --manifest {input.manifest:q}"
        " --image-manifest {input.image_manifest:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --output {output.metrics:q} --predictions {output.predictions:q}"
        " 2>&1 | tee {log:q}"
