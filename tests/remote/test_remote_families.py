"""Every family with remote code, on tiny checkpoints that the user provides."""

import numpy as np
import pytest
import references
import torch
from cases import QUESTIONS, drawn, spec_of
from in_memory import plan, run_engine

from eyechart.core.errors import UserError
from eyechart.inference import whole_prompts
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import script
from eyechart.models.describe_model import describe
from eyechart.models.load import adapter_of, load
from eyechart.models.load_options import LoadOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code


@pytest.fixture(scope="module")
def adapter(family, folder_of):
    return load(spec_of(family), folder_of(family), LoadOptions("cpu", remote_code=True))


@pytest.fixture(scope="module")
def card(adapter, family):
    return describe(adapter, family)


def extract(adapter, card, questions, batch, monkeypatch):
    """Run the engine over images p0, p1, p2; return {column: {row: value}} for both scopes."""
    shown = dict(zip(["p0", "p1", "p2"], drawn(), strict=True))
    return run_engine(adapter, card, shown, plan(questions, QUESTIONS), batch, monkeypatch)


def test_remote_code_runs_only_if_the_configuration_allows_it(family, folder_of):
    with pytest.raises(UserError, match="does not allow it to run"):
        load(spec_of(family), folder_of(family), LoadOptions("cpu"))


def test_a_companion_is_found_elsewhere_or_requested(family, folder_of, tmp_path, monkeypatch):
    names = adapter_of(spec_of(family)).companions(folder_of(family))
    if not names:
        return  # its code loads only its own files
    folder = tmp_path / f"{family}_alone"
    folder.mkdir()
    for path in folder_of(family).iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    loading = LoadOptions("cpu", remote_code=True)
    with pytest.raises(UserError, match=f"has no folder {names[0]}"):
        load(spec_of(family), folder, loading)
    monkeypatch.setenv("EYECHART_COMPANIONS", str(folder_of(family)))
    assert load(spec_of(family), folder, loading)


def test_a_missing_weight_is_an_error(family, folder_of, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / f"{family}_maimed"
    folder.mkdir()
    for path in folder_of(family).iterdir():
        (folder / path.name).symlink_to(path)
    weights = load_file(folder / "model.safetensors")
    gone = sorted(k for k in weights if "layers" in k or "blocks" in k)[0]
    del weights[gone]
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="missing key"):
        load(spec_of(family), folder, LoadOptions("cpu", remote_code=True))


def test_addresses_resolve_in_the_order_in_which_they_run(adapter, card):
    names = [a["address"] for a in card["addresses"]]
    blocks = [len(adapter.model.get_submodule(p)) for p in (adapter.VISION, adapter.LM)]
    assert names == [
        *(f"vision.{i}" for i in range(blocks[0])),
        "connector",
        *(f"lm.{i}" for i in range(blocks[1])),
        "lm.norm",
    ]
    assert not card["shares_prefix"]
    assert sum(card["parts"].values()) == card["parameters"]
    assert all(card["parts"][region] for region in ("vision", "connector", "lm"))


def test_the_language_models_image_tokens_equal_the_connectors_output(adapter, card):
    found = {}

    def note(module, args, kwargs, output=None):
        found["read"] = args[0] if args else kwargs["hidden_states"]

    hook = adapter.model.get_submodule(f"{adapter.LM}.0").register_forward_pre_hook(
        note, with_kwargs=True
    )
    given = []
    module = adapter.model.get_submodule(adapter.CONNECTOR)
    tap = module.register_forward_hook(lambda m, i, output: given.append(output))
    try:
        with torch.inference_mode():
            for image in drawn():
                given.clear()
                picture = adapter.prepare_image(image)
                tokens = adapter.tokens(
                    [adapter.row("what ?", [picture])], adapter.encode_images([picture])
                )
                adapter.read(tokens)
                output = given if adapter.runs([picture]) > 1 else given[0]
                hidden, masks = adapter.layout("connector", output, [picture])
                read = found["read"][tokens.image]
                if adapter.spec.family == "molmo":  # it adds to the embedding
                    patch = adapter.processor.special_token_ids["<im_patch>"]
                    read = read - adapter.words(torch.tensor([patch]))
                assert torch.allclose(read, hidden[masks["image_tokens"]], rtol=0, atol=1e-6)
                assert len(read) == len(adapter.grid(picture))
    finally:
        hook.remove()
        tap.remove()


def test_activations_equal_the_models_own_code(adapter):
    reference = getattr(references, adapter.spec.family)
    for image, question in zip(drawn(), QUESTIONS, strict=True):
        picture = adapter.prepare_image(image)
        row = adapter.row(question, [picture])
        with torch.inference_mode():
            (ours,) = adapter.logits([row], adapter.encode_images([picture]), [[]])
            theirs = reference(adapter, image, question, [])
        np.testing.assert_allclose(ours[-1], theirs, rtol=0, atol=1e-5)


def test_a_batch_of_unlike_prompts_equals_single_runs_at_every_address_and_span(
    adapter, card, monkeypatch
):
    asked = [["p0"], ["p1"], ["p2"]]
    batch = extract(adapter, card, asked, 3, monkeypatch)
    alone = extract(adapter, card, asked, 1, monkeypatch)
    for column, rows in batch.items():
        for row, value in rows.items():
            np.testing.assert_allclose(value, alone[column][row], rtol=0, atol=1e-5)


def test_activations_differ_between_images_and_questions(adapter, card, monkeypatch):
    found = extract(adapter, card, [["p0"], ["p1"], ["p2"]], 3, monkeypatch)
    for column, rows in found.items():
        if not column.endswith(("image_tokens", "places")):
            first, second, third = rows.values()
            assert np.isfinite(first).all()
            assert np.abs(first - second).max() > 1e-4, column
            assert np.abs(second - third).max() > 1e-4, column


def test_several_images_and_none_are_accepted_or_refused_in_one_sentence(adapter):
    pictures = [adapter.prepare_image(image) for image in drawn()[:2]]
    if adapter.MAX_IMAGES_PER_PROMPT:
        with pytest.raises(UserError, match="accepts 1 image per prompt"):
            adapter.row("which ?", pictures)
    else:
        row = adapter.row("which ?", pictures)
        with torch.inference_mode():
            seen = [s for p in pictures for s in adapter.encode_images([p])]
            tokens = adapter.tokens([row], seen)
            assert int(tokens.image.sum()) == sum(len(adapter.grid(p)) for p in pictures)
            assert torch.isfinite(adapter.read(tokens, logits=True)).all()
    with torch.inference_mode():
        (scores,) = adapter.logits([adapter.row("hello", [])], [], [[]])
    assert torch.isfinite(scores).all()


def test_a_prompt_longer_than_the_context_is_refused(adapter):
    with pytest.raises(UserError, match="tokens, but"):
        adapter.row("what is it ? " * 4000, [])


def test_log_probabilities_of_choices_equal_teacher_forcing(adapter):
    reference = getattr(references, adapter.spec.family)
    image = drawn()[0]
    picture = adapter.prepare_image(image)
    row = adapter.row("what is it ?", [picture])
    one = script(adapter, row, ["a red square", "yes", "yes it is"], None)
    with torch.inference_mode():
        seen = adapter.encode_images([picture])
        (ours,) = whole_prompts.score(adapter, [one], [seen], AdaptiveBatchSize(2))
        for ids, score in zip(one.choices, ours, strict=True):
            total = 0.0
            for n, i in enumerate(ids):
                scores = reference(adapter, image, "what is it ?", ids[:n])
                total += float(scores.double().log_softmax(-1)[i])
            assert abs(total - score) < 1e-5


def test_answers_are_greedy_and_leave_no_hooks(adapter):
    before = hooks(adapter)
    pictures = [adapter.prepare_image(image) for image in drawn()[:2]]
    rows = [adapter.row(q, [p]) for q, p in zip(QUESTIONS, pictures, strict=False)]
    scripts = [script(adapter, row, [], 3) for row in rows]
    with torch.inference_mode():
        seen = [adapter.encode_images([p]) for p in pictures]
    said = whole_prompts.generate(adapter, scripts, seen, 3, AdaptiveBatchSize(2))
    assert said == whole_prompts.generate(adapter, scripts, seen, 3, AdaptiveBatchSize(1))
    assert hooks(adapter) == before


def hooks(adapter):
    modules = adapter.model.modules()
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def test_half_precision_runs(adapter, card, family, folder_of, monkeypatch):
    loading = LoadOptions("cpu", dtype="bfloat16", remote_code=True)
    half = load(spec_of(family), folder_of(family), loading)
    found = extract(half, card, [["p0"], ["p1"]], 2, monkeypatch)
    exact = extract(adapter, card, [["p0"], ["p1"]], 2, monkeypatch)
    for column, rows in found.items():
        for row, value in rows.items():
            if column.endswith("/places"):
                np.testing.assert_array_equal(value, exact[column][row], column)
                continue
            scale = np.abs(exact[column][row]).max()
            assert np.abs(value - exact[column][row]).max() < 0.1 * scale + 0.1, column
