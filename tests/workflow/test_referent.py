"""The span referent, from the configuration to the probes of an encoder and of a VLM."""

from pathlib import Path

import polars as pl
from project import Project


def test_an_encoder_and_a_vlm_are_probed_at_the_referent(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    project.configure(
        {
            "extraction": {"spans": ["last", "referent", "other_object"]},
            "probing": {"seeds": 1, "probes": {"mlp": None}},
        }
    )
    tables = [f"results/probing/{m}/clevr/shape.parquet" for m in ("tiny_clip", "tiny_llava")]
    project.finish(*tables)
    encoder, vlm = (pl.read_parquet(project.path(table)) for table in tables)
    components = {row["address"].split(".")[0] for row in encoder.to_dicts() if row["address"]}
    assert components == {"vision"}
    assert set(encoder["span"]) == {"", "referent", "other_object"}
    at = {(row["address"].split(".")[0], row["span"]) for row in vlm.to_dicts() if row["span"]}
    regions = {(c, s) for c in ("vision", "lm") for s in ("referent", "other_object")}
    assert at == {*regions, ("lm", "last")}
    assert set(vlm["scope"]) == set(encoder["scope"]) == {"item"}
