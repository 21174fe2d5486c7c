"""The report: figures as files, separate pages, and one page with everything."""

# The figures of a section, drawn from the tables that eyechart.report.registry lists.
for SECTION in REPORT.drawn:

    rule:
        name:
            f"draw_{SECTION}"
        input:
            REPORT.figure_inputs(SECTION),
        output:
            manifest=REPORT.manifest(SECTION),
            figures=[
                report(
                    path,
                    caption=caption,
                    category=REPORT.category(SECTION),
                    labels=REPORT.labels(SECTION),
                )
                for path, caption in REPORT.figures(SECTION).items()
            ],
        log:
            REPORT.log(SECTION),
        benchmark:
            REPORT.benchmark(SECTION)
        group:
            "report"
        conda:
            BASE
        threads: config["threads"]
        resources:
            mem_mb=resources.fixed(2000),
            runtime=resources.fixed(60),
        params:
            section=SECTION,
            settings=REPORT.settings(SECTION),
            code=REPORT.figure_code(SECTION),
        message:
            f"Drawing the figures of {SECTION}: {REPORT.subject(SECTION)}"
        shell:
            "python -m eyechart.report.draw --section {params.section:q} --tables {input:q}"
            " --settings {params.settings:q} --output {output.manifest:q} 2>&1 | tee {log:q}"


rule draw_patterns:
    input:
        patterns=paths.PATTERN_TABLES_OF_MODEL.rule(table="patterns"),
        correlations=paths.PATTERN_TABLES_OF_MODEL.rule(table="correlations"),
        scores=BEHAVIOR.pattern_scores,
        distributions=BEHAVIOR.pattern_distributions,
        answers=BEHAVIOR.pattern_responses,
        item_tables=BEHAVIOR.pattern_items("items"),
        image_tables=BEHAVIOR.pattern_items("images"),
        templates=REPORT.templates("patterns", "behavior"),
    output:
        report(
            paths.PATTERN_PAGE.rule(),
            caption="../eyechart/report/sections/patterns/sheet.rst",
            category="Pairs of images",
            labels={"model": "{model}", "section": "pairs of images"},
        ),
    log:
        "<logs>/draw_patterns/{model}.log",
    benchmark:
        "<benchmarks>/draw_patterns/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=PLAN.report_settings(),
        encoder=BEHAVIOR.encoder_of,
        code=fingerprint("eyechart.report.sections.patterns.sheet"),
    message:
        "Drawing the page on image pairs of {wildcards.model}"
    shell:
        "python -m eyechart.report.sections.patterns.sheet --model {wildcards.model:q}"
        " --encoder={params.encoder:q} --tables {input.patterns:q} {input.correlations:q}"
        " {input.scores:q} {input.distributions:q} {input.answers:q} {input.item_tables:q} {input.image_tables:q}"
        " --settings {params.settings:q} --output {output:q} 2>&1 | tee {log:q}"


rule draw_pairs:
    input:
        pairs=paths.PAIRS.rule(),
        images=paths.IMAGES.rule(),
        templates=REPORT.templates("mining"),
    output:
        report(
            paths.PAIRS_PAGE.rule(),
            caption="../eyechart/report/sections/mining/sheet.rst",
            category="{dataset}",
            labels={"model": "{first}, {second}", "section": "mined pairs"},
        ),
    log:
        "<logs>/draw_pairs/{first}_against_{second}/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_pairs/{first}_against_{second}/{dataset}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(2000),
        runtime=resources.fixed(60),
    params:
        settings=PLAN.report_settings("mined", "gallery_px", "megabytes"),
        code=fingerprint("eyechart.report.sections.mining.sheet"),
    message:
        "Drawing the pairs of {wildcards.dataset} that {wildcards.first} does not separate"
    shell:
        "python -m eyechart.report.sections.mining.sheet --tables {input.pairs:q} {input.images:q}"
        " --settings {params.settings:q} --output {output:q} 2>&1 | tee {log:q}"


rule build_report:
    input:
        tables=REPORT.page_inputs(),
        templates=REPORT.templates(*REPORT.sections),
    output:
        page=report(
            paths.REPORT.rule(),
            caption="../eyechart/report/page.rst",
            category="Report",
            labels={"model": "all", "section": "the whole report"},
        ),
    log:
        "<logs>/build_report.log",
    benchmark:
        "<benchmarks>/build_report.jsonl"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=resources.fixed(4000),
        runtime=resources.fixed(60),
    params:
        sections=REPORT.sections,
        settings=PLAN.report_settings(),
        benchmarks=workflow.pathvars.get("benchmarks"),
        # not an input: the relevant keys change the inputs of the page
        configuration=paths.CONFIGURATION.at(RESULTS),
        code=REPORT.page_code(),
    message:
        "Building the report"
    shell:
        "python -m eyechart.report.build_report --sections {params.sections:q} --settings {params.settings:q}"
        " --benchmarks {params.benchmarks:q} --configuration {params.configuration:q} --tables {input.tables:q} --output {output.page:q}"
        " 2>&1 | tee {log:q}"


# A page with only the section on one model's tuning
use rule build_report as build_tuning_page with:
    input:
        tables=TUNING.page_tables,
        templates=REPORT.templates("tuning"),
    output:
        page=paths.TUNING_PAGE.rule(),
    log:
        "<logs>/build_tuning_page/{model}.log",
    benchmark:
        "<benchmarks>/build_tuning_page/{model}.jsonl"
    params:
        sections=["tuning", "provenance"],
    message:
        "Building the tuning page of {wildcards.model}"
