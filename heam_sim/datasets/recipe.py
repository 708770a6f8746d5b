# SPDX-License-Identifier: MIT
"""Recipes: small TOML files from which a generated trace can be made again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from heam_sim.datasets.generators import generate
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.trace import LookupTrace

__all__ = ["generate_from_recipe"]

_KEYS = ("dataset", "samples", "seed", "pooling", "exponent", "source", "content_hash")
_NEEDED = ("dataset", "samples", "seed", "source")


def generate_from_recipe(path: str | Path) -> LookupTrace:
    """Make the trace that a recipe describes.

    Parameters
    ----------
    path
        TOML with ``dataset``, ``samples``, ``seed`` and ``source``; optional ``pooling``, ``exponent`` and
        ``content_hash``, which the trace must then have.

    Raises
    ------
    ConfigError
        The file is missing or no recipe, a key is unknown or missing, or the hash differs.
    """
    file = Path(path)
    try:
        recipe: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as a recipe: {error}.") from None
    for key in recipe:
        if key not in _KEYS:
            raise unknown_name("key", key, _KEYS, where=str(file))
    for key in _NEEDED:
        if key not in recipe:
            raise ConfigError(f"{file}: key {key!r} is missing; add it.")
    options = {key: recipe[key] for key in ("samples", "seed", "pooling", "exponent") if key in recipe}
    trace = generate(recipe["dataset"], **options)
    wanted = recipe.get("content_hash", trace.content_hash)
    if wanted != trace.content_hash:
        raise ConfigError(
            f"{file}: gives a trace with hash {trace.content_hash}, not {wanted}; was it edited?"
        )
    return trace
