r"""Translate module names used before transformers 5, as in VLM-Lens, to current names.

Each family has a list of rules, pairs of a regular expression and its replacement, which are all
applied in order. Names that never changed or are already current are kept. Patterns are translated
too; VLM-Lens reads them as regular expressions, so ``\.`` becomes ``.`` and a leading ``.*``
becomes ``*``.

Families whose code comes with the checkpoint have no rules, since that code defines the names.
"""

import re

Rules = tuple[tuple[str, str], ...]

PATTERN: Rules = ((r"\\\.", "."), (r"^\.\*", "*"))

# transformers 4.51: encoder, projector and a whole language model side by side, none in ``model``
SIDE_BY_SIDE: Rules = (
    (r"^vision_tower\.vision_model(?=\.|$)", "model.vision_tower"),
    (r"^(vision_tower|vision_model|multi_modal_projector|connector)(?=\.|$)", r"model.\1"),
    (r"^language_model\.lm_head(?=\.|$)", "lm_head"),
    (r"^language_model(\.model)?(?=\.|$)", "model.language_model"),
)

# transformers 4.51: the language model is ``model`` itself, with the encoder next to it
WITHIN_MODEL: Rules = (
    (r"^visual(?=\.|$)", "model.visual"),
    (r"^model\.(?!visual|language_model)", "model.language_model."),
)

# Mistral's own layout
MISTRAL: Rules = (
    (r"^vision_encoder(?=\.|$)", "model.vision_tower"),
    (r"^vision_language_adapter\.w_in(?=\.|$)", "model.multi_modal_projector.linear_1"),
    (r"^vision_language_adapter\.w_out(?=\.|$)", "model.multi_modal_projector.linear_2"),
    (r"^vision_language_adapter\.gelu(?=\.|$)", "model.multi_modal_projector.act"),
    (r"^vision_language_adapter(?=\.|$)", "model.multi_modal_projector"),
    (r"^(layers\.[^.]+)\.attention_norm(?=\.|$)", r"\1.input_layernorm"),
    (r"^(layers\.[^.]+)\.ffn_norm(?=\.|$)", r"\1.post_attention_layernorm"),
    (r"^(layers\.[^.]+)\.attention(?=\.|$)", r"\1.self_attn"),
    (r"^(layers\.[^.]+)\.feed_forward(?=\.|$)", r"\1.mlp"),
    (r"\.w([qkvo])(?=\.|$)", r".\1_proj"),
    (r"\.w1(?=\.|$)", ".gate_proj"),
    (r"\.w2(?=\.|$)", ".down_proj"),
    (r"\.w3(?=\.|$)", ".up_proj"),
    (r"^(layers|norm)(?=\.|$)", r"model.language_model.\1"),
    (r"^tok_embeddings(?=\.|$)", "model.language_model.embed_tokens"),
    (r"^output(?=\.|$)", "lm_head"),
)

RULES: dict[str, Rules] = {
    "aya_vision": SIDE_BY_SIDE,
    "gemma3": SIDE_BY_SIDE,
    "internvl": SIDE_BY_SIDE,
    "llava": SIDE_BY_SIDE,
    "llava_next": SIDE_BY_SIDE,
    "llava_onevision": SIDE_BY_SIDE,
    "mllama": SIDE_BY_SIDE,
    "paligemma": SIDE_BY_SIDE,
    "pixtral": MISTRAL + SIDE_BY_SIDE,
    "qwen2_5_vl": WITHIN_MODEL,
    "qwen2_vl": WITHIN_MODEL,
}


def modern(family: str, name: str) -> str:
    """Return the current form of a module name or of a pattern of module names.

    Examples
    --------
    >>> modern("llava", "language_model.model.layers.16.post_attention_layernorm")
    'model.language_model.layers.16.post_attention_layernorm'
    >>> modern("qwen2_vl", "visual.blocks.31")
    'model.visual.blocks.31'
    >>> modern("cogvlm", "model.layers.3")
    'model.layers.3'
    """
    for pattern, replacement in PATTERN + RULES.get(family, ()):
        name = re.sub(pattern, replacement, name)
    return name
