# SPDX-License-Identifier: MIT
"""Traces with the reuse histograms that are published with Meta's embedding-bag data of 2021 and 2022."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.permutation import Scatter
from heam_sim.datasets.reuse import shuffled_values
from heam_sim.datasets.zipf import uniforms
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace

__all__ = ["META_YEARS", "REUSE_BINS", "MetaYear", "generate_meta_like"]

# Upper ends of the bins of reuse (uses of a row in the whole trace); the last bin is open.
REUSE_BINS = tuple(2**power for power in range(16))
_LARGEST_REUSE = 1 << 17  # assumed end of the open bin
_COUNTS, _PLACES, _ORDER, _ROWS = 0, 1, 2, 3  # streams


@dataclass(frozen=True)
class MetaYear:
    """What is published about one year's data.

    Parameters
    ----------
    tables, batch
        Tables, and bags per table.
    indices, unique
        All indices and distinct rows.
    shares
        Share of the indices that belong to rows of every reuse bin, one per bin of ``REUSE_BINS`` and one
        above.
    """

    tables: int
    batch: int
    indices: int
    unique: int
    shares: tuple[float, ...]


META_YEARS: Mapping[int, MetaYear] = MappingProxyType(
    {
        2021: MetaYear(
            856,
            65_536,
            887_017_990,
            128_435_723,
            (
                *(0.069, 0.044, 0.068, 0.101, 0.121, 0.104, 0.073, 0.058, 0.052, 0.050, 0.049, 0.048),
                *(0.048, 0.043, 0.031, 0.023, 0.019),
            ),
        ),
        2022: MetaYear(
            788,
            131_072,
            1_405_163_864,
            110_259_238,
            (
                *(0.027, 0.023, 0.040, 0.068, 0.105, 0.120, 0.099, 0.070, 0.059, 0.054, 0.040, 0.072),
                *(0.064, 0.047, 0.021, 0.017, 0.076),
            ),
        ),
    }
)


def generate_meta_like(
    year: int, *, samples: int = 65_536, tables: int = 16, pooling: int | None = None, seed: int = 1
) -> LookupTrace:
    """Generate a trace whose rows are reused as often as those of Meta's public data.

    The share of indices in every reuse bin is the published one (exactly, but for rows at the border of two
    tables). Assumed, because nothing is published: all tables and bags alike, order in time random, reuse
    within a bin spread evenly on a logarithmic scale up to 131,072, row numbers scattered over the next power
    of two of rows.

    Parameters
    ----------
    year
        2021 or 2022.
    samples
        Bags per table. The open bin needs rows with more than 32,768 uses, so a table should have some
        hundred thousand lookups; with fewer its rows are cut at the borders of the tables.
    tables
        Number of tables.
    pooling
        Lookups per bag; by default the data's mean, rounded (16 and 14).
    seed
        0 to 2**64 - 1.

    Returns
    -------
    LookupTrace
        In the memory.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be, or the trace is too small for the last bin.
    """
    if year not in META_YEARS:
        raise unknown_name("year", year, META_YEARS, where="year")
    published = META_YEARS[year]
    mean = round(published.indices / (published.tables * published.batch))
    samples = whole_number("samples", samples, minimum=1)
    tables = whole_number("tables", tables, minimum=1, maximum=1 << 16)
    pooling = mean if pooling is None else whole_number("pooling", pooling, minimum=1, maximum=1 << 20)
    seed = whole_number("seed", seed, minimum=0, maximum=2**64 - 1)
    each = samples * pooling
    if each * tables * min(published.shares) < 2 * REUSE_BINS[-1] or each < REUSE_BINS[-1]:
        needed = max(REUSE_BINS[-1], -(-2 * REUSE_BINS[-1] // (min(published.shares) * tables)))
        raise ConfigError(
            f"samples={samples}, tables={tables}, pooling={pooling}: {each * tables} lookups are too few for "
            f"rows with more than {REUSE_BINS[-1]} uses; give at least {math.ceil(needed / pooling)} samples."
        )
    counts = _reuse_counts(published.shares, each * tables, seed)
    indices, rows = _tables(counts, tables, each, seed)
    cuts = np.arange(samples + 1, dtype=np.int64) * pooling
    cuts.flags.writeable = False
    return LookupTrace.from_arrays(
        indices,
        [cuts] * tables,
        cardinalities=rows,
        provenance={
            "source": "generated",
            "dataset": f"meta-{year}",
            "samples": samples,
            "tables": tables,
            "pooling": pooling,
            "seed": seed,
            "reuse": "share of indices per reuse bin as published for Meta's dlrm_datasets, else assumed",
        },
    )


def _reuse_counts(shares: tuple[float, ...], lookups: int, seed: int) -> NDArray[np.int64]:
    """Return the uses of every row in random order; they add up to `lookups`."""
    total = sum(shares)
    lows = (0, *REUSE_BINS)
    highs = (*REUSE_BINS, _LARGEST_REUSE)
    parts, left = [], lookups
    for number in reversed(range(len(shares))):  # from the most used, so that single uses take the rest
        wanted = left if number == 0 else min(left, round(shares[number] / total * lookups))
        counts = _bin_counts(lows[number] + 1, highs[number], wanted, seed, number)
        parts.append(counts)
        left -= int(counts.sum())
    return shuffled_values(np.concatenate(parts), seed, (_PLACES,))


def _bin_counts(low: int, high: int, wanted: int, seed: int, number: int) -> NDArray[np.int64]:
    """Return uses from `low` to `high` that add up to about `wanted`: one row over or under at most."""
    if low == high:
        return np.full(wanted // low, low, dtype=np.int64)
    # Uses with density 1/k have the mean (high - low) / ln(high / low).
    enough = int(wanted / low) + 1
    guess = min(enough, int(1.2 * wanted * np.log(high / low) / (high - low)) + 64)
    drawn = np.exp(np.log(low) + uniforms(seed, (_COUNTS, number), guess) * np.log((high + 1) / low))
    counts: NDArray[np.int64] = np.minimum(drawn.astype(np.int64), high)
    sums = np.cumsum(counts)
    keep = int(np.searchsorted(sums, wanted, side="right"))
    # The row that would go over is kept if that comes closer.
    if keep < len(counts) and sums[keep] - wanted < wanted - (sums[keep - 1] if keep else 0):
        keep += 1
    return counts[:keep]


def _tables(
    counts: NDArray[np.int64], tables: int, each: int, seed: int
) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Cut the rows into tables of equally many lookups; a row at a border becomes a row of both."""
    ends = np.cumsum(counts)
    indices, sizes = [], []
    for table in range(tables):
        start, stop = table * each, (table + 1) * each
        first = int(np.searchsorted(ends, start, side="right"))
        last = min(int(np.searchsorted(ends, stop, side="left")), len(ends) - 1)
        cuts = np.clip(ends[first : last + 1], start, stop) - start
        uses = np.diff(cuts, prepend=0)
        rows = 1 << max(0, (len(uses) - 1).bit_length())
        ids = Scatter(rows, seed=seed, key=(_ROWS, table))(np.arange(len(uses), dtype=np.int64))
        lookups = shuffled_values(np.repeat(ids, uses), seed, (_ORDER, table))
        lookups.flags.writeable = False
        indices.append(lookups)
        sizes.append(rows)
    return indices, sizes
