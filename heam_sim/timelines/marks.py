# SPDX-License-Identifier: MIT
"""From a command log to slices: what every command takes, where, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heam_sim._core import PSEUDO_COMMANDS
from heam_sim.dram import Spec
from heam_sim.errors import CheckError
from heam_sim.timelines.arithmetic import Work, merge_work, pe_work
from heam_sim.timelines.memories import Memories, Memory
from heam_sim.timelines.tracks import Layout
from heam_sim.timelines.window import Window, gnrs_of

__all__ = ["COLUMNS", "KINDS", "Marks"]

_Int = NDArray[np.int64]

#: A command itself, a burst on a bus, a bank group's I/O in use, work of an adder, an open row.
KINDS = ("command", "burst", "I/O", "work", "row")
COLUMNS = ("track", "kind", "name", "start", "stop", "record")

_ON_BANK = ("ACT", "PRE", "RD", "WR", "RDA", "WRA", "PIM_RD", "REFPB", "REFSB", "RFMPB")
_ON_RANK = ("PREA", "REF", "RFM")
_ON_PATH = ("PIM_RDRES", "PIM_WRLUT", "PIM_WRIMM")
_AT_PORT = ("PIM_LUT", "PE_HIT")
_CLOSING = ("PRE", "PREA", "REF", "REFPB", "REFSB")
# Records before the window that are looked at for what ALUs and adders still have to do then: a channel
# holds no more GnRs than it has tags, so what is older is done.
_LOOK_BACK = 1 << 18


@dataclass
class Marks:
    """Slices of a command log.

    Parameters
    ----------
    log
        Structured array (docs/formats.md).
    names
        Names of its commands.
    memories
        Whose channels they are.
    """

    log: NDArray[Any]
    names: Sequence[str]
    memories: Memories
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(self.memories)
        for channel in np.unique(self.log["channel"]).tolist():
            self.memories.of_channel(channel)
        for memory in self.memories.members:
            self._know(memory)

    def _know(self, memory: Memory) -> None:
        """Refuse commands that a memory does not have, and banks."""
        known = {command.name for command in memory.spec.commands} | set(PSEUDO_COMMANDS.values())
        rows = self.rows_of(memory)
        for number in np.unique(self.log["command"][rows]).tolist():
            if number >= len(self.names) or self.names[number] not in known:
                name = self.names[number] if number < len(self.names) else f"number {number}"
                raise CheckError(
                    f"the command log has command {name!r} in channels of {memory.spec.name}, which has none "
                    "such; name the memory or system that the log is of (with --pim-level for PIM commands)."
                )
        if rows.size and int(self.log["bank"][rows].max()) >= memory.spec.banks:
            raise CheckError(
                f"the command log has bank {int(self.log['bank'][rows].max())}, but a channel of "
                f"{memory.spec.name} has {memory.spec.banks} banks; name the memory or system that it is of."
            )

    def rows_of(self, memory: Memory) -> _Int:
        """Rows of the log, in order of issue."""
        channel = self.log["channel"]
        return np.flatnonzero((channel >= memory.channels.start) & (channel < memory.channels.stop))

    @cached_property
    def ticks(self) -> _Int:
        """When each command was issued, int64 (commands,)."""
        tick = self.memories.tick_ps
        period = np.ones(len(self.log), np.int64)
        for memory in self.memories.members:
            period[self.rows_of(memory)] = int(memory.spec.tCK_ps / tick)
        if self.memories.host_clock_ps is not None:
            period[self.named("LLC_HIT")] = int(self.memories.host_clock_ps / tick)
        return self.log["clock"].astype(np.int64) * period

    @cached_property
    def tags(self) -> _Int:
        """GnR of each command, -1 where it serves none, int64 (commands,)."""
        tags = self.log["tag"].astype(np.int64)
        if tags.size and int(tags.max()) == 0 and not self.named(*_AT_PORT, "PIM_RD", "LLC_HIT").any():
            tags[:] = -1  # a stream of plain requests
        tags[self.log["role"] == 255] = -1
        for memory in self.memories.members:
            without = [c.name for c in memory.spec.commands if c.kind.startswith(("REF", "RFM", "PREA"))]
            tags[self.named(*without, "PIM_WRLUT")] = -1
        return tags

    def named(self, *names: str, rows: _Int | None = None) -> NDArray[np.bool_]:
        """Which rows of the log (of all, or of these) have commands of these names."""
        numbers = [number for number, name in enumerate(self.names) if name in names]
        command = self.log["command"] if rows is None else self.log["command"][rows]
        return np.isin(command, numbers)

    def in_bags(self, window: Window, rows: _Int) -> NDArray[np.bool_]:
        """Which rows of the log serve the GnRs of a window."""
        first, stop = gnrs_of(window, self.memories.gnrs_per_sample)
        found: NDArray[np.bool_] = (self.tags[rows] >= first) & (self.tags[rows] < stop)
        return found

    def slices(self, first: int, stop: int) -> pd.DataFrame:
        """Return all slices of the commands from tick `first` to before `stop`, and what reaches in.

        Returns
        -------
        pandas.DataFrame
            :data:`COLUMNS`: the number of the track (:meth:`Layout.track`), one of :data:`KINDS`, a name,
            first tick and end, and the row of the log. A command has one slice of kind ``"command"``.
            Earlier commands are not there, but bursts, work and open rows that reach in are; an open row is
            cut to the window.
        """
        parts = [self._hits(first, stop)]
        for memory in self.memories.members:
            parts += _OfMemory(self, memory, first, stop).parts()
        frame = pd.concat([part for part in parts if len(part)] or [_part()], ignore_index=True)
        mine = self.ticks[frame["record"].to_numpy(np.int64)] >= first
        return _in_order(frame[mine | (frame["stop"] > first)])

    def _hits(self, first: int, stop: int) -> pd.DataFrame:
        rows = np.flatnonzero(self.named("LLC_HIT") & (self.ticks >= first) & (self.ticks < stop))
        if self.memories.host_clock_ps is None:
            return _part()
        period = int(self.memories.host_clock_ps / self.memories.tick_ps)
        order = np.argsort(self.ticks[rows], kind="stable")
        rows = rows[order]
        at = self.ticks[rows]
        lane = np.arange(len(rows)) - np.searchsorted(at, at)
        return _part(self.layout.host(lane), "command", "LLC_HIT", at, at + period, rows)


def _part(
    track: _Int | None = None,
    kind: str = "",
    name: Any = "",
    start: _Int | None = None,
    stop: _Int | None = None,
    record: _Int | None = None,
) -> pd.DataFrame:
    empty = np.empty(0, np.int64)
    values = (
        empty if track is None else track,
        kind,
        name,
        empty if start is None else start,
        empty if stop is None else stop,
        empty if record is None else record,
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


class _OfMemory:
    """The slices of one memory's channels."""

    def __init__(self, marks: Marks, memory: Memory, first: int, stop: int) -> None:
        self.marks, self.memory, self.first, self.stop = marks, memory, first, stop
        self.spec: Spec = memory.spec
        self.period = int(self.spec.tCK_ps / marks.memories.tick_ps)
        rows = marks.rows_of(memory)
        self.all = rows[(marks.ticks[rows] < stop) & ~marks.named("LLC_HIT", rows=rows)]
        # What comes before the window may reach into it, at most so far.
        self.cycles = memory.cycles
        reach = max(
            *self.cycles.values(), self.spec.read_latency, self.spec.timing["nBL"] + self.spec.timing["nCWL"]
        )
        reach += max(memory.res_latency, memory.imm_latency, memory.port_cycles) + self.spec.timing["nBL"]
        self.near = self.all[marks.ticks[self.all] >= first - reach * self.period]
        self.inside = self.near[marks.ticks[self.near] >= first]

    def parts(self) -> list[pd.DataFrame]:
        """All of them."""
        return [
            *self._on_tree(),
            self._on_path(),
            self._moves(),
            self._crossings(),
            *self._ports(),
            self._merged(),
            *self._bursts(),
            self._groups(),
            *self._works(),
        ]

    # --- helpers

    def _chosen(self, rows: _Int, *kinds: str) -> _Int:
        """Rows of the log whose commands are of some kinds (or have these names, if they are of none)."""
        wanted = {command.name for command in self.spec.commands if command.kind in kinds} | set(kinds)
        return rows[self.marks.named(*wanted, rows=rows)]

    def _field(self, name: str, rows: _Int) -> _Int:
        return self.marks.log[name][rows].astype(np.int64)

    def _names(self, rows: _Int) -> NDArray[Any]:
        found: NDArray[Any] = np.array(self.marks.names, dtype=object)[self.marks.log["command"][rows]]
        return found

    def _lasting(self, rows: _Int) -> _Int:
        """Ticks that commands last."""
        table = np.array([self.cycles.get(name, 1) for name in self.marks.names], np.int64)
        lasting: _Int = table[self.marks.log["command"][rows]] * self.period
        return lasting

    def _slices(
        self, track: _Int, kind: str, rows: _Int, *, after: _Int | int = 0, cycles: _Int | int
    ) -> pd.DataFrame:
        start = self.marks.ticks[rows] + after * self.period
        return _part(track, kind, self._names(rows), start, start + cycles * self.period, rows)

    def _at_pe(self, kind: str, rows: _Int) -> _Int:
        bank = self._field("unit", rows) * self.memory.banks_per_unit
        return self.marks.layout.node(self.memory, kind, self._field("channel", rows), bank)

    def _at_node(self, kind: str, rows: _Int) -> _Int:
        return self.marks.layout.node(
            self.memory, kind, self._field("channel", rows), self._field("bank", rows)
        )

    def _at_channel(self, kind: str, rows: _Int) -> _Int:
        return self.marks.layout.channel(self.memory, kind, self._field("channel", rows))

    # --- commands

    def _on_tree(self) -> list[pd.DataFrame]:
        """Commands of banks and ranks, each until the next at its node, and open rows behind them."""
        spans = self._rows()
        parts = [spans]
        for kind, kinds in (("bank", _ON_BANK), ("rank", _ON_RANK)):
            rows = self._chosen(self.inside, *kinds)
            start = self.marks.ticks[rows]
            stop = start + self._lasting(rows)
            part = _part(self._at_node(kind, rows), "command", self._names(rows), start, stop, rows)
            part = part.sort_values(["track", "start", "record"], kind="stable", ignore_index=True)
            parts.append(_until_next(part) if kind == "rank" else _inside(_until_next(part), spans))
        parts[0] = _cut(spans, parts[1], self.first, self.stop)
        return parts

    def _rows(self) -> pd.DataFrame:
        """Open rows, from their ACT to what closes them."""
        rows = self._chosen(self.all, "ACT", "RDA", "WRA", *_CLOSING)
        width = np.array([self._width(name) for name in self.marks.names], np.int64)
        event, bank = _spread(rows, self._field("bank", rows), width[self.marks.log["command"][rows]])
        place = self._field("channel", event) * self.spec.banks + bank
        at = self.marks.ticks[event]
        automatic = np.isin(event, self._chosen(rows, "RDA", "WRA"))
        at = at + np.where(automatic, self._lasting(event), 0)
        order = np.lexsort((event, at, place))
        event, place, at = event[order], place[order], at[order]
        follows = np.append(place[1:] == place[:-1], False)
        closed = np.where(follows, np.append(at[1:], 0), np.iinfo(np.int64).max // 2)
        opened = np.flatnonzero(np.isin(event, self._chosen(rows, "ACT")) & (closed > self.first))
        number = place[opened]
        track = self.marks.layout.node(
            self.memory, "bank", number // self.spec.banks, number % self.spec.banks
        )
        label = np.array([f"row {row}" for row in self._field("row", event[opened]).tolist()], dtype=object)
        spans = _part(track, "row", label, at[opened], closed[opened], event[opened])
        return spans.sort_values(["track", "start"], kind="stable", ignore_index=True)

    def _width(self, name: str) -> int:
        """Banks that a command opens or closes; REFSB finds them closed."""
        for command in self.spec.commands:
            if command.name == name:
                return self.spec.banks // self.spec.nodes(command.scope)
        return 1

    def _on_path(self) -> pd.DataFrame:
        rows = self._chosen(self.inside, *_ON_PATH)
        return self._slices(self._at_channel("host path", rows), "command", rows, cycles=1)

    def _moves(self) -> pd.DataFrame:
        rows = self._chosen(self.inside, "PIM_MOV")
        part = self._slices(self._at_channel("merge path", rows), "command", rows, cycles=1)
        part["stop"] = part["start"] + self._lasting(rows)
        return self._beside(part)

    def _crossings(self) -> pd.DataFrame:
        rows = self._chosen(self.inside, "PIM_XMOV")
        track = self.marks.layout.stack(self.memory, "crossbar", len(rows))
        return self._beside(self._slices(track, "command", rows, cycles=self.memory.xmov_cycles))

    def _ports(self) -> list[pd.DataFrame]:
        """Rows that go through the port of a LUT or cache, and rows that are written into the LUTs."""
        rows = self._chosen(self.inside, *_AT_PORT)
        part = self._slices(self._at_pe("LUT", rows), "command", rows, cycles=self.memory.port_cycles)
        written = self._chosen(self.near, "PIM_WRLUT")
        per_rank = max(1, self.memory.units // self.spec.nodes(self.spec.second_level))
        banks = self.spec.banks // self.spec.nodes(self.spec.second_level)
        event = np.repeat(written, per_rank)
        unit = np.tile(np.arange(per_rank), len(written)) * self.memory.banks_per_unit
        bank = self._field("bank", event) // banks * banks + unit
        track = self.marks.layout.node(self.memory, "LUT fill", self._field("channel", event), bank)
        bursts = self._slices(
            track, "burst", event, after=self.spec.timing.get("nCWL", 0), cycles=self.spec.timing["nBL"]
        )
        return [self._beside(part), self._beside(bursts)]

    def _merged(self) -> pd.DataFrame:
        """Operands that take the row of another: no time, a mark at their PE."""
        rows = self._chosen(self.inside, "MERGED")
        return self._slices(self._at_pe("PE", rows), "command", rows, cycles=0)

    # --- what they move

    def _bursts(self) -> list[pd.DataFrame]:
        memory, timing = self.memory, self.spec.timing
        after = {
            **dict.fromkeys(("RD", "RDA"), timing["nCL"]),
            **dict.fromkeys(("WR", "WRA", "PIM_WRLUT"), timing["nCWL"]),
            "PIM_RDRES": memory.res_latency,
            "PIM_WRIMM": memory.imm_latency,
        }
        size = self.spec.banks // self.spec.nodes(self.spec.host_bus_level)
        found = []
        for kind, delay in after.items():
            rows = self._chosen(self.near, kind)
            bus = self._field("bank", rows) // size
            track = self.marks.layout.channel(memory, "data bus", self._field("channel", rows), bus)
            found.append(self._slices(track, "burst", rows, after=delay, cycles=timing["nBL"]))
        rows = self._chosen(self.near, "PIM_RD")
        to_pes = self._slices(
            self._at_pe("PE", rows), "burst", rows, after=timing["nCL"], cycles=timing["nBL"]
        )
        return [self._beside(pd.concat(found, ignore_index=True)), self._beside(to_pes)]

    def _groups(self) -> pd.DataFrame:
        cycles = self.memory.group_cycles
        rows = self.near[self.marks.named(*cycles, rows=self.near)]
        if not rows.size:
            return _part()
        table = np.array([cycles.get(name, 0) for name in self.marks.names], np.int64)
        lasting = table[self.marks.log["command"][rows]]
        return self._beside(self._slices(self._at_node("bank group", rows), "I/O", rows, cycles=lasting))

    def _works(self) -> list[pd.DataFrame]:
        memory, log = self.memory, self.marks.log
        recent = self.all[-_LOOK_BACK - len(self.inside) :]
        burst = self.spec.timing["nBL"]
        merged = merge_work(
            log,
            self._chosen(recent, "PIM_MOV"),
            latency=memory.mov_latency + burst,
            cycles=memory.merge_cycles,
        )
        stacked = merge_work(
            log,
            self._chosen(recent, "PIM_XMOV"),
            latency=memory.xmov_cycles + memory.xmov_latency,
            cycles=memory.stack_cycles,
            shared=True,
        )
        computed = pe_work(log, recent, self.marks.names, memory)
        stack = self.marks.layout.stack(memory, "stack node", len(stacked[0]))
        return [
            self._work(self._at_channel("merge node", merged[0]), merged),
            self._work(stack, stacked),
            self._work(self._at_pe("ALU", computed[0]), computed),
        ]

    def _work(self, track: _Int, work: Work) -> pd.DataFrame:
        rows, start, stop = work
        return _part(track, "work", self._names(rows), start * self.period, stop * self.period, rows)

    def _beside(self, part: pd.DataFrame) -> pd.DataFrame:
        """Put slices that overlap on tracks of their own; a log that obeys its rules has none."""
        part = part.sort_values(["track", "start", "record"], kind="stable", ignore_index=True)
        track, start, stop = (part[name].to_numpy() for name in ("track", "start", "stop"))
        same = track[1:] == track[:-1]
        if not (same & (start[1:] < stop[:-1])).any():
            return part
        part["track"] = self.marks.layout.in_lane(track, _lanes(track, start, stop))
        return part


def _lanes(track: _Int, start: _Int, stop: _Int) -> _Int:
    """The first lane that is free, for slices in order of track and start."""
    lanes = np.zeros(len(track), np.int64)
    free: list[int] = []
    last = None
    for i, (here, begin, end) in enumerate(zip(track.tolist(), start.tolist(), stop.tolist(), strict=True)):
        if here != last:
            free, last = [], here
        lane = next((number for number, until in enumerate(free) if until <= begin), len(free))
        free[lane : lane + 1] = [end]
        lanes[i] = lane
    return lanes


def _spread(rows: _Int, bank: _Int, width: _Int) -> tuple[_Int, _Int]:
    """One (row of the log, bank) pair for every bank of a command's node."""
    event = np.repeat(rows, width)
    ordinal = np.arange(len(event)) - np.repeat(np.cumsum(width) - width, width)
    first = bank // np.maximum(width, 1) * width
    return event, np.repeat(first, width) + ordinal


def _until_next(part: pd.DataFrame) -> pd.DataFrame:
    """End slices, in order of track and start, where the next one begins."""
    follows = part["track"].eq(part["track"].shift(-1))
    begins = part["start"].shift(-1, fill_value=0)
    part["stop"] = part["stop"].where(~follows, np.minimum(part["stop"], begins))
    return part


def _inside(part: pd.DataFrame, spans: pd.DataFrame) -> pd.DataFrame:
    """End slices where the open row that they began in ends."""
    if part.empty or spans.empty:
        return part
    at = _last_before(part, spans)
    held = at >= 0
    end = np.where(held, spans["stop"].to_numpy()[at], np.iinfo(np.int64).max)
    same = held & (spans["track"].to_numpy()[at] == part["track"].to_numpy())
    within = same & (part["start"].to_numpy() < end)
    part["stop"] = np.where(within, np.minimum(part["stop"].to_numpy(), end), part["stop"].to_numpy())
    return part


def _last_before(part: pd.DataFrame, spans: pd.DataFrame) -> _Int:
    """For every slice the last span, over all tracks in order, that does not begin after it; -1: none."""
    tracks = np.unique(np.concatenate([part["track"], spans["track"]]))
    shift = int(max(part["start"].max(), spans["start"].max())) + 1
    keys = [
        np.searchsorted(tracks, table["track"].to_numpy()) * shift + table["start"].to_numpy()
        for table in (part, spans)
    ]
    found: _Int = np.searchsorted(keys[1], keys[0], side="right") - 1
    return found


def _cut(spans: pd.DataFrame, part: pd.DataFrame, first: int, stop: int) -> pd.DataFrame:
    """Cut open rows to the window, but not shorter than the commands in them."""
    last = part.groupby("track")["stop"].max()
    end = np.maximum(spans["track"].map(last).fillna(stop).to_numpy(np.int64), stop)
    return spans.assign(
        start=np.maximum(spans["start"].to_numpy(), first), stop=np.minimum(spans["stop"].to_numpy(), end)
    )


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """By time, and outer slices before those inside them."""
    order = np.lexsort(
        (frame["record"], frame["kind"] != "row", -frame["stop"], frame["start"], frame["track"])
    )
    return frame.iloc[order].reset_index(drop=True)
