"""Build the tiny models in code: stock transformers classes, processors and tokenizers."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    Dinov2Config,
    Dinov2Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from eyechart.core import randomness
from eyechart.tiny_models.images import MEAN, STD

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"
# One turn of a chat is `<s>Q:<image> What color is the cube? A: red</s>`.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ 'Q:' if m['role'] == 'user' else ' A:' }}"
    "{% if m['content'] is string %}{{ ' ' + m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}"
    "{{ ' ' + c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if m['role'] != 'user' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} A:{% endif %}"
)


def build_tokenizer(corpus: list[str], vocabulary: int, image: bool) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE: words of the corpus become single tokens, other words are split.

    Parameters
    ----------
    image : add the image token, a bos in front and the VLM's chat template; without it, each text
        gets both a bos and an eos, which CLIP's text tower needs
    """
    special = [BOS, EOS, PAD] + ([IMAGE] if image else [])
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus, trainer)
    if not image:
        ends = [(token, tokenizer.token_to_id(token)) for token in (BOS, EOS)]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A {EOS}", special_tokens=ends
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=512 if image else 64,
        padding_side="left" if image else "right",
        model_input_names=["input_ids", "attention_mask"],
        **({"extra_special_tokens": {"image_token": IMAGE}} if image else {}),
    )
    if image:
        wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def build_image_processor(image_px: int) -> CLIPImageProcessorPil:
    """Return CLIP's image processor for square images of side ``image_px``."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": image_px},
        crop_size={"height": image_px, "width": image_px},
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    )


def build_clip(
    settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast, seed: int
) -> tuple[CLIPModel, CLIPProcessor]:
    """Return a randomly initialised CLIP and its processor.

    Parameters
    ----------
    settings : ``image_px``, ``patch_px``, ``projection`` and the two towers' ``vision`` and
        ``text`` (``layers``, ``width``, ``mlp``, ``heads``)
    """
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPConfig(
        vision_config={
            **_tower(settings["vision"]),
            "image_size": settings["image_px"],
            "patch_size": settings["patch_px"],
        },
        text_config={
            **_tower(settings["text"]),
            **ids,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": tokenizer.model_max_length,
        },
        projection_dim=settings["projection"],
    )
    _seed("clip", seed)
    processor = CLIPProcessor(build_image_processor(settings["image_px"]), tokenizer)
    return CLIPModel(config), processor


def build_dino(settings: dict[str, Any], seed: int) -> Dinov2Model:
    """Return a randomly initialised DINOv2 with the size of CLIP's vision tower."""
    tower = settings["vision"]
    config = Dinov2Config(
        hidden_size=tower["width"],
        num_hidden_layers=tower["layers"],
        num_attention_heads=tower["heads"],
        mlp_ratio=tower["mlp"] // tower["width"],
        image_size=settings["image_px"],
        patch_size=settings["patch_px"],
    )
    _seed("dino", seed)
    return Dinov2Model(config)


def build_language_model(
    settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast, seed: int
) -> LlamaForCausalLM:
    """Return a randomly initialised LLaMA for ``settings['lm']``."""
    _seed("language", seed)
    return LlamaForCausalLM(_llama_config(settings["lm"], tokenizer))


def build_llava(
    settings: dict[str, Any], clip: CLIPModel, lm: LlamaForCausalLM, tokenizer: Any, seed: int
) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """Return a LLaVA that connects CLIP's vision tower to a language model with a new projector."""
    patches = (settings["image_px"] // settings["patch_px"]) ** 2
    config = LlavaConfig(
        vision_config=clip.config.vision_config,
        text_config=lm.config,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=patches,
        vision_feature_layer=settings["vision_feature_layer"],
        vision_feature_select_strategy="default",
    )
    _seed("projector", seed)
    model = LlavaForConditionalGeneration(config)
    _copy(model.model.vision_tower, clip.vision_model)
    _copy(model.model.language_model, lm.model)
    _copy(model.lm_head, lm.lm_head)
    processor = LlavaProcessor(
        build_image_processor(settings["image_px"]),
        tokenizer,
        patch_size=settings["patch_px"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    return model, processor


def _copy(target: torch.nn.Module, source: torch.nn.Module) -> None:
    target.load_state_dict(source.state_dict(), strict=True)


def _tower(settings: dict[str, int]) -> dict[str, Any]:
    return {
        "hidden_size": settings["width"],
        "intermediate_size": settings["mlp"],
        "num_hidden_layers": settings["layers"],
        "num_attention_heads": settings["heads"],
    }


def _llama_config(settings: dict[str, int], tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        **_tower(settings),
        num_key_value_heads=settings["heads"],
        vocab_size=len(tokenizer),
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )


def _seed(purpose: str, seed: int) -> None:
    # transformers can only initialise weights from torch's global generator
    torch.manual_seed(randomness.seed_for("initialise", seed, purpose) % 2**62)
