# SPDX-License-Identifier: MIT
"""A timeline as JSON in the trace event format of Chrome's trace viewer, which Perfetto reads too."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heam_sim._version import __version__
from heam_sim.results.atomic import write_atomically

if TYPE_CHECKING:
    from heam_sim.timelines.timeline import Timeline

__all__ = ["chrome_events", "write_chrome"]

# Threads have numbers that no process has: viewers take a thread with its process' number for its main one.
_FIRST_THREAD = 1 << 16
_PS_PER_US = 10**6
_DIGITS = 9  # of a microsecond: femtoseconds


def write_chrome(timeline: Timeline, path: Path, *, magnify: int = 1) -> None:
    """Write a timeline as ``.json`` or ``.json.gz``; the file appears whole or not at all."""

    def write(part: Path) -> None:
        with part.open("wb") as raw:
            if path.suffix != ".gz":
                raw.writelines(text.encode() for text in _document(timeline, magnify))
                return
            # Without a time and a name the same timeline gives the same bytes.
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(text.encode() for text in _document(timeline, magnify))

    write_atomically(path, write)


def _document(timeline: Timeline, magnify: int) -> Iterator[str]:
    about = {"software": f"heam_sim {__version__}", "magnify": magnify, **timeline.about}
    # Some viewers look for the unit at the beginning only.
    yield f'{{"displayTimeUnit":"ns","otherData":{json.dumps(about)},"traceEvents":[\n'
    between = ""
    for event in chrome_events(timeline, magnify=magnify):
        yield between + event
        between = ",\n"
    yield "\n]}\n"


def chrome_events(timeline: Timeline, *, magnify: int = 1) -> Iterator[str]:
    """Yield the events as JSON objects, in order of time; those of one time as they must nest."""
    yield from _metadata(timeline)
    stamps = _Stamps(timeline.tick_ps * magnify)
    slices = timeline.slices
    number = {track: at for at, track in enumerate(timeline.track_numbers)}
    pids = [track.process_number + 1 for track in timeline.tracks]
    threads = [number[track] for track in slices["track"].tolist()]
    names, kinds = slices["name"].tolist(), slices["kind"].tolist()
    start, stop = slices["start"].tolist(), slices["stop"].tolist()
    arguments, flows = _Arguments(timeline), _flows(timeline)
    for at, ends, i in _order(start, stop):
        thread = threads[i]
        place = f'"pid":{pids[thread]},"tid":{thread + _FIRST_THREAD},"ts":{stamps.text(at)}'
        if ends:
            yield f'{{"ph":"E",{place}}}'
            continue
        phase = '"ph":"i","s":"t"' if start[i] == stop[i] else '"ph":"B"'
        head = f'{{{phase},"name":{json.dumps(names[i])},"cat":"{kinds[i]}",{place}'
        yield f'{head}{flows.get(i, "")},"args":{arguments.text(i)}}}'


def _order(start: list[int], stop: list[int]) -> list[tuple[int, bool, int]]:
    """(Tick, whether a slice ends there, slice): ends first, then beginnings, the longest first."""
    begins = [(at, 1, -until, i) for i, (at, until) in enumerate(zip(start, stop, strict=True))]
    ends = [(until, 0, 0, i) for i, (at, until) in enumerate(zip(start, stop, strict=True)) if until > at]
    return [(at, phase == 0, i) for at, phase, _, i in sorted(begins + ends)]


class _Stamps:
    """Ticks as microseconds, each rounded by itself to a femtosecond: nothing adds up."""

    def __init__(self, tick_ps: Fraction) -> None:
        scale = tick_ps * 10**_DIGITS / _PS_PER_US
        self._up, self._down = scale.numerator, scale.denominator

    def text(self, tick: int) -> str:
        """A JSON number."""
        whole, rest = divmod((2 * tick * self._up + self._down) // (2 * self._down), 10**_DIGITS)
        return f"{whole}.{rest:0{_DIGITS}d}".rstrip("0").rstrip(".")


class _Arguments:
    """What a viewer shows of a slice that is clicked on."""

    def __init__(self, timeline: Timeline) -> None:
        rows = timeline.slices["record"].to_numpy()
        log = timeline.log
        self._columns = {
            name: log[name][rows].tolist()
            for name in ("clock", "channel", "bank", "row", "column", "slot", "unit")
        }
        self._command = [timeline.names[number] for number in log["command"][rows].tolist()]
        self._tag = timeline.tags[rows].tolist()
        self._bound = [timeline.bound_text(row) for row in rows.tolist()]
        self._role = [timeline.role_text(row) for row in rows.tolist()]
        self._record = rows.tolist()

    def text(self, i: int) -> str:
        """A JSON object."""
        column = {name: values[i] for name, values in self._columns.items()}
        found: dict[str, Any] = {
            "command": self._command[i],
            "cycle": column["clock"],
            "channel": column["channel"],
            "bank": column["bank"],
            "row": column["row"],
            "column": column["column"],
        }
        if self._tag[i] >= 0:
            found |= {"gnr": self._tag[i], "lookup": column["slot"]}
        if column["unit"] != np.iinfo(np.uint16).max:
            found["pe"] = column["unit"]
        if self._role[i]:
            found["role"] = self._role[i]
        found |= {"time set by": self._bound[i], "log row": self._record[i]}
        return json.dumps(found)


def _flows(timeline: Timeline) -> dict[int, str]:
    """Fields that chain the commands of a GnR to each other, by slice."""
    slices = timeline.slices
    commands = np.flatnonzero(slices["kind"].to_numpy() == "command")
    # An instant has no slice that an arrow could begin at.
    commands = commands[(slices["stop"].to_numpy() > slices["start"].to_numpy())[commands]]
    record = slices["record"].to_numpy()[commands]
    tag = timeline.tags[record]
    # As the events themselves: a chain that goes back in the file is cut there.
    order = np.lexsort(
        (commands, -slices["stop"].to_numpy()[commands], slices["start"].to_numpy()[commands], tag)
    )
    order = order[tag[order] >= 0]
    commands, tag = commands[order], tag[order]
    if not commands.size:
        return {}
    same = np.append(tag[1:] == tag[:-1], False)
    found = {}
    for i, gnr, goes_on, begun in zip(
        commands.tolist(), tag.tolist(), same.tolist(), [False, *same[:-1].tolist()], strict=True
    ):
        if goes_on or begun:
            ways = (',"flow_in":true' if begun else "") + (',"flow_out":true' if goes_on else "")
            found[i] = f',"bind_id":"{gnr + 1:#x}"{ways}'
    return found


def _metadata(timeline: Timeline) -> Iterator[str]:
    """Names and order of processes (host, stacks, channels) and threads (tracks)."""
    seen = set()
    for number, track in enumerate(timeline.tracks):
        pid, tid = track.process_number + 1, number + _FIRST_THREAD
        where = f'"ph":"M","pid":{pid},"tid":{tid},"ts":0'
        if pid not in seen:
            seen.add(pid)
            yield f'{{"name":"process_name",{where},"args":{{"name":{json.dumps(track.process)}}}}}'
            yield f'{{"name":"process_sort_index",{where},"args":{{"sort_index":{pid}}}}}'
        yield f'{{"name":"thread_name",{where},"args":{{"name":{json.dumps(track.name)}}}}}'
        yield f'{{"name":"thread_sort_index",{where},"args":{{"sort_index":{number}}}}}'
