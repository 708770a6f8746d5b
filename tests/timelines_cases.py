# SPDX-License-Identifier: MIT
"""Reading trace events back, as a viewer does."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["Event", "Read", "read_events"]


@dataclass(frozen=True)
class Event:
    """A slice as a viewer sees it: where, when (ns, exact), how deep, what is said; `at` in the file."""

    process: str
    track: str
    name: str
    kind: str
    start: Decimal
    stop: Decimal
    depth: int
    args: dict[str, Any]
    at: int
    raw: dict[str, Any]


@dataclass(frozen=True)
class Read:
    """A whole file."""

    events: list[Event]
    processes: list[str]
    tracks: list[tuple[str, str]]
    about: dict[str, Any]


def read_events(path: Path) -> Read:
    """Read a file and hold it against the format: every slice ends, in order, inside what it began in."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    document = json.loads(raw, parse_float=Decimal, parse_int=int)
    assert document["displayTimeUnit"] == "ns"
    processes: dict[int, str] = {}
    tracks: dict[tuple[int, int], str] = {}
    order: dict[Any, int] = {}
    stacks: dict[tuple[int, int], list[tuple[int, dict[str, Any]]]] = {}
    found: list[Event] = []
    last = Decimal(0)
    for at_line, event in enumerate(document["traceEvents"]):
        pid, tid = event["pid"], event["tid"]
        if event["ph"] == "M":
            if event["name"] == "process_name":
                processes[pid] = event["args"]["name"]
            elif event["name"] == "thread_name":
                tracks[pid, tid] = event["args"]["name"]
            else:
                key = pid if event["name"] == "process_sort_index" else (pid, tid)
                order[key] = event["args"]["sort_index"]
            continue
        assert (pid, tid) in tracks and pid in processes, "a name for everything comes first"
        at = Decimal(event["ts"])
        assert at >= last, "times go back"
        last = at
        stack = stacks.setdefault((pid, tid), [])
        if event["ph"] == "B":
            stack.append((at_line, event))
            continue
        assert event["ph"] in "Ei"
        began, begun = stack.pop() if event["ph"] == "E" else (at_line, event)
        found.append(
            Event(
                process=processes[pid],
                track=tracks[pid, tid],
                name=begun["name"],
                kind=begun["cat"],
                start=Decimal(begun["ts"]) * 1000,
                stop=at * 1000,
                depth=len(stack),
                args=begun["args"],
                at=began,
                raw=begun,
            )
        )
    assert not any(stacks.values()), "a slice has no end"
    assert len(set(tracks)) == len({tid for _, tid in tracks}), "a thread number in two processes"
    assert not set(processes) & {tid for _, tid in tracks}, "a thread that looks like a main thread"
    for keys in (list(processes), list(tracks)):
        assert keys == sorted(keys, key=order.__getitem__), "the order is that of the sort indices"
    return Read(
        found,
        list(processes.values()),
        [(processes[pid], name) for (pid, _), name in tracks.items()],
        document["otherData"],
    )
