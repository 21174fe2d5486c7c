"""Both steps, from their flags to their files."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_models import build_clip, build_dataset, build_llava, spec

from eyechart.core.errors import UserError
from eyechart.extraction import extract_activations, write_manifest
from eyechart.models import describe_model
from eyechart.tables.activations import check_parts, read_column, read_ids
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import about_image, box, write_regions

ROWS = [(f"q{j}-{i}", [i], "what " * (1 + (i + j) % 3)) for i in range(5) for j in range(2)]
SETTINGS = {
    "addresses": ["vision.*", "connector", "lm.*"],
    "spans": ["cls", "image_mean", "last", "all_mean"],
    "dtype": "float16",
    "batch_size": 2,
    "prompt": "{question}",
}


def flags(**values):
    words = []
    for name, value in values.items():
        given = json.dumps(value) if isinstance(value, dict) else value
        words += [f"--{name.replace('_', '-')}", *map(str, np.atleast_1d(given))]
    return words


class Project:
    def __init__(self, folder):
        self.folder = folder
        (folder / "data").mkdir()
        self.data = build_dataset(folder / "data", 5, ROWS)
        self.models = {"clip": build_clip(folder / "clip"), "llava": build_llava(folder / "llava")}
        for model, checkpoint in self.models.items():
            text = json.dumps(dataclasses.asdict(spec(model, checkpoint)))
            (folder / f"{model}.yaml").write_text(text)
            describe_model.main(
                flags(
                    model=model,
                    spec=folder / f"{model}.yaml",
                    checkpoint=checkpoint,
                    view=folder / f"{model}.png",
                    output=folder / f"{model}.json",
                )
            )

    def extract(
        self, out, model="llava", settings=SETTINGS, part=0, parts=1, device="cpu", regions=()
    ):
        files = {f"{scope}_output": out / scope / f"{part}.parquet" for scope in ("image", "item")}
        extract_activations.main(
            flags(
                model=model,
                dataset="d",
                spec=self.folder / f"{model}.yaml",
                checkpoint=self.models[model],
                card=self.folder / f"{model}.json",
                items=self.data.items,
                images=self.data.images,
                regions=regions,
                part=part,
                parts=parts,
                settings=settings,
                loading={"device": device},
                **files,
            )
        )
        return files

    def manifest(self, out, scope, parts=1, model="llava", settings=SETTINGS):
        write_manifest.main(
            flags(
                model=model,
                dataset="d",
                scope=scope,
                card=self.folder / f"{model}.json",
                rows=self.data.images if scope == "image" else self.data.items,
                parts=[out / scope / f"{k}.parquet" for k in range(parts)],
                settings=settings,
                output=out / scope / "manifest.json",
            )
        )
        return out / scope / "manifest.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def extracted(project, tmp_path_factory):
    out = tmp_path_factory.mktemp("activations")
    for part in range(2):
        project.extract(out, part=part, parts=2)
    return out


def test_two_clean_runs_give_the_same_bytes(project, extracted, tmp_path):
    for part in range(2):
        project.extract(tmp_path, part=part, parts=2)
    for scope in ("image", "item"):
        once, again = (project.manifest(o, scope, 2).read_bytes() for o in (extracted, tmp_path))
        assert once == again
        for name in ("0.parquet", "1.parquet"):
            path = f"{scope}/{name}"
            assert (extracted / path).read_bytes() == (tmp_path / path).read_bytes()


def test_every_row_and_column_is_reachable_from_the_manifest(project, extracted):
    for scope, ids in (("image", 5), ("item", 10)):
        manifest = project.manifest(extracted, scope, 2)
        check_parts(manifest)
        told = json.loads(manifest.read_text())
        assert told["rows"] == ids == len(set(read_ids(manifest)))
        for column in told["columns"]:
            values = read_column(manifest, column["name"])
            assert values.shape == (ids, column["width"])
            assert values.std() > 0
    assert told["provenance"]["shares_prefix"] is True
    assert "model.safetensors" in told["provenance"]["checkpoint"]


def test_rows_of_a_part_are_sorted_by_id(extracted):
    ids = pq.read_table(extracted / "item" / "0.parquet").column("item_id").to_pylist()
    assert ids == sorted(ids)
    assert len(ids) == 4


def test_an_encoder_has_only_image_and_region_columns(project, tmp_path):
    project.extract(tmp_path / "plain", model="clip")
    manifest = project.manifest(tmp_path / "plain", "image", model="clip")
    names = [c["name"] for c in json.loads(manifest.read_text())["columns"]]
    assert names[:2] == ["vision.0/cls", "vision.0/image_mean"]
    assert names[-1] == "connector/cls"
    assert read_table(tmp_path / "plain/item/0.parquet").column_names == ["item_id"]
    settings = SETTINGS | {"spans": ["referent", "cls"]}
    regions = tmp_path / "regions.parquet"
    write_regions(regions, about_image("q0-0", "p000", [box("REF", 2, 2, 20, 9)]))
    project.extract(tmp_path, model="clip", settings=settings, regions=[regions])
    manifest = project.manifest(tmp_path, "item", model="clip", settings=settings)
    names = [c["name"] for c in json.loads(manifest.read_text())["columns"]]
    assert names == [f"vision.{n}/referent" for n in range(3)]
    found = dict(zip(read_ids(manifest), read_column(manifest, names[-1]), strict=True))
    assert np.isfinite(found.pop("q0-0")).all()
    assert np.isnan(list(found.values())).all()


def test_a_component_without_token_positions_is_logged(project, tmp_path, caplog):
    card = json.loads((project.folder / "llava.json").read_text())
    for address in card["addresses"]:
        if address["region"] == "connector":
            del address["scopes"]["referent"]
    settings = extract_activations.ExtractionSettings(
        **(SETTINGS | {"addresses": ["vision.*", "connector"], "spans": ["referent"]})
    )
    extract_activations.warn_unplaced(card, settings)
    assert [r.getMessage() for r in caplog.records] == [
        "llava: no image token of the connector has a known position, so it has no referent"
    ]


def test_half_precision_equals_rounded_single_precision(project, extracted, tmp_path):
    settings = SETTINGS | {"dtype": "float32"}
    project.extract(tmp_path, settings=settings)
    fine = read_column(project.manifest(tmp_path, "item", settings=settings), "lm.2/last")
    coarse = read_column(project.manifest(extracted, "item", 2), "lm.2/last")
    by_id = np.argsort(read_ids(project.manifest(extracted, "item", 2)))
    np.testing.assert_allclose(coarse[by_id], fine, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("damage", ["truncated", "missing", "text"])
def test_a_damaged_image_is_reported_and_no_partial_file_remains(tmp_path, damage):
    project = Project(tmp_path)
    path = tmp_path / "data" / "003.png"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:900] if damage == "truncated" else b"words")
    with pytest.raises(UserError, match=r"data/003\.png"):
        project.extract(tmp_path / "out")
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SETTINGS | {"adresses": []}, "unknown field 'adresses'; did you mean 'addresses'"),
        ({k: v for k, v in SETTINGS.items() if k != "spans"}, "missing field 'spans'"),
        (SETTINGS | {"addresses": ["lm.9"]}, "no address or module path 'lm.9'"),
    ],
)
def test_wrong_settings_are_reported_before_the_model_is_loaded(
    project, tmp_path, settings, message
):
    with pytest.raises(UserError, match=message):
        project.extract(tmp_path, settings=settings)


def test_a_manifest_refuses_parts_that_do_not_belong_together(project, extracted, tmp_path):
    with pytest.raises(UserError, match="parts is 2, expected 1"):
        project.manifest(extracted, "image", parts=1)
    with pytest.raises(UserError, match=r"prompt is .* expected 'Q: "):
        project.manifest(extracted, "item", 2, settings=SETTINGS | {"prompt": "Q: {question}"})
    with pytest.raises(UserError, match="columns is"):
        project.manifest(extracted, "item", 2, settings=SETTINGS | {"spans": ["last"]})
    (tmp_path / "image").mkdir()
    whole = (extracted / "image" / "0.parquet").read_bytes()
    (tmp_path / "image" / "0.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged, not a complete Parquet file"):
        project.manifest(tmp_path, "image")


def test_a_manifest_refuses_parts_that_lack_rows_of_the_table(project, extracted, tmp_path):
    (tmp_path / "more").mkdir()
    more = build_dataset(tmp_path / "more", 6, ROWS)
    with pytest.raises(UserError, match="the ids of all parts are not those of"):
        write_manifest.main(
            flags(
                model="llava",
                dataset="d",
                scope="image",
                card=project.folder / "llava.json",
                rows=more.images,
                parts=[extracted / "image" / f"{k}.parquet" for k in range(2)],
                settings=SETTINGS,
                output=tmp_path / "manifest.json",
            )
        )
    assert not (tmp_path / "manifest.json").exists()
