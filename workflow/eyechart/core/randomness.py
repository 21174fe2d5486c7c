"""Seeds derived from names by a stable hash, so no draw depends on order, process or machine."""

import hashlib
import random

import numpy as np


def seed_for(*parts: str | int) -> int:
    """Return a 63-bit seed that depends only on the parts.

    Parts are joined with their types and lengths, so ``("a", "bc")`` and ``("ab", "c")`` differ.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = f"{type(part).__name__}:{part}".encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest(), "big") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded by :func:`seed_for`."""
    return np.random.Generator(np.random.PCG64(seed_for(*parts)))


def dice(*parts: str | int) -> random.Random:
    """Return Python's generator seeded by :func:`seed_for`; it is fast for single draws."""
    return random.Random(seed_for(*parts))
