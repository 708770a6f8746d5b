# SPDX-License-Identifier: MIT
"""Which rows the PEs' caches may keep, and how large a line is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding import EmbeddingScheme, Subtable
from heam_sim.errors import ConfigError
from heam_sim.placement.hot import RowSet, rank_rows
from heam_sim.placement.layout import TierLayout
from heam_sim.systems import System
from heam_sim.trace import LookupTrace

__all__ = ["CachePolicy", "choose_cached"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class CachePolicy:
    """The cache of every PE.

    Attributes
    ----------
    sets, ways
        0 sets: there is none.
    parts
        Line numbers of a row: one for each of its parts.
    tables
        bool (subtables,): rows of which may be kept.
    often
        The rows that the profile reads often enough; ``None``: that does not matter.
    """

    sets: int
    ways: int
    parts: int
    tables: NDArray[np.bool_]
    often: RowSet | None

    def line(self, global_row: _Int, part: int) -> _Int:
        """Number of (a part of) a row, its own over the whole model."""
        return global_row * self.parts + part if self.parts > 1 else global_row

    def keeps(self, table: _Int, global_row: _Int) -> NDArray[np.bool_]:
        """Whether rows may be kept."""
        if self.sets == 0:
            return np.zeros(table.shape, bool)
        kept = self.tables[table]
        return kept if self.often is None else kept & (self.often.find(global_row) >= 0)


def choose_cached(
    system: System,
    layouts: Mapping[str, TierLayout],
    scheme: EmbeddingScheme,
    tables: Sequence[Subtable],
    profile: LookupTrace,
    first_row: _Int,
) -> CachePolicy:
    """Decide what the caches of the PEs may keep.

    Raises
    ------
    ConfigError
        A cache holds not even one row in each of its ways.
    """
    layout = next((layout for layout in layouts.values() if layout.tier.pim is not None), None)
    chosen = np.zeros(len(tables), bool)
    parts = max(max(shape.shape.parts for shape in one.regions.values()) for one in layouts.values())
    pim = layout.tier.pim if layout is not None else None
    if layout is None or pim is None or pim.cache_bytes == 0:
        return CachePolicy(0, 0, parts, chosen, None)
    chosen = np.array([table.small or pim.cache_rows == "all" for table in tables], bool)
    sizes = [layout.shape(table.row_bytes).part_bytes(0) for table in tables if chosen[table.id]]
    line = max(sizes, default=layout.vector_bytes)
    sets = pim.cache_bytes // (line * pim.cache_ways)
    if sets == 0:
        raise ConfigError(
            f"pim.cache_bytes: {pim.cache_bytes} bytes do not hold {pim.cache_ways} rows of {line} bytes; "
            "enlarge the cache or give it fewer ways."
        )
    often = None
    if pim.cache_min_reads > 0:
        ranking = rank_rows(profile, scheme, tables, first_row, chosen)
        often = ranking.first(ranking.read_at_least(pim.cache_min_reads), {})
    return CachePolicy(sets, pim.cache_ways, parts, chosen, often)
