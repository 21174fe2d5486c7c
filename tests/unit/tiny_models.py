"""Build checkpoints of a CLIP and a LLaVA with a few thousand random parameters."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from eyechart.models.spec import Spec, defaults
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def spec(family: str, checkpoint: Path, **changes: object) -> Spec:
    """Return the spec of a tiny checkpoint."""
    encoder = family == "clip"
    fields = {
        "family": family,
        "kind": "encoder" if encoder else "vlm",
        "checkpoint": str(checkpoint),
        "revision": None,
        "dtype": "float32",
        "licence": "Apache-2.0",
        "vision_blocks": 3,
        "lm_blocks": 0 if encoder else 3,
    }
    return Spec(**(defaults() | fields | changes))


def build_llava(folder: Path) -> Path:
    """Save a random LLaVA whose weights are large enough that its layers differ."""
    tokenizer = _tokenizer({"image_token": "<image>"})
    text = transformers.LlamaConfig(vocab_size=len(tokenizer), **TEXT, **_ids(tokenizer))
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-2,
    )
    processor = transformers.LlavaProcessor(
        _image_processor(),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return _save(transformers.LlavaForConditionalGeneration, config, processor, folder)


def build_clip(folder: Path) -> Path:
    """Save a random CLIP."""
    tokenizer = _tokenizer({})
    text = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 1}
    text |= {"intermediate_size": 16, "num_attention_heads": 2, **_ids(tokenizer)}
    config = transformers.CLIPConfig(vision_config=VISION, text_config=text, projection_dim=8)
    processor = transformers.CLIPProcessor(_image_processor(), tokenizer)
    return _save(transformers.CLIPModel, config, processor, folder)


def build_dataset(folder: Path, pictures: int, rows: list[tuple[str, list[int], str]]) -> object:
    """Save random images and both tables; rows are (item id, image numbers, prompt)."""
    draw = np.random.default_rng(7)
    images = []
    for i in range(pictures):
        path = folder / f"{i:03}.png"
        pixels = draw.integers(0, 255, (40 + i, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        size = {"width": 48, "height": 40 + i}
        images.append({"image_id": f"p{i:03}", "path": str(path), **size})
    items = [
        {"item_id": item, "images": [f"p{i:03}" for i in numbers], "prompt": prompt}
        for item, numbers, prompt in rows
    ]
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, IMAGES))
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    return SimpleNamespace(images=folder / "images.parquet", items=folder / "items.parquet")


def _save(model_class, config, processor, folder: Path) -> Path:
    torch.manual_seed(0)
    model = model_class(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _image_processor() -> object:
    return transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )


def _ids(tokenizer) -> dict[str, int]:
    return {n: getattr(tokenizer, n) for n in ("bos_token_id", "eos_token_id", "pad_token_id")}


def _tokenizer(extra: dict[str, str]):
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>", *extra.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["what is the colour of the cube"] * 4, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens=extra,
    )
