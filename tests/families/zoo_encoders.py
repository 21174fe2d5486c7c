"""Tiny random stand-alone encoders."""

import transformers as T
from tokenizers.processors import TemplateProcessing
from zoo_parts import SQUARE, bpe, fam, ids, ip, vit


@fam
def clip():
    tok = bpe(bos="<|startoftext|>", eos="<|endoftext|>", pad="<|endoftext|>", unk="<|endoftext|>")

    tok._tokenizer.post_processor = TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[
            (x, tok.convert_tokens_to_ids(x)) for x in ("<|startoftext|>", "<|endoftext|>")
        ],
    )
    cfg = T.CLIPConfig(
        vision_config=vit(),
        text_config={
            "vocab_size": len(tok),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            **ids(tok),
        },
        projection_dim=24,
    )
    return T.CLIPModel(cfg), T.CLIPProcessor(
        ip("CLIPImageProcessor", size={"shortest_edge": 32}, crop_size=SQUARE), tok
    )


def _tower(model, config, processor, **changes):
    return model(config(**vit(), **changes)), processor


@fam
def clip_projected():
    return _tower(
        T.CLIPVisionModelWithProjection, T.CLIPVisionConfig, clip()[1].image_processor,
        projection_dim=24,
    )  # fmt: skip


@fam
def clip_vision():
    return _tower(T.CLIPVisionModel, T.CLIPVisionConfig, clip()[1].image_processor)


@fam
def siglip_vision():
    images = ip("SiglipImageProcessor", size=SQUARE)
    return _tower(T.SiglipVisionModel, T.SiglipVisionConfig, images)


@fam
def siglip_headless():
    images = siglip_vision()[1]
    return _tower(T.SiglipVisionModel, T.SiglipVisionConfig, images, vision_use_head=False)


@fam
def siglip():
    tok = bpe()
    tok.model_max_length = 24
    cfg = T.SiglipConfig(
        vision_config=vit(),
        text_config={
            "vocab_size": len(tok),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 24,
            **ids(tok),
            "projection_size": 32,
        },
    )
    return T.SiglipModel(cfg), T.SiglipProcessor(ip("SiglipImageProcessor", size=SQUARE), tok)


def _dinov2(config, model, **changes):
    sizes = {k: v for k, v in vit().items() if k != "intermediate_size"} | {"mlp_ratio": 2}
    images = ip("BitImageProcessor", size={"shortest_edge": 32}, crop_size=SQUARE)
    return model(config(**sizes | changes)), images


@fam
def dinov2():
    return _dinov2(T.Dinov2Config, T.Dinov2Model)


@fam
def dinov2_resized():
    """Return a DINOv2 that, as published, crops images to a smaller size than in training."""
    return _dinov2(T.Dinov2Config, T.Dinov2Model, image_size=64)


@fam
def dinov2_registers():
    return _dinov2(T.Dinov2WithRegistersConfig, T.Dinov2WithRegistersModel, num_register_tokens=4)


@fam
def vit_mae():
    cfg = T.ViTMAEConfig(
        **vit(),
        decoder_hidden_size=16,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
        mask_ratio=0.75,
    )
    return T.ViTMAEModel(cfg), ip("ViTImageProcessor", size=SQUARE)


@fam
def vit_mae_pretraining():
    cfg = vit_mae()[0].config
    m = T.ViTMAEForPreTraining(cfg)
    return m, vit_mae()[1]


@fam
def vit_classifier():
    cfg = T.ViTConfig(**vit(), num_labels=5)
    return T.ViTForImageClassification(cfg), ip("ViTImageProcessor", size=SQUARE)
