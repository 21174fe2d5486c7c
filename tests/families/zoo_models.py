"""Tiny random checkpoints of all native families, in the official format, built offline."""

import os

import transformers as T
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = [
    "describe the color of this image in one word .",
    "what is in the picture ? a red square and a blue circle",
    "user : assistant : yes no the dog is left of the cat",
    "Question : Answer : count objects one two three four five",
] * 4
TV = T.utils.is_torchvision_available() and not os.environ.get("NO_TORCHVISION")


def bpe(
    special=(), vocab=400, bos="<s>", eos="</s>", pad="<pad>", unk=None, clip=False, cls=None, **kw
):
    """byte-level BPE, trained in code."""
    named = dict(kw.pop("extra", {}).items())
    sp = [x for x in [bos, eos, pad, unk] if x] + list(special) + list(named.values())
    sp = list(dict.fromkeys(sp))
    t = Tokenizer(models.BPE(unk_token=unk))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=vocab,
            special_tokens=sp,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    cls = cls or T.PreTrainedTokenizerFast
    k = dict(
        bos_token=bos, eos_token=eos, pad_token=pad, unk_token=unk, model_max_length=2048, **kw
    )
    if named:
        k["extra_special_tokens"] = named
    return cls(tokenizer_object=t, **k)


def llama(tok, **kw):
    d = {
        "vocab_size": len(tok) + kw.pop("extra_vocab", 0),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "bos_token_id": tok.bos_token_id,
        "eos_token_id": tok.eos_token_id,
        "pad_token_id": tok.pad_token_id,
    }
    d.update(kw)
    return d


def vit(**kw):
    d = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    d.update(kw)
    return d


TMPL_IMG = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}{% if c['type']=='image' %}__IMG__"
    "{% elif c['type']=='text' %}{{ c['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def tmpl(img):
    return TMPL_IMG.replace("__IMG__", img)


def ip(base, backend=None, **kw):
    """image processor: torchvision class if importable, else the PIL one"""
    cls = getattr(T, base if (TV and backend != "pil") else base + "Pil")
    return cls(**kw)


REG = {}


def fam(f):
    REG[f.__name__] = f
    return f


# ---------------------------------------------------------------- LLaVA-like
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
        ip("CLIPImageProcessor", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
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
            crop_size={"height": 32, "width": 32},
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
    vp = T.LlavaOnevisionVideoProcessor(size={"height": 32, "width": 32}) if TV else None
    proc = T.LlavaOnevisionProcessor(
        ip(
            "LlavaOnevisionImageProcessor",
            size={"height": 32, "width": 32},
            image_grid_pinpoints=pin,
        ),
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
        vision_config=T.PixtralVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=64,
            patch_size=8,
        ),
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
            "GotOcr2ImageProcessor",
            size={"height": 32, "width": 32},
            crop_to_patches=True,
            min_patches=1,
            max_patches=4,
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
        vision_config=T.InternVLVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=[32, 32],
            patch_size=[8, 8],
        ),
        text_config=T.Qwen2Config(**llama(tok)),
        image_token_id=tok.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    vp = T.InternVLVideoProcessor(size={"height": 32, "width": 32}) if TV else None
    proc = T.InternVLProcessor(
        ip(
            "GotOcr2ImageProcessor",
            size={"height": 32, "width": 32},
            crop_to_patches=True,
            min_patches=1,
            max_patches=4,
        ),
        tok,
        vp,
        image_seq_length=4,
        chat_template=tmpl("<IMG_CONTEXT>\n"),
    )
    return T.InternVLForConditionalGeneration(cfg), proc


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
    vp = T.PerceptionLMVideoProcessor(size={"height": 32, "width": 32})
    proc = T.PerceptionLMProcessor(
        vp,
        T.PerceptionLMImageProcessor(
            size={"height": 32, "width": 32},
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
def paligemma():
    tok = bpe(special=["<unk>"], unk="<unk>", bos="<bos>", eos="<eos>", padding_side="left")
    ipr = ip("SiglipImageProcessor", size={"height": 32, "width": 32})
    ipr.image_seq_length = 16
    proc = T.PaliGemmaProcessor(
        ipr, tok, chat_template=tmpl("<image>")
    )  # adds <image>, <loc....>, <seg...>: +1153 tokens
    cfg = T.PaliGemmaConfig(
        vision_config=T.SiglipVisionConfig(**vit(), vision_use_head=False, projection_dim=48),
        text_config=T.GemmaConfig(**llama(tok, num_key_value_heads=1), head_dim=12),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        projection_dim=48,
    )
    return T.PaliGemmaForConditionalGeneration(cfg), proc


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
        ip("JanusImageProcessor", size={"height": 32, "width": 32}),
        tok,
        num_image_tokens=16,
        chat_template=tmpl("<image_placeholder>\n"),
    )
    return T.JanusForConditionalGeneration(cfg), proc


# ---------------------------------------------------------------- Qwen
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
        text_config=llama(
            tok,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
        ),
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
        text_config=llama(
            tok,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
        ),
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
        text_config=llama(
            tok,
            head_dim=12,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
        ),
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


# ---------------------------------------------------------------- BLIP
def _opt(tok):
    return T.OPTConfig(
        vocab_size=len(tok),
        hidden_size=48,
        word_embed_proj_dim=48,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=tok.bos_token_id,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )


@fam
def blip2():
    tok = bpe(special=["<image>"], padding_side="left")
    cfg = T.Blip2Config(
        vision_config=T.Blip2VisionConfig(**vit()),
        text_config=_opt(tok),
        qformer_config=T.Blip2QFormerConfig(
            vocab_size=len(tok),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            encoder_hidden_size=32,
            cross_attention_frequency=2,
            pad_token_id=tok.pad_token_id,
        ),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    proc = T.Blip2Processor(
        ip("BlipImageProcessor", size={"height": 32, "width": 32}), tok, num_query_tokens=6
    )
    return T.Blip2ForConditionalGeneration(cfg), proc


@fam
def blip2_t5():
    tok = bpe(special=["<image>"])
    t5 = T.T5Config(
        vocab_size=len(tok),
        d_model=48,
        d_kv=12,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=tok.pad_token_id,
        eos_token_id=tok.eos_token_id,
        decoder_start_token_id=tok.pad_token_id,
    )
    cfg = T.Blip2Config(
        vision_config=T.Blip2VisionConfig(**vit()),
        text_config=t5,
        qformer_config=T.Blip2QFormerConfig(
            vocab_size=len(tok),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            encoder_hidden_size=32,
            pad_token_id=tok.pad_token_id,
        ),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    return T.Blip2ForConditionalGeneration(cfg), T.Blip2Processor(
        ip("BlipImageProcessor", size={"height": 32, "width": 32}), tok, num_query_tokens=6
    )


@fam
def instructblip():
    tok = bpe(special=["<image>"], padding_side="left")
    qtok = bpe(special=["[DEC]"])
    cfg = T.InstructBlipConfig(
        vision_config=T.InstructBlipVisionConfig(**vit()),
        text_config=T.LlamaConfig(**llama(tok)),
        qformer_config=T.InstructBlipQFormerConfig(
            vocab_size=len(qtok),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            encoder_hidden_size=32,
            pad_token_id=qtok.pad_token_id,
        ),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    proc = T.InstructBlipProcessor(
        ip("BlipImageProcessor", size={"height": 32, "width": 32}), tok, qtok, num_query_tokens=6
    )
    return T.InstructBlipForConditionalGeneration(cfg), proc


# ---------------------------------------------------------------- SmolVLM / Phi4 / Molmo2 / MiniCPM-V
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
def phi4_multimodal():
    ex = {"image_token": "<|endoftext10|>", "audio_token": "<|endoftext11|>"}
    tok = bpe(extra=ex, padding_side="left")
    iid, aid = tok.convert_tokens_to_ids(["<|endoftext10|>", "<|endoftext11|>"])
    cfg = T.Phi4MultimodalConfig(
        **llama(tok, num_key_value_heads=2),
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0},
        vision_config=T.models.phi4_multimodal.Phi4MultimodalVisionConfig(
            **vit(image_size=448, patch_size=14), crop_size=448, image_token_id=iid
        ),
        audio_config=T.models.phi4_multimodal.Phi4MultimodalAudioConfig(
            hidden_size=32,
            intermediate_size=32,
            num_blocks=2,
            num_attention_heads=4,
            ext_pw_out_channel=32,
            depthwise_separable_out_channel=32,
            nemo_conv_channels=16,
            audio_token_id=aid,
        ),
    )
    proc = T.Phi4MultimodalProcessor(
        T.Phi4MultimodalImageProcessor(
            size={"height": 448, "width": 448}, patch_size=14, dynamic_hd=2
        ),
        T.Phi4MultimodalFeatureExtractor(),
        tok,
        chat_template=tmpl("<|endoftext10|>"),
    )
    return T.Phi4MultimodalForCausalLM(cfg), proc


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
        size={"height": 32, "width": 32},
        patch_size=8,
        max_crops=4,
        overlap_margins=[1, 1],
        pooling_size=[2, 2],
    )
    vp = T.Molmo2VideoProcessor(size={"height": 32, "width": 32}, patch_size=8)
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


# ---------------------------------------------------------------- dual encoders / vision only
@fam
def clip():
    tok = bpe(bos="<|startoftext|>", eos="<|endoftext|>", pad="<|endoftext|>", unk="<|endoftext|>")
    from tokenizers.processors import TemplateProcessing

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
            "bos_token_id": tok.bos_token_id,
            "eos_token_id": tok.eos_token_id,
            "pad_token_id": tok.pad_token_id,
        },
        projection_dim=24,
    )
    return T.CLIPModel(cfg), T.CLIPProcessor(
        ip("CLIPImageProcessor", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tok,
    )


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
            "bos_token_id": tok.bos_token_id,
            "eos_token_id": tok.eos_token_id,
            "pad_token_id": tok.pad_token_id,
            "projection_size": 32,
        },
    )
    return T.SiglipModel(cfg), T.SiglipProcessor(
        ip("SiglipImageProcessor", size={"height": 32, "width": 32}), tok
    )


@fam
def dinov2():
    cfg = T.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        mlp_ratio=2,
    )
    return T.Dinov2Model(cfg), ip(
        "BitImageProcessor", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )


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
    return T.ViTMAEModel(cfg), ip("ViTImageProcessor", size={"height": 32, "width": 32})


@fam
def vit_mae_pretraining():
    cfg = vit_mae()[0].config
    m = T.ViTMAEForPreTraining(cfg)
    return m, vit_mae()[1]


@fam
def gemma3():
    ex = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    tok = bpe(bos="<bos>", eos="<eos>", extra=ex, padding_side="left")
    tok.image_token_id = tok.convert_tokens_to_ids("<image_soft_token>")
    text = llama(tok, num_key_value_heads=1, num_hidden_layers=3)
    cfg = T.Gemma3Config(
        vision_config=T.SiglipVisionConfig(**vit(), vision_use_head=False),
        text_config=T.Gemma3TextConfig(
            **text,
            head_dim=12,
            sliding_window=16,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        ),
        mm_tokens_per_image=4,
        image_token_index=tok.image_token_id,
        boi_token_index=tok.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tok.convert_tokens_to_ids("<end_of_image>"),
    )
    proc = T.Gemma3Processor(
        ip("Gemma3ImageProcessor", size={"height": 32, "width": 32}),
        tok,
        image_seq_length=4,
        chat_template=tmpl("<start_of_image>"),
    )
    return T.Gemma3ForConditionalGeneration(cfg), proc


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
def mllama():
    tok = bpe(bos="<s>", extra={"image_token": "<|image|>"}, padding_side="left")
    text = llama(
        tok, num_hidden_layers=4, rope_parameters={"rope_type": "default", "rope_theta": 1e4}
    )
    text.pop("max_position_embeddings")
    text.pop("vocab_size")
    cfg = T.MllamaConfig(
        vision_config=T.models.mllama.configuration_mllama.MllamaVisionConfig(
            hidden_size=32,
            num_hidden_layers=3,
            num_global_layers=1,
            attention_heads=4,
            intermediate_size=48,
            vision_output_dim=64,
            image_size=32,
            patch_size=8,
            max_num_tiles=4,
            intermediate_layers_indices=[1],
            supported_aspect_ratios=[
                [1, 1],
                [1, 2],
                [1, 3],
                [1, 4],
                [2, 1],
                [2, 2],
                [3, 1],
                [4, 1],
            ],
        ),
        text_config=T.models.mllama.configuration_mllama.MllamaTextConfig(
            vocab_size=len(tok) - 1,
            **text,
            max_position_embeddings=2048,
            cross_attention_layers=[1, 3],
        ),
        image_token_index=tok.convert_tokens_to_ids("<|image|>"),
    )
    proc = T.MllamaProcessor(
        ip("MllamaImageProcessor", size={"height": 32, "width": 32}, max_image_tiles=4),
        tok,
        chat_template=tmpl("<|image|>"),
    )
    return T.MllamaForConditionalGeneration(cfg), proc


@fam
def vit_classifier():
    cfg = T.ViTConfig(**vit(), num_labels=5)
    return T.ViTForImageClassification(cfg), ip(
        "ViTImageProcessor", size={"height": 32, "width": 32}
    )


@fam
def dinov2_registers():
    cfg = T.Dinov2WithRegistersConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        mlp_ratio=2,
        num_register_tokens=4,
    )
    return T.Dinov2WithRegistersModel(cfg), ip(
        "BitImageProcessor", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
