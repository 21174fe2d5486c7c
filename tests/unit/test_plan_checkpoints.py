"""Every checkpoint has one source and one producing rule; remote code is refused if not allowed."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec, defaults
from eyechart.plan import configuration, training
from eyechart.plan.checkpoints import Checkpoints

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("tiny", "derived", "folder", "hub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Spec]:
    """Return the specs of the tiny models and of four others."""
    monkeypatch.chdir(ROOT)
    own: dict[str, Any] = {"family": "llava", "kind": "vlm", "licence": "MIT"}
    own |= {"vision_blocks": 3, "lm_blocks": 3, "checkpoint": "owner/name"}
    plain = Spec(**{**defaults(), **own})
    read = configuration.read_specs()
    found = {
        model: read[model] for model in (*training.MODELS, "tiny_llava_prior", "tiny_llava_eyes")
    }
    return found | {
        "plain": plain,
        "coded": replace(plain, trust_remote_code=True),
        "pinned": replace(plain, trust_remote_code=True, revision=COMMIT),
        "own": replace(plain, checkpoint="mine/own", revision=None),
    }


def checkpoints(specs: dict[str, Spec], **changes: Any) -> Checkpoints:
    config: dict[str, Any] = {"models": ["tiny_clip"], "checkpoints": {}, "revisions": {}}
    return Checkpoints({**config, "remote_code": [], **copy.deepcopy(changes)}, specs)


def of(model: str) -> SimpleNamespace:
    return SimpleNamespace(model=model)


def test_every_model_has_exactly_one_source(specs: dict[str, Spec]) -> None:
    found = checkpoints(specs, checkpoints={"coded": "/mnt/coded"})
    patterns = {source: found.model_pattern(source).split("|") for source in SOURCES}
    assert patterns == {
        "tiny": list(training.MODELS),
        "derived": ["tiny_llava_prior", "tiny_llava_eyes"],
        "folder": ["coded", "own"],
        "hub": ["plain", "pinned"],
    }
    assert checkpoints({}).model_pattern("hub") == "(?!)"


def test_a_folder_comes_from_the_user_or_the_spec(specs: dict[str, Spec]) -> None:
    found = checkpoints(specs, checkpoints={"coded": "/mnt/coded"})
    assert found.folder(of("coded")) == "/mnt/coded"
    assert found.folder(of("own")) == "mine/own"


def test_the_users_commit_overrides_the_specs_revision(specs: dict[str, Spec]) -> None:
    found = checkpoints(specs, revisions={"plain": COMMIT})
    assert found.revision(of("plain")) == found.revision(of("pinned")) == COMMIT
    assert checkpoints(specs).revision(of("plain")) == "main"


def test_the_pulled_files_do_not_depend_on_notes_or_licence(specs: dict[str, Spec]) -> None:
    wanted = checkpoints(specs).file_settings(of("plain"))
    assert json.loads(wanted) == {
        "checkpoint": "owner/name",
        "weights": "safetensors",
        "companions": {},
    }


def test_code_runs_only_if_spec_and_user_allow_it_at_a_commit_or_from_a_folder(
    specs: dict[str, Spec],
) -> None:
    def flag(model: str, **changes: Any) -> str:
        return checkpoints(specs, **changes).remote_code_flag(of(model))

    assert flag("plain") == flag("plain", remote_code=["plain"]) == ""
    assert flag("pinned", remote_code=["pinned"]) == "--allow-remote-code"
    assert flag("coded", remote_code=["coded"], revisions={"coded": COMMIT})
    assert flag("coded", remote_code=["coded"], checkpoints={"coded": "/mnt/coded"})
    for changes in ({}, {"checkpoints": {"pinned": "/mnt/pinned"}}):
        with pytest.raises(UserError, match=r"write remote_code: \[pinned\] in the configuration"):
            flag("pinned", **changes)
    with pytest.raises(UserError, match=r"write revisions: \{coded: <40 hex digits>\}"):
        flag("coded", remote_code=["coded"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"models": ["pinned"]}, r"pinned runs code that comes with its checkpoint \(owner/name\)"),
        ({"models": ["coded"], "remote_code": ["coded"]}, "must be a commit and not 'main'"),
        ({"remote_code": ["plain"]}, "remote_code: plain runs no code of its own"),
        ({"checkpoints": {"tiny_clip": "x"}}, "checkpoints: tiny_clip is created by the workflow"),
        ({"revisions": {"tiny_clip": COMMIT}}, "revisions: tiny_clip is made here, so it has no"),
        ({"revisions": {"own": COMMIT}}, "revisions: own comes from mine/own, so it has no"),
    ],
)
def test_unavailable_checkpoints_are_refused_before_anything_runs(
    specs: dict[str, Spec], changes: dict[str, Any], expected: str
) -> None:
    checkpoints(specs).check()  # only examined models are checked for code that is not allowed
    with pytest.raises(UserError, match=expected):
        checkpoints(specs, **changes).check()


def test_a_derived_model_is_made_from_its_bases_last_file(specs: dict[str, Spec]) -> None:
    found = checkpoints(specs)
    assert found.source("tiny_llava_prior") == "derived"
    assert found.base(of("tiny_llava_prior")) == "data/models/tiny_llava/ready.json"
    assert found.base_specs(of("tiny_llava_prior")) == ["config/models/tiny_llava.yaml"]
    assert found.base_specs(of("plain")) == found.adapter_files(of("tiny_llava_prior")) == []
    assert json.loads(found.derivation(of("tiny_llava_prior")))["by"] == "prior"
    codes = {found.code_of_derivation(of(m)) for m in ("tiny_llava_prior", "tiny_llava_eyes")}
    assert len(codes) == 2


def test_a_derived_model_has_no_folder_and_no_revision_and_its_adapter_is_there(
    specs: dict[str, Spec], tmp_path: Path
) -> None:
    derived = {"from": "tiny_llava", "by": str(tmp_path / "lora"), "settings": {}, "seed": 0}
    specs["tuned"] = replace(specs["tiny_llava_prior"], derived=derived)
    for changes, expected in (
        ({"checkpoints": {"tuned": "x"}}, "tuned is derived from tiny_llava, not taken from a"),
        ({"revisions": {"tuned": COMMIT}}, "tuned is derived from tiny_llava, so it has no rev"),
        ({"models": ["tuned"]}, r"derived\.by: no adapter_config\.json in .*lora, expected"),
    ):
        with pytest.raises(UserError, match=expected):
            checkpoints(specs, **changes).check()
    specs["tuned"] = replace(specs["tuned"], derived={**derived, "by": "results/tuning/lora"})
    checkpoints(specs, models=["tuned"]).check()  # a rule makes it
    assert checkpoints(specs).adapter_files(of("tuned")) == [
        "<results>/tuning/lora/adapter_config.json",
        "<results>/tuning/lora/adapter_model.safetensors",
    ]


def fitted(specs: dict[str, Spec], **settings: str) -> Checkpoints:
    """Return the plan of a patient that is fitted on a dataset."""
    derived = {"from": "tiny_llava", "by": "nerve", "settings": settings, "seed": 0}
    specs["nerve"] = replace(specs["tiny_llava_prior"], derived=derived)
    datasets = {"clevr": {"layout": "clevr"}, "mmvp": {"layout": "mmvp"}}
    more = {"datasets": datasets, "probing": {"split": "official"}}
    return checkpoints(specs, models=["nerve"], **more)


def test_a_fitted_patient_needs_its_datasets_tables_and_the_split_of_probes(
    specs: dict[str, Spec],
) -> None:
    found = fitted(specs, dataset="clevr", concept="color")
    found.check()
    tables = [Path(path).name for path in found.examples(of("nerve"))]
    assert tables == ["items.parquet", "images.parquet", "regions.parquet"]
    assert found.split(of("nerve")) == "official"
    assert found.examples(of("tiny_llava_prior")) == []
    assert found.split(of("tiny_llava_prior")) == "group"  # so the split of probes reruns nothing


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dataset": "clvr", "concept": "color"}, "unknown dataset 'clvr'; did you mean 'clevr'"),
        ({"dataset": "clevr", "concept": "colour"}, "unknown task 'colour'; did you mean 'color'"),
        ({"dataset": "mmvp", "concept": "color"}, "the items of 'mmvp' have no regions"),
        ({"concept": "color"}, "nerve needs the setting 'dataset'"),
    ],
)
def test_a_patient_fitted_on_nothing_is_refused_before_anything_runs(
    specs: dict[str, Spec], settings: dict[str, str], expected: str
) -> None:
    with pytest.raises(UserError, match=f"config/models/nerve.yaml: .*{expected}"):
        fitted(specs, **settings).check()
