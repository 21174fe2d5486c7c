"""Image tokens at several addresses are read in one pass, and equal those read one by one."""

from dataclasses import replace

import interventions_fixture as fixture
import pytest
import torch
from tiny_models import spec

from eyechart.inference import passes, whole_prompts
from eyechart.inference.chosen_items import answerable_items
from eyechart.inference.prompts import PromptStyle
from eyechart.interventions.asked import ask
from eyechart.interventions.batch import Batch
from eyechart.interventions.reader import Reader
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tables.parquet import read_table


@pytest.mark.parametrize("shares", [True, False])
def test_all_addresses_are_read_in_one_pass(tmp_path, monkeypatch, shares):
    checkpoint = fixture.build_reading_model(tmp_path)
    data = fixture.build_asked(tmp_path)
    fixture.by_hand(monkeypatch)
    adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    items = answerable_items(data / "items.parquet")[:6]
    rows = read_table(data / "images.parquet", ["image_id", "path"]).to_pylist()
    paths = {row["image_id"]: row["path"] for row in rows}
    asked = ask(adapter, items, [], {}, dict.fromkeys(paths, (32, 32)), 7)
    asked = [*asked, replace(asked[0], item=asked[1].item)]  # two items about one image
    reader = Reader(adapter, shares, PromptStyle("{question}", "text", 1), "mean", paths)

    def states(*addresses):
        return Batch(reader, asked).image_states(addresses)

    addresses = ["connector", *(a for a in adapter.addresses() if a.startswith("lm."))]
    apart = {address: states(address)[address] for address in addresses}
    counted = []
    module, name = (passes, "read_prefix") if shares else (whole_prompts, "score_entries")
    original = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: counted.append(1) or original(*args))
    together = states(*addresses)
    assert len(counted) == 1
    assert list(together) == addresses and len(together["lm.0"]) == len(asked)
    for address in addresses:
        for one, same in zip(together[address], apart[address], strict=True):
            assert torch.equal(one, same)
            assert one.shape[0] == together["connector"][0].shape[0] > 1
    assert torch.equal(together["lm.0"][0], together["lm.0"][-1])
    assert not torch.equal(together["lm.0"][0], together["lm.0"][1])
