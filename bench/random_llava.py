"""Build a random LLaVA with its own tokenizer, for benchmarks that run models.

As a script, it writes the model to a folder and prints its file for config/models/:

    python bench/random_llava.py --size 700m --dtype bfloat16 --folder checkpoints/random_llava \
        > config/models/random_llava.yaml
"""

import argparse
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

# width, MLP, blocks, heads of the encoder, then of the language model; image and patch in pixels
SIZES = {
    "2m": ((128, 384, 4, 4), (128, 384, 4, 4), 80, 10),
    "2m-576": ((128, 384, 4, 4), (128, 384, 4, 4), 240, 10),  # as many image tokens as LLaVA 1.5
    "60m": ((384, 1536, 8, 6), (512, 1536, 12, 8), 168, 14),
    "700m": ((1024, 4096, 24, 16), (896, 4864, 24, 14), 336, 14),  # CLIP L/14-336, Qwen2 0.5B
    "1b": ((768, 3072, 12, 12), (2048, 5632, 22, 32), 112, 14),
    "7b": ((1024, 4096, 24, 16), (4096, 11008, 32, 32), 336, 14),  # LLaVA 1.5, for a GPU
}
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
QUESTIONS = [
    "What color is the large metal cube?",
    "Are there more small spheres than cubes?",
    "How many rubber things are there?",
    "What is the material of the tiny green cylinder?",
    "Is the red sphere the same size as the blue one?",
    "What shape is the purple object?",
    "How many large shiny objects are there?",
    "Is there a yellow cube?",
    "What size is the gray matte cylinder?",
    "Do the brown thing and the cyan thing have the same shape?",
]


def build_model(folder: Path, size: str, dtype: torch.dtype) -> None:
    eye, reader, pixels, patch = SIZES[size]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>", "</s>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # with the template's words, as in a real tokenizer, so prompts are as long as LLaVA's
    bpe.train_from_iterator([*QUESTIONS, "user: assistant:"], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    vision = dict(zip(names, eye, strict=True)) | {"image_size": pixels, "patch_size": patch}
    text = dict(zip(names, reader, strict=True))
    text |= {"num_key_value_heads": reader[3], "vocab_size": 600 if size == "2m" else 8000}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**vision),
        text_config=transformers.LlamaConfig(**text, pad_token_id=tokenizer.pad_token_id),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
    )
    prepare = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": pixels}, crop_size={"height": pixels, "width": pixels}
    )
    processor = transformers.LlavaProcessor(
        prepare,
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    torch.manual_seed(0)
    made = transformers.LlavaForConditionalGeneration._from_config(config, dtype=dtype)
    made.save_pretrained(folder)
    processor.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), required=True)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--folder", type=Path, required=True, help="where it is written")
    args = parser.parse_args()
    build_model(args.folder, args.size, getattr(torch, args.dtype))
    (_, _, seen, _), (_, _, read, _), *_ = SIZES[args.size]
    print(f"family: llava\nkind: vlm\ncheckpoint: {args.folder}\nrevision: null")
    print(f"dtype: {args.dtype}\nlicence: none\nvision_blocks: {seen}\nlm_blocks: {read}")


if __name__ == "__main__":
    main()
