"""Models: pulled, linked or derived checkpoints, and their cards from one forward pass."""


rule pull_model:
    input:
        spec=ancient(paths.SPEC.rule()),
    output:
        paths.READY.rule(),
    log:
        "<logs>/pull_model/{model}.log",
    benchmark:
        "<benchmarks>/pull_model/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("hub"),
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(1440),
    params:
        wanted=PLAN.checkpoints.file_settings,
        revision=PLAN.checkpoints.revision,
        allowance=PLAN.checkpoints.remote_code_flag,
        lock=paths.MODEL_LOCK.rule(),
        # without the fetching code: it cannot change files, since every file is verified
        code=fingerprint("eyechart.models.sources.hub_files"),
    message:
        "Pulling {wildcards.model}"
    shell:
        "python -m eyechart.models.sources.pull_model --model {wildcards.model:q} --spec {input.spec:q}"
        " --revision {params.revision:q} --lock {params.lock:q} {params.allowance}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule link_local_model:
    input:
        spec=ancient(paths.SPEC.rule()),
    output:
        paths.READY.rule(),
    log:
        "<logs>/link_local_model/{model}.log",
    benchmark:
        "<benchmarks>/link_local_model/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("folder"),
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(240),
    params:
        source=PLAN.checkpoints.folder,
        wanted=PLAN.checkpoints.file_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        code=fingerprint("eyechart.models.sources.hub_files"),
    message:
        "Linking {wildcards.model} from {params.source}"
    shell:
        "python -m eyechart.models.sources.link_local_model --model {wildcards.model:q} --source={params.source:q}"
        " --spec {input.spec:q} {params.allowance} --output {output:q} 2>&1 | tee {log:q}"


rule derive_model:
    input:
        spec=ancient(paths.SPEC.rule()),
        base=PLAN.checkpoints.base,
        adapter=PLAN.checkpoints.adapter_files,
        examples=PLAN.checkpoints.examples,
    output:
        paths.READY.rule(),
    log:
        "<logs>/derive_model/{model}.log",
    benchmark:
        "<benchmarks>/derive_model/{model}.jsonl"
    wildcard_constraints:
        model=PLAN.checkpoints.model_pattern("derived"),
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.card_mb,
        runtime=RESOURCES.card_minutes,
    params:
        folder=subpath(input.base, parent=True),
        python=ENVIRONMENTS.python,
        how=PLAN.checkpoints.derivation,
        split=PLAN.checkpoints.split,
        allowance=PLAN.checkpoints.remote_code_flag,
        code=PLAN.checkpoints.code_of_derivation,
        environment=ENVIRONMENTS.state,
    message:
        "Deriving {wildcards.model} from {params.folder}"
    shell:
        "{params.python:q} -m eyechart.models.derive_model --model {wildcards.model:q}"
        " --spec {input.spec:q} --base {params.folder:q} {params.allowance} --adapter {input.adapter:q}"
        " --examples {input.examples:q} --split {params.split:q} --output {output:q} 2>&1 | tee {log:q}"


rule describe_model:
    input:
        spec=paths.SPEC.rule(),
        base_specs=PLAN.checkpoints.base_specs,
        ready=paths.READY.rule(),
    output:
        card=paths.CARD.rule(),
        view=paths.VIEW.rule(),
    log:
        "<logs>/describe_model/{model}.log",
    benchmark:
        "<benchmarks>/describe_model/{model}.jsonl"
    conda:
        OF_MODEL
    threads: config["threads"]
    resources:
        mem_mb=RESOURCES.card_mb,
        runtime=RESOURCES.card_minutes,
    params:
        checkpoint=subpath(input.ready, parent=True),
        python=ENVIRONMENTS.python,
        env=ENVIRONMENTS.name,
        loading=PLAN.loading_settings,
        allowance=PLAN.checkpoints.remote_code_flag,
        code=PLAN.code_with_family("eyechart.models.describe_model"),
        environment=ENVIRONMENTS.state,
    message:
        "Describing {wildcards.model}, in {params.env}"
    shell:
        "{params.python:q} -m eyechart.models.describe_model --model {wildcards.model:q}"
        " --spec {input.spec:q} --checkpoint {params.checkpoint:q} --loading {params.loading:q}"
        " {params.allowance}"
        " --view {output.view:q} --output {output.card:q} 2>&1 | tee {log:q}"


rule draw_card:
    input:
        card=paths.CARD.rule(),
        view=paths.VIEW.rule(),
    output:
        paths.CARD_PAGE.rule(),
    log:
        "<logs>/draw_card/{model}.log",
    benchmark:
        "<benchmarks>/draw_card/{model}.jsonl"
    localrule: True
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(500),
        runtime=resources.fixed(10),
    params:
        code=fingerprint("eyechart.report.sections.models.sheet"),
    message:
        "Drawing the card of {wildcards.model}"
    shell:
        "python -m eyechart.report.sections.models.sheet --card {input.card:q} --view {input.view:q}"
        " --output {output:q} 2>&1 | tee {log:q}"
