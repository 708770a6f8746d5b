# SPDX-License-Identifier: MIT
"""Traces from recipes that were fitted to a real one (see :mod:`heam_sim.analysis.fit`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.permutation import Scatter
from heam_sim.datasets.reuse import shuffled_lookups
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace

__all__ = ["FITTED", "check_fitted", "generate_fitted"]

FITTED = "fitted"
_KEYS = ("generator", "source", "measured_hash", "samples", "seed", "tables", "measured", "content_hash")
_TABLE_KEYS = ("rows", "uses", "bags")
_LOOKUPS, _BAGS, _ROWS = 0, 1, 2  # streams of one table
_MOST = 1 << 40


def generate_fitted(
    recipe: dict[str, Any], *, samples: int | None = None, seed: int | None = None
) -> LookupTrace:
    """Generate a trace with the popularity, reuse and bag lengths that a recipe holds.

    With the recipe's own number of samples every row and every bag length occurs exactly as often as in the
    measured trace; fewer samples are the beginning of that, and after them all begins anew in another order.
    Order in time is random, tables are independent, and row numbers are scattered anew (assumed).

    Parameters
    ----------
    recipe
        As :func:`heam_sim.analysis.fit_trace` makes it.
    samples, seed
        Instead of the recipe's own.

    Returns
    -------
    LookupTrace
        In the memory; the same for the same recipe, samples and seed.

    Raises
    ------
    ConfigError
        If the recipe or a parameter is not what it can be.
    """
    check_fitted(recipe, "recipe")
    samples = whole_number("samples", recipe["samples"] if samples is None else samples, minimum=0)
    seed = whole_number("seed", recipe["seed"] if seed is None else seed, minimum=0, maximum=2**64 - 1)
    indices, offsets, rows = [], [], []
    for table, entry in enumerate(recipe["tables"]):
        lengths = shuffled_lookups(_column(entry["bags"], 1), samples, seed, (table, _BAGS))
        lengths = _column(entry["bags"], 0)[lengths]
        cuts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        uses = _column(entry["uses"], 0).repeat(_column(entry["uses"], 1))[::-1]
        ranks = shuffled_lookups(uses, int(cuts[-1]), seed, (table, _LOOKUPS))
        indices.append(Scatter(entry["rows"], seed=seed, key=(table, _ROWS))(ranks))
        offsets.append(cuts)
        rows.append(entry["rows"])
    return LookupTrace.from_arrays(
        indices,
        offsets,
        cardinalities=rows,
        provenance={
            "source": "generated",
            "generator": FITTED,
            "fitted_to": recipe["measured_hash"],
            "samples": samples,
            "seed": seed,
        },
    )


def check_fitted(recipe: dict[str, Any], where: str) -> None:
    """Check that a recipe is complete and adds up.

    Raises
    ------
    ConfigError
        Naming what is wrong and where.
    """
    for key in recipe:
        if key not in _KEYS:
            raise unknown_name("key", key, _KEYS, where=where)
    for key in _KEYS[:6]:
        if key not in recipe:
            raise ConfigError(f"{where}: key {key!r} is missing; add it.")
    samples = whole_number(f"{where}: samples", recipe["samples"], minimum=1, maximum=_MOST)
    tables = recipe["tables"]
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{where}: tables must be a list of at least one table.")
    for number, entry in enumerate(tables):
        place = f"{where}: table {number}"
        if not isinstance(entry, dict) or set(entry) != set(_TABLE_KEYS):
            raise ConfigError(f"{place} must have the keys {', '.join(_TABLE_KEYS)}.")
        rows = whole_number(f"{place}: rows", entry["rows"], minimum=1, maximum=_MOST)
        uses = _checked_pairs(f"{place}: uses", entry["uses"], lowest=1)
        bags = _checked_pairs(f"{place}: bags", entry["bags"], lowest=0)
        lookups = sum(value * count for value, count in bags)
        if sum(value * count for value, count in uses) != lookups:
            raise ConfigError(f"{place}: uses do not add up to the {lookups} lookups of the bags.")
        if sum(count for _, count in uses) > rows or sum(count for _, count in bags) != samples:
            raise ConfigError(f"{place}: more rows are used than there are, or not every sample has a bag.")


def _checked_pairs(where: str, pairs: Any, *, lowest: int) -> list[tuple[int, int]]:
    if not isinstance(pairs, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
        raise ConfigError(f"{where} must be a list of pairs [value, how often].")
    return [
        (
            whole_number(where, value, minimum=lowest, maximum=_MOST),
            whole_number(where, count, minimum=1, maximum=_MOST),
        )
        for value, count in pairs
    ]


def _column(pairs: list[list[int]], column: int) -> NDArray[np.int64]:
    return np.array([pair[column] for pair in pairs], dtype=np.int64)
