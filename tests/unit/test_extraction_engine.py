"""Every row equals a single plain forward pass, and no work is done twice."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import build_dataset, build_llava, spec

from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image
from eyechart.extraction import engine
from eyechart.extraction.engine import Engine
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import chunks, plan_part
from eyechart.models.addresses import SPANS, addresses, columns
from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

WORDS = "what is the colour of the big cube behind the small one"
ROWS = [
    (f"q{i:03}-{j}", [i], WORDS[: 4 + 13 * ((3 * i + j) % 5)]) for i in range(5) for j in range(3)
]
ROWS += [("pair-a", [0, 3], "are they the same?"), ("pair-b", [3, 0], "which?")]
ROWS += [("text", [], "no picture at all"), ("pair-c", [1, 2], "?")]
ADDRESSES = ["vision.*", "connector", "lm.*", "model.language_model.layers.1.mlp"]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    folder = build_llava(tmp_path_factory.mktemp("llava"))
    return load(spec("llava", folder), folder, LoadOptions("cpu"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return build_dataset(tmp_path_factory.mktemp("data"), 5, ROWS)


@pytest.fixture(scope="module")
def card(adapter):
    return describe(adapter, "tiny")


class Table:
    """The emitted rows, by number and column; a row emitted twice is an error."""

    def __init__(self):
        self.rows = {}

    def __call__(self, numbers, values):
        for k, number in enumerate(numbers):
            for name, value in values.items():
                assert (number, name) not in self.rows
                self.rows[number, name] = value[k]

    def column(self, name):
        return {number: value for (number, n), value in self.rows.items() if n == name}


def run(adapter, card, data, *, batch_size=4, part=(0, 1), addresses=ADDRESSES, spans=SPANS):
    plan = plan_part(data.items, data.images, *part, "{question}")
    asked = [columns(card, addresses, spans, scope) for scope in ("image", "item")]
    image, item = Table(), Table()
    extractor = Engine(adapter, card["shares_prefix"], *asked, AdaptiveBatchSize(batch_size))
    assert sum(extractor.run(plan, image, item)) == len(plan.order())
    return image, item


def single(adapter, data, question):
    """Return one prompt's plain hidden states (no padding, hooks or caches) and its token ids."""
    plan = plan_part(data.items, data.images, 0, 1, "{question}")
    pictures = [adapter.prepare_image(open_image(plan.paths[i])) for i in question.images]
    ids = torch.tensor([adapter.row(question.prompt, pictures).ids])
    pixels = torch.cat([p.inputs["pixel_values"] for p in pictures]) if pictures else None
    states = {}
    hook = adapter.model.model.language_model.layers[2].register_forward_hook(
        lambda module, inputs, output: states.update({"lm.2": output[0].numpy()})
    )
    with torch.inference_mode():
        out = adapter.model.model(input_ids=ids, pixel_values=pixels, output_hidden_states=True)
    hook.remove()
    hidden = [h[0].numpy() for h in out.hidden_states]
    states |= {"lm.0": hidden[1], "lm.1": hidden[2], "lm.norm": hidden[3]}
    return states, ids[0].numpy()


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 64, "auto"])
def test_every_question_of_a_mixed_batch_equals_its_own_plain_forward_pass(
    adapter, card, data, batch_size
):
    image, item = run(adapter, card, data, batch_size=batch_size)
    plan = plan_part(data.items, data.images, 0, 1, "{question}")
    assert len(plan.questions) == len(ROWS)
    for question in plan.questions:
        states, ids = single(adapter, data, question)
        marks = np.flatnonzero(ids == adapter.image_id)
        after = marks[-1] + 1 if len(marks) else 0
        for address, hidden in states.items():
            close(item.rows[question.row, f"{address}/last"], hidden[-1])
            close(item.rows[question.row, f"{address}/text_mean"], hidden[after:].mean(0))
            close(item.rows[question.row, f"{address}/all_mean"], hidden.mean(0))
            if len(question.images) == 1:
                picture = plan.images.index(question.images[0])
                close(image.rows[picture, f"{address}/image_mean"], hidden[marks].mean(0))
                close(image.rows[picture, f"{address}/image_tokens"], hidden[marks])


def test_every_image_of_a_batch_equals_its_own_plain_forward_pass(adapter, card, data):
    image, _ = run(adapter, card, data)
    plan = plan_part(data.items, data.images, 0, 1, "{question}")
    for row, name in enumerate(plan.images):
        shown = adapter.prepare_image(open_image(plan.paths[name]))
        with torch.inference_mode():
            tower = adapter.model.model.vision_tower
            hidden = tower(**shown.inputs, output_hidden_states=True).hidden_states
            handed = adapter.model.get_image_features(**shown.inputs).pooler_output[0].numpy()
        for i in range(3):
            close(image.rows[row, f"vision.{i}/cls"], hidden[i + 1][0, 0].numpy())
            close(image.rows[row, f"vision.{i}/image_mean"], hidden[i + 1][0, 1:].mean(0).numpy())
        close(image.rows[row, "connector/image_tokens"], handed)


def test_the_shared_and_the_joint_pass_give_the_same_numbers(adapter, card, data):
    shared = run(adapter, card, data, spans=["text_mean", "last", "all_mean"])[1].rows
    joint = run(
        adapter, card | {"shares_prefix": False}, data, spans=["text_mean", "last", "all_mean"]
    )[1].rows
    assert shared.keys() == joint.keys()
    for key, value in shared.items():
        close(value, joint[key])


def test_a_family_that_cannot_share_gives_image_spans_per_question(adapter, data):
    late = type(adapter)(adapter.model, adapter.processor, adapter.spec, adapter.device)
    late.CAUSAL = False
    card = describe(late, "late")
    single_images = build_dataset(Path(data.items).parent, 5, [r for r in ROWS if len(r[1]) == 1])
    _, item = run(late, card, single_images, spans=["image_mean"])
    image, _ = run(adapter, describe(adapter, "tiny"), single_images, spans=["image_mean"])
    plan = plan_part(single_images.items, single_images.images, 0, 1, "{question}")
    build_dataset(Path(data.items).parent, 5, ROWS)
    for q in plan.questions:
        row = plan.images.index(q.images[0])
        close(item.rows[q.row, "lm.1/image_mean"], image.rows[row, "lm.1/image_mean"])


def test_image_tokens_of_a_prompt_without_an_image_are_an_error(adapter, data):
    late = type(adapter)(adapter.model, adapter.processor, adapter.spec, adapter.device)
    late.CAUSAL = False
    with pytest.raises(UserError, match=r"lm\.0/image_mean: a prompt without an image"):
        run(late, describe(late, "late"), data, spans=["image_mean"])


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_together_hold_each_row_once_with_the_same_values(adapter, card, data, parts):
    whole = run(adapter, card, data)
    ids, rows = [], {}
    for part in range(parts):
        plan = plan_part(data.items, data.images, part, parts, "{question}")
        _, item = run(adapter, card, data, part=(part, parts))
        ids += plan.items
        rows |= {(plan.items[n], name): value for (n, name), value in item.rows.items()}
    everything = plan_part(data.items, data.images, 0, 1, "{question}").items
    assert sorted(ids) == everything
    assert len(rows) == len(whole[1].rows)
    for (item, name), value in rows.items():
        close(value, whole[1].rows[everything.index(item), name])


def test_each_image_is_encoded_once_for_all_its_questions(adapter, card, data, monkeypatch):
    family, looked, filled = type(adapter), [], []
    look, read = family.encode_images, family.read

    def count_look(self, pictures):
        looked.extend(pictures)
        return look(self, pictures)

    def count_read(self, tokens, *args, **kwargs):
        filled.extend(tokens.encoded)  # the encoded images for the image tokens of this pass
        read(self, tokens, *args, **kwargs)

    monkeypatch.setattr(family, "encode_images", count_look)
    monkeypatch.setattr(family, "read", count_read)
    run(adapter, card, data, batch_size=2)
    pairs = [pictures for _, pictures, _ in ROWS if len(pictures) == 2]
    assert len(looked) == 5
    assert len(filled) == 5 + 2 * len(pairs)


def test_prompts_of_similar_length_are_batched(adapter, card, tmp_path, monkeypatch):
    data = build_dataset(tmp_path, 4, [row for row in ROWS if row[1] in ([0], [1], [2], [3])])
    family, lengths = type(adapter), []
    read = family.read

    def note(self, tokens, *args, **kwargs):
        lengths.extend(tokens.valid.sum(dim=1).tolist())
        read(self, tokens, *args, **kwargs)

    monkeypatch.setattr(family, "read", note)
    run(adapter, card | {"shares_prefix": False}, data, batch_size=4, spans=["last"])
    assert len(lengths) == 12
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 1


@pytest.mark.parametrize("room", [1, 20, 40, 10_000])
def test_questions_packed_in_one_row_do_not_see_each_other(adapter, card, data, monkeypatch, room):
    alone = run(adapter, card | {"shares_prefix": False}, data, spans=["last", "text_mean"])[1]
    monkeypatch.setattr(engine, "PACK_TOKENS", room)
    packed = run(adapter, card, data, spans=["last", "text_mean"])[1]
    assert packed.rows.keys() == alone.rows.keys()
    for key, value in packed.rows.items():
        close(value, alone.rows[key])


@pytest.fixture
def ran(adapter):
    """Return a function that records a module's runs until the end of the test."""
    handles, runs = [], []

    def record(path):
        module = adapter.model.get_submodule(path)
        handles.append(module.register_forward_pre_hook(lambda *_: runs.append(path)))
        return runs

    yield record
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize(
    ("asked", "spans", "never"),
    [
        (["vision.0"], ["cls"], "model.vision_tower.encoder.layers.1"),
        (["vision.*"], ["cls"], "model.multi_modal_projector"),
        (["connector"], ["image_mean"], "model.language_model.layers.0"),
        (["lm.1"], SPANS, "model.language_model.layers.2"),
        (["lm.*"], SPANS, "lm_head"),
    ],
)
def test_modules_after_the_deepest_address_never_run(
    adapter, card, data, ran, *, asked, spans, never
):
    ran("model.vision_tower.encoder.layers.0")
    runs = ran(never)
    run(adapter, card, data, addresses=asked, spans=spans)
    assert set(runs) == {"model.vision_tower.encoder.layers.0"}


def test_no_hook_outlives_the_run(adapter, card, data):
    run(adapter, card, data)  # transformers installs its own hooks on the first run
    before = {n: len(m._forward_hooks) for n, m in adapter.model.named_modules()}
    run(adapter, card, data)
    assert before == {n: len(m._forward_hooks) for n, m in adapter.model.named_modules()}


def test_images_without_questions_are_also_encoded(adapter, card, tmp_path):
    data = build_dataset(tmp_path, 3, [("q", [1], "what?")])
    image, item = run(adapter, card, data)
    assert set(image.column("lm.2/image_mean")) == {0, 1, 2}
    assert set(item.column("lm.2/last")) == {0}


def test_prompts_that_differ_before_their_common_image_are_refused(adapter, card, data):
    late = type(adapter)(
        adapter.model,
        adapter.processor,
        dataclasses.replace(adapter.spec, image_first=False),
        adapter.device,
    )
    with pytest.raises(UserError, match="set image_first: false"):
        run(late, card, data)


def test_an_unknown_image_and_a_wrong_template_are_one_sentence_errors(data, tmp_path):
    other = build_dataset(tmp_path, 2, [("q", [1, 9], "?")])
    with pytest.raises(UserError, match="item 'q': image 'p009' is not in"):
        plan_part(other.items, other.images, 0, 1, "{question}")
    with pytest.raises(UserError, match=r"expected no field but \{question\}"):
        plan_part(data.items, data.images, 0, 1, "{prompt}")


def test_chunks_hold_everything_in_order():
    assert list(chunks([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]


def test_every_address_of_the_card_is_extracted(adapter, card, data):
    image, item = run(adapter, card, data, addresses=["*"])
    names = {name for _, name in [*image.rows, *item.rows]}
    seen = {name.split("/")[0] for name in names if not name.endswith("/places")}
    assert seen == set(addresses(card))
