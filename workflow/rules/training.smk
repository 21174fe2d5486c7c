"""Tiny models: five training stages, packing, and installation of shipped or trained weights."""

from eyechart.plan.controlled import ControlledPlan

CONTROLLED = ControlledPlan(config, SPECS)


rule train_clip:
    input:
        receipt=paths.RECEIPT.rule(dataset="clevr_pretrain"),
    output:
        ready=paths.TRAINED.rule(stage="contrastive"),
        curve=paths.CURVE.rule(stage="contrastive"),
    log:
        "<logs>/train_clip.log",
    benchmark:
        "<benchmarks>/train_clip.jsonl"
    conda:
        BASE
    threads: config["tiny_models"]["recipe"]["contrastive"]["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(240),
    params:
        recipe=training.stage_recipe(config, "contrastive"),
        seed=config["tiny_models"]["seed"],
        device=config["tiny_models"]["device"],
        code=fingerprint("eyechart.tiny_models.train_clip"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_clip on images and captions"
    shell:
        "python -m eyechart.tiny_models.train_clip --receipt {input.receipt:q} --recipe {params.recipe:q}"
        " --seed {params.seed:q} --device {params.device:q} --output {output.ready:q} --curve {output.curve:q} 2>&1 | tee {log:q}"


rule train_language:
    input:
        receipt=paths.RECEIPT.rule(dataset="clevr_pretrain"),
    output:
        ready=paths.TRAINED.rule(stage="language"),
        curve=paths.CURVE.rule(stage="language"),
    log:
        "<logs>/train_language.log",
    benchmark:
        "<benchmarks>/train_language.jsonl"
    conda:
        BASE
    threads: config["tiny_models"]["recipe"]["language"]["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(240),
    params:
        recipe=training.stage_recipe(config, "language"),
        seed=config["tiny_models"]["seed"],
        device=config["tiny_models"]["device"],
        code=fingerprint("eyechart.tiny_models.train_language"),
        environment=ENVIRONMENT,
    message:
        "Training the language model on text alone"
    shell:
        "python -m eyechart.tiny_models.train_language --receipt {input.receipt:q}"
        " --recipe {params.recipe:q} --seed {params.seed:q} --device {params.device:q}"
        " --output {output.ready:q}"
        " --curve {output.curve:q} 2>&1 | tee {log:q}"


rule train_alignment:
    input:
        receipt=paths.RECEIPT.rule(dataset="clevr_pretrain"),
        vision=paths.TRAINED.rule(stage="contrastive"),
        language=paths.TRAINED.rule(stage="language"),
    output:
        ready=paths.TRAINED.rule(stage="alignment"),
        curve=paths.CURVE.rule(stage="alignment"),
    log:
        "<logs>/train_alignment.log",
    benchmark:
        "<benchmarks>/train_alignment.jsonl"
    conda:
        BASE
    threads: config["tiny_models"]["recipe"]["alignment"]["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(240),
    params:
        stage="alignment",
        recipe=training.stage_recipe(config, "alignment"),
        seed=config["tiny_models"]["seed"],
        device=config["tiny_models"]["device"],
        code=fingerprint("eyechart.tiny_models.train_llava"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_llava, stage {params.stage}"
    shell:
        "python -m eyechart.tiny_models.train_llava --stage {params.stage:q} --receipt {input.receipt:q}"
        " --recipe {params.recipe:q} --seed {params.seed:q} --device {params.device:q}"
        " --vision {input.vision:q} --language {input.language:q} --output {output.ready:q} --curve {output.curve:q}"
        " 2>&1 | tee {log:q}"


use rule train_alignment as train_instruction with:
    input:
        receipt=paths.RECEIPT.rule(dataset="clevr_pretrain"),
        vision=paths.TRAINED.rule(stage="alignment"),
        language=paths.TRAINED.rule(stage="alignment"),
    output:
        ready=paths.TRAINED.rule(stage="instruction"),
        curve=paths.CURVE.rule(stage="instruction"),
    log:
        "<logs>/train_instruction.log",
    benchmark:
        "<benchmarks>/train_instruction.jsonl"
    threads: config["tiny_models"]["recipe"]["instruction"]["threads"]
    params:
        stage="instruction",
        recipe=training.stage_recipe(config, "instruction"),
        seed=config["tiny_models"]["seed"],
        device=config["tiny_models"]["device"],
        code=fingerprint("eyechart.tiny_models.train_llava"),
        environment=ENVIRONMENT,


rule train_dino:
    input:
        receipt=paths.RECEIPT.rule(dataset="clevr_pretrain"),
    output:
        ready=paths.TRAINED.rule(stage="distillation"),
        curve=paths.CURVE.rule(stage="distillation"),
    log:
        "<logs>/train_dino.log",
    benchmark:
        "<benchmarks>/train_dino.jsonl"
    conda:
        BASE
    threads: config["tiny_models"]["recipe"]["distillation"]["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(240),
    params:
        recipe=training.stage_recipe(config, "distillation"),
        seed=config["tiny_models"]["seed"],
        device=config["tiny_models"]["device"],
        code=fingerprint("eyechart.tiny_models.train_dino"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_dino on images alone"
    shell:
        "python -m eyechart.tiny_models.train_dino --receipt {input.receipt:q} --recipe {params.recipe:q}"
        " --seed {params.seed:q} --device {params.device:q} --output {output.ready:q} --curve {output.curve:q} 2>&1 | tee {log:q}"


rule pack_weights:
    input:
        ready=training.trained_model,
        curves=training.trained_curves,
    output:
        packed=paths.PACKED.rule(),
    log:
        "<logs>/pack_weights/{model}.log",
    benchmark:
        "<benchmarks>/pack_weights/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("tiny"),
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=resources.fixed(30),
    params:
        recipe=training.recipe_of_model(config),
        code=fingerprint("eyechart.tiny_models.pack_weights"),
    message:
        "Packing the weights of {wildcards.model}"
    shell:
        "python -m eyechart.tiny_models.pack_weights --model {wildcards.model:q}"
        " --recipe {params.recipe:q} --trained {input.ready:q} --curve {input.curves:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule install_weights:
    input:
        packed=training.packed_weights(config),
    output:
        paths.READY.rule(),
    log:
        "<logs>/install_weights/{model}.log",
    benchmark:
        "<benchmarks>/install_weights/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("tiny"),
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=resources.fixed(30),
    params:
        recipe=training.recipe_of_model(config),
        code=fingerprint("eyechart.tiny_models.install_weights"),
    message:
        "Installing {wildcards.model}"
    shell:
        "python -m eyechart.tiny_models.install_weights --recipe {params.recipe:q}"
        " --packed {input.packed:q} --output {output:q} 2>&1 | tee {log:q}"


rule train_tiny:
    input:
        expand(paths.PACKED.rule(), model=training.MODELS),


rule build_model:
    input:
        receipt=CONTROLLED.receipt,
        parts=CONTROLLED.parts,
    output:
        ready=paths.READY.rule(),
        curve=paths.BUILT_CURVE.rule(),
    log:
        "<logs>/build_model/{model}.log",
    benchmark:
        "<benchmarks>/build_model/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("built"),
    conda:
        BASE
    threads: CONTROLLED.threads
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(240),
    params:
        recipe=CONTROLLED.recipe,
        seed=config["controlled"]["seed"],
        device=config["controlled"]["device"],
        code=fingerprint("eyechart.tiny_models.build_model"),
        environment=ENVIRONMENT,
    message:
        "Training {wildcards.model}"
    shell:
        "python -m eyechart.tiny_models.build_model --parts {input.parts:q} --receipt {input.receipt:q}"
        " --recipe {params.recipe:q} --seed {params.seed:q} --device {params.device:q}"
        " --output {output.ready:q} --curve {output.curve:q} 2>&1 | tee {log:q}"
