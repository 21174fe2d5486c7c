"""The report: figures as files, and one page that holds everything."""


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
            "<results>/datasets/{dataset}/items.parquet", dataset=EXAM.datasets
        ),
        image_tables=collect(
            "<results>/datasets/{dataset}/images.parquet", dataset=EXAM.datasets
        ),
        probes=EXAM.probes(".parquet"),
        predictions=EXAM.probes(".predictions.parquet"),
        cards=collect("<results>/models/{model}/card.json", model=EXAM.models),
        curves=recipe.curves(config),
        manifests=EXAM.manifests(),
        receipts=collect("data/raw/{dataset}/acquired.json", dataset=EXAM.datasets),
        page="workflow/report/page.html.j2",
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
        " --benchmarks {params.benchmarks} --templates {params.templates} --output {output.page}"
        " 2>&1 | tee {log}"
