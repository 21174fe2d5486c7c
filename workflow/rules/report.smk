"""The report: figures as files, and one page that holds everything."""

PARTS = [
    *("answers", "behaviour", "patterns", "exam", "readouts", "concepts", "attention"),
]


rule draw_figures:
    input:
        probes=EXAM.probes_of_pair(".parquet"),
        predictions=EXAM.probes_of_pair(".predictions.parquet"),
    output:
        manifest="<results>/report/figures/{dataset}/{model}/figures.json",
        layer_curves=report(
            "<results>/report/figures/{dataset}/{model}/layer_curves.svg",
            caption="../report/layer_curves.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "layer curves"},
        ),
        selectivity=report(
            "<results>/report/figures/{dataset}/{model}/selectivity.svg",
            caption="../report/selectivity.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "selectivity"},
        ),
        confusion=report(
            "<results>/report/figures/{dataset}/{model}/confusion.svg",
            caption="../report/confusion.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "confusion"},
        ),
        rooms=report(
            "<results>/report/figures/{dataset}/{model}/rooms.svg",
            caption="../report/rooms.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "rooms"},
        ),
    log:
        "<logs>/draw_figures/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/draw_figures/{dataset}/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("alpha", "png_scale"),
        code=fingerprint("eyechart.report.draw_figures"),
    message:
        "Drawing the figures of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.report.draw_figures --model {wildcards.model}"
        " --dataset {wildcards.dataset} --probes {input.probes}"
        " --predictions {input.predictions} --settings {params.settings:q} --output {output.manifest}"
        " 2>&1 | tee {log}"


rule draw_behaviour:
    input:
        scores="<results>/scores/{model}/{dataset}.parquet",
        distributions="<results>/scores/{model}/{dataset}.distributions.parquet",
    output:
        manifest="<results>/report/figures/behaviour/{dataset}/{model}/figures.json",
        accuracy=report(
            "<results>/report/figures/behaviour/{dataset}/{model}/accuracy.svg",
            caption="../report/accuracy.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "accuracy by condition"},
        ),
        answers=report(
            "<results>/report/figures/behaviour/{dataset}/{model}/answers.svg",
            caption="../report/answers.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "answers"},
        ),
    log:
        "<logs>/draw_behaviour/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/draw_behaviour/{dataset}/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("png_scale"),
        code=fingerprint("eyechart.report.draw_behaviour"),
    message:
        "Drawing what {wildcards.model} answers on {wildcards.dataset}"
    shell:
        "python -m eyechart.report.draw_behaviour --model {wildcards.model}"
        " --dataset {wildcards.dataset} --scores {input.scores}"
        " --distributions {input.distributions} --settings {params.settings:q}"
        " --output {output.manifest} 2>&1 | tee {log}"


rule draw_exam:
    input:
        verdicts=JUDGING.tables(),
        verdict_parts=JUDGING.beside(),
    output:
        manifest="<results>/report/figures/verdict/figures.json",
        cards=report(
            expand(
                "<results>/report/figures/verdict/{name}.svg",
                name=[*(f"exam_{model}" for model in JUDGING.models), "comparison"],
            ),
            caption="../report/exam.rst",
            category="Verdict",
        ),
    log:
        "<logs>/draw_exam.log",
    benchmark:
        "<benchmarks>/draw_exam.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("png_scale"),
        code=fingerprint("eyechart.report.draw_exam"),
    message:
        "Drawing the exam card of every model"
    shell:
        "python -m eyechart.report.draw_exam --verdicts {input.verdicts} --settings {params.settings:q}"
        " --output {output.manifest} 2>&1 | tee {log}"


rule draw_readouts:
    input:
        readouts="<results>/readouts/{model}/{dataset}.parquet",
        scores=READING.scores,
    output:
        manifest="<results>/report/figures/readouts/{dataset}/{model}/figures.json",
        readouts=report(
            "<results>/report/figures/readouts/{dataset}/{model}/readouts.svg",
            caption="../report/readouts.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "readouts"},
        ),
    log:
        "<logs>/draw_readouts/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/draw_readouts/{dataset}/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("png_scale"),
        code=fingerprint("eyechart.report.draw_readouts"),
    message:
        "Drawing what can be read of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python -m eyechart.report.draw_readouts --model {wildcards.model}"
        " --dataset {wildcards.dataset} --readouts {input.readouts} --scores {input.scores}"
        " --settings {params.settings:q} --output {output.manifest} 2>&1 | tee {log}"


rule draw_concepts:
    input:
        cues="<results>/concepts/{model}/{dataset}/cues.parquet",
        separation="<results>/concepts/{model}/{dataset}/separation.parquet",
        projection="<results>/concepts/{model}/{dataset}/projection.parquet",
    output:
        manifest="<results>/report/figures/concepts/{dataset}/{model}/figures.json",
        by_address=report(
            "<results>/report/figures/concepts/{dataset}/{model}/cues_by_address.svg",
            caption="../report/concepts.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "which cue wins"},
        ),
    log:
        "<logs>/draw_concepts/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/draw_concepts/{dataset}/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("png_scale"),
        code=fingerprint("eyechart.report.draw_concepts"),
    message:
        "Drawing what {wildcards.model} takes words of {wildcards.dataset} for"
    shell:
        "python -m eyechart.report.draw_concepts --model {wildcards.model}"
        " --dataset {wildcards.dataset}"
        " --tables {input.cues} {input.separation} {input.projection}"
        " --settings {params.settings:q} --output {output.manifest} 2>&1 | tee {log}"


rule draw_attention:
    input:
        summary="<results>/attention/{model}/{dataset}/summary.parquet",
        traced=expand(
            "<results>/attention/{{model}}/{{dataset}}/{name}.parquet",
            name=["lens", "words", "maps"],
        ),
        item_table="<results>/datasets/{dataset}/items.parquet",
        image_table="<results>/datasets/{dataset}/images.parquet",
        regions=TRACING.regions,
    output:
        manifest="<results>/report/figures/attention/{dataset}/{model}/figures.json",
        looks=report(
            "<results>/report/figures/attention/{dataset}/{model}/looks.svg",
            caption="../report/attention.rst",
            category="{dataset}",
            labels={"model": "{model}", "figure": "where the answer looks"},
        ),
    log:
        "<logs>/draw_attention/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/draw_attention/{dataset}/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=TRACING.drawing,
        code=fingerprint("eyechart.report.draw_attention"),
    message:
        "Drawing where {wildcards.model} looks in {wildcards.dataset}"
    shell:
        "python -m eyechart.report.draw_attention --model {wildcards.model}"
        " --dataset {wildcards.dataset} --summary {input.summary} --items {input.item_table}"
        " --images {input.image_table} --regions {input.regions}"
        " --settings {params.settings:q} --output {output.manifest} 2>&1 | tee {log}"


rule draw_mmvp:
    input:
        patterns="<results>/mmvp/{model}/patterns.parquet",
        correlations="<results>/mmvp/{model}/correlations.parquet",
        scores=ANSWERING.pattern_scores,
        distributions=ANSWERING.pattern_distributions,
        answers=ANSWERING.pattern_answers,
        item_tables=ANSWERING.pattern_tables("items"),
        image_tables=ANSWERING.pattern_tables("images"),
        page="workflow/report/mmvp.html.j2",
        parts="workflow/report/answers.html.j2",
        style="workflow/report/style.css",
    output:
        report(
            "<results>/mmvp/{model}.html",
            caption="../report/mmvp.rst",
            category="Pairs of pictures",
            labels={"model": "{model}", "figure": "pairs of pictures"},
        ),
    log:
        "<logs>/draw_mmvp/{model}.log",
    benchmark:
        "<benchmarks>/draw_mmvp/{model}.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting(),
        encoder=ANSWERING.encoder_of,
        templates=subpath(input.page, parent=True),
        code=fingerprint("eyechart.report.draw_mmvp"),
    message:
        "Drawing the page of {wildcards.model} about pairs of pictures"
    shell:
        "python -m eyechart.report.draw_mmvp --model {wildcards.model}"
        " --encoder={params.encoder} --patterns {input.patterns}"
        " --correlations {input.correlations} --scores {input.scores}"
        " --distributions {input.distributions} --answers {input.answers}"
        " --items {input.item_tables} --images {input.image_tables}"
        " --settings {params.settings:q} --templates {params.templates} --output {output}"
        " 2>&1 | tee {log}"


rule draw_pairs:
    input:
        pairs="<results>/mining/{first}_against_{second}/{dataset}/pairs.parquet",
        image_table="<results>/datasets/{dataset}/images.parquet",
        page="workflow/report/pairs.html.j2",
        style="workflow/report/style.css",
    output:
        report(
            "<results>/mining/{first}_against_{second}/{dataset}/sheet.html",
            caption="../report/pairs.rst",
            category="{dataset}",
            labels={"model": "{first}, {second}", "figure": "pairs"},
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
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("mined", "gallery_px", "megabytes"),
        templates=subpath(input.page, parent=True),
        code=fingerprint("eyechart.report.draw_pairs"),
    message:
        "Drawing the pairs of {wildcards.dataset} that {wildcards.first} takes for alike"
    shell:
        "python -m eyechart.report.draw_pairs --pairs {input.pairs} --images {input.image_table}"
        " --settings {params.settings:q} --templates {params.templates} --output {output}"
        " 2>&1 | tee {log}"


rule draw_training:
    input:
        curves=recipe.curves(config),
    output:
        manifest="<results>/report/figures/training/figures.json",
        curves=report(
            "<results>/report/figures/training/training_curves.svg",
            caption="../report/training_curves.rst",
            category="Training",
            labels={"model": "all tiny models", "figure": "training curves"},
        ),
    log:
        "<logs>/draw_training.log",
    benchmark:
        "<benchmarks>/draw_training.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(2000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting("curve_points", "png_scale"),
        code=fingerprint("eyechart.report.draw_training"),
    message:
        "Drawing the training curves"
    shell:
        "python -m eyechart.report.draw_training --curves {input.curves}"
        " --settings {params.settings:q} --output {output.manifest} 2>&1 | tee {log}"


rule build_report:
    input:
        item_tables=collect(
            "<results>/datasets/{dataset}/items.parquet", dataset=EXAM.told_of
        ),
        image_tables=collect(
            "<results>/datasets/{dataset}/images.parquet", dataset=EXAM.told_of
        ),
        probes=EXAM.probes(".parquet"),
        predictions=EXAM.probes(".predictions.parquet"),
        cards=collect("<results>/models/{model}/card.json", model=EXAM.models),
        curves=recipe.curves(config),
        manifests=EXAM.manifests(),
        receipts=collect("data/raw/{dataset}/acquired.json", dataset=EXAM.told_of),
        scores=ANSWERING.scores(),
        distributions=ANSWERING.scores(".distributions.parquet"),
        answers=ANSWERING.all_answers(),
        retrieval=ANSWERING.retrievals(),
        patterns=ANSWERING.tables_of_patterns("patterns"),
        correlations=ANSWERING.tables_of_patterns("correlations"),
        pairs=MINING.files("pairs.parquet"),
        verdicts=JUDGING.tables(),
        verdict_parts=JUDGING.beside(),
        readouts=READING.tables(),
        heads=READING.metrics(),
        cues=COMPARING.tables("cues"),
        separation=COMPARING.tables("separation"),
        projection=COMPARING.tables("projection"),
        looks=TRACING.tables("summary"),
        traced=[TRACING.tables(name) for name in ("lens", "words", "maps")],
        regions=TRACING.all_regions(),
        page="workflow/report/page.html.j2",
        parts=expand("workflow/report/{part}.html.j2", part=PARTS),
        style="workflow/report/style.css",
        script="workflow/report/page.js",
    output:
        page=report(
            "<results>/report/index.html",
            caption="../report/page.rst",
            category="Report",
            labels={"model": "all", "figure": "the whole report"},
        ),
    log:
        "<logs>/build_report.log",
    benchmark:
        "<benchmarks>/build_report.jsonl"
    group:
        "report"
    conda:
        BASE
    threads: config["threads"]
    resources:
        mem_mb=sizing.fixed(4000),
        runtime=sizing.fixed(60),
    params:
        settings=EXAM.reporting(),
        benchmarks="benchmarks",
        templates=subpath(input.page, parent=True),
        code=fingerprint("eyechart.report.build_report"),
    message:
        "Building the report"
    shell:
        "python -m eyechart.report.build_report --settings {params.settings:q}"
        " --items {input.item_tables} --images {input.image_tables} --probes {input.probes}"
        " --predictions {input.predictions} --cards {input.cards} --curves {input.curves}"
        " --manifests {input.manifests} --receipts {input.receipts}"
        " --scores {input.scores} --distributions {input.distributions}"
        " --answers {input.answers} --retrieval {input.retrieval} --patterns {input.patterns}"
        " --correlations {input.correlations} --pairs {input.pairs}"
        " --verdicts {input.verdicts} --readouts {input.readouts} --heads {input.heads}"
        " --cues {input.cues} --separation {input.separation} --projection {input.projection}"
        " --looks {input.looks} --regions {input.regions}"
        " --benchmarks {params.benchmarks} --templates {params.templates} --output {output.page}"
        " 2>&1 | tee {log}"
