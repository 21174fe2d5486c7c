"""Behaviour: what models answer, under every condition; and what that is worth."""


rule answer_encoder:
    input:
        spec=paths.SPEC.rule(),
        base_specs=EXAM.checkpoints.base_specs,
        ready=paths.READY.rule(),
        card=paths.CARD.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
    output:
        answers=expand(
            paths.ANSWERS.rule(),
            condition=ANSWERING.conditions("encoder"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_encoder/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/answer_encoder/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=ANSWERING.any_model("encoder"),
    conda:
        ENVIRONMENTS.file
    threads: config["threads"]
    resources:
        mem_mb=SIZES.extracting_mb,
        runtime=SIZES.answering_minutes,
        gpu=SIZES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        env=ENVIRONMENTS.name,
        settings=ANSWERING.asking,
        loading=EXAM.loading,
        allowance=EXAM.checkpoints.allowance,
        seed=EXAM.seed,
        code=EXAM.code_with_family("eyechart.behavior.answer_items"),
        environment=ENVIRONMENTS.state,
    message:
        "Asking {wildcards.model} about {wildcards.dataset}, in {params.env}"
    shell:
        "{params.python} -m eyechart.behavior.answer_items --model {wildcards.model}"
        " --dataset {wildcards.dataset} --spec {input.spec} --checkpoint {params.checkpoint}"
        " --card {input.card} --items {input.item_table} --images {input.image_table}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --seed {params.seed} --outputs {output.answers} 2>&1 | tee {log}"


use rule answer_encoder as answer_vlm with:
    output:
        answers=expand(
            paths.ANSWERS.rule(),
            condition=ANSWERING.conditions("vlm"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_vlm/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/answer_vlm/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=ANSWERING.any_model("vlm"),


rule score_answers:
    input:
        item_table=paths.ITEMS.rule(),
        answers=ANSWERING.answers,
    output:
        scores=paths.SCORES.rule(),
        distributions=paths.DISTRIBUTIONS.rule(),
    log:
        "<logs>/score_answers/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/score_answers/{model}/{dataset}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=SIZES.rows_mb,
        runtime=SIZES.rows_minutes,
    params:
        settings=ANSWERING.scoring,
        seed=EXAM.seed,
        code=fingerprint("eyechart.behavior.score_answers"),
        environment=ENVIRONMENT,
    message:
        "Scoring {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.behavior.score_answers --model {wildcards.model}"
        " --dataset {wildcards.dataset} --items {input.item_table} --answers {input.answers}"
        " --settings {params.settings:q} --seed {params.seed} --scores {output.scores}"
        " --distributions {output.distributions} 2>&1 | tee {log}"


rule retrieve:
    input:
        spec=paths.SPEC.rule(),
        base_specs=EXAM.checkpoints.base_specs,
        ready=paths.READY.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
    output:
        paths.RETRIEVAL.rule(),
    log:
        "<logs>/retrieve/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/retrieve/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=ANSWERING.any_model("encoder"),
    conda:
        ENVIRONMENTS.file
    threads: config["threads"]
    resources:
        mem_mb=SIZES.extracting_mb,
        runtime=SIZES.answering_minutes,
        gpu=SIZES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=ANSWERING.retrieving,
        loading=EXAM.loading,
        allowance=EXAM.checkpoints.allowance,
        seed=EXAM.seed,
        code=EXAM.code_with_family("eyechart.behavior.retrieve"),
        environment=ENVIRONMENTS.state,
    message:
        "Matching captions and pictures of {wildcards.dataset} by {wildcards.model}"
    shell:
        "{params.python} -m eyechart.behavior.retrieve --model {wildcards.model}"
        " --dataset {wildcards.dataset} --spec {input.spec} --checkpoint {params.checkpoint}"
        " --items {input.item_table} --images {input.image_table}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --seed {params.seed} --output {output} 2>&1 | tee {log}"


rule compare_patterns:
    input:
        scores=ANSWERING.pattern_scores,
        cards=ANSWERING.pattern_cards,
    output:
        patterns=paths.MMVP.rule(table="patterns"),
        correlations=paths.MMVP.rule(table="correlations"),
    log:
        "<logs>/compare_patterns.log",
    benchmark:
        "<benchmarks>/compare_patterns.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(1000),
        runtime=resources.fixed(30),
    params:
        settings=ANSWERING.comparing,
        seed=config["seed"],
        code=fingerprint("eyechart.behavior.compare_patterns"),
    message:
        "Comparing all models by pattern"
    shell:
        "python -m eyechart.behavior.compare_patterns --scores {input.scores}"
        " --cards {input.cards} --settings {params.settings:q} --seed {params.seed}"
        " --patterns {output.patterns} --correlations {output.correlations} 2>&1 | tee {log}"


use rule compare_patterns as compare_with_encoder with:
    output:
        patterns=paths.MMVP_OF_MODEL.rule(table="patterns"),
        correlations=paths.MMVP_OF_MODEL.rule(table="correlations"),
    log:
        "<logs>/compare_with_encoder/{model}.log",
    benchmark:
        "<benchmarks>/compare_with_encoder/{model}.jsonl"
    message:
        "Comparing {wildcards.model} with its encoder by pattern"
