# SPDX-License-Identifier: MIT
"""Recipes: small TOML or JSON files from which a generated trace can be made again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from heam_sim.datasets.fitted import FITTED, check_fitted, generate_fitted
from heam_sim.datasets.generators import generate
from heam_sim.datasets.shapes import CUSTOM, custom_shape
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.trace import LookupTrace

__all__ = ["generate_from_recipe", "read_recipe"]

_KEYS = (
    *("dataset", "cardinalities", "samples", "seed", "pooling", "exponent", "distribution", "source"),
    "content_hash",
)
_NEEDED = ("dataset", "samples", "seed", "source")


def generate_from_recipe(path: str | Path) -> LookupTrace:
    """Make the trace that a recipe describes.

    Parameters
    ----------
    path
        TOML with ``dataset``, ``samples``, ``seed`` and ``source``; optional ``pooling``, ``exponent`` or
        ``distribution`` (one, or one per table), and ``content_hash``, which the trace must then have; with
        ``dataset = "custom"`` also ``cardinalities``, the rows of every table. Or JSON as
        :func:`heam_sim.analysis.write_recipe` writes it.

    Returns
    -------
    LookupTrace
        In the memory.

    Raises
    ------
    ConfigError
        The file is missing or no recipe, a key is unknown or missing, or the hash differs.
    """
    file = Path(path)
    recipe = read_recipe(file)
    if recipe.get("generator") == FITTED:
        check_fitted(recipe, str(file))
        return _with_hash(generate_fitted(recipe), recipe, file)
    for key in recipe:
        if key not in _KEYS:
            raise unknown_name("key", key, _KEYS, where=str(file))
    for key in _NEEDED:
        if key not in recipe:
            raise ConfigError(f"{file}: key {key!r} is missing; add it.")
    if (recipe["dataset"] == CUSTOM) != ("cardinalities" in recipe):
        raise ConfigError(f"{file}: cardinalities belong to dataset = {CUSTOM!r}, and only to it.")
    shape = recipe["dataset"]
    if "cardinalities" in recipe:
        shape = custom_shape(recipe["cardinalities"])
    options = {
        key: recipe[key]
        for key in ("samples", "seed", "pooling", "exponent", "distribution")
        if key in recipe
    }
    return _with_hash(generate(shape, **options), recipe, file)


def read_recipe(file: Path) -> dict[str, Any]:
    """Read a TOML file, or a JSON file by its suffix.

    Raises
    ------
    ConfigError
        The file is missing or neither.
    """
    try:
        text = file.read_text(encoding="utf-8")
        recipe = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: cannot be read as a recipe: {error}.") from None
    if not isinstance(recipe, dict):
        raise ConfigError(f"{file}: is no recipe; give an object with the key 'generator' or 'dataset'.")
    return recipe


def _with_hash(trace: LookupTrace, recipe: dict[str, Any], file: Path) -> LookupTrace:
    wanted = recipe.get("content_hash", trace.content_hash)
    if wanted != trace.content_hash:
        raise ConfigError(
            f"{file}: gives a trace with hash {trace.content_hash}, not {wanted}; was it edited?"
        )
    return trace
