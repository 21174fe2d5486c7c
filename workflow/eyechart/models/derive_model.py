"""Derive a model's checkpoint from its base's, by a rule or by merging an adapter.

Reads the base's checkpoint and both models' specs; for a fitted rule, also a dataset's items,
images and regions. Writes the derived weights and links to the base's other files under
data/models/<model>/, and ``ready.json`` there last.

    python -m eyechart.models.derive_model --model tiny_llava_prior \
        --spec config/models/tiny_llava_prior.yaml --base data/models/tiny_llava \
        --adapter --examples --split group \
        --output data/models/tiny_llava_prior/ready.json
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.core.files import describe, read_json, temporary_folder
from eyechart.core.links import link_files
from eyechart.core.step import Paths, command
from eyechart.models import soft_prompt
from eyechart.models.derivations.registry import CHANGES, FIELDS, FITTED
from eyechart.models.families.base import Adapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.sources.hub_files import CONFIG, is_weights
from eyechart.models.sources.ready_file import NAME, write_ready
from eyechart.models.spec import Spec, read_spec

TABLES = ("items", "images", "regions")
OUTSIDE = "rest"  # outside all components, such as a head
_log = logging.getLogger(__name__)


def module_of(by: str) -> str:
    """Return the dotted name of the module that implements a rule or merges an adapter."""
    return f"eyechart.models.derivations.{by if by in CHANGES else 'adapter'}"


def derive(adapter: Adapter, spec: Spec, examples: dict[str, str] | None = None) -> list[str]:
    """Change a loaded model as a derived spec declares; return the components that changed.

    ``examples`` are the tables and the split that a fitted rule reads. Raise a UserError if the
    rule does not apply, changes nothing, or changes a component that it does not declare.
    """
    how = spec.derived
    assert how is not None, "only derived models are made here"
    settings = {"folder": how["by"]} if spec.adapter_folder else how["settings"]
    if spec.adapter_folder and find_spec("peft") is None:
        raise UserError(f"{how['by']}: merging an adapter needs peft, which is not installed here")
    if how["by"] in FITTED:
        settings = {**settings, "examples": examples}
    before, prompt = digests(adapter), adapter.soft_prompt
    rule = importlib.import_module(module_of(how["by"]))
    rule.derive(adapter, settings, how["seed"])
    after = digests(adapter)
    if set(before) != set(after):
        name = sorted(set(before) ^ set(after))[0]
        raise UserError(f"derived.by: {how['by']} adds or removes the weight {name}")
    changed = sorted({component(adapter, n) for n in before if before[n] != after[n]})
    if not changed and how["by"] not in FIELDS and adapter.soft_prompt is prompt:
        raise UserError(f"derived.by: {how['by']} changes no weight of {how['from']}")
    undeclared = set(changed) - set(CHANGES.get(how["by"], changed))
    if undeclared:
        raise UserError(
            f"derived.by: {how['by']} changes {', '.join(sorted(undeclared))}, which it does not "
            "declare in eyechart.models.derivations.registry"
        )
    return changed


def component(adapter: Adapter, weight: str) -> str:
    """Return the component that a weight belongs to; ``vision`` for any weight of an encoder."""
    alone = "vision" if adapter.spec.kind == "encoder" else OUTSIDE
    return adapter.component_of(weight) or alone


def digests(adapter: Adapter) -> dict[str, bytes]:
    """Return a hash of each weight."""
    named = adapter.model.named_parameters(remove_duplicate=False)
    return {name: _digest(weight) for name, weight in named}


def save(adapter: Adapter, base: Path, folder: Path, changed: bool) -> list[dict[str, Any]]:
    """Write the changed files and link the base's other files; return the entries of all files."""
    folder.mkdir(parents=True, exist_ok=True)
    held = [entry["path"] for entry in read_json(base / NAME)["files"]]
    own: list[str] = []
    if changed:
        with temporary_folder(folder) as written:
            adapter.model.save_pretrained(written)
            own = sorted(path.name for path in written.iterdir())
            for name in own:
                (written / name).replace(folder / name)
    if adapter.soft_prompt is not None:
        soft_prompt.save(adapter.soft_prompt, folder / soft_prompt.NAME)
        own.append(soft_prompt.NAME)
    others = [name for name in held if name not in own and not (changed and is_weights(name))]
    link_files(base, folder, [Path(name) for name in others])
    return [{**describe(folder / name), "path": name} for name in [*own, *others]]


def stored_dtype(folder: Path) -> str:
    """Return the precision of a checkpoint's stored weights, as its configuration states it."""
    config = read_json(folder / CONFIG)
    held = config if isinstance(config, dict) else {}
    found = str(held.get("dtype") or held.get("torch_dtype"))
    return found if isinstance(getattr(torch, found, None), torch.dtype) else "float32"


@command
def main(
    *,
    model: str,
    spec: Path,
    base: Path,
    output: Path,
    adapter: Paths,
    examples: Paths,
    split: Literal["group", "official"],
    allow_remote_code: bool = False,
) -> None:
    """Load the base, change it, save it, and write ``ready.json`` last.

    ``adapter`` lists the files of an adapter that a rule of this run made; a named run has its own.
    """
    wanted = read_spec(spec)
    if adapter and wanted.derived:
        wanted = replace(wanted, derived={**wanted.derived, "by": str(adapter[0].parent)})
    base_spec = read_spec(spec.parent / f"{wanted.base}.yaml")
    how = LoadOptions("cpu", stored_dtype(base), remote_code=allow_remote_code)
    loaded = load(base_spec, base, how)
    tables = {name: str(path) for name, path in zip(TABLES, examples, strict=False)}
    changed = derive(loaded, wanted, tables | {"split": split})
    _log.info("%s: %s changed", model, ", ".join(changed) or "no weight")
    files = save(loaded, base, output.parent, bool(changed))
    origin = {"source": "derived", **(wanted.derived or {}), "changed": changed}
    write_ready(output, model, {**origin, "code": allow_remote_code}, files)


def _digest(weight: Tensor) -> bytes:
    held = weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return hashlib.blake2b(held.data, digest_size=16).digest()


if __name__ == "__main__":
    main()
