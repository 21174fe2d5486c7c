"""Layer curves of readouts: what can be read along the model, beside what the model itself says."""

from collections.abc import Sequence

from eyechart.report.behaviour import SIGHTED
from eyechart.report.chart_style import (
    BLUE,
    BORDER,
    CROWDED,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    UNIT,
    VERMILION,
    Rows,
    Spec,
    label,
    layer,
    number,
    place_axis,
    quoted,
    rooms_of,
    rounded,
    spec,
    view,
)
from eyechart.report.places import order
from eyechart.report.readouts import NAMES, Readout, blind_name
from eyechart.tables.readouts import MANY
from eyechart.tables.regions import SEEN

SHOWN = (
    *("task", "seen", "address", "readout", "room", "value", "ci_low", "ci_high"),
    *("control", "control_low", "control_high", "chance", "n", "groups"),
    *("answer", "difference", "p", "q"),
)
SAYS = {SIGHTED: ("its own answer", VERMILION), "blind": ("its answer blind", ORANGE)}
SECOND = ("cls", "depth_dpt")  # the second readout of a task
LINES = {"first": ("readout", BLUE), "second": ("class token, or depth head over blocks", PURPLE)}
DASHES = {"alone": [1, 0], "canvas": [6, 3]}
SEEN_AS = {"alone": "each picture alone", "canvas": "as the VLM sees it"}
WIDTH, HEIGHT = 300, 150  # px
KEY = [
    "bands: 95 % intervals · thin grey: the same after the tokens changed places · dotted: chance",
    "upright: borders of vision encoder, connector, language model · diamonds: as the VLM sees it",
]


def readout_rows(readout: Readout) -> Rows:
    """Give what the figure shows: a row per task, way to see, address and readout.

    Beside each stand the model's own accuracies over all items of the task, sighted and blind.
    """
    found = []
    for task in readout.tasks():
        own = {}
        for name in SAYS:
            row = _said(readout, task, name)
            for field, end in (("value", ""), ("ci_low", "_low"), ("ci_high", "_high")):
                own[f"{name}{end}"] = row[field] if row else None
        for row in readout.of(task):
            line = {"line": "second" if row["readout"] in SECOND else "first"}
            found.append({k: row[k] for k in SHOWN} | own | line)
    return rounded(found)


def readouts(readout: Readout, columns: int = 2) -> Spec:
    """Draw one panel per task, as a figure or as a chart of the page."""
    rows = readout_rows(readout)
    title: Spec = {"text": f"{readout.model} on {readout.dataset}", "subtitle": KEY, "offset": 14}
    if not rows:
        title["subtitle"] = "nothing could be read"
        mark = layer(view("points"), {"type": "point"}, {})
        return spec({"title": title, "width": WIDTH, "height": 10, **mark}, {"points": []})
    says = [row for task in readout.tasks() for row in _says(readout, task)]
    there = {row["line"] for row in (*rows, *says)}
    color = _colors(readout, [name for name in (*LINES, *SAYS) if name in there])
    dash = _dashes([seen for seen in SEEN if any(row["seen"] == seen for row in rows)])
    borders = [
        {**place, "task": task}
        for task in readout.tasks()
        for place in rooms_of({row["address"] for row in readout.of(task)})
    ]
    chart = {
        "title": title,
        "columns": columns,
        "spacing": 24,
        "concat": [_panel(readout, task, color, dash) for task in readout.tasks()],
        "resolve": {"scale": {"color": "shared", "strokeDash": "shared"}},
    }
    return spec(chart, {"points": rows, "rooms": borders, "says": rounded(says)})


def _panel(readout: Readout, task: str, color: Spec, dash: Spec) -> Spec:
    points = readout.of(task)
    addresses = sorted({row["address"] for row in points}, key=order)
    x = place_axis(addresses, -45)
    keep = f"datum.task === {quoted(task)}"
    base, borders, says = (view(name, keep) for name in ("points", "rooms", "says"))
    shown = {"x": x, "color": color, "strokeDash": dash}
    low = {"scale": UNIT, "title": "accuracy"}
    thin = {"type": "line", "strokeWidth": 1, "color": BORDER}
    across = {"y": number("value", **low), "color": color}
    band = {"y": number("low", **low), "y2": {"field": "high"}, "color": color}
    start = {**x, "field": "first", "bandPosition": 0}
    chance = {"y": number("chance", aggregate="mean", **low)}
    between = {"x": x, "y": number("ci_low", **low), "y2": {"field": "ci_high"}, "color": color}
    series = {"detail": [label("seen"), label("readout")]}
    held = {**shown, "y": number("control", **low), **series}
    del held["color"]
    dots = {"type": "point", "filled": True, "opacity": 1, "size": 30}
    crowded = {"filter": f"datum.address === {quoted(MANY)} || {len(addresses)} <= {CROWDED}"}
    canvas = {"test": "datum.seen === 'canvas'", "value": "diamond"}
    dot = {"x": x, "y": number("value", **low), "color": color}
    dot |= {"shape": {"condition": canvas, "value": "circle"}, **_tips(points)}
    return {
        "title": _title(task, points),
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            layer(borders, {"type": "rule", "color": BORDER}, {"x": start}, _inner()),
            layer(says, {"type": "rect", "opacity": 0.13}, band),
            layer(base, {"type": "rule", "color": INK, "strokeDash": [1, 3]}, chance),
            layer(says, {"type": "rule", "strokeWidth": 2}, across),
            layer(base, {"type": "area", "opacity": 0.15}, {**between, **series}),
            layer(base, thin, held),
            layer(base, {"type": "line", "strokeWidth": 2}, {**shown, "y": number("value", **low)}),
            layer(base, dots, dot, crowded),
            _names(borders, start),
        ],
    }


def _title(task: str, points: Rows) -> Spec:
    n = sorted({row["n"] for row in points})
    words = f"n {n[0]:,}" + (f" to {n[-1]:,}" if len(n) > 1 else "")
    how = " · ".join(NAMES.get(name, name) for name in dict.fromkeys(r["readout"] for r in points))
    return {"text": f"{NAMES.get(task, task)} ({words})", "subtitle": how}


def _inner() -> Spec:
    return {"filter": "datum.inner"}


def _names(borders: Spec, start: Spec) -> Spec:
    """Write the names of the rooms over the panel, where there is space for them."""
    names = "{vision: 'vision', connector: '', lm: 'language model', decoder: 'decoder', other: ''}"
    mark = {"type": "text", "align": "left", "color": GREY, "fontSize": 10, "dx": 3, "dy": -5}
    encoding = {"x": start, "y": {"value": 0}, "text": label("name")}
    return layer(
        borders,
        mark | {"fontStyle": "italic"},
        encoding,
        {"calculate": f"{names}[datum.room]", "as": "name"},
    )


def _colors(readout: Readout, names: Sequence[str]) -> Spec:
    looks = {**LINES, **SAYS}
    scale = {"domain": list(names), "range": [looks[name][1] for name in names]}
    words = {name: looks[name][0] for name in names}
    if "blind" in words:
        words["blind"] += f" ({blind_name(readout)})"
    return _legend("line", scale, words)


def _dashes(seen: Sequence[str]) -> Spec:
    scale = {"domain": list(seen), "range": [DASHES[one] for one in seen]}
    return _legend("seen", scale, SEEN_AS)


def _legend(field: str, scale: Spec, words: dict[str, str]) -> Spec:
    written = "{" + ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in words.items()) + "}"
    legend = {"title": None, "orient": "top", "symbolType": "stroke", "symbolSize": 400}
    legend |= {"labelExpr": f"{written}[datum.label]", "columns": 2, "symbolOpacity": 1}
    return label(field, scale=scale, legend=legend)


def _tips(points: Rows) -> Spec:
    """Give the tooltip of a point; of a model that does not answer, nothing about answers."""
    words = [label("address"), label("readout"), label("seen")]
    named = {"value": "accuracy", "ci_low": "95 % from", "ci_high": "95 % to"}
    named |= {"control": "after shuffling"}
    answers = any(row["answer"] is not None for row in points)
    named |= {"difference": "minus its own answer"} if answers else {}
    test = [number("q", format=".2g")] if answers else []
    shares = [number(name, format=".3f", title=title) for name, title in named.items()]
    return {"tooltip": [*words, *shares, *test, number("n")]}


def _said(readout: Readout, task: str, name: str) -> Spec | None:
    condition = readout.blind() if name == "blind" else name
    return readout.said.get(task, {}).get(condition or "")


def _says(readout: Readout, task: str) -> Rows:
    found = []
    for name in SAYS:
        row = _said(readout, task, name)
        if row:
            place = {"task": task, "line": name, "value": row["value"]}
            found.append(place | {"low": row["ci_low"], "high": row["ci_high"]})
    return found
