"""Numbers and names in the configuration that make no sense. Every number has a minimum and a
maximum, and every name that becomes part of a path has a pattern and a maximum length.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from faults.injector import Fault

from eyechart.core import errors
from eyechart.core.errors import shown
from eyechart.models.spec import read_spec
from eyechart.plan.config.check import check

KIND = "Numbers and names"
SMALL = {"models": ["tiny_clip"], "datasets": {"clevr": {"layout": "clevr", "source": "render",
         "splits": {"train": 40, "val": 20}, "test_share": 0.5}}}  # fmt: skip
SPEC = {"family": "clip", "kind": "encoder", "checkpoint": "a/b", "revision": "main",
        "licence": "MIT", "vision_blocks": 12, "lm_blocks": 0}  # fmt: skip


def configured(key: str, written: str) -> Callable[[], Any]:
    """Return a function that checks a configuration in which a key has this YAML value."""

    def inject() -> Any:
        config = json.loads(json.dumps(SMALL))
        section = config
        *above, last = key.split(".")
        for name in above:
            section = section.setdefault(name, {})
        section[last] = yaml.safe_load(written)
        Path("a.yaml").write_text(yaml.safe_dump(config))
        return check(config, ["a.yaml"])

    return inject


def described(field: str, value: Any) -> Callable[[], Any]:
    """Return a function that reads a model's file in which a field has this value."""

    def inject() -> Any:
        Path("a.yaml").write_text(yaml.safe_dump(SPEC | {field: value}))
        return read_spec(Path("a.yaml"))

    return inject


TOO_MUCH = {
    "threads": "1000000",
    "seed": "10000000000000",
    "behavior.bootstrap": "1000000000000",
    "behavior.permutations": "1000000000000",
    "behavior.greedy_tokens": "1000000000",
    "behavior.batch_size": "1000000000",
    "behavior.orders": "1000000",
    "probing.bootstrap": "1000000000000",
    "probing.seeds": "100000",
    "probing.folds": "100000",
    "probing.probes.mlp.hidden": "1000000000",
    "concepts.permutations": "1000000000000",
    "datasets.clevr.splits.train": "1000000000000",
    "datasets.clevr.shards": "100000",
    "datasets.clevr.parts": "100000",
    "rendering.samples_per_pixel": "1000000",
    "rendering.image_px": "[100000, 100000]",
    "rendering.camera.position": "[0, 0, 1.0e+300]",
    "canvas.canvas_px": "1000000",
    "report.png_scale": "1000",
    "report.gallery_px": "1000000",
    "report.megabytes": "1000000",
    "tiny_models.recipe.language.lr": "1000",
    "tiny_models.recipe.language.threads": "1000000",
    "tiny_models.recipe.architecture.lm.layers": "10000000",
    "tiny_models.recipe.architecture.lm.width": "10000000",
    "readout.heads.dpt.lr": "1000",
}
NONE = {
    "tiny_models.recipe.language.lr": ".nan",
    "tiny_models.recipe.instruction.lr": ".inf",
    "readout.heads.dpt.lr": ".inf",
    "readout.heads.linear.strengths": "[.nan]",
    "rendering.extent": ".inf",
    "rendering.camera.position": "[0, .nan, 1]",
    "canvas.gap": ".inf",
    "report.png_scale": ".inf",
    "verdict.alpha": ".nan",
    "verdict.margin": "-.inf",
    "mining.similar": ".nan",
    "datasets.clevr.test_share": ".nan",
    "threads": ".inf",
    "seed": "-1",
    "behavior.bootstrap": "1.5",
    "probing.seeds": "true",
}
NAMES = {
    "run": [". .", "../../x", "x" * 101, "-h", "a\nb", "A", "é", "{x}", "a;b", ""],
    "datasets.clevr.splits": [
        {name: 40} for name in ("../../x", "a b", "a\nb", "", "-h", "{x}", "a&b", "x" * 101)
    ],
    "behavior.by_dataset": [{"a/b": {}}, {"x" * 101: {}}],
    "checkpoints": [{"../x": "/tmp"}],
}
ODD = [2**20_000, "\ud800", {"\ud800": 1}, {"a": [2**20_000]}]
FIELDS = {"parameters": 10**40, "vision_blocks": 10**7, "lm_blocks": 10**7}


def with_path(path: str) -> str:
    """Return the message on a dataset whose path the system cannot have."""
    try:
        check(SMALL | {"datasets": {"a": {"layout": "table", "path": path}}}, [])
    except OSError as error:
        return errors.sentence(error) or repr(error)
    raise AssertionError("the path was accepted")


def _refused(value: Any, where: str, inject: Callable[[], Any]) -> Fault:
    return Fault(f"`{value}`", where, "refused", inject, r"^a\.yaml: .*(expected|maximum)")


FAULTS = [
    *(_refused(value, f"`{key}`", configured(key, value)) for key, value in TOO_MUCH.items()),
    *(_refused(value, f"`{key}`", configured(key, value)) for key, value in NONE.items()),
    *(
        _refused(shown(value, 40), f"`{key}`", configured(key, yaml.safe_dump(value)))
        for key, values in NAMES.items()
        for value in values
    ),
    *(
        Fault(
            what,
            "`--config`",
            "refused",
            partial(check, {**SMALL, "seed": value}, []),
            "^--config: .*(digits|Unicode)",
        )
        for what, value in zip(
            ("20,000 bits", "half of a character", "the same in a key", "20,000 bits in a list"),
            ODD,
            strict=True,
        )
    ),
    Fault(
        "10,000 characters",
        "`datasets.a.path`",
        "noticed",
        partial(with_path, "p/" * 5_000),
        "use a shorter path",
    ),
    *(
        _refused(value, f"`{field}` of a model's file", described(field, value))
        for field, value in FIELDS.items()
    ),
]
