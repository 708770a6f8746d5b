# SPDX-License-Identifier: MIT
"""Tracks of a timeline: their names, and their order from the host inwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import CheckError
from heam_sim.timelines.memories import Memories, Memory

__all__ = ["KINDS", "Layout", "Track"]

#: Kinds of tracks: those of a channel as a whole, then those that stand at a node of it.
_OF_CHANNEL = ("data bus", "host path", "merge path", "merge node")
_OF_PE = ("PE", "ALU", "LUT", "LUT fill")
_OF_NODE = ("rank", "bank group", "bank", *_OF_PE)
_OF_STACK = ("crossbar", "stack node")
KINDS = ("LLC", *_OF_STACK, *_OF_CHANNEL, *_OF_NODE)
_LANES = 1 << 12


@dataclass(frozen=True)
class Track:
    """One row of the picture.

    Attributes
    ----------
    process
        What it belongs to: ``"host"``, ``"hbm stack"``, ``"hbm channel 0"``.
    process_number
        Order of the processes, from 0.
    kind
        One of :data:`KINDS`.
    name
        Unique in its process.
    channel
        -1 if it is of none.
    """

    process: str
    process_number: int
    kind: str
    name: str
    channel: int


class Layout:
    """Numbers of tracks whose order is the order of the picture."""

    def __init__(self, memories: Memories) -> None:
        self.memories = memories
        self._processes = ["host"]
        self._stack: dict[str, int] = {}
        self._first: dict[str, int] = {}
        for memory in memories.members:
            self._stack[memory.name] = len(self._processes)
            self._first[memory.name] = len(self._processes) + 1
            self._processes.append(f"{memory.name} stack")
            self._processes += [f"{memory.name} channel {number}" for number in memory.channels]

    def host(self, lane: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tracks of the LLC: one for each hit of a cycle."""
        return self._key(np.zeros_like(lane), 0, np.zeros_like(lane), 0, "LLC", lane)

    def stack(self, memory: Memory, kind: str, size: int) -> NDArray[np.int64]:
        """The track of a stack's crossbar or adder, so many times."""
        process = np.full(size, self._stack[memory.name], np.int64)
        zeros = np.zeros(size, np.int64)
        return self._key(process, _OF_STACK.index(kind), zeros, 0, kind, zeros)

    def channel(
        self, memory: Memory, kind: str, channel: NDArray[np.int64], index: NDArray[np.int64] | int = 0
    ) -> NDArray[np.int64]:
        """Tracks of whole channels; a data bus may be one of several (`index`)."""
        zeros = np.zeros_like(channel)
        return self._key(
            self._process(memory, channel), _OF_CHANNEL.index(kind), zeros + index, 0, kind, zeros
        )

    def node(
        self, memory: Memory, kind: str, channel: NDArray[np.int64], bank: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Tracks of the ranks, bank groups, banks or PEs that banks belong to."""
        size, depth = self._node(memory, kind)
        first = bank // size * size
        zeros = np.zeros_like(channel)
        return self._key(self._process(memory, channel), len(_OF_CHANNEL), first, depth, kind, zeros)

    @staticmethod
    def in_lane(key: NDArray[np.int64], lane: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same tracks, beside themselves: where slices overlap that should not."""
        if lane.size and int(lane.max()) >= _LANES:
            raise CheckError(f"the command log has more than {_LANES} commands at once; it cannot be drawn.")
        return key + lane

    def _node(self, memory: Memory, kind: str) -> tuple[int, int]:
        """Banks of a node, and its depth."""
        spec = memory.spec
        if kind in _OF_PE:
            size = memory.banks_per_unit
            sizes = [spec.banks // spec.nodes(level) for level in spec.levels]
            return size, max(depth for depth, one in enumerate(sizes) if one >= size)
        depth = {"rank": 1, "bank": len(spec.levels) - 1}.get(kind)
        if depth is None:
            depth = spec.depth("bank_group")
        return spec.banks // spec.nodes(spec.levels[depth]), depth

    def _process(self, memory: Memory, channel: NDArray[np.int64]) -> NDArray[np.int64]:
        return channel - memory.channels.start + self._first[memory.name]

    @staticmethod
    def _key(
        process: NDArray[np.int64],
        section: int,
        first: NDArray[np.int64],
        depth: int,
        kind: str,
        lane: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        within = (section << 16 | first) << 4 | depth
        return ((process << 24 | within) << 4 | KINDS.index(kind)) * _LANES + lane

    def track(self, key: int) -> Track:
        """Describe a track."""
        key, lane = divmod(key, _LANES)
        kind = KINDS[key & 15]
        first, process = key >> 8 & 0xFFFF, key >> 28
        name, channel = self._named(kind, process, first, lane)
        return Track(self._processes[process], process, kind, name, channel)

    @cached_property
    def _owners(self) -> dict[int, tuple[Memory, int]]:
        return {
            self._first[memory.name] + number: (memory, channel)
            for memory in self.memories.members
            for number, channel in enumerate(memory.channels)
        }

    def _named(self, kind: str, process: int, first: int, lane: int) -> tuple[str, int]:
        if kind == "LLC":
            return f"LLC hits {lane}", -1
        beside = f" (overlap {lane})" if lane else ""
        if kind in _OF_STACK:
            return kind + beside, -1
        memory, channel = self._owners[process]
        return self._of_memory(memory, kind, first) + beside, channel

    def _of_memory(self, memory: Memory, kind: str, first: int) -> str:
        spec = memory.spec
        if kind in _OF_CHANNEL:
            several = spec.nodes(spec.host_bus_level) > 1 and kind == "data bus"
            return f"{kind} {first}" if several else kind
        size, depth = self._node(memory, kind)
        path = _path(memory, first, depth)
        if kind in _OF_PE:
            level = spec.levels[depth].replace("_", " ")
            where = f" ({level} {path})" if depth and kind == "PE" else ""
            return f"PE {first // size}{where}" if kind == "PE" else f"PE {first // size} {kind}"
        return f"{spec.levels[depth].replace('_', ' ')} {path}"


def _path(memory: Memory, bank: int, depth: int) -> str:
    """Numbers of the nodes down to a depth, e.g. 1.2.3 for bank 3 of bank group 2 of rank 1."""
    numbers = []
    for level in memory.spec.levels[1 : depth + 1]:
        below = memory.spec.banks // memory.spec.nodes(level)
        numbers.append(str(bank // below % memory.spec.counts[level]))
    return ".".join(numbers)
