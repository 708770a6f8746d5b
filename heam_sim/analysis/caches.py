# SPDX-License-Identifier: MIT
"""Hit shares of Q and R rows in a set-associative LRU cache in front of quotient-remainder tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heam_sim.analysis.distances import COLD, stack_distances
from heam_sim.analysis.measure import Trace, first_samples
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number

__all__ = ["CACHE_LOOKUPS", "PUBLISHED_BLOCKS", "PUBLISHED_SIZES", "hit_shares"]

#: Lookups that are cached for the figure: 100,000 samples of Criteo, as in the published one.
CACHE_LOOKUPS = 2_600_000

#: Figure data in the HEAM authors' public repository by cache size in bytes: Criteo Kaggle, 100,000 samples,
#: c = 8, 4-way LRU; share in % of all accesses that hit, of Q and of R rows (R can be at most 50).
PUBLISHED_SIZES = {1 << 20: (33.2, 46.1), 2 << 20: (36.6, 47.0), 4 << 20: (40.1, 49.7), 8 << 20: (41.7, 49.7)}
#: The same by block size in bytes.
PUBLISHED_BLOCKS = {64: (34.8, 47.7), 128: (32.2, 48.8), 256: (29.4, 45.6), 512: (27.6, 47.3)}


def hit_shares(
    trace: Trace,
    *,
    cache_bytes: Sequence[int] = tuple(PUBLISHED_SIZES),
    block_bytes: Sequence[int] = (64,),
    collisions: int = 8,
    vector_bytes: int = 64,
    ways: int = 4,
    lookups: int = CACHE_LOOKUPS,
) -> pd.DataFrame:
    """Simulate one cache for all tables, exactly, for every size and block size.

    Every lookup reads its R row and then its Q row, block by block; the sub-tables lie one after the other.

    Parameters
    ----------
    trace
        The lookups; the first samples of about `lookups` lookups are taken.
    cache_bytes, block_bytes
        Sizes of the cache and of its blocks in bytes, powers of two.
    collisions
        Rows of the original table per row of Q, at least 1.
    vector_bytes
        Size of a row in bytes, a power of two.
    ways
        Associativity.
    lookups
        See `trace`.

    Returns
    -------
    pandas.DataFrame
        ``cache_bytes``, ``block_bytes``, ``q_hit_share`` and ``r_hit_share`` (shares of all accesses, so each
        at most 0.5), ``accesses``.

    Raises
    ------
    ConfigError
        If a size is no power of two or the cache has less than one set.
    """
    collisions = whole_number("collisions", collisions, minimum=1)
    ways = whole_number("ways", ways, minimum=1)
    for name, sizes in (
        ("cache_bytes", cache_bytes),
        ("block_bytes", block_bytes),
        ("vector_bytes", [vector_bytes]),
    ):
        for size in sizes:
            if whole_number(name, size, minimum=1).bit_count() != 1:
                raise ConfigError(f"{name}: {size} is no power of two.")
    address, is_r = _accesses(trace, collisions, vector_bytes, lookups)
    found = []
    for block in block_bytes:
        lines, of_r = _lines(address, is_r, vector_bytes, block)
        for size in cache_bytes:
            sets = size // (block * ways)
            if sets < 1:
                raise ConfigError(
                    f"cache_bytes: {size} is less than one set of {ways} blocks of {block} bytes."
                )
            hit = _hits(lines, sets, ways)
            found.append(
                {
                    "cache_bytes": size,
                    "block_bytes": block,
                    "q_hit_share": float((hit & ~of_r).sum() / max(len(hit), 1)),
                    "r_hit_share": float((hit & of_r).sum() / max(len(hit), 1)),
                    "accesses": len(hit),
                }
            )
    return pd.DataFrame(found)


def _accesses(
    trace: Trace, collisions: int, vector_bytes: int, lookups: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the byte addresses of the rows in program order, and which are of R."""
    part = first_samples(trace, lookups)
    base = 0
    rows, samples = [], []
    for indices, cuts, cardinality in zip(
        part.indices, part.offsets, part.cardinalities.tolist(), strict=True
    ):
        q_rows = -(-cardinality // collisions)
        r = base + indices % collisions
        q = base + collisions + indices // collisions
        rows.append(np.column_stack([r, q]))
        samples.append(np.repeat(np.arange(part.samples), np.diff(cuts)))
        base += collisions + q_rows
    # Tables of a sample follow each other: a stable sort by sample keeps their order and that of the bags.
    order = np.argsort(np.concatenate(samples), kind="stable")
    address = np.concatenate(rows)[order].reshape(-1) * vector_bytes
    return address, np.arange(len(address)) % 2 == 0


def _lines(
    address: NDArray[np.int64], is_r: NDArray[np.bool_], vector_bytes: int, block: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    blocks = max(1, vector_bytes // block)
    lines = (address // block)[:, np.newaxis] + np.arange(blocks)
    return lines.reshape(-1), np.repeat(is_r, blocks)


def _hits(lines: NDArray[np.int64], sets: int, ways: int) -> NDArray[np.bool_]:
    """A lookup hits if fewer than `ways` other lines of its set came since its last use."""
    # Lines of one set in a row: distances then count lines of the same set only.
    order = np.argsort(lines % sets, kind="stable")
    distances = stack_distances(lines[order])
    hit = np.empty(len(lines), dtype=bool)
    hit[order] = (distances != COLD) & (distances < ways)
    return hit
