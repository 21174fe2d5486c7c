"""Tiny random models with queries that attend to the image."""

import transformers as T
from zoo_parts import SQUARE, bpe, fam, ids, ip, llama, qformer, vit


def _opt(tok):
    return T.OPTConfig(
        vocab_size=len(tok),
        hidden_size=48,
        word_embed_proj_dim=48,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        **ids(tok),
    )


@fam
def blip2():
    tok = bpe(special=["<image>"], padding_side="left")
    cfg = T.Blip2Config(
        vision_config=T.Blip2VisionConfig(**vit()),
        text_config=_opt(tok),
        qformer_config=T.Blip2QFormerConfig(**qformer(tok, cross_attention_frequency=2)),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    proc = T.Blip2Processor(ip("BlipImageProcessor", size=SQUARE), tok, num_query_tokens=6)
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
        qformer_config=T.Blip2QFormerConfig(**qformer(tok)),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    return T.Blip2ForConditionalGeneration(cfg), T.Blip2Processor(
        ip("BlipImageProcessor", size=SQUARE), tok, num_query_tokens=6
    )


@fam
def instructblip():
    tok = bpe(special=["<image>"], padding_side="left")
    qtok = bpe(special=["[DEC]"])
    cfg = T.InstructBlipConfig(
        vision_config=T.InstructBlipVisionConfig(**vit()),
        text_config=T.LlamaConfig(**llama(tok)),
        qformer_config=T.InstructBlipQFormerConfig(**qformer(qtok)),
        num_query_tokens=6,
        image_token_index=tok.convert_tokens_to_ids("<image>"),
    )
    proc = T.InstructBlipProcessor(
        ip("BlipImageProcessor", size=SQUARE), tok, qtok, num_query_tokens=6
    )
    return T.InstructBlipForConditionalGeneration(cfg), proc
