# SPDX-License-Identifier: MIT
"""Any command log, also one that obeys no rule, becomes events that a viewer can read, all at their times."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.check import LOG_DTYPE, CommandLog
from heam_sim.simulation import record
from heam_sim.systems import known_systems
from heam_sim.timelines import (
    Memories,
    Timeline,
    Window,
    log_timeline,
    memories_of_system,
    timeline,
)
from tests.functional.small import mixed_trace
from tests.timelines_cases import Read, read_events

ALL = Window("cycles", 0, 1 << 60)


@cache
def known(name: str) -> Memories:
    return memories_of_system(name)


def written(made: Timeline, magnify: int = 1) -> Read:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.json"
        made.write(path, magnify=magnify)
        return read_events(path)


def assert_complete(read: Read, log: Any, names: tuple[str, ...], memories: Memories) -> None:
    """As many commands of every kind as the log has, each at its clock."""
    commands = [event for event in read.events if event.kind == "command"]
    assert sorted(event.args["log row"] for event in commands) == list(range(len(log)))
    assert Counter(event.name for event in commands) == Counter(names[c] for c in log["command"])
    for event in commands:
        entry = log[event.args["log row"]]
        period = memories.of_channel(int(entry["channel"])).spec.tCK_ps
        if event.name == "LLC_HIT":
            assert memories.host_clock_ps is not None
            period = memories.host_clock_ps
        exact = Fraction(int(entry["clock"])) * period / 1000
        assert abs(event.start - Decimal(exact.numerator) / exact.denominator) <= Decimal("0.0000005")


@st.composite
def logs(draw: st.DrawFn) -> tuple[str, CommandLog]:
    """Random commands of a system's memories at random times, in random order."""
    name = draw(st.sampled_from(known_systems()))
    memories = known(name)
    names: list[str] = []
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        memory = draw(st.sampled_from(memories.members))
        of_it = [command.name for command in memory.spec.commands] + ["LLC_HIT"]
        of_it += ["PE_HIT", "MERGED", "PIM_XMOV"] if memory.units else []
        command = draw(st.sampled_from(of_it))
        if command not in names:
            names.append(command)
        unit = (
            draw(st.integers(0, memory.units - 1))
            if command.startswith(("P", "M")) and memory.units
            else 65535
        )
        rows.append(
            (
                draw(st.integers(0, 400)),
                draw(st.sampled_from(memory.channels)),
                names.index(command),
                draw(st.integers(0, memory.spec.banks - 1)),
                draw(st.integers(0, 3)),
                draw(st.integers(0, 3)),
                draw(st.integers(0, 3)),
                draw(st.integers(0, 3)),
                0 if command in ("PIM_LUT", "PE_HIT", "MERGED", "PIM_RD") and unit == 65535 else unit,
                draw(st.integers(-6, 60)),
                draw(st.sampled_from([0, 1, 2, 3, 4, 255])),
            )
        )
    return name, CommandLog(np.array(rows, LOG_DTYPE), tuple(names))


@settings(max_examples=30, deadline=None)
@given(logs())
def test_any_log_can_be_read_back(drawn: tuple[str, CommandLog]) -> None:
    name, log = drawn
    memories = known(name)
    made = log_timeline(log, memories, window=ALL)
    assert_complete(written(made), log.log, log.command_names, memories)


@settings(max_examples=30, deadline=None)
@given(logs(), st.integers(0, 300), st.integers(1, 200))
def test_a_window_has_its_commands_and_no_others(
    drawn: tuple[str, CommandLog], first: int, length: int
) -> None:
    name, log = drawn
    memories = known(name)
    tick = memories.tick_ps
    whole = log_timeline(log, memories, window=ALL)
    begin = int(first * memories.members[0].spec.tCK_ps / tick)
    end = int((first + length) * memories.members[0].spec.tCK_ps / tick)
    commands = whole.slices[whole.slices["kind"] == "command"]
    wanted = set(commands.loc[(commands["start"] >= begin) & (commands["start"] < end), "record"])
    if not wanted:
        return
    made = log_timeline(log, memories, window=Window("cycles", first, first + length))
    assert set(made.slices.loc[made.slices["kind"] == "command", "record"]) == wanted
    read = written(made)
    assert {event.args["log row"] for event in read.events if event.kind == "command"} == wanted
    # What was begun before is told as a whole: its commands are those of the whole log.
    assert set(made.slices["record"]) <= set(whole.slices["record"])


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(known_systems()),
    st.sampled_from(["full", "qr:4", "qr:8:concatenate", "partitions:3", "tt:4"]),
    st.sampled_from([128, 256]),
    st.integers(1, 1000),
    st.sampled_from([1, 1000]),
)
def test_any_run_can_be_read_back(
    system: str, embedding: str, vector_bytes: int, seed: int, magnify: int
) -> None:
    trace = mixed_trace(samples=3, seed=seed)
    options: dict[str, Any] = {"system": system, "embedding": embedding, "vector_bytes": vector_bytes}
    _, run = record(trace, profile=0.34, **options)
    if not run.log.size:
        return
    made = timeline(trace, profile=0.34, window=ALL, **options)
    assert not [track.name for track in made.tracks if "overlap" in track.name]
    read = written(made)
    assert_complete(read, run.log, run.command_names, made.memories)
    larger = written(made, magnify)
    assert [event.start * magnify for event in read.events] == [event.start for event in larger.events] or (
        made.memories.tick_ps.denominator > 1
    )
