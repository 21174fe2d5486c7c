"""The sections of the report, in the order of the page: one entry here and one folder each.

The folder ``sections/<name>`` holds ``page.py`` (what its template is given), ``template.html.j2``
and, where the section has figures, ``charts.py`` and a caption ``<figure>.rst`` for each figure.
Snakemake imports this at parse time, so it needs neither numpy nor polars.
"""

from dataclasses import dataclass

PAIR, WHOLE = "pair", "whole"  # a set of figures per dataset and model, or one of the whole exam
STROOP = ("cues", "separation", "projection")
TRACED = ("attention", "lens", "words", "maps", "items", "images", "regions")
ATTRIBUTED = ("saliency", "saliency_maps", "deletions", "items", "images", "regions")
SCORED = ("scores", "distributions")


@dataclass(frozen=True)
class Figures:
    """The figures of a section."""

    per: str  # ``pair`` or ``whole``
    # what they are drawn from (names of ``eyechart.report.files.TABLES``); of the first there is a
    # file for each pair, or for each model
    tables: tuple[str, ...]
    # those that Snakemake's own report shows; ``{model}`` stands for every model of the table
    names: tuple[str, ...]
    # the keys of ``report`` in the configuration that they depend on
    settings: tuple[str, ...] = ("png_scale",)


@dataclass(frozen=True)
class PageSection:
    """A section: its heading, the tables that it reads, its figures."""

    heading: str
    tables: tuple[str, ...]
    figures: Figures | None = None

    @property
    def title(self) -> str:
        """The heading up to its colon, as in the navigation."""
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
        "Attention: where the answer looks, and the logit lens",
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
        "Controlled models: what one part changes", ("built", "verdicts", "scores")
    ),
    "patterns": PageSection("Pairs: encoder against VLM", ("patterns", "correlations")),
    "mining": PageSection("Mined pairs: what one encoder does not separate", ("pairs",)),
    "training": PageSection(
        "Training: of the tiny models",
        CURVES,
        Figures(WHOLE, CURVES, ("training_curves",), ("curve_points", "png_scale")),
    ),
    "provenance": PageSection(
        "Provenance: data, versions, time and memory", ("manifests", "receipts")
    ),
}
