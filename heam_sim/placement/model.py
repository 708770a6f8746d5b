# SPDX-License-Identifier: MIT
"""Homes of all rows of a model in the tiers of a system; tables themselves are never built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.dram import Spec
from heam_sim.embedding import EmbeddingScheme, Subtable, composes_sums, rows_meet
from heam_sim.errors import CapacityError, ConfigError
from heam_sim.placement.cache import CachePolicy, choose_cached
from heam_sim.placement.hot import RowSet, rank_rows
from heam_sim.placement.layout import RowShape, TierLayout, make_layout, row_shape, with_regions
from heam_sim.placement.pairs import Pairs, choose_pairs, lookup_base
from heam_sim.systems import System, Tier
from heam_sim.trace import LookupTrace

__all__ = ["ModelPlacement", "place_model"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class ModelPlacement:
    """Homes of a model's rows.

    Attributes
    ----------
    base
        int64 (subtables,): number of each subtable's first row among the rows of its size in the home tier.
    first_row
        int64 (subtables,): number of each subtable's first row among all rows of the model.
    hot
        Rows with a copy in the hot tier, and their places there. Empty without one.
    hot_small
        int64 (subtables,): number of each small subtable's first row among the rows of its size in the hot
        tier, -1 if it is not there.
    small
        int64 (subtables,): first number of each small subtable among the small rows, -1 for others.
    lut_rows, lut_bytes
        How many small rows the LUTs hold, and their size; the others are copied if `replicated`.
    replica_base
        int64 (subtables,): add a row's number to get its number among the copies of its size.
    replicated
        Whether small rows are brought to the PEs: by a LUT, or by copies in the banks of every PE.
    spread
        Rows of any kind with a copy at every PE, and their numbers among the copies of their size.
    cache
        What the PEs' caches may keep.
    pairs
        Sums of two lookups that the hot tier holds.
    """

    system: System
    layouts: Mapping[str, TierLayout]
    subtables: tuple[Subtable, ...]
    base: _Int
    first_row: _Int
    hot: RowSet
    hot_small: _Int
    small: _Int
    lut_rows: int
    lut_bytes: int
    replica_base: _Int
    replicated: bool
    spread: RowSet
    cache: CachePolicy
    pairs: Pairs

    @property
    def home(self) -> TierLayout:
        """The tier that holds every row."""
        return self.layouts[self.system.placement.tier]

    @property
    def hot_layout(self) -> TierLayout | None:
        """The tier with the hot copies."""
        return self.layouts.get(self.system.placement.hot_tier)

    @property
    def pim_layout(self) -> TierLayout | None:
        """The tier with PEs."""
        return next((layout for layout in self.layouts.values() if layout.tier.pim is not None), None)

    @property
    def reuses_rows(self) -> bool:
        """Whether a PE may have a row without reading it: caches, merging."""
        layout = self.pim_layout
        merges = layout is not None and layout.tier.pim is not None and layout.tier.pim.merge_identical
        return merges or self.cache.sets > 0

    @property
    def rows(self) -> int:
        """Rows of all subtables."""
        return sum(table.rows for table in self.subtables)

    @property
    def small_rows(self) -> int:
        """Rows of all small subtables."""
        return sum(table.rows for table in self.subtables if table.small)


@dataclass(frozen=True)
class _Small:
    """What becomes of the small rows: numbering, LUT, copies by size."""

    number: _Int
    lut_rows: int
    lut_bytes: int
    replicated: bool
    replica_base: _Int
    copies: dict[int, int]


def place_model(
    system: System,
    specs: Mapping[str, Spec],
    *,
    scheme: EmbeddingScheme,
    subtables: Sequence[Subtable],
    profile: LookupTrace,
    vector_bytes: int,
    scope: str = "bag",
) -> ModelPlacement:
    """Give every row of a model its home.

    Parameters
    ----------
    system
        The architecture.
    specs
        Resolved memory of every tier.
    scheme, subtables
        The embedding and its physical tables.
    profile
        Part of the trace that decides what is hot; it is not simulated.
    vector_bytes
        Size of a vector.
    scope
        What is pooled, where pairs of lookups are looked for: ``"bag"`` or ``"sample"``.

    Raises
    ------
    CapacityError
        The model does not fit; the message says by how much.
    ConfigError
        The address map splits vectors over PEs, or a granularity does not fit the memory.
    """
    tables = tuple(subtables)
    shapes = {
        tier.name: _shapes(system, tier, specs[tier.name], scheme, tables, vector_bytes)
        for tier in system.tiers
    }
    first_row = _running([table.rows for table in tables])
    small = _small_rows(system, scheme, tables, shapes)
    spread = _spread_rows(system, specs, scheme, tables, profile, first_row, small, shapes)
    copies = {size: small.copies.get(size, 0) + spread.counts.get(size, 0) for size in _sizes(tables)}
    layouts = _layouts(system, specs, vector_bytes, shapes, {k: v for k, v in copies.items() if v})
    name = system.placement.tier
    totals = {size: sum(t.rows for t in tables if t.row_bytes == size) for size in _sizes(tables)}
    layouts[name] = with_regions(layouts[name], shapes[name], totals, _node_levels(system, specs))
    base = np.zeros(len(tables), np.int64)
    for size in totals:
        mine = [table.id for table in tables if table.row_bytes == size]
        base[mine] = _running([tables[number].rows for number in mine])
    hot, hot_small = RowSet.empty(), np.full(len(tables), -1, np.int64)
    pairs = Pairs.none(lookup_base(profile))
    for other in layouts:
        if other == system.placement.hot_tier and system.placement.policy == "hot-cold":
            hot, hot_small, pairs = _hot_rows(
                system, layouts, shapes, scheme, tables, profile, first_row, scope
            )
        elif other != name:
            layouts[other] = with_regions(layouts[other], shapes[other], dict.fromkeys(totals, 0))
    return ModelPlacement(
        system,
        layouts,
        tables,
        base,
        first_row,
        hot,
        hot_small,
        small.number,
        small.lut_rows,
        small.lut_bytes,
        small.replica_base,
        small.replicated,
        spread,
        choose_cached(system, layouts, scheme, tables, profile, first_row),
        pairs,
    )


def _running(counts: Sequence[int]) -> _Int:
    """Sums of all earlier entries."""
    return np.cumsum([0, *counts], dtype=np.int64)[:-1]


def _sizes(tables: Sequence[Subtable]) -> list[int]:
    """Row sizes in order of appearance."""
    return list(dict.fromkeys(table.row_bytes for table in tables))


def _node_levels(system: System, specs: Mapping[str, Spec]) -> list[str]:
    """Fields of the address map over which vectors are striped, innermost first; none if they stay whole."""
    tier = system.tier(system.placement.tier)
    if system.placement.partition == "horizontal" or tier.pim is None:
        return []
    levels = list(specs[tier.name].levels)
    level = tier.pim.unit_level if tier.pim.unit_level in levels else "channel"
    inside = levels[1 : levels.index(level) + 1]
    return (["channel"] if system.placement.stripe == "tier" else []) + inside


def _shapes(
    system: System,
    tier: Tier,
    spec: Spec,
    scheme: EmbeddingScheme,
    tables: Sequence[Subtable],
    vector_bytes: int,
) -> dict[int, RowShape]:
    _check_granularity(tier, spec, vector_bytes, system.host.line_bytes)
    nodes = 1
    if tier.name == system.placement.tier:
        for level in _node_levels(system, {tier.name: spec}):
            nodes *= tier.channels if level == "channel" else spec.counts[level]
    if nodes > 1 and scheme.compose == "gemm":
        raise ConfigError(
            "placement.partition: 'vertical' cannot stripe the cores of a tensor train, whose rows are no "
            "vectors; use 'horizontal' or another embedding."
        )
    smallest = max(spec.burst_bytes, system.host.line_bytes)
    short = next((t for t in tables if not t.covers_bytes and t.row_bytes < smallest), None)
    if short is not None:
        # Halves grow with the vectors, rows of codes do not.
        remedy = f"use host lines and bursts of at most {short.row_bytes} bytes"
        if scheme.compose == "concatenate":
            longer = vector_bytes * smallest // short.row_bytes
            remedy = f"use vectors of at least {longer} bytes, or another composition"
        raise ConfigError(
            f"vector_bytes: rows of {short.name} have {short.row_bytes} bytes, less than a burst or host "
            f"line of {smallest} bytes in tier {tier.name}; {remedy}."
        )
    return {
        size: row_shape(
            tier, spec, size, line_bytes=system.host.line_bytes, vector_bytes=vector_bytes, nodes=nodes
        )
        for size in _sizes(tables)
    }


def _check_granularity(tier: Tier, spec: Spec, vector_bytes: int, line_bytes: int) -> None:
    if vector_bytes % spec.burst_bytes:
        raise ConfigError(
            f"vector_bytes: {vector_bytes} is no multiple of the {spec.burst_bytes}-byte burst of tier "
            f"{tier.name}; use a longer vector."
        )
    if vector_bytes % line_bytes or line_bytes % spec.burst_bytes:
        raise ConfigError(
            f"vector_bytes: {vector_bytes} and bursts of {spec.burst_bytes} bytes do not fit host lines "
            f"of {line_bytes} bytes."
        )


def _small_rows(
    system: System,
    scheme: EmbeddingScheme,
    tables: Sequence[Subtable],
    shapes: Mapping[str, Mapping[int, RowShape]],
) -> _Small:
    """How many small rows the LUTs hold, whether the others are copied to the PEs, and their numbering."""
    tier = next((tier for tier in system.tiers if tier.pim is not None), None)
    number = np.full(len(tables), -1, np.int64)
    base = np.zeros(len(tables), np.int64)
    parts = [table for table in tables if table.small]
    kind, meet = system.placement.small_tables, rows_meet(scheme)
    if tier is not None and kind == "home" and meet and parts:
        raise ConfigError(
            "placement.small_tables: 'home' leaves small rows where no PE can multiply them with their main "
            "rows; use 'replicated' or 'lut', or compose by adding."
        )
    if tier is None or tier.pim is None or kind == "home" or (kind == "replicated" and not meet):
        return _Small(number, 0, 0, False, base, {})
    number[[table.id for table in parts]] = _running([table.rows for table in parts])
    room = tier.pim.lut_bytes if kind == "lut" else 0
    lut_rows, lut_bytes = 0, 0
    copies: dict[int, int] = {}
    for table in parts:
        size = shapes[tier.name][table.row_bytes].read_bytes
        # The first rows in order, as many as fit: a row that does not fit ends the LUT.
        held = min(table.rows, (room - lut_bytes) // size) if lut_rows == number[table.id] else 0
        lut_rows += held
        lut_bytes += held * size
        base[table.id] = copies.get(table.row_bytes, 0) - held
        copies[table.row_bytes] = copies.get(table.row_bytes, 0) + table.rows - held
    return _Small(number, lut_rows, lut_bytes, True, base, copies)


def _spread_rows(
    system: System,
    specs: Mapping[str, Spec],
    scheme: EmbeddingScheme,
    tables: Sequence[Subtable],
    profile: LookupTrace,
    first_row: _Int,
    small: _Small,
    shapes: Mapping[str, Mapping[int, RowShape]],
) -> RowSet:
    """Choose the rows that every PE has a copy of."""
    share = system.placement.replicate_share
    if share <= 0:
        return RowSet.empty()
    chosen = np.array([not (table.small and small.replicated) for table in tables], bool)
    ranking = rank_rows(profile, scheme, tables, first_row, chosen)
    return ranking.first(ranking.reaching(share), dict(small.copies))


def _layouts(
    system: System,
    specs: Mapping[str, Spec],
    vector_bytes: int,
    shapes: Mapping[str, Mapping[int, RowShape]],
    copies: Mapping[int, int],
) -> dict[str, TierLayout]:
    layouts: dict[str, TierLayout] = {}
    first_channel, line_base = 0, 0
    for tier in system.tiers:
        spec = specs[tier.name]
        units = None
        if tier.pim is not None:
            level = tier.pim.unit_level
            units = spec.nodes(level if level in spec.levels else "channel")
        layouts[tier.name] = make_layout(
            system,
            tier,
            spec,
            vector_bytes=vector_bytes,
            first_channel=first_channel,
            line_base=line_base,
            shapes=shapes[tier.name],
            replicas=copies if tier.pim is not None else {},
            units=units,
        )
        first_channel += tier.channels
        line_base += -(-tier.channels * spec.bytes_per_channel // system.host.line_bytes)
    return layouts


def _hot_rows(
    system: System,
    layouts: dict[str, TierLayout],
    shapes: Mapping[str, Mapping[int, RowShape]],
    scheme: EmbeddingScheme,
    tables: Sequence[Subtable],
    profile: LookupTrace,
    first_row: _Int,
    scope: str,
) -> tuple[RowSet, _Int, Pairs]:
    """Choose the most read rows that together take `hot_share` of the profile's accesses, and pairs."""
    name = system.placement.hot_tier
    layout, sizes = layouts[name], _sizes(tables)
    mine = dict(shapes[name])
    if system.placement.pair_share > 0 and layout.vector_bytes not in sizes:
        sizes.append(layout.vector_bytes)
        mine[layout.vector_bytes] = row_shape(
            layout.tier,
            layout.spec,
            layout.vector_bytes,
            line_bytes=layout.line_bytes,
            vector_bytes=layout.vector_bytes,
        )
    hot_small = np.full(len(tables), -1, np.int64)
    counts = dict.fromkeys(sizes, 0)
    if layout.tier.pim is None or system.placement.small_tables == "home":
        # Every small row is hot (HEAM authors' simulator): they come first in the hot tier.
        for table in tables:
            if table.small:
                hot_small[table.id] = counts[table.row_bytes]
                counts[table.row_bytes] += table.rows
    # What every region may waste at its end is set aside.
    spare = (len(sizes) - 1) * max(shape.pieces for shape in mine.values())
    budget = layout.capacity_bytes - 2 * spare * max(layout.stripe_bytes, layout.tier.page_bytes)
    slot = {size: shape.slot_bytes * shape.pieces for size, shape in mine.items()}
    budget -= sum(count * slot[size] for size, count in counts.items())
    if budget < 0:
        vectors = -(budget // layout.vector_bytes)
        raise CapacityError(
            f"tier {layout.tier.name}: the small tables alone need {vectors} vectors more than it "
            f"holds; compress less."
        )
    chosen = np.array([not table.small for table in tables], bool)
    ranking = rank_rows(profile, scheme, tables, first_row, chosen)
    count = min(ranking.reaching(system.placement.hot_share), ranking.fitting(budget, slot))
    hot = ranking.first(count, counts)
    totals = {size: counts[size] + hot.counts.get(size, 0) for size in sizes}
    left = budget - sum(number * slot[size] for size, number in hot.counts.items())
    pairs = Pairs.none(lookup_base(profile))
    # Where sums are composed a pair would need a sum of each part.
    if system.placement.pair_share > 0 and not composes_sums(scheme):
        pairs = choose_pairs(
            profile,
            scope,
            most=int(left * system.placement.pair_share) // slot[layout.vector_bytes],
            rows=system.placement.pair_rows,
            first_slot=totals[layout.vector_bytes],
        )
        totals[layout.vector_bytes] += pairs.count
    layouts[name] = with_regions(layout, mine, totals)
    return hot, hot_small, pairs
