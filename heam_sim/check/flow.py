# SPDX-License-Identifier: MIT
"""Arithmetic of a functional check: values on their way, and sums that are collected and drained once.

A value arrives at a place at a moment, which is its row in the log. A place is the host or a unit of a
channel, and holds one sum per GnR and granule. All sums wrap at 64 bits, so they do not depend on order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heam_sim.check.report import Findings

__all__ = ["ACC", "FILL", "LOAD", "MAC", "MUL", "Access", "Flow", "drain", "place_name", "report"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ACC, LOAD, MAC, MUL, FILL = 0, 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class Flow:
    """Values on their way: all arrays (n,), ``value`` (n, lanes).

    ``place`` is -1 for the host, less for one lookup there, ``(65536 + stack) * 65536`` for a stack's node
    and ``channel * 65536 + unit`` else; ``moment`` is the row of the log.
    """

    place: IntArray
    tag: IntArray
    granule: IntArray
    moment: IntArray
    value: IntArray

    def take(self, which: IntArray | BoolArray) -> Flow:
        """Select some of the values."""
        return Flow(
            self.place[which], self.tag[which], self.granule[which], self.moment[which], self.value[which]
        )

    def at(self, place: IntArray) -> Flow:
        """The same values at other places."""
        return Flow(place, self.tag, self.granule, self.moment, self.value)

    def plus(self, other: Flow) -> Flow:
        """Both, one after the other."""
        mine = (self.place, self.tag, self.granule, self.moment, self.value)
        theirs = (other.place, other.tag, other.granule, other.moment, other.value)
        return Flow(*(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)))


@dataclass(frozen=True, eq=False)
class Access(Flow):
    """Operands as they were read: a flow with register name, role, and the table row that was read.

    ``granule`` counts in the pooled vector where rows are vectors or parts of one, and in the row itself for
    the cores of a tensor train.
    """

    slot: IntArray
    role: IntArray
    number: IntArray

    def only(self, which: IntArray | BoolArray) -> Access:
        """Select some of the operands."""
        flow = self.take(which)
        return Access(
            flow.place,
            flow.tag,
            flow.granule,
            flow.moment,
            flow.value,
            self.slot[which],
            self.role[which],
            self.number[which],
        )

    def joined(self, other: Access) -> Access:
        """Both, one after the other."""
        flow = self.plus(other)
        return Access(
            flow.place,
            flow.tag,
            flow.granule,
            flow.moment,
            flow.value,
            np.concatenate((self.slot, other.slot)),
            np.concatenate((self.role, other.role)),
            np.concatenate((self.number, other.number)),
        )


def _wording(first: IntArray, rule: str, what: Callable[[int], str]) -> Callable[[int], str]:
    return lambda i: f"{rule}: log row {int(first[i])}: {what(i)}"


def place_name(place: int) -> str:
    """Name a place for a message."""
    if place < 0:
        return "the host"
    channel = place >> 16
    return f"stack {channel - 65536}" if channel >= 65536 else f"unit {place & 65535} of channel {channel}"


def report(
    findings: Findings, rule: str, moment: IntArray, clock: IntArray, what: Callable[[int], str]
) -> None:
    """Record violations that concern one log row each."""
    none = np.full(len(moment), -1, dtype=np.int64)
    findings.add(rule, rule, (none, moment), (none, clock[moment]), _wording(moment, rule, what))


def _keys(*flows: Flow, granules: int) -> list[IntArray]:
    """One integer per (place, tag, granule), the same numbering for all flows."""
    places = np.unique(np.concatenate([flow.place for flow in flows]))
    tags = 1 + max((int(flow.tag.max()) for flow in flows if len(flow.tag)), default=0)
    return [
        (np.searchsorted(places, flow.place) * tags + flow.tag) * granules + flow.granule for flow in flows
    ]


def drain(inflow: Flow, drains: Flow, granules: int, name: str, clock: IntArray, findings: Findings) -> Flow:
    """Collect the inflow in its places and let each drain take what is there.

    Violations: a second drain of one place, a drain of a place that holds nothing, inflow after the drain,
    inflow that no drain ever takes.

    Parameters
    ----------
    inflow
        What is added to the places.
    drains
        The commands that empty them; their values are not used.
    granules
        Granules of a vector.
    name
        Name of the draining command.
    clock
        Clock of every log row.

    Returns
    -------
    Flow
        What the first drain of each place took, at the drain's place and moment.
    """
    in_key, out_key = _keys(inflow, drains, granules=granules)
    order = np.lexsort((drains.moment, out_key))
    sorted_key = out_key[order]
    again = order[1:][sorted_key[1:] == sorted_key[:-1]]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = sorted_key[1:] != sorted_key[:-1]
    order, sorted_key = order[first], sorted_key[first]
    at = np.searchsorted(sorted_key, in_key)
    taken = at < len(sorted_key)
    taken[taken] = sorted_key[at[taken]] == in_key[taken]
    lost = np.flatnonzero(~taken)
    late = np.flatnonzero(taken)
    late = late[inflow.moment[late] > drains.moment[order[at[late]]]]
    good = taken.copy()
    good[late] = False
    value = np.zeros((len(order), inflow.value.shape[1]), dtype=np.int64)
    np.add.at(value, at[good], inflow.value[good])
    met = np.zeros(len(order), dtype=np.bool_)
    met[at[taken]] = True
    empty = order[~met]

    def of(flow: Flow, which: IntArray) -> Callable[[int], str]:
        return lambda i: (
            f"granule {int(flow.granule[which[i]])} of GnR {int(flow.tag[which[i]])} "
            f"at {place_name(int(flow.place[which[i]]))}"
        )

    def tell(rule: str, flow: Flow, which: IntArray, form: str) -> None:
        text = of(flow, which)
        report(findings, rule, flow.moment[which], clock, lambda i: form.format(text(i)))

    tell("twice", drains, again, name + " takes {} a second time")
    tell("empty", drains, empty, name + " takes {}, which holds nothing")
    tell("order", inflow, late, "a value joins {} after its " + name)
    tell("left over", inflow, lost, "{} is never taken by a " + name)
    out = drains.take(order)
    return Flow(out.place, out.tag, out.granule, out.moment, value)
