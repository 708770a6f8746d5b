# SPDX-License-Identifier: MIT
"""A stack node: the adder over the channels of a stack, and the crossbar to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.reference.pim import PimChannel

__all__ = ["Stack"]


@dataclass(eq=False)
class _Sum:
    """An accumulator: results still to be sent to it, bursts still to be read out."""

    gnr: int
    parts: int
    bursts: list[int]
    ready: int | None = None


class Stack:
    """The rule S1, once a cycle, after its channels."""

    def __init__(self, channels: Sequence[PimChannel]) -> None:
        self.channels = list(channels)
        first = self.channels[0]
        self.tags, self.xmov_cycles, self.xmov_latency = (
            first.stack_tags,
            first.xmov_cycles,
            first.xmov_latency,
        )
        self.stack_cycles = first.stack_cycles
        self.work: dict[int, list[list[int]]] = {}
        self.held: dict[int, _Sum] = {}
        self.taken: set[int] = set()
        self.crossbar_free = 0
        self.stack_free = 0
        for channel in self.channels:
            channel.node = self

    def announce(self, gnr: int, results: list[list[int]]) -> None:
        """Tell which results (by their bursts) a GnR will send, if any."""
        self.work.setdefault(gnr, []).extend(results)

    def results_of(self, gnr: int) -> list[int]:
        """Return the bursts of a GnR's sum."""
        return sorted({burst for bursts in self.work[gnr] for burst in bursts})

    def admit(self, gnr: int) -> bool:
        """Take an accumulator if the GnR needs one; False: none is free."""
        if gnr in self.taken or gnr not in self.work:
            return True
        if len(self.held) == self.tags:
            return False
        self.taken.add(gnr)
        self.held[gnr] = _Sum(gnr, len(self.work[gnr]), self.results_of(gnr))
        return True

    def sums(self, channel: PimChannel) -> list[tuple[int, int, list[int]]]:
        """Return what a channel has to read out: when it is ready, the GnR, its bursts."""
        count = len(self.channels)
        mine = [s for s in self.held.values() if self.channels[s.gnr % count] is channel]
        return [(s.ready, s.gnr, s.bursts) for s in mine if s.ready is not None]

    def release(self) -> None:
        """Free accumulators whose sum has left."""
        self.held = {gnr: s for gnr, s in self.held.items() if s.bursts}

    def cycle(self) -> None:
        """Send a burst if the crossbar is free; the channels have had their cycle already."""
        clock = self.channels[0].clock
        if clock < self.crossbar_free:
            return
        waiting = [
            (ready, tag.gnr, index, unit, tag, result)
            for index, channel in enumerate(self.channels)
            for ready, unit, tag, result in channel.results()
            if ready <= clock
        ]
        if not waiting:
            return
        _, gnr, index, unit, tag, result = min(waiting, key=lambda one: one[:4])
        channel = self.channels[index]
        channel.send(unit, gnr, result.bursts)
        self.crossbar_free = clock + self.xmov_cycles
        self.stack_free = max(self.stack_free, self.crossbar_free + self.xmov_latency) + self.stack_cycles
        if result.bursts:
            return
        channel.release(tag)
        total = self.held[gnr]
        total.parts -= 1
        if total.parts == 0:
            total.ready = self.stack_free
