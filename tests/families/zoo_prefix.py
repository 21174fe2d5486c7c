"""Tiny random models with their own ways of reading images."""

import transformers as T
from zoo_parts import ROPE, SQUARE, bpe, fam, ip, llama, tmpl, vit


@fam
def paligemma():
    tok = bpe(special=["<unk>"], unk="<unk>", bos="<bos>", eos="<eos>", padding_side="left")
    ipr = ip("SiglipImageProcessor", size=SQUARE)
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
        ip("Gemma3ImageProcessor", size=SQUARE),
        tok,
        image_seq_length=4,
        chat_template=tmpl("<start_of_image>"),
    )
    return T.Gemma3ForConditionalGeneration(cfg), proc


@fam
def mllama():
    tok = bpe(bos="<s>", extra={"image_token": "<|image|>"}, padding_side="left")
    text = llama(tok, num_hidden_layers=4, rope_parameters=dict(ROPE))
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
        ip("MllamaImageProcessor", size=SQUARE, max_image_tiles=4),
        tok,
        chat_template=tmpl("<|image|>"),
    )
    return T.MllamaForConditionalGeneration(cfg), proc


@fam
def phi4_multimodal():
    ex = {"image_token": "<|endoftext10|>", "audio_token": "<|endoftext11|>"}
    tok = bpe(extra=ex, padding_side="left")
    iid, aid = tok.convert_tokens_to_ids(["<|endoftext10|>", "<|endoftext11|>"])
    cfg = T.Phi4MultimodalConfig(
        **llama(tok, num_key_value_heads=2),
        rope_parameters=ROPE | {"partial_rotary_factor": 1.0},
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
