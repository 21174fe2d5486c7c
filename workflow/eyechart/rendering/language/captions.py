"""Caption a scene: ``a small red metal cube and a large blue rubber sphere``."""

import random
from typing import Any

from eyechart.rendering.language.questions import phrase
from eyechart.rendering.scene.vocabulary import ATTRIBUTES


def caption(scene: dict[str, Any], rng: random.Random) -> str:
    """Return a caption that names every object of a scene, in random order."""
    objects = rng.sample(scene["objects"], len(scene["objects"]))
    return " and ".join(f"a {phrase({a: o[a] for a in ATTRIBUTES})}" for o in objects)
