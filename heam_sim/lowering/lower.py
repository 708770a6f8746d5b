# SPDX-License-Identifier: MIT
"""Lowering: lookups of a piece of a trace -> operands with their places, in program order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import (
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    NO_UNIT,
    ROLE_ACC,
    ROLE_LOAD,
    ROLE_MAC,
)
from heam_sim.embedding import EmbeddingScheme
from heam_sim.placement import Located, ModelPlacement, TierLayout
from heam_sim.trace import LookupTrace

__all__ = ["Lowered", "Scope", "lower"]

Scope = Literal["bag", "sample"]
_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Lowered:
    """Work arrays of some bags.

    Attributes
    ----------
    items
        The arrays of :data:`heam_sim._core.ITEM_DTYPES`.
    offsets
        uint64 (gnrs + 1,).
    samples, lookups
        Work that the bags stand for.
    cold_lookups, lut_reads, replica_reads
        Lookups whose main row is not in the hot tier (0 without one), operands served by a LUT, and by
        replicas in banks.
    """

    items: dict[str, NDArray[Any]]
    offsets: NDArray[np.uint64]
    samples: int
    lookups: int
    cold_lookups: int
    lut_reads: int
    replica_reads: int


@dataclass(frozen=True)
class _Lookups:
    """Lookups in program order; R row -1 where a lookup has none. Rows are numbered over the whole model."""

    main_table: _Int
    main_row: _Int
    small_table: _Int
    small_row: _Int
    slot: _Int
    gnr_offsets: _Int


def _program_order(trace: LookupTrace, scope: Scope) -> tuple[list[_Int], _Int, _Int]:
    """Positions of every table's lookups in sample-major order, the bags' offsets, the ordinals in them."""
    lengths = np.stack([np.diff(offsets) for offsets in trace.offsets], axis=1)
    starts = np.concatenate(([0], np.cumsum(lengths.ravel())))
    bag_starts = starts[:-1].reshape(lengths.shape)
    positions = []
    for table in range(trace.tables):
        shift = bag_starts[:, table] - trace.offsets[table][:-1]
        positions.append(np.repeat(shift, lengths[:, table]) + np.arange(trace.indices[table].size))
    offsets = starts if scope == "bag" else starts[:: trace.tables]
    slot = np.arange(starts[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    return positions, offsets, slot


def _gather_lookups(
    trace: LookupTrace, scheme: EmbeddingScheme, placement: ModelPlacement, scope: Scope
) -> _Lookups:
    positions, offsets, slot = _program_order(trace, scope)
    arrays = {
        name: np.full(slot.size, -1, np.int64)
        for name in ("main_table", "main_row", "small_table", "small_row")
    }
    for table in range(trace.tables):
        for operand in scheme.operands(table, trace.indices[table], placement.subtables):
            part = "small" if placement.subtables[operand.subtable_id].role == "R" else "main"
            arrays[f"{part}_table"][positions[table]] = operand.subtable_id
            arrays[f"{part}_row"][positions[table]] = operand.rows
    return _Lookups(**arrays, slot=slot, gnr_offsets=offsets)


class _Builder:
    """Fills the work arrays: R operands first, then main operands, at positions given by the lookups."""

    def __init__(self, placement: ModelPlacement, lookups: _Lookups, *, multiply: bool) -> None:
        self.placement = placement
        self.lookups = lookups
        self.has_small = lookups.small_row >= 0
        per_lookup = 1 + self.has_small.astype(np.int64)
        ends = np.cumsum(per_lookup)
        self.main_at = ends - 1
        self.small_at = ends - 2
        size = int(ends[-1]) if ends.size else 0
        self.items: dict[str, NDArray[Any]] = {
            name: np.zeros(size, dtype) for name, dtype in ITEM_DTYPES.items()
        }
        self.items["unit"][:] = NO_UNIT
        self.offsets = np.concatenate(([0], ends))[lookups.gnr_offsets].astype(np.uint64)
        self.items["slot"][self.main_at] = lookups.slot
        self.items["slot"][self.small_at[self.has_small]] = lookups.slot[self.has_small]
        if multiply:
            self.items["role"][self.main_at[self.has_small]] = ROLE_MAC
            self.items["role"][self.small_at[self.has_small]] = ROLE_LOAD
        else:
            self.items["role"][:] = ROLE_ACC

    def put(self, at: _Int, layout: TierLayout, place: Located) -> None:
        """Write READs: host reads for a plain tier, PIM reads for a tier with PEs."""
        items = self.items
        pim = layout.tier.pim is not None
        items["kind"][at] = ITEM_PIM_READ if pim else ITEM_HOST_READ
        items["channel"][at] = place.channel
        items["bank"][at] = place.bank
        items["row"][at] = place.row
        items["column"][at] = place.column
        items["bursts"][at] = layout.vector_bursts
        if pim:
            items["unit"][at] = place.unit
        else:
            items["line"][at] = place.line

    def put_lut(self, at: _Int, layout: TierLayout, number: _Int, main_at: _Int) -> None:
        """Write LUT reads at the unit of the main operand."""
        items = self.items
        items["kind"][at] = ITEM_PIM_LUT
        items["channel"][at] = items["channel"][main_at]
        items["unit"][at] = items["unit"][main_at]
        items["row"][at] = number
        items["bursts"][at] = layout.vector_bursts

    def main_operands(self) -> tuple[NDArray[np.bool_], int]:
        """Place the main operands; returns which lookups run at PEs, and how many are cold."""
        look, place = self.lookups, self.placement
        size = self.placement.home.vector_bytes
        home_address = (place.base[look.main_table] + look.main_row) * size
        hot_layout = place.hot_layout
        if hot_layout is None:
            self.put(self.main_at, place.home, place.home.locate(home_address))
            return np.full(look.slot.size, place.home.tier.pim is not None), 0
        hot = place.find_hot(place.first_row[look.main_table] + look.main_row)
        is_hot = hot >= 0
        self.put(self.main_at[is_hot], hot_layout, hot_layout.locate((place.hot_first + hot[is_hot]) * size))
        self.put(self.main_at[~is_hot], place.home, place.home.locate(home_address[~is_hot]))
        return is_hot & (hot_layout.tier.pim is not None), int((~is_hot).sum())

    def small_operands(self, at_pe: NDArray[np.bool_]) -> tuple[int, int]:
        """Place the R operands; returns how many are served by LUTs and by replicas."""
        look, place = self.lookups, self.placement
        layout = place.pim_layout
        local = self.has_small & at_pe
        luts = replicas = 0
        if layout is not None and place.replicated:
            number = place.small[look.small_table] + look.small_row
            in_lut = local & (number < place.lut_rows)
            in_bank = local & ~in_lut
            self.put_lut(self.small_at[in_lut], layout, number[in_lut], self.main_at[in_lut])
            main = self.main_at[in_bank]
            channel = self.items["channel"][main].astype(np.int64)
            unit = self.items["unit"][main].astype(np.int64)
            self.put(
                self.small_at[in_bank],
                layout,
                layout.locate_replica(number[in_bank] - place.lut_rows, channel, unit),
            )
            luts, replicas = int(in_lut.sum()), int(in_bank.sum())
            self._home(self.has_small & ~at_pe)
        else:
            self._home(self.has_small)
        return luts, replicas

    def _home(self, which: NDArray[np.bool_]) -> None:
        look, place = self.lookups, self.placement
        size = place.home.vector_bytes
        table, row = look.small_table[which], look.small_row[which]
        at = self.small_at[which]
        hot_layout = place.hot_layout
        first = place.hot_r[table]
        in_hot = first >= 0
        if hot_layout is not None and in_hot.any():
            self.put(at[in_hot], hot_layout, hot_layout.locate((first + row)[in_hot] * size))
        rest = ~in_hot
        self.put(at[rest], place.home, place.home.locate((place.base[table] + row)[rest] * size))


def lower(trace: LookupTrace, *, scheme: EmbeddingScheme, placement: ModelPlacement, scope: Scope) -> Lowered:
    """Turn the lookups of (a piece of) a trace into work arrays.

    Parameters
    ----------
    trace
        What to simulate.
    scheme
        The embedding.
    placement
        Homes of all rows.
    scope
        ``"bag"``: a GnR per sample and table; ``"sample"``: per sample.
    """
    lookups = _gather_lookups(trace, scheme, placement, scope)
    builder = _Builder(placement, lookups, multiply=scheme.compose == "multiply")
    at_pe, cold = builder.main_operands()
    luts, replicas = builder.small_operands(at_pe)
    return Lowered(
        builder.items, builder.offsets, trace.samples, int(lookups.slot.size), cold, luts, replicas
    )
