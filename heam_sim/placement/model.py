# SPDX-License-Identifier: MIT
"""Homes of all rows of a model in the tiers of a system; tables themselves are never built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.address import AddressMap, parse_map
from heam_sim.datasets.permutation import permute
from heam_sim.dram import Spec
from heam_sim.embedding import EmbeddingScheme, Subtable
from heam_sim.errors import CapacityError, ConfigError
from heam_sim.systems import System, Tier
from heam_sim.trace import LookupTrace

__all__ = ["Located", "ModelPlacement", "TierLayout", "place_model"]

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Located:
    """Places of vectors: channel over all tiers, flat bank, row, first column, the bank's unit, host line."""

    channel: _Int
    bank: _Int
    row: _Int
    column: _Int
    unit: _Int
    line: _Int


@dataclass(frozen=True)
class TierLayout:
    """One tier as a linear memory, with rows at the top of every bank kept for replicas.

    Attributes
    ----------
    first_channel
        Number of its first channel over all tiers.
    unit_stride
        Banks per PE.
    reserved_rows
        DRAM rows per bank that hold replicas.
    line_base
        Host line number of its first byte.
    """

    tier: Tier
    spec: Spec
    map: AddressMap
    vector_bytes: int
    first_channel: int
    unit_stride: int
    reserved_rows: int
    line_base: int
    line_bytes: int

    @property
    def vector_bursts(self) -> int:
        """Bursts of one vector."""
        return self.vector_bytes // self.spec.burst_bytes

    @property
    def units(self) -> int:
        """PEs per channel."""
        return self.spec.banks // self.unit_stride

    @property
    def capacity_bytes(self) -> int:
        """Bytes for ordinary rows, in whole pages."""
        rows = self.spec.rows - self.reserved_rows
        total = self.tier.channels * self.spec.banks * rows * self.spec.row_bytes
        return total // self.tier.page_bytes * self.tier.page_bytes

    def locate(self, address: _Int) -> Located:
        """Find vectors by their byte address in the tier (before paging)."""
        page_bytes = self.tier.page_bytes
        if self.tier.pages == "random":
            page, offset = np.divmod(address, page_bytes)
            frames = self.capacity_bytes // page_bytes
            address = permute(page, frames, seed=self.tier.page_seed, key=(frames,)) * page_bytes + offset
        channel, bank, row, column = self.map.decode(address // self.spec.burst_bytes)
        return Located(
            channel + self.first_channel,
            bank,
            row,
            column,
            bank // self.unit_stride,
            self.line_base + address // self.line_bytes,
        )

    def locate_replica(self, number: _Int, channel: _Int, unit: _Int) -> Located:
        """Find the copy of replicated vector `number` in a PE's own banks, at the top of their rows."""
        per_row = self.spec.columns // self.vector_bursts
        bank = unit * self.unit_stride + number % self.unit_stride
        deep = number // self.unit_stride
        row = self.spec.rows - 1 - deep // per_row
        return Located(channel, bank, row, deep % per_row * self.vector_bursts, unit, np.zeros_like(number))


@dataclass(frozen=True)
class ModelPlacement:
    """Homes of a model's rows.

    Attributes
    ----------
    base
        int64 (subtables,): first vector of each subtable in the home tier, in vectors.
    first_row
        int64 (subtables,): number of each subtable's first row among all rows of the model.
    hot
        Sorted global row numbers with a copy in the hot tier; the position is the place there. Empty without
        one.
    hot_r
        int64 (subtables,): first vector of each R subtable in the hot tier, -1 if it is not there.
    small
        int64 (subtables,): first number of each R subtable among the small rows, -1 for others.
    lut_rows
        How many small rows the LUTs hold; the others are replicated if `replicated`.
    """

    system: System
    layouts: Mapping[str, TierLayout]
    subtables: tuple[Subtable, ...]
    base: _Int
    first_row: _Int
    hot: _Int
    hot_r: _Int
    small: _Int
    small_rows: int
    lut_rows: int
    replicated: bool
    profile_share: float

    @property
    def home(self) -> TierLayout:
        """The tier that holds every row."""
        return self.layouts[self.system.placement.tier]

    @property
    def hot_layout(self) -> TierLayout | None:
        """The tier with the hot copies."""
        return self.layouts.get(self.system.placement.hot_tier)

    @property
    def hot_first(self) -> int:
        """Place of the first hot row in the hot tier, behind the R tables there."""
        return sum(table.rows for table, first in zip(self.subtables, self.hot_r, strict=True) if first >= 0)

    @property
    def pim_layout(self) -> TierLayout | None:
        """The tier with PEs."""
        return next((layout for layout in self.layouts.values() if layout.tier.pim is not None), None)

    def find_hot(self, global_row: _Int) -> _Int:
        """Return the place of each row in the hot tier, -1 for cold rows."""
        if not self.hot.size:
            return np.full(global_row.shape, -1, np.int64)
        at = np.minimum(np.searchsorted(self.hot, global_row), self.hot.size - 1)
        return np.where(self.hot[at] == global_row, at, -1)


def place_model(
    system: System,
    specs: Mapping[str, Spec],
    *,
    scheme: EmbeddingScheme,
    subtables: Sequence[Subtable],
    profile: LookupTrace,
    vector_bytes: int,
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

    Raises
    ------
    CapacityError
        The model does not fit; the message says by how much.
    ConfigError
        The address map splits vectors over PEs, or a granularity does not fit the memory.
    """
    rows = np.array([table.rows for table in subtables], np.int64)
    first_row = np.concatenate(([0], np.cumsum(rows)[:-1]))
    is_small = np.array([table.role == "R" for table in subtables], bool)
    lut_rows, replicated, small = _small_tables(system, scheme, rows, is_small, vector_bytes)
    small_rows = int(rows[is_small].sum())
    layouts = _layouts(system, specs, vector_bytes, small_rows - lut_rows if replicated else 0)
    _check_fit(layouts[system.placement.tier], int(rows.sum()) * vector_bytes)
    hot, hot_r, share = _hot_rows(system, layouts, scheme, subtables, profile, first_row, is_small, rows)
    return ModelPlacement(
        system,
        layouts,
        tuple(subtables),
        first_row,
        first_row,
        hot,
        hot_r,
        small,
        small_rows,
        lut_rows,
        replicated,
        share,
    )


def _small_tables(
    system: System, scheme: EmbeddingScheme, rows: _Int, is_small: NDArray[np.bool_], vector_bytes: int
) -> tuple[int, bool, _Int]:
    """How many R rows the LUTs hold, whether the others are replicated in banks, and their numbering."""
    pim = next((tier.pim for tier in system.tiers if tier.pim is not None), None)
    small = np.full(rows.shape, -1, np.int64)
    kind = system.placement.small_tables
    if pim is not None and kind == "home" and scheme.compose == "multiply" and is_small.any():
        raise ConfigError(
            "placement.small_tables: 'home' leaves R rows where no PE can multiply them with their Q rows; "
            "use 'replicated' or 'lut', or compose by adding."
        )
    if pim is None or kind == "home" or (kind == "replicated" and scheme.compose != "multiply"):
        return 0, False, small
    small[is_small] = np.cumsum(rows[is_small]) - rows[is_small]
    lut_rows = min(pim.lut_bytes // vector_bytes, int(rows[is_small].sum())) if kind == "lut" else 0
    return lut_rows, True, small


def _layouts(
    system: System, specs: Mapping[str, Spec], vector_bytes: int, replicas: int
) -> dict[str, TierLayout]:
    layouts: dict[str, TierLayout] = {}
    first_channel, line_base = 0, 0
    for tier in system.tiers:
        spec = specs[tier.name]
        _check_granularity(tier, spec, vector_bytes, system.host.line_bytes)
        bursts = vector_bytes // spec.burst_bytes
        mapping = parse_map(tier.address_map, spec, channels=tier.channels, vector_bursts=bursts)
        stride, reserved = spec.banks, 0
        if not mapping.keeps_vectors(bursts):
            raise ConfigError(
                f"tier {tier.name}: address_map splits a vector over rows, banks or PEs; "
                "put column.vector last."
            )
        if tier.pim is not None:
            stride = spec.banks // _units(tier, spec)
            reserved = -(-replicas // (stride * (spec.row_bytes // vector_bytes)))
            if reserved and not mapping.row_is_outermost:
                raise ConfigError(
                    f"tier {tier.name}: replicas need the row outermost in address_map; put 'row' first."
                )
            if reserved >= spec.rows:
                raise CapacityError(
                    f"tier {tier.name}: replicas take {reserved} rows of every bank, which has "
                    f"{spec.rows}; enlarge the LUT."
                )
        layouts[tier.name] = TierLayout(
            tier,
            spec,
            mapping,
            vector_bytes,
            first_channel,
            stride,
            reserved,
            line_base,
            system.host.line_bytes,
        )
        first_channel += tier.channels
        line_base += -(-tier.channels * spec.bytes_per_channel // system.host.line_bytes)
    return layouts


def _units(tier: Tier, spec: Spec) -> int:
    assert tier.pim is not None
    level = tier.pim.unit_level
    return spec.nodes(level if level in spec.levels else "channel")


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
    if tier.page_bytes % vector_bytes:
        raise ConfigError(
            f"tier {tier.name}: pages of {tier.page_bytes} bytes would split vectors of {vector_bytes} "
            f"bytes; use larger pages."
        )


def _check_fit(layout: TierLayout, needed: int) -> None:
    if needed > layout.capacity_bytes:
        over = needed - layout.capacity_bytes
        raise CapacityError(
            f"tier {layout.tier.name}: the model needs {needed} bytes, {over} more than the "
            f"{layout.capacity_bytes} that {layout.tier.channels} "
            f"channels of {layout.spec.name} offer; raise channels, ranks or capacity_scale, or compress "
            f"the tables more."
        )


def _hot_rows(
    system: System,
    layouts: Mapping[str, TierLayout],
    scheme: EmbeddingScheme,
    subtables: Sequence[Subtable],
    profile: LookupTrace,
    first_row: _Int,
    is_small: NDArray[np.bool_],
    rows: _Int,
) -> tuple[_Int, _Int, float]:
    """Choose the most read rows that together take `hot_share` of the profile's accesses."""
    hot_r = np.full(rows.shape, -1, np.int64)
    if system.placement.policy != "hot-cold":
        return np.empty(0, np.int64), hot_r, 0.0
    layout = layouts[system.placement.hot_tier]
    vectors = layout.capacity_bytes // layout.vector_bytes
    if layout.tier.pim is None or system.placement.small_tables == "home":
        # Every R row is hot (HEAM authors' simulator): they come first in the hot tier.
        hot_r[is_small] = np.cumsum(rows[is_small]) - rows[is_small]
        vectors -= int(rows[is_small].sum())
        if vectors < 0:
            raise CapacityError(
                f"tier {layout.tier.name}: the R tables alone need {-vectors} vectors more than it "
                f"holds; compress less."
            )
    reads = [
        operand.rows + first_row[operand.subtable_id]
        for table in range(profile.tables)
        for operand in scheme.operands(table, profile.indices[table], subtables)
        if not is_small[operand.subtable_id]
    ]
    keys, counts = np.unique(np.concatenate(reads) if reads else np.empty(0, np.int64), return_counts=True)
    order = np.lexsort((keys, -counts))
    total = int(counts.sum())
    taken = (
        np.searchsorted(np.cumsum(counts[order]), system.placement.hot_share * total, side="left") + 1
        if total
        else 0
    )
    chosen = order[: min(int(taken), vectors)] if system.placement.hot_share > 0 else order[:0]
    share = float(counts[chosen].sum() / total) if total else 0.0
    return np.sort(keys[chosen]), hot_r, share
