# SPDX-License-Identifier: MIT
"""What work arrays ask for, counted item by item in dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from heam_sim._core import (
    FLAG_CARRIED,
    FLAG_UNADDED,
    ITEM_HOST_READ,
    ITEM_PIM_IMMEDIATE,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    ROLE_ACC,
    ROLE_FILL,
    ROLE_LOAD,
    ROLE_MAC,
)

__all__ = ["SlowDemand"]


class SlowDemand:
    """Sums by (channel, unit) or channel, and sets.

    Parameters
    ----------
    items, offsets
        Work arrays.
    burst_bytes
        Of every channel.
    line_bytes, port
        Of a host line; of the LUTs' port in a cycle.
    stack
        Channels of a stack with a node of its own.
    """

    def __init__(
        self,
        items: Mapping[str, np.ndarray[Any, Any]],
        offsets: np.ndarray[Any, Any],
        *,
        burst_bytes: list[int],
        line_bytes: int,
        port: int,
        stack: range = range(0),
    ) -> None:
        self.sums: dict[str, Counter[Any]] = defaultdict(Counter)
        self.rows: set[tuple[int, int, int]] = set()
        self.lines: set[tuple[int, int]] = set()
        self.pe_rows: dict[tuple[int, int, int], int] = {}
        self.host_lines = self.added_lines = 0
        self.burst_bytes, self.line_bytes, self.port = burst_bytes, line_bytes, port
        for gnr, (first, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
            sums: dict[tuple[int, int], set[int]] = defaultdict(set)
            for i in range(first, end):
                self._add({name: int(values[i]) for name, values in items.items()}, sums)
            for (channel, _), bursts in sums.items():
                self.sums["partials"][channel] += len(bursts)
            for channel in {channel for channel, _ in sums}:
                whole = set().union(*(bursts for (c, _), bursts in sums.items() if c == channel))
                self.sums["results"][channel] += len(whole)
            if stack:
                self.sums["stack_sums"][stack[gnr % len(stack)]] += len(set().union(*sums.values()))

    def _add(self, item: dict[str, int], sums: dict[tuple[int, int], set[int]]) -> None:
        channel, at = item["channel"], (item["channel"], item["unit"])
        bursts, size = item["bursts"], item["bursts"] * self.burst_bytes[item["channel"]]
        if item["kind"] in (ITEM_HOST_READ, ITEM_PIM_READ):
            self.rows.add((channel, item["bank"], item["row"]))
            self.sums["operands"][channel] += 1
        if item["kind"] == ITEM_HOST_READ:
            lines = range(item["line"], item["line"] + size // self.line_bytes)
            self.sums["host_bursts"][channel] += bursts
            self.host_lines += len(lines)
            self.added_lines += 0 if item["flags"] & FLAG_UNADDED else len(lines)
            self.lines.update((channel, line) for line in lines)
            return
        if item["kind"] == ITEM_PIM_READ:
            self.sums["reads"][at] += bursts
            self.pe_rows[(*at, item["line"])] = bursts
        elif item["kind"] == ITEM_PIM_IMMEDIATE:
            self.sums["immediates"][channel] += bursts
        else:
            assert item["kind"] == ITEM_PIM_LUT
            self.sums["port_cycles"][at] += -(-size // self.port)
        if item["role"] not in (ROLE_LOAD, ROLE_FILL):
            self.sums["alu_bursts" if item["alu"] == 0 else "alu_cycles"][at] += bursts * (item["alu"] or 1)
        if not item["flags"] & FLAG_CARRIED:
            self.sums["instructions"][channel] += 1
        if item["role"] in (ROLE_ACC, ROLE_MAC):
            sums[at] |= set(range(item["segment"], item["segment"] + (item["covers"] or bursts)))
