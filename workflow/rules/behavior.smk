"""Behavior: responses of models under every condition, and their scores."""


rule answer_encoder:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
        card=paths.CARD.rule(),
        item_table=paths.ITEMS.rule(),
        image_table=paths.IMAGES.rule(),
        so_far=BEHAVIOR.responses_before,
        decided=LOOKS.classes,
    output:
        answers=expand(
            paths.RESPONSES.rule(),
            condition=BEHAVIOR.conditions("encoder"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_encoder/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/answer_encoder/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("encoder"),
        dataset=PLAN.parted_pattern(False),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.behavior_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        env=ENVIRONMENTS.name,
        parts=PLAN.part_flags(),
        settings=BEHAVIOR.response_settings,
        looks=LOOKS.settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=PLAN.seed,
        code=PLAN.code_with_family("eyechart.behavior.answer_items"),
        environment=ENVIRONMENTS.state,
    message:
        "Answering {wildcards.dataset} with {wildcards.model}, in {params.env}"
    shell:
        "{params.python:q} -m eyechart.behavior.answer_items --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --card {input.card:q} --items {input.item_table:q} --images {input.image_table:q}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " {params.parts} --looks {params.looks:q} --so-far {input.so_far:q} --decided {input.decided:q}"
        " --seed {params.seed:q} --outputs {output.answers:q} 2>&1 | tee {log:q}"


use rule answer_encoder as answer_vlm with:
    output:
        answers=expand(
            paths.RESPONSES.rule(),
            condition=BEHAVIOR.conditions("vlm"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_vlm/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/answer_vlm/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(False),


use rule answer_encoder as answer_encoder_part with:
    output:
        answers=expand(
            paths.RESPONSE_PARTS.rule(),
            condition=BEHAVIOR.conditions("encoder"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_encoder_part/{model}/{dataset}/{look}/{part}.log",
    benchmark:
        "<benchmarks>/answer_encoder_part/{model}/{dataset}/{look}/{part}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("encoder"),
        dataset=PLAN.parted_pattern(True),
    message:
        "Answering {wildcards.dataset} with {wildcards.model}, part {wildcards.part}, in {params.env}"


use rule answer_encoder_part as answer_vlm_part with:
    output:
        answers=expand(
            paths.RESPONSE_PARTS.rule(),
            condition=BEHAVIOR.conditions("vlm"),
            allow_missing=True,
        ),
    log:
        "<logs>/answer_vlm_part/{model}/{dataset}/{look}/{part}.log",
    benchmark:
        "<benchmarks>/answer_vlm_part/{model}/{dataset}/{look}/{part}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(True),


rule join_answers_encoder:
    input:
        parts=BEHAVIOR.response_parts,
        so_far=BEHAVIOR.responses_before,
    output:
        rules.answer_encoder.output,
    log:
        "<logs>/join_answers_encoder/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/join_answers_encoder/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("encoder"),
        dataset=PLAN.parted_pattern(True),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.dataset_mb,
        runtime=RESOURCES.dataset_minutes,
    params:
        code=fingerprint("eyechart.behavior.join_answers"),
    message:
        "Joining the answers of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.behavior.join_answers --parts {input.parts:q} --so-far {input.so_far:q}"
        " --outputs {output:q} 2>&1 | tee {log:q}"


use rule join_answers_encoder as join_answers_vlm with:
    output:
        rules.answer_vlm.output,
    log:
        "<logs>/join_answers_vlm/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/join_answers_vlm/{model}/{dataset}.jsonl"
    wildcard_constraints:
        model=BEHAVIOR.model_pattern("vlm"),
        dataset=PLAN.parted_pattern(True),


if LOOKS.before_last:

    use rule answer_encoder as answer_encoder_look with:
        output:
            answers=expand(
                paths.LOOK_RESPONSES.rule(),
                condition=BEHAVIOR.conditions("encoder"),
                allow_missing=True,
            ),
        log:
            "<logs>/answer_encoder_look/{model}/{dataset}/{look}.log",
        benchmark:
            "<benchmarks>/answer_encoder_look/{model}/{dataset}/{look}.jsonl"

    use rule answer_vlm as answer_vlm_look with:
        output:
            answers=expand(
                paths.LOOK_RESPONSES.rule(),
                condition=BEHAVIOR.conditions("vlm"),
                allow_missing=True,
            ),
        log:
            "<logs>/answer_vlm_look/{model}/{dataset}/{look}.log",
        benchmark:
            "<benchmarks>/answer_vlm_look/{model}/{dataset}/{look}.jsonl"

    use rule join_answers_encoder as join_answers_encoder_look with:
        output:
            rules.answer_encoder_look.output,
        log:
            "<logs>/join_answers_encoder_look/{model}/{dataset}/{look}.log",
        benchmark:
            "<benchmarks>/join_answers_encoder_look/{model}/{dataset}/{look}.jsonl"

    use rule join_answers_vlm as join_answers_vlm_look with:
        output:
            rules.answer_vlm_look.output,
        log:
            "<logs>/join_answers_vlm_look/{model}/{dataset}/{look}.log",
        benchmark:
            "<benchmarks>/join_answers_vlm_look/{model}/{dataset}/{look}.jsonl"


rule score_answers:
    input:
        item_table=paths.ITEMS.rule(),
        answers=BEHAVIOR.responses,
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
        mem_mb=RESOURCES.dataset_mb,
        runtime=RESOURCES.dataset_minutes,
    params:
        settings=BEHAVIOR.score_settings,
        seed=PLAN.seed,
        code=fingerprint("eyechart.behavior.score_answers"),
        environment=ENVIRONMENT,
    message:
        "Scoring {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.behavior.score_answers --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --items {input.item_table:q} --answers {input.answers:q}"
        " --settings {params.settings:q} --seed {params.seed:q} --scores {output.scores:q}"
        " --distributions {output.distributions:q} 2>&1 | tee {log:q}"


rule retrieve:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
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
        model=BEHAVIOR.model_pattern("encoder"),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.model_mb,
        runtime=RESOURCES.retrieval_minutes,
        gpu=RESOURCES.gpus,
        cpus_per_gpu=resources.CPUS_PER_GPU,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        settings=BEHAVIOR.retrieval_settings,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        seed=PLAN.seed,
        code=PLAN.code_with_family("eyechart.behavior.retrieve"),
        environment=ENVIRONMENTS.state,
    message:
        "Matching captions and images of {wildcards.dataset} with {wildcards.model}"
    shell:
        "{params.python:q} -m eyechart.behavior.retrieve --model {wildcards.model:q}"
        " --dataset {wildcards.dataset:q} --spec {input.spec:q} --checkpoint {params.checkpoint:q}"
        " --items {input.item_table:q} --images {input.image_table:q}"
        " --settings {params.settings:q} --loading {params.loading:q} {params.allowance}"
        " --seed {params.seed:q} --output {output:q} 2>&1 | tee {log:q}"
