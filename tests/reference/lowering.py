# SPDX-License-Identifier: MIT
"""Lowering once more: lookup by lookup, with Python's integers, from the placement of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from heam_sim._core import (
    FLAG_CACHE,
    FLAG_CARRIED,
    FLAG_UNADDED,
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_IMMEDIATE,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    NO_UNIT,
    ROLE_LOAD,
    ROLE_MAC,
    ROLE_MUL,
)
from heam_sim.address import AddressMap
from heam_sim.datasets.permutation import permute
from heam_sim.embedding import Subtable, composes_sums, rows_meet
from heam_sim.placement import TierLayout
from heam_sim.planning import Plan

__all__ = ["SlowLowering"]

Item = dict[str, int]


@dataclass
class Reading:
    """One operand of a lookup: the row that it needs."""

    table: Subtable
    row: int
    main: bool
    node: int = -1  # where the dispatcher sends it


@dataclass
class Lookup:
    """A lookup and its operands, the main one last."""

    table: int
    index: int
    gnr: int
    slot: int
    readings: list[Reading]
    items: list[Item] = field(default_factory=list)


def decode(mapping: AddressMap, address: int) -> tuple[int, int, int, int]:
    """Channel in the tier, bank, row, column."""
    fields: dict[str, int] = {}
    weight: dict[str, int] = {}
    for piece in mapping.pieces:
        address, part = divmod(address, piece.size)
        fields[piece.field] = fields.get(piece.field, 0) + part * weight.get(piece.field, 1)
        weight[piece.field] = weight.get(piece.field, 1) * piece.size
    for term in mapping.xors:
        if fields[term.source] >> term.source_bit & 1:
            fields[term.target] ^= 1 << term.target_bit
    bank = 0
    for level, count in mapping.levels:
        bank = bank * count + fields[level]
    return fields["channel"], bank, fields["row"], fields["column"]


class SlowLowering:
    """Work arrays of some samples of a plan, and what they are counted as."""

    def __init__(self, planned: Plan, start: int, stop: int) -> None:
        self.planned, self.place = planned, planned.placement
        self.counts: Counter[str] = Counter()
        self.pim = self.place.pim_layout
        self.number = dict(zip(*self._rows_of(self.place.hot), strict=True))
        self.spread = dict(zip(*self._rows_of(self.place.spread), strict=True))
        self.lookups = list(self._lookups(start, stop))
        if composes_sums(planned.scheme):
            self._compose_sums()
        self._take_pairs()
        self._dispatch(start * planned.gnrs_per_sample)
        for lookup in self.lookups:
            if lookup.readings:
                self._lower(lookup)
                self._send(lookup, lookup.gnr + start * planned.gnrs_per_sample)
            self._share(lookup)
        items = [item for lookup in self.lookups for item in lookup.items]
        self.items = {name: np.array([i[name] for i in items], dtype) for name, dtype in ITEM_DTYPES.items()}
        per_gnr = Counter(lookup.gnr for lookup in self.lookups for _ in lookup.items)
        gnrs = (stop - start) * planned.gnrs_per_sample
        self.offsets = np.cumsum([0, *(per_gnr[g] for g in range(gnrs))]).astype(np.uint64)

    @staticmethod
    def _rows_of(rows: Any) -> tuple[list[int], list[int]]:
        return rows.rows.tolist(), rows.slot.tolist()

    def _lookups(self, start: int, stop: int) -> Iterator[Lookup]:
        trace, scheme = self.planned.whole(), self.planned.scheme
        per_sample = self.planned.gnrs_per_sample
        for sample in range(start, stop):
            slot = 0
            for table in range(trace.tables):
                slot = slot if per_sample == 1 else 0
                gnr = (sample - start) * per_sample + (table if per_sample > 1 else 0)
                bag = slice(trace.offsets[table][sample], trace.offsets[table][sample + 1])
                for index in trace.indices[table][bag]:
                    operands = scheme.operands(table, np.array([index]), self.place.subtables)
                    yield Lookup(
                        table,
                        int(index),
                        gnr,
                        slot,
                        [
                            Reading(
                                self.place.subtables[one.subtable_id], int(one.rows[0]), one is operands[-1]
                            )
                            for one in operands
                        ],
                    )
                    slot += 1

    # --- places

    def _global(self, reading: Reading) -> int:
        return int(self.place.first_row[reading.table.id]) + reading.row

    def _home(self, reading: Reading) -> tuple[TierLayout, int]:
        """The tier and the number in its region."""
        hot, number = self.place.hot_layout, -1
        if hot is not None and reading.main:
            number = self.number.get(self._global(reading), -1)
        elif hot is not None and self.place.hot_small[reading.table.id] >= 0:
            number = int(self.place.hot_small[reading.table.id]) + reading.row
        if hot is not None and number >= 0:
            return hot, number
        return self.place.home, int(self.place.base[reading.table.id]) + reading.row

    @staticmethod
    def _locate(layout: TierLayout, size: int, number: int, part: int) -> Item:
        region, page = layout.regions[size], layout.tier.page_bytes
        shape = region.shape
        address = (number * shape.slices + part % shape.slices) * shape.slot_bytes
        if layout.tier.pages == "random":
            frames = region.slots(layout) * shape.slot_bytes // page
            frame = permute(np.array([address // page]), frames, seed=layout.tier.page_seed, key=(frames,))
            address = int(frame[0]) * page + address % page
        if shape.pieces > 1:
            stripe = address // layout.stripe_bytes * shape.pieces + part // shape.slices
            address = stripe * layout.stripe_bytes + address % layout.stripe_bytes
        address += region.first_dram_row * layout.stripe_bytes
        channel, bank, row, column = decode(region.map, address // layout.spec.burst_bytes)
        return {
            "channel": channel + layout.first_channel,
            "bank": bank,
            "row": row,
            "column": column,
            "unit": bank // layout.unit_stride,
            "line": layout.line_base + address // layout.line_bytes,
        }

    def _copy(self, size: int, number: int, at: Item, part: int) -> Item:
        """One piece of a copy at the PE of another item."""
        layout = self.pim
        assert layout is not None
        area, stride = layout.replicas[size], layout.unit_stride
        per_row = layout.spec.row_bytes // area.shape.slot_bytes
        return {
            "channel": at["channel"],
            "bank": at["unit"] * stride + number % stride,
            "row": layout.spec.rows - 1 - area.top - number // stride // per_row * area.shape.pieces - part,
            "column": number // stride % per_row * area.shape.slot_bytes // layout.spec.burst_bytes,
            "unit": at["unit"],
        }

    # --- sums of pairs, and what the host sends

    def _take_pairs(self) -> None:
        """The earlier lookup of a pair reads the sum, the later one nothing (tests/unit/test_pairs.py)."""
        pairs, layout = self.place.pairs, self.place.hot_layout
        if not pairs.count or self.planned.whole().weights is not None or layout is None:
            return
        numbers = [lookup.index + int(pairs.base[lookup.table]) for lookup in self.lookups]
        gnrs = [lookup.gnr for lookup in self.lookups]
        matched = pairs.match(np.array(numbers, np.int64), np.array(gnrs, np.int64))
        for first, second, pair in zip(*(found.tolist() for found in matched), strict=True):
            self.counts["pair_reads"] += 1
            size = layout.vector_bytes
            place = self._locate(layout, size, pairs.first_slot + pair, 0)
            fixed = dict.fromkeys(("role", "segment", "covers", "alu", "flags"), 0)
            item = {**place, **fixed, "slot": self.lookups[first].slot}
            item |= {"kind": ITEM_HOST_READ, "bursts": layout.bursts(size)}
            if layout.tier.pim is None:
                item["unit"] = NO_UNIT
            else:
                item |= {"kind": ITEM_PIM_READ, "line": (self.place.rows + pair) * self.place.cache.parts}
                self.counts["pe_adds"] += size // 4
            self.lookups[first].items = [item]
            self.lookups[first].readings = self.lookups[second].readings = []

    def _send(self, lookup: Lookup, gnr: int) -> None:
        """What the host has read of a lookup goes to a PE as one vector."""
        host = [i for i, item in enumerate(lookup.items) if item["kind"] == ITEM_HOST_READ]
        if self.pim is None or self.pim.tier.pim is None or not self.pim.tier.pim.immediates or not host:
            return
        assert host == list(range(host[0], host[-1] + 1))
        layout, burst = self.pim, self.pim.spec.burst_bytes
        tables = [lookup.items[i]["table"] for i in host]
        scheme = self.planned.scheme  # rows of sums that are composed later do not meet either
        joined = scheme.compose == "concatenate" or composes_sums(scheme)
        for i in host:
            lookup.items[i]["flags"] = FLAG_UNADDED * (joined or lookup.items[i]["table"] == tables[-1])
        parts = [self.place.subtables[number] for number in tables]
        first = min(part.segment_bytes for part in parts) // burst
        last = max(part.segment_bytes + (part.covers_bytes or part.row_bytes) for part in parts) // burst
        turn, channel = divmod(gnr, layout.tier.channels)
        item = {
            **dict.fromkeys(("role", "bank", "column", "covers", "alu", "flags", "line"), 0),
            "kind": ITEM_PIM_IMMEDIATE,
            "channel": layout.first_channel + channel,
            "unit": turn % layout.units,
            "row": len(host),
            "bursts": last - first,
            "segment": first,
            "slot": lookup.slot,
        }
        lookup.items.insert(host[-1] + 1, item)
        self.counts["pe_adds"] += (last - first) * burst // 4

    def _share(self, lookup: Lookup) -> None:
        """Operands that follow each other to one PE need one instruction."""
        if self.pim is None or self.pim.tier.pim is None or self.pim.tier.pim.instruction_per != "lookup":
            return
        for before, item in pairwise(lookup.items):
            kinds = {before["kind"], item["kind"]}
            if kinds <= {ITEM_PIM_READ, ITEM_PIM_LUT} and all(
                before[k] == item[k] for k in ("channel", "unit")
            ):
                item["flags"] |= FLAG_CARRIED
                self.counts["shared"] += 1

    # --- copies at every PE

    def _dispatch(self, first_gnr: int) -> None:
        """The least loaded node takes what every node has; what has one place is counted first."""
        if self.pim is None or not self.spread:
            return
        layout, size = self.pim, self.place.system.dispatch_window
        windows: dict[int, list[Reading]] = {}
        for lookup in self.lookups:
            for reading in lookup.readings:
                if reading.main or not self.place.replicated:
                    windows.setdefault((lookup.gnr + first_gnr) // size, []).append(reading)
        for readings in windows.values():
            load = [0] * layout.tier.channels * layout.units
            free = [reading for reading in readings if self._global(reading) in self.spread]
            for reading in readings:
                home, number = self._home(reading)
                if home is layout and self._global(reading) not in self.spread:
                    at = self._locate(layout, reading.table.row_bytes, number, 0)
                    load[(at["channel"] - layout.first_channel) * layout.units + at["unit"]] += 1
            for reading in free:
                reading.node = load.index(min(load))
                load[reading.node] += 1
                self.counts["spread_reads"] += 1

    # --- operands

    def _lower(self, lookup: Lookup) -> None:
        main = self._main(lookup.readings[-1])
        groups = [self._small(reading, main) for reading in lookup.readings[:-1]] + [main]
        self.counts["cold_lookups"] += self._is_cold(main)
        meet = rows_meet(self.planned.scheme) and len(groups) > 1
        if meet and len(main) > 1 and self.place.home.shape(lookup.readings[-1].table.row_bytes).slices > 1:
            # A chain for every slice: those of all operands at one place.
            chains = [list(chain) for chain in zip(*groups, strict=True)]
        else:
            chains = [[item for group in groups for item in group]]
        for chain in chains:
            for item in chain:
                item["role"] = ROLE_MUL if meet else 0
            if meet:
                chain[0]["role"], chain[-1]["role"] = ROLE_LOAD, ROLE_MAC
        lookup.items = [{**item, "slot": lookup.slot} for chain in chains for item in chain]
        self._count_work(lookup.readings, groups, meet)

    def _compose_sums(self) -> None:
        """Of every bag that is not empty the host multiplies the sums of its parts with each other."""
        bags = {(lookup.gnr, lookup.table): len(lookup.readings) for lookup in self.lookups}
        vector = self.planned.vector_bytes // 4
        self.counts["host_multiplies"] += sum(vector * (parts - 1) for parts in bags.values())

    def _count_work(self, readings: list[Reading], groups: list[list[Item]], meet: bool) -> None:
        """Elements added by PEs, and multiplied by whom."""
        weighted = self.planned.whole().weights is not None
        vector = self.planned.vector_bytes // 4
        at_pe = groups[-1][0]["kind"] != ITEM_HOST_READ
        if not meet:
            for reading, group in zip(readings, groups, strict=True):
                pim = group[0]["kind"] != ITEM_HOST_READ
                self.counts["pe_adds"] += reading.table.row_bytes // 4 * pim
                who = "pe_multiplies" if pim else "host_multiplies"
                self.counts[who] += reading.table.row_bytes // 4 * weighted
            return
        products = vector * (len(readings) - 1)
        self.counts["pe_adds"] += vector * at_pe
        if self.planned.scheme.compose == "gemm":
            products = sum(reading.table.macs for reading in readings)
            self.counts["pe_adds"] += products * at_pe
        self.counts["pe_multiplies" if at_pe else "host_multiplies"] += products + vector * weighted

    def _is_cold(self, main: list[Item]) -> bool:
        hot = self.place.hot_layout
        return hot is not None and main[0]["channel"] not in hot.channels

    def _main(self, reading: Reading) -> list[Item]:
        if reading.node >= 0:
            return self._at_node(reading)
        return self._at_home(reading)

    def _small(self, reading: Reading, main: list[Item]) -> list[Item]:
        if not self.place.replicated:
            return self._main(reading)
        if main[0]["kind"] == ITEM_HOST_READ:
            return self._at_home(reading)
        number = int(self.place.small[reading.table.id]) + reading.row
        if number < self.place.lut_rows:
            return [self._in_lut(reading, number, main[0])]
        self.counts["replica_reads"] += 1
        copy = int(self.place.replica_base[reading.table.id]) + reading.row
        layout, size = self.pim, reading.table.row_bytes
        assert layout is not None
        slices = max(region.shape.slices for region in self.place.home.regions.values())
        if slices == 1:
            return self._copies(reading, copy, main[0])
        found = []
        for item in main:  # slices, in the order of the main row's
            place = self._copy(size, copy, item, 0)
            place["column"] += item["part"] * layout.shape(size).slot_bytes // layout.spec.burst_bytes
            carried = item["flags"] & FLAG_CARRIED
            found.append(self._item(reading, layout, item["part"], place, carried))
        return found

    def _at_home(self, reading: Reading) -> list[Item]:
        layout, number = self._home(reading)
        size = reading.table.row_bytes
        places = [self._locate(layout, size, number, part) for part in range(layout.shape(size).parts)]
        order = list(range(len(places)))
        if layout.shape(size).slices > 1:
            order.sort(key=lambda part: places[part]["channel"])
        found: list[Item] = []
        for part in order:
            carried = 0
            if layout.shape(size).slices > 1 and found and found[-1]["channel"] == places[part]["channel"]:
                pim = layout.tier.pim
                carried = FLAG_CARRIED if pim is not None and pim.delivery == "broadcast" else 0
            found.append(self._item(reading, layout, part, places[part], carried))
        return found

    def _at_node(self, reading: Reading) -> list[Item]:
        assert self.pim is not None
        channel, unit = divmod(reading.node, self.pim.units)
        at = {"channel": channel + self.pim.first_channel, "unit": unit}
        return self._copies(reading, self.spread[self._global(reading)], at)

    def _copies(self, reading: Reading, number: int, at: Item) -> list[Item]:
        layout, size = self.pim, reading.table.row_bytes
        assert layout is not None
        pieces = range(layout.replicas[size].shape.pieces)
        return [self._item(reading, layout, p, self._copy(size, number, at, p), 0) for p in pieces]

    def _in_lut(self, reading: Reading, number: int, at: Item) -> Item:
        layout = self.pim
        assert layout is not None
        self.counts["lut_reads"] += 1
        place = {"channel": at["channel"], "unit": at["unit"], "bank": 0, "row": number, "column": 0}
        item = self._item(reading, layout, 0, place, 0)
        bursts = -(-layout.shape(reading.table.row_bytes).part_bytes(0) // layout.spec.burst_bytes)
        self.counts["lut_bytes"] += bursts * layout.spec.burst_bytes
        return {**item, "kind": ITEM_PIM_LUT, "bursts": bursts, "line": 0, "flags": 0}

    def _item(self, reading: Reading, layout: TierLayout, part: int, place: Item, carried: int) -> Item:
        table, burst, cache = reading.table, layout.spec.burst_bytes, self.place.cache
        shape = layout.shape(table.row_bytes)
        item = {
            **place,
            "part": part,
            "table": table.id,
            "kind": ITEM_HOST_READ,
            "bursts": -(-shape.part_bytes(part) // burst),
            "segment": 0,
            "covers": 0,
            "alu": 0,
            "flags": carried,
        }
        pim = layout.tier.pim
        if pim is None:
            item["unit"] = NO_UNIT
            return item
        row = self._global(reading)
        item["kind"] = ITEM_PIM_READ
        item["line"] = row * cache.parts + part
        if cache.sets and cache.tables[table.id] and (cache.often is None or row in cache.often.rows):
            item["flags"] |= FLAG_CACHE
        item["covers"] = table.covers_bytes // burst
        if item["covers"] == 0:
            item["segment"] = table.segment_bytes // burst + part * shape.slot_bytes // burst
        lanes = max(pim.alu_bytes_per_cycle // 4, 1)
        item["alu"] = -(-table.macs // (lanes * -(-shape.read_bytes // burst)))
        return item
