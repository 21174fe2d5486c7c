"""eyechart: an eye exam for vision-language models.

`snakemake --cores all` builds results/report/index.html from config/config.yaml. Your own config,
`--configfile mine.yaml`, replaces that file; `--config key=value` changes a key.
"""

from snakemake.utils import min_version

min_version("9.27.1")


report: "workflow/eyechart/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/extraction.smk"
include: "workflow/rules/probing.smk"
include: "workflow/rules/mining.smk"
include: "workflow/rules/behavior.smk"
include: "workflow/rules/patterns.smk"
include: "workflow/rules/readout.smk"
include: "workflow/rules/concepts.smk"
include: "workflow/rules/attention.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/saliency.smk"
include: "workflow/rules/speed.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/verdict.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/plan.smk"


rule all:
    default_target: True
    input:
        page=paths.REPORT.rule(),
        figures=REPORT.manifests(),
        mmvp=BEHAVIOR.pattern_pages(),
        effects=INTERVENTIONS.tables("effects"),
        tuning=TUNING.comparisons(),
        sheets=MINING.files("sheet.html"),
        labels=MINING.files("labels.csv"),


# Snakemake shows a job's message instead of its rule's name; show both.
for own in workflow.rules:
    if own.message and str(own.snakefile).startswith(CODE):
        own.message = f"{own.name}: {own.message}"
