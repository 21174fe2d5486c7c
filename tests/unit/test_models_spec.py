"""A spec file is checked before anything is loaded."""

from pathlib import Path

import pytest
import yaml

from eyechart.core.errors import UserError
from eyechart.models.spec import families, read_spec

SPECS = sorted((Path(__file__).parents[2] / "config" / "models").glob("*.yaml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_every_spec_is_valid_and_has_an_existing_family(path):
    assert read_spec(path).family in families()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"famly": "llava"}, "unknown field 'famly'; did you mean 'family'"),
        ({"kind": "vision"}, "kind: 'vision' is not one of"),
        ({"vision_blocks": 0}, "vision_blocks: 0 is less than the minimum"),
        ({"kind": "encoder", "lm_blocks": 3}, "lm_blocks is 3, expected 0 for an encoder"),
    ],
)
def test_a_wrong_field_is_reported_with_the_expected_value(tmp_path, change, message):
    value = yaml.safe_load(SPECS[0].read_text()) | change
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(value))
    with pytest.raises(UserError, match=message):
        read_spec(tmp_path / "m.yaml")


@pytest.mark.parametrize("text", ["family: [", "just words", "family: clip"])
def test_broken_or_incomplete_yaml_is_a_one_sentence_error(tmp_path, text):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(UserError, match=r"m\.yaml"):
        read_spec(tmp_path / "m.yaml")
