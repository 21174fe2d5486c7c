"""The sections of the report, in page order; each has one entry here and one folder.

The folder ``sections/<name>`` contains ``page.py`` (the template's data), ``template.html.j2`` and,
if the section has figures, ``charts.py`` and a caption ``<figure>.rst`` for each figure. Snakemake
imports this module at parse time, so it must not import numpy or polars.
"""

from dataclasses import dataclass

PAIR, WHOLE = "pair", "whole"  # one set of figures per dataset and model, or one for the whole exam
STROOP = ("cues", "separation", "projection")
TRACED = ("attention", "lens", "words", "maps", "items", "images", "regions")
ATTRIBUTED = ("saliency", "saliency_maps", "deletions", "items", "images", "regions")
SCORED = ("scores", "distributions")


@dataclass(frozen=True)
class Figures:
    """The figures of a section."""

    per: str  # ``pair`` or ``whole``
    # the tables they are drawn from (names in ``eyechart.report.files.TABLES``); the first has one
    # file per pair, or per model
    tables: tuple[str, ...]
    # the figures in Snakemake's own report; ``{model}`` stands for every model of the table
    names: tuple[str, ...]
    # the keys of ``report`` in the configuration on which they depend
    settings: tuple[str, ...] = ("png_scale",)


@dataclass(frozen=True)
class PageSection:
    """A section: its heading, the tables it reads, and its figures."""

    heading: str
    tables: tuple[str, ...]
    figures: Figures | None = None

    @property
    def title(self) -> str:
        """The heading up to its colon, as used in the navigation."""
        return self.heading.partition(":")[0]


DECIDED = ("verdicts", "classes", "differences")
PROBED = ("probes", "predictions", "cards")
CURVES = ("curves", "shipped_curves")
SECTIONS = {
    "verdict": PageSection(
        "Verdicts: where each model fails",
        DECIDED,
        Figures(WHOLE, DECIDED, ("card_{model}", "comparison")),
    ),
    "models": PageSection("Models: sizes and addresses", ("cards",)),
    "datasets": PageSection("Datasets: sizes and samples", ("items", "images", "probes", "scores")),
    "probing": PageSection(
        "Probes: what can be decoded",
        PROBED,
        Figures(
            PAIR,
            PROBED,
            ("layer_curves", "selectivity", "confusion", "components"),
            ("alpha", "png_scale"),
        ),
    ),
    "behavior": PageSection(
        "Responses: with and without the image",
        (*SCORED, "answers", "retrieval", "items", "images"),
        Figures(PAIR, SCORED, ("accuracy", "responses")),
    ),
    "readout": PageSection(
        "Readouts: what the representations answer",
        ("readouts", "scores", "heads", "cards"),
        Figures(PAIR, ("readouts", "scores", "cards"), ("readouts",)),
    ),
    "concepts": PageSection(
        "Words in colors: which cue wins", STROOP, Figures(PAIR, STROOP, ("cues_by_address",))
    ),
    "attention": PageSection(
        "Attention: which tokens the answer attends to, and the logit lens",
        TRACED,
        Figures(
            PAIR, TRACED, ("ratios",), ("alpha", "png_scale", "gallery_px", "maps", "map_layers")
        ),
    ),
    "interventions": PageSection(
        "Interventions: what the answers depend on",
        ("effects", "cards"),
        Figures(PAIR, ("effects",), ("patches", "knockouts", "erasures"), ("alpha", "png_scale")),
    ),
    "saliency": PageSection(
        "Saliency: where the answer comes from",
        (*ATTRIBUTED, "image_use"),
        Figures(PAIR, ATTRIBUTED, ("deletion",), ("png_scale", "gallery_px", "maps")),
    ),
    "tuning": PageSection(
        "Tuning: which part has to learn",
        ("tuning", "tuning_maps", "items", "images", "regions"),
        Figures(WHOLE, ("tuning",), ("gains",)),
    ),
    "controlled": PageSection(
        "Controlled models: the effect of one part", ("built", "verdicts", "scores")
    ),
    "patterns": PageSection("Pairs: encoder against VLM", ("patterns", "correlations")),
    "mining": PageSection("Mined pairs: images that one encoder does not separate", ("pairs",)),
    "training": PageSection(
        "Training: of the tiny models",
        CURVES,
        Figures(WHOLE, CURVES, ("training_curves",), ("curve_points", "png_scale")),
    ),
    "provenance": PageSection(
        "Provenance: data, versions, time and memory", ("manifests", "receipts")
    ),
}
