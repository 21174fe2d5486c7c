"""Patterns: comparison of all models, or of one with its encoder, by MMVP pattern."""


rule compare_patterns:
    input:
        scores=BEHAVIOR.pattern_scores,
        cards=BEHAVIOR.pattern_cards,
    output:
        patterns=paths.PATTERN_TABLES.rule(table="patterns"),
        correlations=paths.PATTERN_TABLES.rule(table="correlations"),
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
        settings=BEHAVIOR.pattern_settings,
        seed=config["seed"],
        code=fingerprint("eyechart.behavior.compare_patterns"),
    message:
        "Comparing all models by pattern"
    shell:
        "python -m eyechart.behavior.compare_patterns --scores {input.scores:q}"
        " --cards {input.cards:q} --settings {params.settings:q} --seed {params.seed:q}"
        " --patterns {output.patterns:q} --correlations {output.correlations:q} 2>&1 | tee {log:q}"


use rule compare_patterns as compare_with_encoder with:
    output:
        patterns=paths.PATTERN_TABLES_OF_MODEL.rule(table="patterns"),
        correlations=paths.PATTERN_TABLES_OF_MODEL.rule(table="correlations"),
    log:
        "<logs>/compare_with_encoder/{model}.log",
    benchmark:
        "<benchmarks>/compare_with_encoder/{model}.jsonl"
    message:
        "Comparing {wildcards.model} with its encoder by pattern"
