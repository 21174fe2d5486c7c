"""Tiny random models that cut images into tiles, crops or slices."""

import transformers as T
from zoo_parts import SQUARE, TV, bpe, fam, ip, llama, tmpl, vit


@fam
def perception_lm(vit_="vanilla"):
    tok = bpe(extra={"image_token": "<|image|>", "video_token": "<|video|>"}, padding_side="left")
    va = {
        "architecture": "vit_pe_core_tiny_patch16_384",
        "do_pooling": False,
        "num_classes": 0,
        "model_args": {
            "embed_dim": 32,
            "img_size": [32, 32],
            "patch_size": 8,
            "depth": 3,
            "num_heads": 4,
            "global_pool": "",
            "use_post_transformer_norm": False,
            "init_values": 0.1,
            "ref_feat_shape": [4, 4],
        },
    }
    cfg = T.PerceptionLMConfig(
        vision_config=T.TimmWrapperConfig(**va),
        text_config=T.LlamaConfig(**llama(tok)),
        image_token_id=tok.convert_tokens_to_ids("<|image|>"),
        video_token_id=tok.convert_tokens_to_ids("<|video|>"),
        vision_use_cls_token=True,
        projector_pooling_ratio=2,
    )
    vp = T.PerceptionLMVideoProcessor(size=SQUARE)
    proc = T.PerceptionLMProcessor(
        vp,
        T.PerceptionLMImageProcessor(
            size=SQUARE,
            tile_size=32,
            max_num_tiles=4,
            vision_input_type=vit_,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        tok,
        patch_size=8,
        pooling_ratio=2,
        chat_template=tmpl("<|image|>"),
    )
    return T.PerceptionLMForConditionalGeneration(cfg), proc


@fam
def perception_lm_tiled():
    return perception_lm("thumb+tile")


@fam
def smolvlm():
    ex = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    tok = bpe(
        special=[f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)],
        extra=ex,
        padding_side="left",
    )
    cfg = T.SmolVLMConfig(
        vision_config=T.models.smolvlm.SmolVLMVisionConfig(**vit()),
        text_config=T.LlamaConfig(**llama(tok)),
        image_token_id=tok.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tok.pad_token_id,
    )
    vp = (
        T.SmolVLMVideoProcessor(
            size={"longest_edge": 32},
            max_image_size={"longest_edge": 32},
            video_sampling={"fps": 1, "max_frames": 2, "video_size": {"longest_edge": 32}},
        )
        if TV
        else None
    )
    proc = T.SmolVLMProcessor(
        ip(
            "SmolVLMImageProcessor",
            size={"longest_edge": 64},
            max_image_size={"longest_edge": 32},
            do_image_splitting=True,
        ),
        tok,
        vp,
        image_seq_len=4,
        chat_template=tmpl("<image>"),
    )
    return T.SmolVLMForConditionalGeneration(cfg), proc


@fam
def idefics3():
    tok = bpe(
        special=[
            "<image>",
            "<fake_token_around_image>",
            "<global-img>",
            "<end_of_utterance>",
            *[f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)],
        ],
        padding_side="left",
    )
    cfg = T.Idefics3Config(
        vision_config=T.models.idefics3.Idefics3VisionConfig(**vit()),
        text_config=T.LlamaConfig(**llama(tok)),
        image_token_id=tok.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tok.pad_token_id,
    )
    proc = T.Idefics3Processor(
        ip(
            "Idefics3ImageProcessor",
            size={"longest_edge": 64},
            max_image_size={"longest_edge": 32},
            do_image_splitting=True,
        ),
        tok,
        image_seq_len=4,
        chat_template=tmpl("<image>"),
    )
    return T.Idefics3ForConditionalGeneration(cfg), proc


@fam
def molmo2():
    sp = [
        "<im_start>",
        "<im_end>",
        "<im_patch>",
        "<im_col>",
        "<low_res_im_start>",
        "<frame_start>",
        "<frame_end>",
        "<|image|>",
        "<|video|>",
        "<im_low>",
    ]
    tok = bpe(special=sp, padding_side="left")
    c = tok.convert_tokens_to_ids
    tx = llama(tok)
    [tx.pop(k) for k in ("bos_token_id", "eos_token_id", "pad_token_id")]
    cfg = T.Molmo2Config(
        vision_config=dict(
            vit(), image_size=[32, 32], num_key_value_heads=4, head_dim=8, num_hidden_layers=3
        ),
        adapter_config={
            "vision_feature_layer": [-1, -2],
            "hidden_size": 32,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "head_dim": 8,
            "intermediate_size": 64,
            "text_hidden_size": 48,
        },
        text_config=dict(tx, head_dim=12, additional_vocab_size=16),
        image_start_token_id=c("<im_start>"),
        low_res_image_start_token_id=c("<low_res_im_start>"),
        image_end_token_id=c("<im_end>"),
        image_patch_id=c("<im_patch>"),
        frame_start_token_id=c("<frame_start>"),
        frame_end_token_id=c("<frame_end>"),
    )
    ipr = T.Molmo2ImageProcessor(
        size=SQUARE, patch_size=8, max_crops=4, overlap_margins=[1, 1], pooling_size=[2, 2]
    )
    vp = T.Molmo2VideoProcessor(size=SQUARE, patch_size=8)
    proc = T.Molmo2Processor(ipr, vp, tok, chat_template=tmpl("<|image|>"))
    return T.Molmo2ForConditionalGeneration(cfg), proc


@fam
def minicpmv4_6():
    ex = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "image_start_token": "<image>",
        "image_end_token": "</image>",
        "slice_start_token": "<slice>",
        "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>",
        "image_id_end_token": "</image_id>",
    }
    tok = bpe(extra=ex, padding_side="left")
    c = tok.convert_tokens_to_ids
    tc = T.Qwen3_5TextConfig(
        **llama(
            tok,
            head_dim=12,
            layer_types=["linear_attention", "full_attention"],
            linear_num_key_heads=2,
            linear_num_value_heads=4,
            linear_key_head_dim=8,
            linear_value_head_dim=8,
        )
    )
    cfg = T.MiniCPMV4_6Config(
        text_config=tc,
        vision_config=dict(vit(), image_size=64),
        insert_layer_id=1,
        image_size=64,
        image_token_id=c("<|image_pad|>"),
        video_token_id=c("<|video_pad|>"),
    )
    ipr = ip("MiniCPMV4_6ImageProcessor", patch_size=8, scale_resolution=64, max_slice_nums=4)
    vp = T.MiniCPMV4_6VideoProcessor(patch_size=8, scale_resolution=64) if TV else None
    proc = T.MiniCPMV4_6Processor(ipr, vp, tok, chat_template=tmpl("<|image_pad|>"))
    return T.MiniCPMV4_6ForConditionalGeneration(cfg), proc
