# SPDX-License-Identifier: MIT
"""What a PIM channel keeps of operands and of GnRs in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.reference.timing import ROLE_ACC

__all__ = ["Entry", "Immediate", "Line", "ResultBurst", "Share", "Tag"]


@dataclass(eq=False)
class Immediate:
    """A vector that the host makes and sends: bursts still to come to the host, and when it is there."""

    missing: int = 0
    ready: int = 0  # host cycle
    tick: int | None = None  # of that cycle, once nothing is missing

    def there(self, tick: int) -> bool:
        """Whether the host has it."""
        return self.tick is not None and self.tick <= tick


@dataclass(eq=False)
class Entry:
    """One operand: an instruction before its delivery, a queue entry after it."""

    gnr: int
    unit: int
    bank: int = 0
    row: int = 0
    column: int = 0
    bursts: int = 1
    role: int = ROLE_ACC
    slot: int = 0
    is_lut: bool = False
    immediate: Immediate | None = None
    covers: frozenset[int] = frozenset()
    alu: int = 0
    carried: bool = False
    line: int = 0
    may_be_kept: bool = False
    available: int = 0
    done: int = 0
    started: bool = False
    counted: bool = False
    left: bool = False
    register: int = 0
    before: Entry | None = None
    after: Entry | None = None
    hit: bool = False
    leader: Entry | None = None
    followers: list[Entry] = field(default_factory=list)
    arrival: int | None = None

    @property
    def reads_a_bank(self) -> bool:
        """Whether its row comes from a bank, by a read of its own."""
        return not self.is_lut and not self.hit and self.leader is None and self.immediate is None


@dataclass(eq=False)
class Line:
    """A row in a PE's cache, or on its way there as long as its filler has not left the queue."""

    key: int
    filler: Entry | None


@dataclass(eq=False)
class Share:
    """What one unit does for one GnR: items still to leave its queue, the sum's bursts still to be sent."""

    items: int
    bursts: list[int]
    last_alu: int = 0
    ready: int | None = None


@dataclass(eq=False)
class Tag:
    """A GnR that is in flight in this channel."""

    gnr: int
    age: int
    bursts: list[int]
    shares: dict[int, Share] = field(default_factory=dict)
    ready: int | None = None


class ResultBurst(NamedTuple):
    """One burst of a result, complete at the host at ``cycle`` of the channel's clock."""

    cycle: int
    gnr: int
