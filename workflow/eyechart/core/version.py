"""The version of eyechart; pyproject.toml reads it here, and CITATION.cff repeats it."""

VERSION = "0.1.0"
