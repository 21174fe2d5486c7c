"""Next-token scores from each model's own code, which the adapters must reproduce."""

import sys
import tempfile
from pathlib import Path

import torch


def cogvlm(adapter, image, question, begun):
    model = adapter.model
    one = model.build_conversation_input_ids(
        adapter.tokenizer, query=question, history=[], images=[image], template_version="vqa"
    )
    kinds = torch.cat([one["token_type_ids"], torch.zeros(len(begun), dtype=torch.long)])
    return model(
        input_ids=_with(one["input_ids"], begun)[None],
        token_type_ids=kinds[None],
        attention_mask=torch.ones_like(kinds)[None],
        images=[one["images"]],
        use_cache=False,
    ).logits[0, -1]


def molmo(adapter, image, question, begun):
    inputs = adapter.processor.process(images=[image], text=question)
    inputs["input_ids"] = _with(inputs["input_ids"], begun)
    return adapter.model(**{k: v[None] for k, v in inputs.items()}).logits[0, -1]


def internlm_xcomposer(adapter, image, question, begun):
    model = adapter.model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        image.save(path)
        inputs, mask, _ = model.interleav_wrap_chat(question, [str(path)])
    later = torch.tensor([list(begun)], dtype=torch.long)
    embeds = torch.cat([inputs["inputs_embeds"], model.model.tok_embeddings(later)], dim=1)
    mask = torch.cat([mask, torch.zeros_like(later, dtype=torch.bool)], dim=1)
    return model(inputs_embeds=embeds, im_mask=mask).logits[0, -1]


def internvl_chat(adapter, image, question, begun):
    model, asked = adapter.model, {}

    def generate(**given):
        asked.update(given)
        return torch.zeros(1, 1, dtype=torch.long)

    pixels = adapter.prepare_image(image).inputs[
        "pixel_values"
    ]  # the checkpoint has no tiling code
    model.generate = generate
    try:
        model.chat(adapter.tokenizer, pixels, question, {})
    finally:
        del model.generate
    ids = _with(asked["input_ids"][0], begun)[None]
    flags = torch.ones(len(pixels), 1, dtype=torch.long)
    return model(pixels, ids, torch.ones_like(ids), image_flags=flags).logits[0, -1]


def minicpm_v2(adapter, image, question, begun):
    model, tokenizer = adapter.model, adapter.tokenizer
    slices, text = model.get_slice_image_placeholder(image, tokenizer)
    data = model._process_list(tokenizer, [f"<用户>{text}\n{question}<AI>"])
    data["input_ids"] = _with(data["input_ids"][0], begun)[None]
    data["position_ids"] = torch.arange(data["input_ids"].shape[1])[None]
    data["pixel_values"] = [[model.transform(part) for part in slices]]
    return model(data, use_cache=False).logits[0, -1]


def minicpm_o(adapter, image, question, begun):
    text = adapter.tokenizer.apply_chat_template(
        [{"role": "user", "content": "(<image>./</image>)\n" + question}],
        tokenize=False,
        add_generation_prompt=True,
    )
    data = adapter.processor(
        [text], [[image]], [[]], [[]], max_slice_nums=None, use_image_id=None, return_tensors="pt"
    )
    data = {k: v for k, v in data.items() if k != "attention_mask"}
    data["input_ids"] = _with(data["input_ids"][0], begun)[None]
    data["position_ids"] = torch.arange(data["input_ids"].shape[1])[None]
    return adapter.model(data, use_cache=False).logits[0, -1]


def phi3_v(adapter, image, question, begun):
    text = f"<|user|>\n<|image_1|>\n{question}<|end|>\n<|assistant|>\n"
    inputs = adapter.processor(text, [image], return_tensors="pt")
    inputs["input_ids"] = _with(inputs["input_ids"][0], begun)[None]
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return adapter.model(**inputs, use_cache=False).logits[0, -1]


def glamm(adapter, image, question, begun):
    talk = sys.modules["model.llava.conversation"].conv_templates["llava_v1"].copy()
    talk.messages = []
    first = f"The <im_start><image><im_end> provides an overview of the picture.\n{question}"
    talk.append_message(talk.roles[0], first)
    talk.append_message(talk.roles[1], "")
    pieces = [adapter.tokenizer(p).input_ids for p in talk.get_prompt().split("<image>")]
    ids = torch.tensor([*pieces[0], -200, *pieces[1][1:], *begun])[None]
    pixels = adapter.encoder.image_processor.preprocess(image, return_tensors="pt")
    return adapter.model(
        input_ids=ids,
        images=pixels["pixel_values"],
        attention_mask=torch.ones_like(ids),
        past_key_values=None,
        bboxes=None,
    ).logits[0, -1]


def _with(ids, begun):
    return torch.cat([ids, torch.tensor(list(begun), dtype=ids.dtype)])
