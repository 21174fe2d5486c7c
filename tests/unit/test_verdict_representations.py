"""The choice of the probe that represents each stage."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from eyechart.core.errors import UserError
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS, PROBES
from eyechart.verdict.representations import SUFFIX, read_probes

N = 40
LM = ("lm.0", "lm.2", "lm.10", "lm.norm")
PLACES = [(address, "referent_center") for address in ("vision.2", "vision.3", "connector", *LM)]
SAID = [(address, "last") for address in LM]
Probe = tuple[str, str, str, float]  # address, span, probe, cross-validated accuracy


def write(root: Path, probes: list[Probe], scope: str = "item") -> Path:
    """Write probes; the k-th row's probe is right on k of its items."""
    path, rows, said = root / "color.parquet", [], []
    for k, (address, span, probe, cv) in enumerate([("", "", "", 0.0), *probes]):
        kind = "task" if address else "majority"
        key = {"address": address, "span": span, "probe": probe, "kind": kind, "seed": 0}
        row = dict.fromkeys(PROBES.names) | {"model": "m", "dataset": "d", "task": "color"}
        rows.append(row | key | {"scope": scope, "cv_accuracy": cv})
        said += [
            key | {"id": f"{i:02d}", "truth": "a", "prediction": "a" if i < k else "b"}
            for i in range(N)
        ]
    write_table(path, pa.Table.from_pylist(rows, PROBES))
    write_table(path.with_suffix(SUFFIX), pa.Table.from_pylist(said, PREDICTIONS))
    return path


def stages(root: Path, probes: list[Probe], encoder: tuple[str, ...] = ("vision.3",)) -> dict:
    """Return the probe that represents each stage, after checking its items."""
    found = read_probes(write(root, probes), "m", "d", encoder)
    assert found is not None and found[0] == "color"
    order = [f"{address}/{span}" for address, span, *_ in probes]
    assert found[1].majority.sum() == 0
    for name, right in found[1].stages.values():
        assert right.sum() - 1 in [k for k, one in enumerate(order) if one == name]
    return {stage: name for stage, (name, _) in found[1].stages.items()}


def linear(places: list[tuple[str, str]], best: str = "") -> list[Probe]:
    return [(a, s, "linear", 0.9 if f"{a}/{s}" == best else 0.5) for a, s in places]


def test_the_chain_is_read_from_the_encoder_to_the_answer_position(tmp_path):
    found = stages(tmp_path, linear([*PLACES, *SAID], "lm.2/referent_center"))
    assert found == {
        "encoder": "vision.3/referent_center",
        "connector": "connector/referent_center",
        "lm_first": "lm.0/referent_center",
        "lm_best": "lm.2/referent_center",
        "lm_last": "lm.norm/referent_center",
        "position_first": "lm.0/last",
        "position_best": "lm.0/last",
        "position_last": "lm.norm/last",
    }
    several = stages(tmp_path, linear(PLACES, "vision.2/referent_center"), ("vision.2", "vision.3"))
    assert several["encoder"] == "vision.2/referent_center"


def test_linear_probes_are_preferred_to_deeper_ones_that_find_more(tmp_path):
    deep = [(a, s, "mlp", 0.99) for a, s in PLACES]
    places = [("vision.3", "referent_center"), *PLACES[3:]]
    assert stages(tmp_path, deep)["encoder"] == "vision.3/referent_center"
    path = write(tmp_path, [*deep, *linear(places)])
    _, found = read_probes(path, "m", "d", ("vision.3",))
    assert found.stages["encoder"][1].sum() == len(deep) + 1, "the first linear one"
    assert found.stages["lm_best"][1].sum() > len(deep)


def test_a_regions_centre_is_preferred_to_its_mean_and_that_to_the_image(tmp_path):
    spans = ["other_object", "cls", "image_mean", "referent", "referent_center"]
    for k, expected in ((5, "referent_center"), (4, "referent"), (3, "image_mean")):
        places = [(address, span) for span in spans[:k] for address, _ in PLACES]
        found = stages(tmp_path, linear(places, "vision.3/image_mean"))
        assert {name.split("/")[1] for name in found.values()} <= {expected, "cls"}, k
        assert found["encoder"] == f"vision.3/{expected}"


def test_another_object_is_not_a_stage(tmp_path):
    path = write(tmp_path, linear([(address, "other_object") for address, _ in PLACES]))
    assert read_probes(path, "m", "d", ("vision.3",)) is None
    found = stages(tmp_path, linear([*PLACES, ("vision.3", "other_object"), *SAID],
                                    "vision.3/other_object"))  # fmt: skip
    assert found["encoder"] == "vision.3/referent_center"


def test_a_language_model_with_a_decoder_is_read_in_the_decoder(tmp_path):
    decoder = [(a, "last") for a in ("decoder.0", "decoder.1", "decoder.norm")]
    found = stages(tmp_path, linear([*PLACES, *SAID, *decoder], "decoder.1/last"))
    assert found["lm_last"] == "lm.norm/referent_center"
    assert [found[f"position_{at}"] for at in ("first", "best", "last")] == [
        "decoder.0/last", "decoder.1/last", "decoder.norm/last",
    ]  # fmt: skip


def test_stages_that_were_not_probed_are_left_out(tmp_path):
    assert set(stages(tmp_path, linear(SAID))) == {
        f"position_{at}" for at in ("first", "best", "last")
    }
    assert set(stages(tmp_path, linear(PLACES[:2]))) == {"encoder"}
    assert read_probes(write(tmp_path, linear(PLACES[:1])), "m", "d", ("vision.3",)) is None
    assert read_probes(write(tmp_path, linear(PLACES), "image"), "m", "d", ("vision.3",)) is None


def test_predictions_of_other_items_are_refused_in_one_sentence(tmp_path):
    path = write(tmp_path, linear(PLACES))
    beside = path.with_suffix(SUFFIX)
    rows = pl.read_parquet(beside)
    lost = ~((pl.col("address") == "lm.0") & (pl.col("id") == "03"))
    for spoilt in (rows.filter(lost), rows.filter(pl.col("address") != "lm.0")):
        write_table(beside, spoilt.to_arrow().cast(PREDICTIONS))
        with pytest.raises(UserError, match="referent_center have other items") as error:
            read_probes(path, "m", "d", ("vision.3",))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "dataset", "said"),
    [("n", "d", "model is 'm', expected 'n'"), ("m", "e", "dataset is 'd', expected 'e'")],
)
def test_a_table_of_another_model_or_dataset_is_refused(tmp_path, model, dataset, said):
    with pytest.raises(UserError, match=said):
        read_probes(write(tmp_path, linear(PLACES)), model, dataset, ("vision.3",))


def test_the_test_set_is_not_used_for_selection(tmp_path):
    """The address with the higher cross-validated accuracy represents the stage."""
    probes = [("lm.0", "last", "linear", 0.6), ("lm.norm", "last", "linear", 0.5)]
    _, found = read_probes(write(tmp_path, probes), "m", "d", ())
    right = {stage: int(np.sum(own)) for stage, (_, own) in found.stages.items()}
    assert right == {"position_first": 1, "position_best": 1, "position_last": 2}
