"""Tiny random mixtures of two encoders, one per mixing rule and kind of connector."""

import transformers as T
from zoo_parts import BUILDERS, SQUARE, bpe, ip, llama, tmpl, vit

from eyechart.models.mixture import Mixture, MixtureConfig, TowersConfig

SCALES = [[[0.5] * 3, [0.25] * 3], [[0.4, 0.5, 0.6], [0.2, 0.25, 0.3]]]


def mixture(mix="additive", share=0.25, connector="mlp", queries=0, alike=False):
    """Return a model and its processor; the two encoders scale pixels equally or differently."""
    tok = bpe(extra={"image_token": "<image>"}, padding_side="left")
    clip = T.CLIPVisionConfig(**vit()).to_dict()
    sizes = vit(num_hidden_layers=2) | ({} if alike else {"patch_size": 4, "image_size": 16})
    dino = T.Dinov2Config(**(sizes | {"mlp_ratio": 2})).to_dict()
    seen = TowersConfig(
        towers=[clip, dino],
        layers=[-2, -1],
        scale=SCALES[0],
        scales=[SCALES[0], SCALES[0 if alike else 1]],
        hidden_size=64,
        image_size=32,
        patch_size=8,
    )
    tokens = (queries or 16) * (1 + (mix == "interleaved"))
    cfg = MixtureConfig(
        vision_config=seen,
        text_config=T.LlamaConfig(**llama(tok)),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        image_seq_length=tokens,
        vision_feature_layer=-1,
        connector=connector,
        inner=24,
        queries=queries,
        mix=mix,
        share=share,
    )
    proc = T.LlavaProcessor(
        ip(
            "CLIPImageProcessor",
            size={"shortest_edge": 32},
            crop_size=SQUARE,
            image_mean=SCALES[0][0],
            image_std=SCALES[0][1],
        ),
        tok,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=tokens - 16 + 1,
        chat_template=tmpl("<image>\n"),
    )
    return Mixture(cfg), proc


KINDS = {
    "mixture": {},
    "mixture_interleaved": {"mix": "interleaved"},
    "mixture_attention": {"connector": "cross_attention", "queries": 6},
    "mixture_qformer": {"connector": "qformer", "queries": 6},
}
for _name, _how in KINDS.items():
    BUILDERS[_name] = lambda how=_how: mixture(**how)
