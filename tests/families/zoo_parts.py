"""Parts of the tiny checkpoints: tokenizers, sizes, templates and image processors."""

import transformers as T
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = [
    "describe the color of this image in one word .",
    "what is in the picture ? a red square and a blue circle",
    "user : assistant : yes no the dog is left of the cat",
    "Question : Answer : count objects one two three four five",
] * 4
TV = T.utils.is_torchvision_available()
SQUARE = {"height": 32, "width": 32}
ROPE = {"rope_type": "default", "rope_theta": 1e4}


def bpe(special=(), bos="<s>", eos="</s>", pad="<pad>", unk=None, extra=None, **how):
    """Return a byte-level tokenizer trained on a few sentences, with ``extra`` special tokens."""
    marks = [m for m in (bos, eos, pad, unk) if m] + [*special, *(extra or {}).values()]
    words = Tokenizer(models.BPE(unk_token=unk))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(dict.fromkeys(marks)),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    words.train_from_iterator(CORPUS, trainer)
    how |= {"extra_special_tokens": extra} if extra else {}
    tokens = {"bos_token": bos, "eos_token": eos, "pad_token": pad, "unk_token": unk}
    return T.PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=2048, **tokens, **how)


def ids(tok):
    """Return the ids of a tokenizer's special tokens."""
    return {f"{name}_token_id": getattr(tok, f"{name}_token_id") for name in ("bos", "eos", "pad")}


def qformer(tok, **changes):
    """Return the sizes of a Q-Former."""
    return {
        "vocab_size": len(tok),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "encoder_hidden_size": 32,
        "pad_token_id": tok.pad_token_id,
    } | changes


def llama(tok, **changes):
    """Return the sizes of a LLaMA-like language model."""
    return {
        "vocab_size": len(tok),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        **ids(tok),
    } | changes


def vit(**changes):
    """Return the sizes of a vision encoder."""
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    } | changes


TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type']=='image' %}__IMAGE__{% elif c['type']=='text' %}{{ c['text'] }}{% endif %}"
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)


def tmpl(image):
    """Return a chat template that writes an image as ``image``."""
    return TEMPLATE.replace("__IMAGE__", image)


def ip(name, **how):
    """Return an image processor, based on torchvision if installed and otherwise on Pillow."""
    return getattr(T, name if TV else f"{name}Pil")(**how)


BUILDERS = {}  # by name: a function that returns model and processor


def fam(build):
    """Register a builder."""
    BUILDERS[build.__name__] = build
    return build
