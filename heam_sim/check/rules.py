# SPDX-License-Identifier: MIT
"""Rules that no constraint row states: bank states, command slots, data buses, refresh deadlines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import NO_UNIT, Events, SpecLike, Tree
from heam_sim.check.report import Findings
from heam_sim.errors import SpecError

__all__ = ["check_alignment", "check_bank_states", "check_bus", "check_refresh", "check_slots", "find_units"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
COLUMN_KINDS = ("RD", "WR", "RDA", "WRA", "PIM_RD")
BANK_REFRESHES = ("REFPB", "REFSB")
# Automatic precharge: the bank closes by itself; the constraint rows say from when on it may be activated.
CLOSING_KINDS = ("PRE", "PREA", "REF", "RDA", "WRA")
PIM_KINDS = ("PIM_RD", "PIM_MOV", "PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM", "PIM_LUT")
LOCAL_KINDS = ("ACT", "PRE", "PIM_RD")


def _spread(events: Events, tree: Tree) -> tuple[IntArray, IntArray]:
    """One (event, bank that it concerns) pair per event that uses or changes bank states, grouped by bank."""
    width = np.array([tree.banks_per_node[depth] for depth in events.depths], dtype=np.int64)[events.command]
    width[~events.is_kind("ACT", *CLOSING_KINDS, *COLUMN_KINDS)] = 0
    event = np.repeat(np.arange(len(events), dtype=np.int64), width)
    ordinal = np.arange(len(event), dtype=np.int64) - np.repeat(np.cumsum(width) - width, width)
    node_first = events.bank[event] // np.maximum(width[event], 1) * width[event]
    bank = node_first + ordinal
    refreshed, place = tree.places(
        events, np.flatnonzero(events.is_kind(*BANK_REFRESHES)), len(tree.levels) - 1
    )
    event, bank = np.concatenate((event, refreshed)), np.concatenate((bank, place))
    bank += events.channel[event] * tree.banks
    order = np.lexsort((event, bank))
    return event[order], bank[order]


def check_bank_states(
    events: Events, tree: Tree, findings: Findings, *, allow_closed_precharge: bool
) -> None:
    """ACT and refresh on closed banks, column commands on the open row, PREpb on an open bank.

    RDA and WRA close their bank.
    """
    event, bank = _spread(events, tree)
    if len(event) == 0:
        return
    act = events.is_kind("ACT")[event]
    changes = act | events.is_kind(*CLOSING_KINDS)[event]
    last = np.maximum.accumulate(np.where(changes, np.arange(len(event)), -1))
    last = np.concatenate((np.array([-1], dtype=np.int64), last[:-1]))
    last[(last >= 0) & (bank[last] != bank)] = -1
    is_open = (last >= 0) & act[last]
    row = np.where(is_open, events.row[event[last]], -1)
    column = events.is_kind(*COLUMN_KINDS)[event]
    broken = act & is_open
    broken |= column & (row != events.row[event])
    broken |= events.is_kind("REF", *BANK_REFRESHES)[event] & is_open
    if not allow_closed_precharge:
        broken |= events.is_kind("PRE")[event] & ~is_open
    where = np.flatnonzero(broken)
    # A wide command may meet many open banks: it is one violation, told of the first of them.
    _, unique = np.unique(event[where], return_index=True)
    where = where[unique]
    cause = np.where(last[where] >= 0, event[last[where]], -1)
    second = event[where]

    def message(i: int) -> str:
        e, flat = int(second[i]), int(bank[where[i]] % tree.banks)
        state = f"row {int(row[where[i]])} is open" if is_open[where[i]] else "no row is open"
        wanted = f" to row {int(events.row[e])}" if column[where[i]] or act[where[i]] else ""
        return f"bank state: {events.name_of(e)}{wanted} at {int(events.clock[e])} but in bank {flat} {state}"

    first_index = np.where(cause >= 0, events.index[cause], -1)
    first_clock = np.where(cause >= 0, events.clock[cause], -1)
    pairs = first_index, events.index[second]
    findings.add("bank state", "bank state", pairs, (first_clock, events.clock[second]), message)


def check_alignment(events: Events, spec: SpecLike, findings: Findings) -> None:
    """Commands that may not start in every cycle start in cycles 1, 1 + alignment, 1 + 2 alignment, ..."""
    beats = np.array([getattr(command, "alignment", 1) for command in spec.commands], dtype=np.int64)
    off = np.flatnonzero((events.clock - 1) % beats[events.command] != 0)

    def message(i: int) -> str:
        e = int(off[i])
        beat = int(beats[events.command[e]])
        return (
            f"alignment: {events.name_of(e)} at {int(events.clock[e])} does not start in one of the cycles "
            f"1, {1 + beat}, {1 + 2 * beat}, ..."
        )

    none = np.full(len(off), -1, dtype=np.int64)
    findings.add("alignment", "alignment", (none, events.index[off]), (none, events.clock[off]), message)


def find_units(events: Events, tree: Tree, unit_level: str | None, findings: Findings) -> IntArray:
    """Unit (PE) of every event, from its bank; and hold that of PIM_RD and PIM_WRIMM against their banks.

    Without a named level the one whose nodes fit all of them is taken, the innermost if several do: a wrong
    guess can then only merge fewer commands into a slot, never invent a clash.
    """
    reads = np.flatnonzero(events.is_kind("PIM_RD", "PIM_WRIMM"))
    if unit_level is None:
        depths = list(range(len(tree.levels)))[::-1]
    else:
        # PEs beyond the second level (DIMM buffer, base die, stack) are one per channel.
        depths = [tree.depth(unit_level) if unit_level in tree.levels else 0]
    best = depths[0]
    misfits = np.arange(0)
    for i, depth in enumerate(depths):
        wrong = np.flatnonzero(events.bank[reads] // tree.banks_per_node[depth] != events.unit[reads])
        if i == 0 or len(wrong) < len(misfits):
            best, misfits = depth, wrong
    bad = reads[misfits]

    def message(i: int) -> str:
        e = int(bad[i])
        unit = "no unit" if events.unit[e] == NO_UNIT else f"unit {int(events.unit[e])}"
        name = events.name_of(e)
        does = "reads" if name == "PIM_RD" else "goes to"
        return f"unit: {name} at {int(events.clock[e])} names {unit} but {does} bank {int(events.bank[e])}"

    none = np.full(len(bad), -1, dtype=np.int64)
    findings.add("unit", "unit", (none, events.index[bad]), (none, events.clock[bad]), message)
    return events.bank // tree.banks_per_node[best]


def _slots(events: Events, tree: Tree, pim: BoolArray, units: IntArray, split: bool) -> IntArray:
    """A number per event and channel: two events with the same number compete for one slot of a cycle."""
    column = (
        events.is_kind(*COLUMN_KINDS).astype(np.int64) if split else np.zeros(len(events), dtype=np.int64)
    )
    plain = column
    most = max(tree.banks, 1)
    local = 2 + 2 * units + column
    slot = np.where(pim & events.is_kind(*LOCAL_KINDS), local, plain)
    base = 2 + 2 * most
    slot = np.where(events.is_kind("PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM"), base, slot)
    slot = np.where(events.is_kind("PIM_MOV"), base + 1, slot)
    rank = events.bank // tree.banks_per_node[min(1, len(tree.levels) - 1)]
    slot = np.where(pim & events.is_kind("PREA", "REF"), base + 2 + rank, slot)
    return np.where(
        events.is_kind("PIM_LUT"), base + 2 + most + np.where(events.unit == NO_UNIT, 0, events.unit), slot
    )


def check_slots(
    events: Events, tree: Tree, units: IntArray, split: bool, findings: Findings, *, has_units: bool = False
) -> None:
    """At most one command per command slot and cycle.

    A plain channel has one slot, or a column and a row slot. In a PIM channel every unit has these of its
    own; the path to the host, the merge node, each rank's refresh and each unit's LUT port take one command
    a cycle. With ``has_units`` every channel is a PIM channel, idle ones too.
    """
    pim_channels = np.unique(events.channel if has_units else events.channel[events.is_kind(*PIM_KINDS)])
    pim = np.isin(events.channel, pim_channels)
    slot = _slots(events, tree, pim, units, split)
    order = np.lexsort((slot, events.clock, events.channel))
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for key in (slot, events.clock, events.channel):
        same &= key[order][1:] == key[order][:-1]
    place = np.flatnonzero(same)
    first, second = order[place], order[place + 1]

    def message(i: int) -> str:
        a, b = int(first[i]), int(second[i])
        return (
            f"command slot: {events.name_of(a)} and {events.name_of(b)} share one slot of channel "
            f"{int(events.channel[b])} at {int(events.clock[b])}"
        )

    pairs = events.index[first], events.index[second]
    findings.add("command slot", "command slot", pairs, (events.clock[first], events.clock[second]), message)


def _timing(spec: SpecLike, key: str) -> int:
    if key not in spec.timing:
        raise SpecError(
            f"{spec.name} has no timing value {key!r}, which the data-bus rule needs; add it to the spec."
        )
    return int(spec.timing[key])


def check_bus(
    events: Events,
    tree: Tree,
    spec: SpecLike,
    res_latency: int | None,
    imm_latency: int | None,
    findings: Findings,
) -> None:
    """No two bursts overlap on one host-side data bus (of a channel, or of a pseudo channel)."""
    keys = dict.fromkeys(("RD", "RDA", "PIM_RDRES"), "nCL") | dict.fromkeys(
        ("WR", "WRA", "PIM_WRLUT", "PIM_WRIMM"), "nCWL"
    )
    used = {events.kinds[code] for code in np.unique(events.command)} & set(keys)
    if not used:
        return
    delays = {kind: _timing(spec, keys[kind]) for kind in used}
    if res_latency is not None:
        delays["PIM_RDRES"] = res_latency
    if imm_latency is not None:
        delays["PIM_WRIMM"] = imm_latency
    burst = _timing(spec, "nBL")
    data = np.flatnonzero(events.is_kind(*delays))
    delay = np.array([delays.get(kind, 0) for kind in events.kinds], dtype=np.int64)
    start = events.clock[data] + delay[events.command[data]]
    depth = 1 if tree.levels[1:2] == ("pseudo_channel",) else 0
    bus = events.channel[data] * tree.nodes(depth) + events.bank[data] // tree.banks_per_node[depth]
    order = np.lexsort((start, bus))
    data, start, bus = data[order], start[order], bus[order]
    clash = np.flatnonzero((bus[1:] == bus[:-1]) & (start[1:] - start[:-1] < burst))
    first, second = data[clash], data[clash + 1]

    def message(i: int) -> str:
        a, b, k = int(first[i]), int(second[i]), int(clash[i])
        lost = burst - int(start[k + 1] - start[k])
        return (
            f"data bus: the burst of {events.name_of(a)} at {int(events.clock[a])} and that of "
            f"{events.name_of(b)} at {int(events.clock[b])} overlap by {lost} cycles"
        )

    pairs = events.index[first], events.index[second]
    findings.add("data bus", "data bus", pairs, (events.clock[first], events.clock[second]), message)


def check_refresh(events: Events, tree: Tree, spec: SpecLike, postponed: int, findings: Findings) -> None:
    """From cycle 0 to the end every rank is refreshed at least every ``postponed + 1`` intervals.

    If banks are refreshed by themselves, the same holds for every bank. An interval is then the time in which
    every bank has its turn.
    """
    if events.is_kind(*BANK_REFRESHES).any():
        _check_bank_refresh(events, tree, spec, postponed, findings)
        return
    wide = np.array(
        [kind == "REF" and depth <= 1 for kind, depth in zip(events.kinds, events.depths, strict=True)]
    )
    if not wide.any() or len(events) == 0:
        return
    depth = min(1, len(tree.levels) - 1)
    longest = (postponed + 1) * int(spec.refresh_interval)
    channels, last = np.unique(events.channel[::-1], return_index=True)
    end_clock = events.clock[len(events) - 1 - last]
    end_index = events.index[len(events) - 1 - last]
    ref = np.flatnonzero(wide[events.command])
    for channel, clock, index in zip(channels, end_clock, end_index, strict=True):
        mine = ref[events.channel[ref] == channel]
        node = events.bank[mine] // tree.banks_per_node[depth]
        whole = np.array([events.depths[c] == 0 for c in events.command[mine]], dtype=np.bool_)
        for rank in range(tree.nodes(depth)):
            own = mine[(node == rank) | whole]
            at = np.concatenate(([0], events.clock[own], [clock])).astype(np.int64)
            row = np.concatenate(([-1], events.index[own], [index])).astype(np.int64)
            _late(at, row, longest, f"{tree.levels[depth]} {rank} of channel {int(channel)}", findings)


def _bank_interval(events: Events, tree: Tree, spec: SpecLike) -> int:
    """Cycles in which every bank is to be refreshed once."""
    apart = getattr(spec, "bank_refresh_interval", None)
    if apart is None:
        return int(spec.refresh_interval)
    same = events.is_kind("REFSB").any()
    return int(apart) * (tree.banks_per_node[-2] if same else tree.banks_per_node[1])


def _check_bank_refresh(
    events: Events, tree: Tree, spec: SpecLike, postponed: int, findings: Findings
) -> None:
    longest = (postponed + 1) * _bank_interval(events, tree, spec)
    event, bank = tree.places(events, np.flatnonzero(events.is_kind(*BANK_REFRESHES)), len(tree.levels) - 1)
    wide = np.flatnonzero(events.is_kind("REF"))
    width = np.array([tree.banks_per_node[depth] for depth in events.depths], dtype=np.int64)[events.command]
    for channel in np.unique(events.channel):
        own = np.flatnonzero(events.channel == channel)
        end = int(own[np.argmax(events.clock[own])])
        of_rank = wide[events.channel[wide] == channel]
        for number in range(tree.banks):
            covers = events.bank[of_rank] // width[of_rank] == number // width[of_rank]
            one = event[(bank == number) & (events.channel[event] == channel)]
            mine = np.sort(np.concatenate((one, of_rank[covers])))
            at = np.concatenate(([0], events.clock[mine], [events.clock[end]])).astype(np.int64)
            row = np.concatenate(([-1], events.index[mine], [events.index[end]])).astype(np.int64)
            _late(at, row, longest, f"bank {number} of channel {int(channel)}", findings)


def _late(at: IntArray, row: IntArray, longest: int, where: str, findings: Findings) -> None:
    late = np.flatnonzero(np.diff(at) > longest)

    def message(i: int) -> str:
        a, b = int(at[late[i]]), int(at[late[i] + 1])
        return f"refresh deadline: {where} is not refreshed from {a} to {b}, {b - a} > {longest} cycles"

    findings.add(
        "refresh deadline", "refresh deadline", (row[late], row[late + 1]), (at[late], at[late + 1]), message
    )
