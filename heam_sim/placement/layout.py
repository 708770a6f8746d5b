# SPDX-License-Identifier: MIT
"""Tiers as memories for rows: regions of rows of one size, their places, and areas for copies at every PE."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import find_places
from heam_sim.address import AddressMap, Piece, divided, narrow, parse_map, split_at
from heam_sim.datasets.permutation import permute
from heam_sim.dram import Spec
from heam_sim.errors import CapacityError, ConfigError
from heam_sim.systems import System, Tier

__all__ = ["Located", "Region", "Replicas", "RowShape", "TierLayout", "make_layout", "row_shape"]

_Int = NDArray[np.int64]
_Short = NDArray[np.uint16]
_Whole = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Located:
    """Places of (parts of) rows, in the widths of the work arrays.

    Attributes
    ----------
    channel, bank, column
        uint16: channel over all tiers, flat bank, first column.
    row
        uint32: DRAM row.
    address
        int64: byte in the tier; of copies 0.
    layout
        Of the tier.
    """

    channel: _Short
    bank: _Short
    row: NDArray[np.uint32]
    column: _Short
    address: _Int
    layout: TierLayout

    @property
    def unit(self) -> _Short:
        """uint16: the bank's PE in its channel."""
        stride = self.layout.unit_stride
        if stride & (stride - 1) == 0:
            return self.bank >> np.uint16(stride.bit_length() - 1)
        return self.bank // np.uint16(stride)

    @property
    def line(self) -> _Int:
        """int64: the host's line."""
        line = divided(self.address, self.layout.line_bytes)
        line += self.layout.line_base
        return line


@dataclass(frozen=True)
class RowShape:
    """How rows of one size lie in a tier.

    Attributes
    ----------
    read_bytes
        Bytes read for a row: whole host lines.
    slot_bytes
        Bytes between neighbours, a power of two.
    pieces
        Slots of a row one above the other in the DRAM rows of one bank (rows longer than a DRAM row or page).
    slices
        Slots of a row side by side in different nodes (vertical partition).
    """

    read_bytes: int
    slot_bytes: int
    pieces: int = 1
    slices: int = 1

    @property
    def parts(self) -> int:
        """Separate places of a row."""
        return self.pieces * self.slices

    def part_bytes(self, part: int) -> int:
        """Bytes that are read at one of its places."""
        return min(self.slot_bytes, self.read_bytes - part * self.slot_bytes)


@dataclass(frozen=True)
class Region:
    """Some DRAM rows of all banks of a tier, which hold rows of one size.

    Attributes
    ----------
    map
        From burst addresses of the whole tier to coordinates.
    first_dram_row, dram_rows
        Which rows of every bank.
    """

    shape: RowShape
    map: AddressMap
    first_dram_row: int
    dram_rows: int

    def slots(self, layout: TierLayout) -> int:
        """How many slots for (first pieces of) rows there are, in whole pages."""
        page = layout.tier.page_bytes
        size = self.dram_rows // self.shape.pieces * layout.stripe_bytes
        return size // page * page // self.shape.slot_bytes


@dataclass(frozen=True)
class Replicas:
    """Copies of rows of one size in the banks of every unit.

    Attributes
    ----------
    rows
        Rows that are copied.
    top
        DRAM rows of every bank above this area, which holds the next ``depth`` ones.
    """

    shape: RowShape
    rows: int
    top: int
    depth: int


@dataclass(frozen=True)
class TierLayout:
    """One tier as a memory for rows, with DRAM rows at the top of every bank kept for copies.

    Attributes
    ----------
    first_channel
        Number of its first channel over all tiers.
    unit_stride
        Banks per PE.
    reserved_rows
        DRAM rows per bank that hold copies.
    line_base
        Host line number of its first byte.
    regions, replicas
        By row size in bytes.
    """

    tier: Tier
    spec: Spec
    vector_bytes: int
    first_channel: int
    unit_stride: int
    reserved_rows: int
    line_base: int
    line_bytes: int
    regions: Mapping[int, Region]
    replicas: Mapping[int, Replicas]

    @property
    def units(self) -> int:
        """PEs per channel."""
        return self.spec.banks // self.unit_stride

    @property
    def channels(self) -> range:
        """Its channels."""
        return range(self.first_channel, self.first_channel + self.tier.channels)

    @property
    def stripe_bytes(self) -> int:
        """Bytes of one DRAM row in every bank of every channel."""
        return self.tier.channels * self.spec.banks * self.spec.row_bytes

    @property
    def capacity_bytes(self) -> int:
        """Bytes for ordinary rows, in whole pages."""
        total = self.stripe_bytes * (self.spec.rows - self.reserved_rows)
        return total // self.tier.page_bytes * self.tier.page_bytes

    def bursts(self, row_bytes: int, part: int = 0) -> int:
        """Bursts read for one part of a row."""
        return -(-self.shape(row_bytes).part_bytes(part) // self.spec.burst_bytes)

    def shape(self, row_bytes: int) -> RowShape:
        """How rows of a size lie here."""
        return self.regions[row_bytes].shape

    def locate(self, row_bytes: int, number: _Int, part: int = 0) -> Located:
        """Find one part of rows of a size, by their number in their region."""
        region, page = self.regions[row_bytes], self.tier.page_bytes
        shape = region.shape
        piece, piece_slice = divmod(part, shape.slices)
        address = number * (shape.slices * shape.slot_bytes)
        if piece_slice:
            address += piece_slice * shape.slot_bytes
        if self.tier.pages == "random":
            frames = region.slots(self) * shape.slot_bytes // page
            at, address = split_at(address, page)
            address += permute(at, frames, seed=self.tier.page_seed, key=(frames,)) * page
        if shape.pieces > 1:
            stripe, offset = split_at(address, self.stripe_bytes)
            address = (stripe * shape.pieces + piece) * self.stripe_bytes + offset
        if region.first_dram_row:
            address += region.first_dram_row * self.stripe_bytes
        return Located(**self._places(region.map, address), address=address, layout=self)

    def _places(self, mapping: AddressMap, address: _Int) -> dict[str, NDArray[Any]]:
        """Places of bytes, which the core finds where a place is the XOR of its address's bits' images."""
        burst = self.spec.burst_bytes
        if mapping.images is not None and burst & (burst - 1) == 0:
            found = find_places(mapping.images, burst.bit_length() - 1, address)
        else:
            found = narrow(*mapping.decode(divided(address, burst)))
        found["channel"] += np.uint16(self.first_channel)
        return found

    def locate_replica(
        self, row_bytes: int, number: _Int, channel: _Whole, unit: _Whole, part: int = 0
    ) -> Located:
        """Find one part of the copies of rows, by their number among those of their size, at given PEs."""
        area = self.replicas[row_bytes]
        slot = area.shape.slot_bytes
        deep, bank = split_at(number, self.unit_stride)
        bank += unit.astype(np.int64) * self.unit_stride
        row, column = split_at(deep, self.spec.row_bytes // slot)
        row = self.spec.rows - 1 - area.top - part - row * area.shape.pieces
        column *= slot // self.spec.burst_bytes
        places = narrow(channel, bank, row, column)
        return Located(**places, address=np.zeros_like(number), layout=self)


def row_shape(
    tier: Tier, spec: Spec, row_bytes: int, *, line_bytes: int, vector_bytes: int, nodes: int = 1
) -> RowShape:
    """Decide how rows of a size lie in a tier, if need be spread over so many nodes.

    Raises
    ------
    ConfigError
        A vector is longer than a page.
    """
    smallest = max(spec.burst_bytes, line_bytes)
    read = -(-row_bytes // smallest) * smallest
    slot = 1 << (read - 1).bit_length()
    if row_bytes <= vector_bytes:
        if tier.page_bytes % slot:
            raise ConfigError(
                f"tier {tier.name}: pages of {tier.page_bytes} bytes would split vectors of {row_bytes} "
                f"bytes; use larger pages."
            )
        slot = max(slot >> (nodes.bit_length() - 1), smallest)
        return RowShape(read, slot, slices=-(-read // slot))
    # A core's row is no vector: where it is too long it continues in the same bank's next DRAM rows.
    longest = min(spec.row_bytes, tier.page_bytes & -tier.page_bytes)
    slot = min(slot, longest)
    return RowShape(read, slot, pieces=-(-read // slot))


def make_layout(
    system: System,
    tier: Tier,
    spec: Spec,
    *,
    vector_bytes: int,
    first_channel: int,
    line_base: int,
    shapes: Mapping[int, RowShape],
    replicas: Mapping[int, int],
    units: int | None,
) -> TierLayout:
    """Lay a tier out but for its regions.

    Parameters
    ----------
    shapes
        Row sizes in bytes, and how such rows lie.
    replicas
        How many rows of each size are copied to every PE.
    units
        PEs per channel; ``None``: none.
    """
    stride = spec.banks // units if units else spec.banks
    areas: dict[int, Replicas] = {}
    top = 0
    for size, count in replicas.items():
        shape = replace(shapes[size], slot_bytes=shapes[size].slot_bytes * shapes[size].slices, slices=1)
        if shape.slot_bytes > spec.row_bytes:
            raise ConfigError(
                f"tier {tier.name}: a vector of {shape.slot_bytes} bytes does not fit into a DRAM row of "
                f"{spec.row_bytes} bytes of {spec.name}; use shorter vectors or another memory."
            )
        depth = -(-count // (stride * (spec.row_bytes // shape.slot_bytes))) * shape.pieces
        areas[size] = Replicas(shape, count, top, depth)
        top += depth
    if top >= spec.rows:
        raise CapacityError(
            f"tier {tier.name}: replicas take {top} rows of every bank, which has "
            f"{spec.rows}; enlarge the LUT or replicate less."
        )
    return TierLayout(
        tier, spec, vector_bytes, first_channel, stride, top, line_base, system.host.line_bytes, {}, areas
    )


def with_regions(
    layout: TierLayout,
    shapes: Mapping[int, RowShape],
    counts: Mapping[int, int],
    node_levels: Sequence[str] = (),
) -> TierLayout:
    """Give every row size its region; the largest one gets all that the others leave.

    Parameters
    ----------
    layout
        The tier.
    shapes
        How rows of each size lie.
    counts
        How many rows of each size there are; the order is that of the regions.
    node_levels
        Fields of the address map that tell nodes apart, innermost first: neighbouring slots go to different
        ones (vertical partition).

    Raises
    ------
    CapacityError
        The rows do not fit.
    ConfigError
        The address map cannot hold them.
    """
    tier, spec = layout.tier, layout.spec
    maps = {size: _map_of(tier, spec, shapes[size], node_levels) for size in counts}
    outermost = all(found.row_is_outermost for found in maps.values())
    if layout.reserved_rows and not outermost:
        raise ConfigError(
            f"tier {tier.name}: replicas need the row outermost in address_map; put 'row' first."
        )
    if (len(counts) > 1 or any(shapes[size].pieces > 1 for size in counts)) and not outermost:
        raise ConfigError(
            f"tier {tier.name}: rows of several sizes need the row outermost in address_map; put 'row' first."
        )
    needed = {size: _rows_needed(layout, shapes[size], count) for size, count in counts.items()}
    free = spec.rows - layout.reserved_rows
    if len(counts) == 1:
        ((size, count),) = counts.items()
        bytes_needed = count * shapes[size].slot_bytes * shapes[size].parts
    else:
        bytes_needed = sum(needed.values()) * layout.stripe_bytes
    if bytes_needed > layout.capacity_bytes:
        raise CapacityError(
            f"tier {tier.name}: the model needs {bytes_needed} bytes, "
            f"{bytes_needed - layout.capacity_bytes} more than the {layout.capacity_bytes} that "
            f"{tier.channels} channels of {spec.name} offer; raise channels, ranks or capacity_scale, or "
            f"compress the tables more."
        )
    largest = max(needed, key=lambda size: needed[size])
    regions, first = {}, 0
    for size, rows in needed.items():
        taken = free - (sum(needed.values()) - rows) if size == largest else rows
        regions[size] = Region(shapes[size], maps[size], first, taken)
        first += taken
    return replace(layout, regions=regions)


def _map_of(tier: Tier, spec: Spec, shape: RowShape, node_levels: Sequence[str]) -> AddressMap:
    bursts = shape.slot_bytes // spec.burst_bytes
    found = parse_map(tier.address_map, spec, channels=tier.channels, vector_bursts=bursts)
    if not found.keeps_vectors(bursts):
        raise ConfigError(
            f"tier {tier.name}: address_map splits a vector over rows, banks or PEs; put column.vector last."
        )
    if shape.pieces > 1 and found.xors:
        raise ConfigError(
            f"tier {tier.name}: rows of {shape.read_bytes} bytes lie in {shape.pieces} DRAM rows of a bank, "
            "which XOR terms in address_map would tear apart; leave them out."
        )
    if not node_levels:
        return found
    first = Piece("column", bursts)
    rest = list(found.pieces)
    if bursts > 1:
        whole = rest.pop(0)
        if whole.size > bursts:
            rest.insert(0, Piece("column", whole.size // bursts))
    else:
        first = Piece("column", 1)
    near = [piece for level in node_levels for piece in rest if piece.field == level]
    far = [piece for piece in rest if piece.field not in node_levels]
    return AddressMap((first, *near, *far), found.levels, found.xors)


def _rows_needed(layout: TierLayout, shape: RowShape, count: int) -> int:
    """DRAM rows of every bank that so many rows need, in whole pages."""
    stripe, page = layout.stripe_bytes, layout.tier.page_bytes
    together = math.lcm(stripe, page) // stripe
    rows = -(-count * shape.slices * shape.slot_bytes // stripe)
    return -(-max(rows, 1) // together) * together * shape.pieces
