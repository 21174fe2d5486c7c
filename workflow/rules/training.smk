"""The tiny models: five training stages, packing, and installing what ships or was trained."""


rule train_clip:
    input:
        receipt="data/raw/clevr_pretrain/acquired.json",
    output:
        ready="<results>/training/contrastive/model/ready.json",
        curve="<results>/training/contrastive/curve.parquet",
    log:
        "<logs>/train_clip.log",
    benchmark:
        "<benchmarks>/train_clip.jsonl"
    conda:
        BASE
    threads: config["tiny"]["recipe"]["contrastive"]["threads"]
    resources:
        mem_mb=sizing.fixed(4000),
        runtime=sizing.fixed(240),
    params:
        recipe=recipe.stage_recipe(config, "contrastive"),
        seed=config["tiny"]["seed"],
        device=config["tiny"]["device"],
        code=fingerprint("eyechart.training.train_clip"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_clip: which caption belongs to which picture"
    shell:
        "python -m eyechart.training.train_clip --receipt {input.receipt} --recipe {params.recipe:q}"
        " --seed {params.seed} --device {params.device} --output {output.ready} --curve {output.curve} 2>&1 | tee {log}"


rule train_language:
    input:
        receipt="data/raw/clevr_pretrain/acquired.json",
    output:
        ready="<results>/training/language/model/ready.json",
        curve="<results>/training/language/curve.parquet",
    log:
        "<logs>/train_language.log",
    benchmark:
        "<benchmarks>/train_language.jsonl"
    conda:
        BASE
    threads: config["tiny"]["recipe"]["language"]["threads"]
    resources:
        mem_mb=sizing.fixed(4000),
        runtime=sizing.fixed(240),
    params:
        recipe=recipe.stage_recipe(config, "language"),
        seed=config["tiny"]["seed"],
        device=config["tiny"]["device"],
        code=fingerprint("eyechart.training.train_language"),
        environment=ENVIRONMENT,
    message:
        "Training the language model on text alone"
    shell:
        "python -m eyechart.training.train_language --receipt {input.receipt}"
        " --recipe {params.recipe:q} --seed {params.seed} --device {params.device}"
        " --output {output.ready}"
        " --curve {output.curve} 2>&1 | tee {log}"


rule train_alignment:
    input:
        receipt="data/raw/clevr_pretrain/acquired.json",
        vision="<results>/training/contrastive/model/ready.json",
        language="<results>/training/language/model/ready.json",
    output:
        ready="<results>/training/alignment/model/ready.json",
        curve="<results>/training/alignment/curve.parquet",
    log:
        "<logs>/train_alignment.log",
    benchmark:
        "<benchmarks>/train_alignment.jsonl"
    conda:
        BASE
    threads: config["tiny"]["recipe"]["alignment"]["threads"]
    resources:
        mem_mb=sizing.fixed(4000),
        runtime=sizing.fixed(240),
    params:
        stage="alignment",
        recipe=recipe.stage_recipe(config, "alignment"),
        seed=config["tiny"]["seed"],
        device=config["tiny"]["device"],
        code=fingerprint("eyechart.training.train_llava"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_llava, stage {params.stage}"
    shell:
        "python -m eyechart.training.train_llava --stage {params.stage} --receipt {input.receipt}"
        " --recipe {params.recipe:q} --seed {params.seed} --device {params.device}"
        " --vision {input.vision} --language {input.language} --output {output.ready} --curve {output.curve}"
        " 2>&1 | tee {log}"


use rule train_alignment as train_instruction with:
    input:
        receipt="data/raw/clevr_pretrain/acquired.json",
        vision="<results>/training/alignment/model/ready.json",
        language="<results>/training/alignment/model/ready.json",
    output:
        ready="<results>/training/instruction/model/ready.json",
        curve="<results>/training/instruction/curve.parquet",
    log:
        "<logs>/train_instruction.log",
    benchmark:
        "<benchmarks>/train_instruction.jsonl"
    threads: config["tiny"]["recipe"]["instruction"]["threads"]
    params:
        stage="instruction",
        recipe=recipe.stage_recipe(config, "instruction"),
        seed=config["tiny"]["seed"],
        device=config["tiny"]["device"],
        code=fingerprint("eyechart.training.train_llava"),
        environment=ENVIRONMENT,


rule train_dino:
    input:
        receipt="data/raw/clevr_pretrain/acquired.json",
    output:
        ready="<results>/training/distillation/model/ready.json",
        curve="<results>/training/distillation/curve.parquet",
    log:
        "<logs>/train_dino.log",
    benchmark:
        "<benchmarks>/train_dino.jsonl"
    conda:
        BASE
    threads: config["tiny"]["recipe"]["distillation"]["threads"]
    resources:
        mem_mb=sizing.fixed(4000),
        runtime=sizing.fixed(240),
    params:
        recipe=recipe.stage_recipe(config, "distillation"),
        seed=config["tiny"]["seed"],
        device=config["tiny"]["device"],
        code=fingerprint("eyechart.training.train_dino"),
        environment=ENVIRONMENT,
    message:
        "Training tiny_dino on pictures alone"
    shell:
        "python -m eyechart.training.train_dino --receipt {input.receipt} --recipe {params.recipe:q}"
        " --seed {params.seed} --device {params.device} --output {output.ready} --curve {output.curve} 2>&1 | tee {log}"


rule pack_weights:
    input:
        ready=recipe.trained,
        curves=recipe.trained_curves,
    output:
        packed="<results>/training/packed/{model}/packed.json",
    log:
        "<logs>/pack_weights/{model}.log",
    benchmark:
        "<benchmarks>/pack_weights/{model}.jsonl"
    wildcard_constraints:
        model=EXAM.checkpoints.any_model("tiny"),
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(1000),
        runtime=sizing.fixed(30),
    params:
        recipe=recipe.whole_recipe(config),
        code=fingerprint("eyechart.training.pack_weights"),
    message:
        "Packing the weights of {wildcards.model}"
    shell:
        "python -m eyechart.training.pack_weights --model {wildcards.model}"
        " --recipe {params.recipe:q} --trained {input.ready} --curve {input.curves}"
        " --output {output} 2>&1 | tee {log}"


rule install_weights:
    input:
        packed=recipe.packed(config),
    output:
        "data/models/{model}/ready.json",
    log:
        "<logs>/install_weights/{model}.log",
    benchmark:
        "<benchmarks>/install_weights/{model}.jsonl"
    wildcard_constraints:
        model=EXAM.checkpoints.any_model("tiny"),
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(1000),
        runtime=sizing.fixed(30),
    params:
        recipe=recipe.whole_recipe(config),
        code=fingerprint("eyechart.training.install_weights"),
    message:
        "Installing {wildcards.model}"
    shell:
        "python -m eyechart.training.install_weights --recipe {params.recipe:q}"
        " --packed {input.packed} --output {output} 2>&1 | tee {log}"


rule train_tiny:
    input:
        expand("<results>/training/packed/{model}/packed.json", model=recipe.MODELS),
