"""Positions are stored with tokens, row by row, and read back unchanged."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_extraction_steps import SETTINGS, Project

from eyechart.core.errors import UserError
from eyechart.models.families.llava import Llava
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import read_spec
from eyechart.tables.activations import read_column, read_ids, read_places, read_tokens

TOKENS = SETTINGS | {
    "addresses": ["vision.0", "vision.1", "connector", "lm.1"],
    "spans": ["image_mean", "image_tokens"],
}
REGIONS = {"vision": "vision.1", "connector": "connector", "lm": "lm.1"}
SIZES = {f"p{i:03}": (48, 40 + i) for i in range(5)}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def manifest(project):
    project.extract(project.folder / "out", settings=TOKENS)
    return project.manifest(project.folder / "out", "image", settings=TOKENS)


@pytest.fixture(scope="module")
def adapter(project):
    spec = read_spec(project.folder / "llava.yaml")
    return load(spec, project.models["llava"], LoadOptions("cpu"))


@pytest.mark.parametrize(("region", "address"), list(REGIONS.items()))
def test_every_row_has_a_position_for_each_token(manifest, adapter, region, address):
    tokens = read_tokens(manifest, f"{address}/image_tokens")
    places = read_places(manifest, region)
    for image, own, lies in zip(read_ids(manifest), tokens, places, strict=True):
        assert own.dtype == lies.dtype == np.float32
        assert lies.shape == (len(own), 7)
        np.testing.assert_array_equal(lies, adapter.token_boxes(SIZES[image], region))
    means = read_column(manifest, f"{address}/image_mean")
    np.testing.assert_allclose(np.stack([t.mean(axis=0) for t in tokens]), means, atol=1e-2)


def test_positions_are_not_activation_columns_and_keep_their_precision(manifest):
    told = json.loads(manifest.read_text())
    assert all("places" not in c["name"] for c in told["columns"])
    assert [p["name"] for p in told["places"]] == ["connector/places", "lm/places", "vision/places"]
    assert told["places"][2]["of"] == ["vision.0/image_tokens", "vision.1/image_tokens"]
    schema = pq.read_schema(manifest.parent / "0.parquet")
    assert str(schema.field("vision/places").type.value_type.value_type) == "float"
    assert str(schema.field("vision.0/image_tokens").type.value_type.value_type) == "halffloat"


def test_an_address_has_the_positions_of_its_component(manifest):
    for one, two in zip(
        read_places(manifest, "vision.1"), read_places(manifest, "vision"), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_missing_positions_are_reported(project, manifest, tmp_path):
    with pytest.raises(UserError, match=r"no column 'vision\.3/image_tokens'; did you mean"):
        read_tokens(manifest, "vision.3/image_tokens")
    with pytest.raises(UserError, match=r"'vision\.0/image_mean' has no tokens; did you mean"):
        read_tokens(manifest, "vision.0/image_mean")
    with pytest.raises(UserError, match="no places of 'visoin'; did you mean 'vision'"):
        read_places(manifest, "visoin")
    project.extract(tmp_path)
    plain = project.manifest(tmp_path, "image")
    with pytest.raises(UserError, match="no places of 'vision'; There are: none"):
        read_places(plain, "vision")


def test_a_nan_position_is_reported_with_its_row(manifest, tmp_path):
    table = pq.read_table(manifest.parent / "0.parquet")
    told = json.loads(manifest.read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(told))
    for name, cell in (("lm.1/image_tokens", (3, 2, 1)), ("lm/places", (4, 5, 0))):
        rows = table.column(name).to_pylist()
        rows[cell[0]][cell[1]][cell[2]] = float("nan")
        index = table.schema.get_field_index(name)
        spoilt = table.set_column(
            index, name, pa.array(rows, table.schema.field(name).type, from_pandas=False)
        )
        pq.write_table(spoilt, tmp_path / "0.parquet")
        with pytest.raises(UserError, match=f"column '{name}', row {cell[0]}: NaN"):
            read = read_tokens if "tokens" in name else read_places
            read(tmp_path / "manifest.json", name if "tokens" in name else "lm")


def test_a_wrong_token_count_is_an_error_with_both_counts(project, tmp_path, monkeypatch):
    honest = Llava.token_boxes
    monkeypatch.setattr(Llava, "token_boxes", lambda *args: honest(*args)[:-1])
    with pytest.raises(UserError, match=r"p000 has 16 tokens in vision.0/.*, but 15 positions"):
        project.extract(tmp_path, settings=TOKENS)


def test_a_manifest_refuses_tokens_without_positions(project, manifest, tmp_path):
    (tmp_path / "image").mkdir()
    table = pq.read_table(manifest.parent / "0.parquet")
    facts = json.loads(table.schema.metadata[b"eyechart"])
    del facts["places"]["lm"]
    told = table.replace_schema_metadata({b"eyechart": json.dumps(facts).encode()})
    pq.write_table(told.drop_columns("lm/places"), tmp_path / "image/0.parquet")
    with pytest.raises(UserError, match="places are"):
        project.manifest(tmp_path, "image", settings=TOKENS)
