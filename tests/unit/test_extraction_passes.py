"""A single pass for a single question, and batch sizes found by timing, give the same values."""

from test_extraction_engine import adapter, card, close, data, run  # noqa: F401
from tiny_models import build_dataset

# ruff: noqa: F811


def test_a_single_question_is_processed_with_its_image_in_one_pass(
    adapter, card, tmp_path, monkeypatch
):
    """The second image has two questions, which share its prefix; the third image has none."""
    data = build_dataset(tmp_path, 3, [("a", [0], "what?"), ("b", [1], "is?"), ("c", [1], "why?")])
    family, passes = type(adapter), []
    read = family.read

    def note(self, tokens, *args, **kwargs):
        passes.append(tokens.valid.sum(dim=1).tolist())
        read(self, tokens, *args, **kwargs)

    monkeypatch.setattr(family, "read", note)
    image, item = run(adapter, card, data)
    prefix = len(passes[1])
    assert len(passes) == 3  # the full prompt; two prefixes; two packed questions
    assert (len(passes[0]), prefix, len(passes[2])) == (1, 2, 1)
    joint = run(adapter, card | {"shares_prefix": False}, data, spans=["last", "all_mean"])[1]
    for key, value in joint.rows.items():
        close(item.rows[key], value)
    assert set(image.column("lm.2/image_mean")) == {0, 1, 2}


def test_batches_found_by_timing_change_no_value(adapter, card, data):
    auto, one = (run(adapter, card, data, batch_size=size) for size in ("auto", 1))
    for found, expected in zip(auto, one, strict=True):
        assert found.rows.keys() == expected.rows.keys()
        for key, value in found.rows.items():
            close(value, expected.rows[key])
