"""Tiny random models of LLaVA and its descendants."""

import transformers as T
from zoo_parts import SQUARE, TV, bpe, fam, ip, llama, tmpl, vit


@fam
def llava():
    tok = bpe(extra={"image_token": "<image>"}, padding_side="left")
    cfg = T.LlavaConfig(
        vision_config=T.CLIPVisionConfig(**vit()),
        text_config=T.LlamaConfig(**llama(tok)),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    proc = T.LlavaProcessor(
        ip("CLIPImageProcessor", size={"shortest_edge": 32}, crop_size=SQUARE),
        tok,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tmpl("<image>\n"),
    )
    return T.LlavaForConditionalGeneration(cfg), proc


@fam
def llava_next():
    tok = bpe(extra={"image_token": "<image>"}, padding_side="left")
    pin = [[32, 64], [64, 32], [64, 64]]
    cfg = T.LlavaNextConfig(
        vision_config=T.CLIPVisionConfig(**vit()),
        text_config=T.MistralConfig(**llama(tok), sliding_window=None),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pin,
    )
    proc = T.LlavaNextProcessor(
        ip(
            "LlavaNextImageProcessor",
            size={"shortest_edge": 32},
            crop_size=SQUARE,
            image_grid_pinpoints=pin,
        ),
        tok,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tmpl("<image>\n"),
    )
    return T.LlavaNextForConditionalGeneration(cfg), proc


@fam
def llava_onevision():
    tok = bpe(extra={"image_token": "<image>", "video_token": "<video>"}, padding_side="left")
    pin = [[32, 32], [32, 64], [64, 32], [64, 64]]
    cfg = T.LlavaOnevisionConfig(
        vision_config=T.SiglipVisionConfig(**vit(), vision_use_head=False),
        text_config=T.Qwen2Config(**llama(tok)),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        video_token_index=tok.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pin,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    vp = T.LlavaOnevisionVideoProcessor(size=SQUARE) if TV else None
    proc = T.LlavaOnevisionProcessor(
        ip("LlavaOnevisionImageProcessor", size=SQUARE, image_grid_pinpoints=pin),
        tok,
        vp,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=tmpl("<image>\n"),
    )
    return T.LlavaOnevisionForConditionalGeneration(cfg), proc


@fam
def pixtral():
    tok = bpe(special=["[IMG]", "[IMG_BREAK]", "[IMG_END]"], padding_side="left")
    cfg = T.LlavaConfig(
        vision_config=T.PixtralVisionConfig(**vit(image_size=64)),
        text_config=T.MistralConfig(**llama(tok), sliding_window=None),
        image_token_index=tok.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    proc = T.PixtralProcessor(
        ip(
            "PixtralImageProcessor", size={"longest_edge": 64}, patch_size={"height": 8, "width": 8}
        ),
        tok,
        patch_size=8,
        chat_template=tmpl("[IMG]"),
    )
    return T.LlavaForConditionalGeneration(cfg), proc


@fam
def aya_vision():
    sp = (
        [
            "<image>",
            "<|START_OF_IMG|>",
            "<|END_OF_IMG|>",
            "<|IMG_PATCH|>",
            "<|IMG_LINE_BREAK|>",
            "TILE_GLOBAL",
        ]
        + ["TILE"]
        + [f"TILE_{i}" for i in range(1, 13)]
    )
    tok = bpe(special=sp, padding_side="left")
    cfg = T.AyaVisionConfig(
        vision_config=T.SiglipVisionConfig(**vit(), vision_use_head=False),
        text_config=T.Cohere2Config(
            **llama(tok), sliding_window=16, layer_types=["sliding_attention", "full_attention"]
        ),
        image_token_index=tok.convert_tokens_to_ids("<|IMG_PATCH|>"),
        downsample_factor=2,
    )
    proc = T.AyaVisionProcessor(
        ip(
            "GotOcr2ImageProcessor", size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tok,
        patch_size=8,
        img_size=32,
        downsample_factor=2,
        image_token="<image>",
        chat_template=tmpl("<image>"),
    )
    return T.AyaVisionForConditionalGeneration(cfg), proc


@fam
def internvl():
    ex = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tok = bpe(extra=ex, padding_side="left")
    cfg = T.InternVLConfig(
        vision_config=T.InternVLVisionConfig(**vit(image_size=[32, 32], patch_size=[8, 8])),
        text_config=T.Qwen2Config(**llama(tok)),
        image_token_id=tok.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    vp = T.InternVLVideoProcessor(size=SQUARE) if TV else None
    proc = T.InternVLProcessor(
        ip(
            "GotOcr2ImageProcessor", size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tok,
        vp,
        image_seq_length=4,
        chat_template=tmpl("<IMG_CONTEXT>\n"),
    )
    return T.InternVLForConditionalGeneration(cfg), proc


@fam
def janus():
    ex = {
        "image_token": "<image_placeholder>",
        "boi_token": "<begin_of_image>",
        "eoi_token": "<end_of_image>",
    }
    tok = bpe(extra=ex, padding_side="left")
    cfg = T.JanusConfig(
        text_config=T.LlamaConfig(**llama(tok)),
        vision_config=T.JanusVisionConfig(
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=32,
            patch_size=8,
            mlp_ratio=2,
            projection_dim=48,
            num_image_tokens=16,
        ),
        vq_config=T.models.janus.JanusVQVAEConfig(
            embed_dim=8,
            num_embeddings=32,
            latent_channels=32,
            base_channels=32,
            channel_multiplier=[1, 1],
            num_res_blocks=1,
            projection_dim=48,
            image_token_embed_dim=48,
            num_patches=4,
        ),
        image_token_id=tok.convert_tokens_to_ids("<image_placeholder>"),
    )
    proc = T.JanusProcessor(
        ip("JanusImageProcessor", size=SQUARE),
        tok,
        num_image_tokens=16,
        chat_template=tmpl("<image_placeholder>\n"),
    )
    return T.JanusForConditionalGeneration(cfg), proc
