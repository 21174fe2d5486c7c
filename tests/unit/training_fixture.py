"""A small recipe for all training stages, and training images."""

import json

from eyechart.rendering.datasets.clevr import draw as clevr_draw
from eyechart.rendering.datasets.clevr import write as clevr_write

TOWER = {"layers": 2, "width": 16, "mlp": 24, "heads": 2}
PLAN = {
    "objects": [1, 2],
    "extent": 1.3,
    "gap": 0.05,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 24, "jitter": 0.3},
}
ASK = {"color": 1, "number": 1, "boolean": 1}
STEPS = {
    "threads": 1, "batch": 4, "steps": 6, "lr": 1e-2, "lr_vision": 0.5, "weight_decay": 0.1,
    "warmup": 2, "final_lr_share": 0.1, "clip_norm": 1.0, "log_every": 2, "eval_every": 3,
    "checkpoint_every": 2,
}  # fmt: skip
RECIPE = {
    "images": 10,
    "held_out": 4,
    "vocabulary": 300,
    "architecture": {
        "image_px": 20, "patch_px": 10, "projection": 8, "vision_feature_layer": -2,
        "vision": TOWER, "text": TOWER, "lm": TOWER,
    },
    "augment": {"flip": True, "shift_px": 2, "brightness": 0.1},
    "text_scenes": {**PLAN, "families": ["query", "count", "exist"], "questions": ASK},
    "contrastive": STEPS,
    "language": {**STEPS, "scenes": 12, "favourite_share": 0.5, "told_share": 0.5, "gap": 3,
                 "favourites": {"cube": "red", "sphere": "blue", "cylinder": "gray"}},
    "alignment": {**STEPS, "questions": 2},
    "instruction": {**STEPS, "questions": 2},
    "distillation": {**STEPS, "crop": 0.7, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1,
                     "blur": 0.3, "noise": 0.05, "masked": 0.4, "prototypes": 8, "head_hidden": 16,
                     "head_narrow": 4, "student_temperature": 0.1, "teacher_temperature": 0.05,
                     "teacher_momentum": 0.9, "centre_momentum": 0.9, "known": 8, "neighbours": 2},
}  # fmt: skip


def draw(root, captions=0):
    """Render ten training images and four held-out ones in CLEVR's layout."""
    settings = {
        **PLAN, "image_px": [20, 20], "samples_per_pixel": 1, "min_visible_px": 1, "truth": False,
        "shards": 1, "splits": {"train": 10, "val": 4}, "families": ["query", "count", "exist"],
        "balance": True, "questions": {**ASK, "caption": captions},
    }  # fmt: skip
    given = ["--dataset", "p", "--settings", json.dumps(settings), "--seed", "1"]
    common = [*given, "--root", str(root)]
    shards = [str(root / f"{split}.json") for split in ("train", "val")]
    for split, output in zip(("train", "val"), shards, strict=True):
        clevr_draw.main([*common, "--split", split, "--shard", "0", "--output", output])
    clevr_write.main([*common, "--shards", *shards, "--output", str(root / "acquired.json")])


def flags(raw, folder, stage, recipe=RECIPE, device="cpu"):
    """Return the command-line arguments that training steps share."""
    return [
        "--receipt", str(raw / "acquired.json"), "--recipe", json.dumps(recipe), "--seed", "3",
        "--device", device,
        "--output", str(folder / stage / "model" / "ready.json"),
        "--curve", str(folder / stage / "curve.parquet"),
    ]  # fmt: skip
