"""The verdict: where the information for each skill is, and whether the answer uses it."""


rule decide:
    input:
        card=paths.CARD.rule(),
        item_tables=VERDICT.items,
        answers=VERDICT.responses,
        readouts=VERDICT.readouts,
        probes=VERDICT.probes,
        probe_predictions=VERDICT.probe_predictions,
        encoder_items=VERDICT.encoder_items,
        encoder_answers=VERDICT.encoder_responses,
        effects=VERDICT.effects,
        erasers=VERDICT.erasers,
    output:
        values=paths.VERDICT.rule(),
        classes=paths.CLASSES.rule(),
        differences=paths.DIFFERENCES.rule(),
    log:
        "<logs>/decide/{model}.log",
    benchmark:
        "<benchmarks>/decide/{model}.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(60),
    params:
        kind=VERDICT.kind,
        contains=VERDICT.contained_encoder,
        settings=VERDICT.settings,
        seed=config["seed"],
        code=fingerprint("eyechart.verdict.decide"),
        environment=ENVIRONMENT,
    message:
        "Deciding the verdict of {wildcards.model}"
    shell:
        "python -m eyechart.verdict.decide --model {wildcards.model:q} --kind {params.kind:q}"
        " --contains={params.contains:q} --card {input.card:q} --items {input.item_tables:q} --answers {input.answers:q}"
        " --readouts {input.readouts:q} --probes {input.probes:q}"
        " --encoder-items {input.encoder_items:q} --encoder-answers {input.encoder_answers:q}"
        " --effects {input.effects:q}"
        " --settings {params.settings:q} --seed {params.seed:q} --output {output.values:q}"
        " --classes {output.classes:q} --differences {output.differences:q} 2>&1 | tee {log:q}"


if LOOKS.before_last:

    use rule decide as decide_look with:
        output:
            values=paths.LOOK_VERDICT.rule(table="values"),
            classes=paths.LOOK_VERDICT.rule(table="classes"),
            differences=paths.LOOK_VERDICT.rule(table="differences"),
        log:
            "<logs>/decide_look/{model}/{look}.log",
        benchmark:
            "<benchmarks>/decide_look/{model}/{look}.jsonl"
        message:
            "Deciding the verdict of {wildcards.model} at look {wildcards.look}"
