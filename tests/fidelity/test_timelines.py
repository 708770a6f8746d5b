# SPDX-License-Identifier: MIT
"""Timelines tell the truth: derived by hand, and held against the engine's own times."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.check import CommandLog
from heam_sim.dram import load_spec
from heam_sim.planning import Plan
from heam_sim.simulation import Run
from heam_sim.systems import known_systems
from heam_sim.timelines import Window, log_timeline, memories_of_system, memory_of_spec, timeline
from heam_sim.timelines.marks import Marks
from heam_sim.timelines.memories import memories_of_plan
from heam_sim.traffic import ReplayResult, replay
from tests.functional.small import IN_ORDER, PSEUDO_CHANNELS, mixed_trace, run_of, trace_of
from tests.timelines_cases import Event, read_events

ALL = Window("cycles", 0, 1 << 40)
MIXED = mixed_trace(samples=24, longest=6)
DDR4 = "native/DDR4_8Gb_x8/DDR4_3200"

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{system: (system, "qr:8", {}) for system in known_systems()},
    "HEAM, three partitions": ("heam", "partitions:3", {}),
    "HEAM, pseudo channels": ("heam", "qr:8", PSEUDO_CHANNELS),
    "HEAM, PEs in banks": ("heam", "full", {"hbm.pim.unit_level": "bank"}),
    "HEAM, no merge node": ("heam", "qr:8", {"hbm.pim.merge_level": ""}),
    "HEAM, slow ALUs and merge nodes": (
        "heam",
        "qr:8",
        {"hbm.pim.alu_bytes_per_cycle": 4, "hbm.pim.merge_bytes_per_cycle": 8},
    ),
    "HEAM, a stack node": ("heam", "qr:8", {"hbm.pim.stack_bytes_per_cycle": 64}),
    "HEAM, immediates": ("heam", "qr:8", {"hbm.pim.immediates": True}),
    "ProactivePIM, merged rows": (
        "proactivepim",
        "partitions:3",
        {"hbm.pim.cache_rows": "all", "hbm.pim.merge_identical": True},
    ),
    "HEAM, pooled before they are composed": ("heam", "partitions:3:pool-first", {}),
    "RecNMP, matrices": ("recnmp", "tt:4", {}),
}


def all_of(name: str) -> tuple[Plan, Run, Marks]:
    system, embedding, overrides = CASES[name]
    planned, run = run_of(
        MIXED, system=system, embedding=embedding, overrides=overrides, vector_bytes=128, profile=0.5
    )
    return planned, run, Marks(run.log, run.command_names, memories_of_plan(planned))


def requests(preset: str, **options: Any) -> ReplayResult:
    source = np.random.default_rng(1)
    address, is_write = source.integers(0, 1 << 14, 1500) * 64, source.integers(0, 3, 1500) == 0
    return replay(address, is_write, preset=preset, record_commands=True, **options)


def test_a_lookup_in_heam_as_its_card_derives_it(tmp_path: Path) -> None:
    """docs/models/heam.md, the first micro-trace: every time there is one of a slice, in ns = cycles."""
    one = trace_of([[[0], [0]]], cardinalities=[64])
    made = timeline(
        one,
        system="heam",
        embedding="qr:4",
        vector_bytes=64,
        profile=0.5,
        overrides=IN_ORDER,
        window=Window("ns", 10, 100),
    )
    made.write(tmp_path / "t.json")
    read = read_events(tmp_path / "t.json")
    found = sorted((e.start, e.stop, e.track, e.kind, e.name) for e in read.events if e.name != "PIM_WRLUT")
    assert found == [
        (10, 11, "PE 0 LUT", "command", "PIM_LUT"),  # a burst of 64 B through a port of 64 B per cycle
        (11, 25, "bank 0.0.0", "command", "ACT"),  # tRCD
        (11, 78, "bank 0.0.0", "row", "row 0"),  # still open at the end
        (25, 27, "bank 0.0.0", "command", "PIM_RD"),  # tCCD_L
        (25, 27, "bank group 0.0", "I/O", "PIM_RD"),
        (39, 41, "PE 0 (bank group 0.0)", "burst", "PIM_RD"),  # tCL, a burst of two cycles
        (41, 42, "PE 0 ALU", "work", "PIM_RD"),  # ready three cycles later
        (45, 46, "merge path", "command", "PIM_MOV"),
        (61, 62, "merge node", "work", "PIM_MOV"),  # 45 + 14 + 2
        (62, 63, "host path", "command", "PIM_RDRES"),
        (76, 78, "data bus", "burst", "PIM_RDRES"),  # there at 62 + 16
    ]
    # The last bursts on their way into the LUTs of all channels: sent at 5 and 7, there tCWL = 4 later.
    fills = [e for e in read.events if e.name == "PIM_WRLUT"]
    assert {(e.start, e.stop) for e in fills} == {(9, 11), (11, 13)} and len(fills) == 2 * 8 * (4 + 1)
    assert {e.track for e in fills} == {"data bus", *(f"PE {unit} LUT fill" for unit in range(4))}
    assert {e.process for e in read.events} == {f"hbm channel {channel}" for channel in range(8)}
    (rd,) = (e for e in read.events if e.name == "PIM_RD" and e.kind == "command")
    assert rd.args == {
        "command": "PIM_RD",
        "cycle": 25,
        "channel": 0,
        "bank": 0,
        "row": 0,
        "column": 0,
        "gnr": 0,
        "lookup": 0,
        "pe": 0,
        "role": "multiply and add",
        "time set by": rd.args["time set by"],
        "log row": rd.args["log row"],
    }
    assert "ACT" in rd.args["time set by"] and "14 cycles = nRCD" in rd.args["time set by"]


@pytest.mark.parametrize("name", CASES)
def test_every_command_has_its_slice_and_nothing_overlaps(name: str) -> None:
    _, run, marks = all_of(name)
    slices = marks.slices(0, 1 << 60)
    commands = slices[slices["kind"] == "command"]
    assert sorted(commands["record"]) == list(range(len(run.log)))
    assert (commands["start"] == marks.ticks[commands["record"]]).all()
    tracks = [marks.layout.track(number) for number in sorted(set(slices["track"]))]
    assert not [track.name for track in tracks if "overlap" in track.name]
    assert len({(track.process, track.name) for track in tracks}) == len(tracks)
    assert set(commands["name"]) == {run.command_names[number] for number in set(run.log["command"].tolist())}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[1] != "tt:4"])
def test_alus_are_done_when_the_engine_sends_their_sums(name: str) -> None:
    """A partial leaves (PIM_MOV, or PIM_RDRES without a merge node) when its sum is ready, or later."""
    _, run, marks = all_of(name)
    slices = marks.slices(0, 1 << 60)
    alu = [marks.layout.track(number).kind == "ALU" for number in slices["track"]]
    work = slices[alu]
    memories = marks.memories
    sends = "PIM_MOV" if "PIM_MOV" in set(slices["name"]) else "PIM_RDRES"
    if not len(work):
        # Elements without a known arithmetic, or none at all.
        assert all(memory.arithmetic is None for memory in memories.members)
        return
    ready: dict[tuple[int, int, int], int] = defaultdict(int)
    for record, stop in zip(work["record"], work["stop"], strict=True):
        row = run.log[record]
        memory = memories.of_channel(int(row["channel"]))
        assert memory.arithmetic is not None
        cycle = stop // int(memory.spec.tCK_ps / memories.tick_ps) + memory.arithmetic.alu_latency
        key = (int(row["channel"]), int(row["unit"]), int(row["tag"]))
        ready[key] = max(ready[key], cycle)
    sent: dict[tuple[int, int, int], int] = {}
    for row in run.log[run.log["command"] == run.command_names.index(sends)]:
        key = (int(row["channel"]), int(row["unit"]) % 65535, int(row["tag"]))
        sent.setdefault(key, int(row["clock"]))
    waits = [sent[key] - cycle for key, cycle in ready.items() if key in sent]
    assert len(waits) > 20 and min(waits) >= 0
    if name != "space":  # there results wait for one another at the host
        assert waits.count(0) > len(waits) / 3


@pytest.mark.parametrize(
    "name",
    [name for name in CASES if name.startswith(("heam", "HEAM", "trim", "rec")) and "no merge" not in name],
)
def test_merge_nodes_are_done_when_the_engine_reads_results(name: str) -> None:
    _, run, marks = all_of(name)
    slices = marks.slices(0, 1 << 60)
    node = [marks.layout.track(number).kind == "merge node" for number in slices["track"]]
    ready: dict[tuple[int, int], int] = {}
    for record, stop in zip(slices[node]["record"], slices[node]["stop"], strict=True):
        row = run.log[record]
        memory = marks.memories.of_channel(int(row["channel"]))
        key = (int(row["channel"]), int(row["tag"]))
        cycle = stop // int(memory.spec.tCK_ps / marks.memories.tick_ps)
        ready[key] = max(ready.get(key, 0), cycle)
    leaves = "PIM_XMOV" if "stack" in name else "PIM_RDRES"
    waits = []
    for row in run.log[run.log["command"] == run.command_names.index(leaves)]:
        cycle = ready.pop((int(row["channel"]), int(row["tag"])), None)
        if cycle is not None:
            waits.append(int(row["clock"]) - cycle)
    assert len(waits) > 20 and min(waits) == 0


def _open_rows(log: Any, names: tuple[str, ...], banks: int, ranks: int) -> set[tuple[int, int, int, int]]:
    """(bank, row, first cycle, end) of every row of one channel, command by command; -1: still open."""
    found, held = set(), {}
    per_rank = banks // ranks
    for entry in log:
        name, bank, clock = names[entry["command"]], int(entry["bank"]), int(entry["clock"])
        closes = range(0)
        if name == "PREpb":
            closes = range(bank, bank + 1)
        elif name == "PREab":
            closes = range(bank // per_rank * per_rank, (bank // per_rank + 1) * per_rank)
        for one in closes:
            if one in held:
                found.add((one, *held.pop(one), clock))
        if name == "ACT":
            held[bank] = (int(entry["row"]), clock)
    return found | {(bank, *row, -1) for bank, row in held.items()}


@pytest.mark.parametrize(
    "preset", [DDR4, "native/HBM3_16Gb_8hi/HBM3_5200", "native/GDDR6_16Gb_x16/GDDR6_14000"]
)
def test_open_rows_are_those_of_the_banks(preset: str) -> None:
    result = requests(preset)
    made = timeline(result, window=ALL)
    spans = made.slices[made.slices["kind"] == "row"]
    open_until = {"stop": made.stop}
    found = set()
    for record, name, start, stop in zip(
        spans["record"], spans["name"], spans["start"], spans["stop"], strict=True
    ):
        ends = -1 if stop >= open_until["stop"] else stop
        found.add((int(result.log["bank"][record]), int(name.split()[1]), start, ends))
    spec = result.spec
    assert found == _open_rows(result.log, result.command_names, spec.banks, spec.nodes(spec.second_level))


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        (DDR4, {"overrides": {"rank": 2}}),
        ("native/DDR5_16Gb_x16/DDR5_3200", {"refresh": "same-bank"}),
        ("native/HBM3_16Gb_8hi/HBM3_5200", {"refresh": "per-bank", "channels": 2}),
        ("native/LPDDR5_16Gb_x16/LPDDR5_5500", {}),
        ("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", {"row_policy": "closed"}),
    ],
    ids=str,
)
def test_replays_are_exact(tmp_path: Path, preset: str, options: dict[str, Any]) -> None:
    """Every command once, at its cycle times tCK; no burst of a bus meets another."""
    result = requests(preset, **options)
    made = timeline(result, window=ALL)
    made.write(tmp_path / "t.json")
    read = read_events(tmp_path / "t.json")
    spec = result.spec
    period = spec.tCK_ps / 1000
    commands = {e.args["log row"]: e for e in read.events if e.kind == "command"}
    assert len(commands) == len(result.log) == sum(e.kind == "command" for e in read.events)
    for number, entry in enumerate(result.log):
        event = commands[number]
        assert event.name == result.command_names[entry["command"]]
        exact = int(entry["clock"]) * period
        # Rounded to a femtosecond, and the last one no worse than the first.
        assert abs(event.start - Decimal(exact.numerator) / exact.denominator) <= Decimal("0.0000005")
    bursts: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in read.events:
        if event.kind == "burst":
            bursts[event.process, event.track].append(event)
    columns = np.isin(result.log["command"], [result.command_names.index(name) for name in ("RD", "WR")])
    assert sum(map(len, bursts.values())) == np.count_nonzero(columns)
    for track in bursts.values():
        ends = Decimal(0)
        for event in sorted(track, key=lambda e: e.start):
            assert event.start >= ends and event.depth == 0
            ends = event.stop


def test_a_log_that_breaks_a_rule_is_seen_to() -> None:
    """Two bursts at once on the data bus go to tracks beside each other, and are told as an overlap."""
    result = requests(DDR4)
    assert not [t for t in timeline(result, window=ALL).tracks if "overlap" in t.name]
    log = result.log.copy()
    reads = np.flatnonzero(log["command"] == result.command_names.index("RD"))
    late = reads[np.argmin(np.diff(log["clock"][reads].astype(np.int64)))]
    log["clock"][late] += 1
    made = log_timeline(CommandLog(log, result.command_names), memory_of_spec(load_spec(DDR4), 1), window=ALL)
    assert "data bus (overlap 1)" in {t.name for t in made.tracks}


def test_a_stored_log_is_drawn_as_the_run() -> None:
    """But for what only the run knows: here the ALUs' work and how long a row goes through a port."""
    _, run, _ = all_of("heam")
    log = CommandLog(run.log, run.command_names)
    stored = log_timeline(log, memories_of_system("heam"), window=ALL).to_frame()
    whole = timeline(
        MIXED, system="heam", embedding="qr:8", vector_bytes=128, profile=0.5, window=ALL
    ).to_frame()
    assert set(whole["track_kind"]) - set(stored["track_kind"]) == {"ALU"}
    columns = ["process", "track", "kind", "name", "start_ns", "bound", "record"]
    assert stored[columns].equals(whole.loc[whole["track_kind"] != "ALU", columns].reset_index(drop=True))


def test_commands_of_a_bag_hang_together(tmp_path: Path) -> None:
    made = timeline(MIXED, system="heam", embedding="qr:8", vector_bytes=128, profile=0.5, window=ALL)
    made.write(tmp_path / "t.json.gz")
    chains: dict[str, list[Event]] = defaultdict(list)
    read = read_events(tmp_path / "t.json.gz")
    # In the order in which they begin in the file; read_events has them as they end.
    for event in sorted(read.events, key=lambda e: (e.start, e.at)):
        if "bind_id" in event.raw:
            assert event.kind == "command"
            chains[event.raw["bind_id"]].append(event)
    assert len(chains) > 20
    for name, chain in chains.items():
        assert {event.args["gnr"] for event in chain} == {int(name, 16) - 1}
        assert [event.raw.get("flow_in", False) for event in chain] == [False] + [True] * (len(chain) - 1)
        assert [event.raw.get("flow_out", False) for event in chain] == [True] * (len(chain) - 1) + [False]
    tied = {event.args["log row"] for chain in chains.values() for event in chain}
    alone = [e for e in read.events if e.kind == "command" and e.args["log row"] not in tied]
    counts = np.bincount(made.tags[made.tags >= 0])
    for event in alone:  # refresh, LUT loading, or the only command of its bag
        assert "gnr" not in event.args or counts[event.args["gnr"]] == 1
