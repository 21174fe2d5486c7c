"""Tiny random Qwen-VL models."""

import transformers as T
from zoo_parts import ROPE, TV, bpe, fam, ip, llama, tmpl

QSP = {
    "extra": {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }
}


def _qids(tok):
    c = tok.convert_tokens_to_ids
    return {
        "image_token_id": c("<|image_pad|>"),
        "video_token_id": c("<|video_pad|>"),
        "vision_start_token_id": c("<|vision_start|>"),
        "vision_end_token_id": c("<|vision_end|>"),
    }


def _qproc(P, tok, ps=8):
    kw = {
        "patch_size": ps,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": 16 * 16, "longest_edge": 64 * 64},
    }
    vp = T.Qwen2VLVideoProcessor(**kw) if TV else None
    return P(
        ip("Qwen2VLImageProcessor", **kw),
        tok,
        vp,
        chat_template=tmpl("<|vision_start|><|image_pad|><|vision_end|>"),
    )


@fam
def qwen2_vl():
    tok = bpe(**QSP, padding_side="left")
    cfg = T.Qwen2VLConfig(
        text_config=llama(tok, rope_parameters=ROPE | {"mrope_section": [2, 2, 2]}),
        vision_config={
            "depth": 3,
            "embed_dim": 32,
            "hidden_size": 48,
            "num_heads": 4,
            "mlp_ratio": 2,
            "patch_size": 8,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        **_qids(tok),
    )
    return T.Qwen2VLForConditionalGeneration(cfg), _qproc(T.Qwen2VLProcessor, tok)


@fam
def qwen2_5_vl():
    tok = bpe(**QSP, padding_side="left")
    cfg = T.Qwen2_5_VLConfig(
        text_config=llama(tok, rope_parameters=ROPE | {"mrope_section": [2, 2, 2]}),
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "intermediate_size": 64,
            "num_heads": 4,
            "patch_size": 8,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 32,
            "fullatt_block_indexes": [1],
        },
        **_qids(tok),
    )
    return T.Qwen2_5_VLForConditionalGeneration(cfg), _qproc(T.Qwen2_5_VLProcessor, tok)


@fam
def qwen3_vl():
    tok = bpe(**QSP, padding_side="left")
    cfg = T.Qwen3VLConfig(
        text_config=llama(tok, head_dim=12, rope_parameters=ROPE | {"mrope_section": [2, 2, 2]}),
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "out_hidden_size": 48,
            "intermediate_size": 64,
            "num_heads": 4,
            "patch_size": 8,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **_qids(tok),
    )
    kw = {
        "patch_size": 8,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": 16 * 16, "longest_edge": 64 * 64},
    }
    proc = T.Qwen3VLProcessor(
        ip("Qwen2VLImageProcessor", **kw),
        tok,
        T.Qwen3VLVideoProcessor(**kw) if TV else None,
        chat_template=tmpl("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return T.Qwen3VLForConditionalGeneration(cfg), proc
