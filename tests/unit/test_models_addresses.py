"""Addresses, globs and module paths have the same meaning on every card."""

import pytest

from eyechart.core.errors import UserError
from eyechart.models.addresses import columns, resolve

EYE = {"cls": "image", "image_mean": "image"}
TEXT = {"image_mean": "image", "text_mean": "item", "last": "item"}


def entry(address, region, scopes):
    return {"address": address, "module": f"m.{address}", "region": region, "width": 4} | {
        "spans": list(scopes),
        "scopes": scopes,
    }


ENCODER = {
    "model": "eye",
    "family": "clip",
    "reads": ["vision.3", "vision.10"],
    "addresses": [
        *(entry(f"vision.{i}", "vision", EYE) for i in range(12)),
        entry("connector", "connector", {"cls": "image"}),
    ],
    "modules": {"m.vision.0.mlp": {"region": "vision", "width": 9}},
}
READER = ENCODER | {
    "model": "reader",
    "family": "llava",
    "addresses": [
        *ENCODER["addresses"],
        entry("lm.0", "lm", TEXT),
        entry("lm.1", "lm", TEXT),
        entry("lm.norm", "lm", TEXT),
    ],
}


OLD = READER | {
    "modules": {
        "model.language_model.layers.0.mlp": {"region": "lm", "width": 9},
        "model.vision_tower.encoder.layers.3": {"region": "vision", "width": 4},
    }
}


def test_vision_read_is_the_connectors_input_and_no_pattern():
    assert names(resolve(READER, ["vision.read"])) == ["vision.3", "vision.10"]
    assert names(resolve(READER, ["vision.1", "vision.read"])) == [
        "vision.1", "vision.3", "vision.10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "today"),
    [
        ("language_model.model.layers.0.mlp", "model.language_model.layers.0.mlp"),
        (r"language_model\.model\.layers\.0\.mlp", "model.language_model.layers.0.mlp"),
        ("vision_tower.vision_model.encoder.layers.3", "model.vision_tower.encoder.layers.3"),
    ],
)
def test_an_older_module_name_is_accepted_and_the_current_one_logged(pattern, today, caplog):
    assert names(resolve(OLD, [pattern])) == [today]
    assert f"older name; read as {today}" in caplog.text


def test_the_module_path_of_an_address_is_the_address(caplog):
    assert names(resolve(READER, ["m.lm.0"])) == ["lm.0"]
    assert caplog.text == ""


def names(found):
    return [a.address for a in found]


def test_a_glob_gives_all_blocks_in_the_order_in_which_they_run():
    assert names(resolve(READER, ["lm.*", "vision.1"])) == ["vision.1", "lm.0", "lm.1", "lm.norm"]
    assert names(resolve(ENCODER, ["vision.*"])) == [f"vision.{i}" for i in range(12)]


def test_an_address_requested_twice_is_returned_once():
    assert names(resolve(READER, ["lm.norm", "lm.*", "lm.norm"])) == ["lm.0", "lm.1", "lm.norm"]


def test_a_module_path_is_an_address_with_its_width_and_its_components_spans():
    (found,) = resolve(READER, ["m.vision.*.mlp"])
    assert (found.address, found.module, found.width) == ("m.vision.0.mlp",) * 2 + (9,)
    assert found.scopes == EYE


@pytest.mark.parametrize(
    ("pattern", "near"), [("lm.7", "'lm.1'"), ("conector", "'connector'"), ("lm.nrom", "'lm.norm'")]
)
def test_an_unknown_address_is_an_error_with_the_nearest_name(pattern, near):
    with pytest.raises(UserError, match=f"no address or module path '{pattern}'; did you.*{near}"):
        resolve(READER, ["vision.*", pattern])


def test_a_missing_component_matches_nothing_but_a_typo_is_an_error():
    assert names(resolve(ENCODER, ["connector", "lm.*"])) == ["connector"]
    with pytest.raises(UserError, match=r"vision\.12"):
        resolve(ENCODER, ["vision.12"])


def test_columns_are_divided_by_scope():
    asked = (["lm.0", "connector"], ["last", "image_mean", "cls"])
    assert [c.name for c in columns(READER, *asked, "image")] == [
        "connector/cls",
        "lm.0/image_mean",
    ]
    assert [c.name for c in columns(READER, *asked, "item")] == ["lm.0/last"]


def test_an_unknown_span_or_one_that_no_address_has_is_an_error():
    with pytest.raises(UserError, match="unknown span 'lats'; did you mean 'last'"):
        columns(READER, ["lm.0"], ["lats"], "item")
    with pytest.raises(UserError, match="none of the requested addresses has any"):
        columns(READER, ["connector"], ["text_mean"], "image")
