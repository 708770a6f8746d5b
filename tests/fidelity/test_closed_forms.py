# SPDX-License-Identifier: MIT
"""Closed forms that native memories must meet.

Unloaded latency, streaming peak, activation window, refresh loss, read-write turnaround, rate of PIM_RD.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from heam_sim._core import Device, SpecHandle
from heam_sim.address import parse_map
from heam_sim.dram import Spec, derive_pim, earliest_gap, list_presets, load_spec
from heam_sim.dram.stop_level import pe_levels
from heam_sim.traffic import ReplayResult, replay

ALL = [name for name in list_presets() if name.startswith("native/")]
# Organisations differ in refresh and rows only: one for each timing by default, all when there is time.
FIRST = {name.rsplit("/", 1)[1]: name for name in reversed(ALL)}
NATIVE = [pytest.param(name, marks=() if name in FIRST.values() else pytest.mark.slow) for name in ALL]


def run(preset: str, address: np.ndarray, write: int | np.ndarray = 0, **options: object) -> ReplayResult:
    flags = np.broadcast_to(np.asarray(write), address.shape).astype(np.uint8)
    return replay(address, flags, preset=preset, record_commands=True, **{"refresh": "none", **options})


@pytest.mark.parametrize("preset", NATIVE)
def test_an_unloaded_read_takes_rcd_and_read_latency(preset: str) -> None:
    spec = load_spec(preset)
    result = run(preset, np.array([0]))
    clocks = [int(command["clock"]) for command in result.commands]
    gap = max(
        row.cycles
        for row in spec.constraints
        if "ACT" in row.preceding and "RD" in row.following and row.level == "bank"
    )
    # HBM3's RD starts on a whole clock only, like the ACT before it.
    assert clocks[1] - clocks[0] == gap + -gap % spec.command("RD").alignment
    assert result.cycles == clocks[1] + spec.read_latency


def streaming_map(preset: str) -> str:
    """Bank groups innermost, then pseudo channels: consecutive bursts never wait for one bank group."""
    spec = load_spec(preset)
    inner = [level for level in reversed(spec.levels[1:]) if level != "bank"]
    return " ".join(("row", "bank", "column", *reversed(inner), "channel"))


@pytest.mark.parametrize("preset", NATIVE)
def test_streaming_reaches_95_percent_of_peak(preset: str) -> None:
    spec = load_spec(preset)
    count = 40_000
    address = np.arange(count, dtype=np.int64) * spec.burst_bytes
    options = {"address_map": streaming_map(preset), "offers_per_cycle": 4}
    # 64 entries look far enough ahead to open the next row of every bank group in time.
    share = run(preset, address, read_queue=64, **options).bandwidth_GBps / spec.peak_bytes_per_ns
    assert 0.95 <= share <= 1, share
    if spec.standard in ("HBM2E", "HBM3"):
        # As docs/memories.md has it: 32 entries do not, in any organisation.
        short = run(preset, address, **options).bandwidth_GBps / spec.peak_bytes_per_ns
        assert 0.89 <= short < 0.95 and share >= 0.965, (short, share)


@pytest.mark.parametrize("preset", NATIVE)
def test_random_rows_meet_the_activation_window(preset: str) -> None:
    """Row misses over all banks of one rank: four ACTs per tFAW, or one per tRRD_S where that is longer."""
    spec = load_spec(preset)
    banks = spec.banks // spec.nodes(spec.second_level)
    inner = " ".join(level for level in reversed(spec.levels[2:]))
    text = f"row column {spec.second_level} {inner} channel"
    count = 64 * banks
    # Every burst in another row: a stride of all banks, columns and ranks, the bank running fastest.
    step = np.arange(count, dtype=np.int64)
    bursts = step % banks + (step // banks) * (banks * spec.columns * spec.nodes(spec.second_level))
    result = run(preset, bursts * spec.burst_bytes, address_map=text, offers_per_cycle=4)
    acts = result.commands["clock"][result.commands["command"] == result.command_names.index("ACT")]
    # Whole windows of four, behind the start and before the end.
    windows = (len(acts) - 2 * banks) // 4
    per_act = (int(acts[banks + 4 * windows]) - int(acts[banks])) / (4 * windows)
    window = max(row.cycles for row in spec.constraints if row.window == 4) / 4
    bank_cycle = spec.timing["nRC"] / banks
    least = max(window, bank_cycle, spec.timing["nRRDS"], spec.timing["nBL"])
    # Whole cycles of tRRD, tRRD_L and tFAW do not always fit into each other without a gap.
    assert least <= per_act <= 1.10 * least, (per_act, least)


@pytest.mark.parametrize("preset", NATIVE)
def test_refresh_costs_at_least_its_share(preset: str) -> None:
    spec = load_spec(preset)
    share = spec.timing["nRFC"] / spec.refresh_interval
    count = int(12 * spec.refresh_interval / spec.timing["nBL"])
    address = np.arange(count, dtype=np.int64) * spec.burst_bytes
    options = {"address_map": streaming_map(preset), "offers_per_cycle": 4}
    without = run(preset, address, **options)
    refreshed = run(preset, address, refresh="all-bank", **options)
    loss = 1 - without.cycles / refreshed.cycles
    assert 0.75 * share <= loss <= share + 0.06, (loss, share)


def distance(spec: Spec, first: str, second: str, relation: str) -> int:
    """Least distance of two commands in two slots of one bus."""
    return max(1, earliest_gap(spec, first, second, relation))


@pytest.mark.parametrize("relation", ["bank", "rank", "other_rank"])
@pytest.mark.parametrize("preset", NATIVE)
def test_read_write_turnaround(preset: str, relation: str) -> None:
    """Reads and writes of open rows in turn: a period is the row RD -> WR and the row WR -> RD.

    They go to one bank, to two bank groups of a rank or pseudo channel, or to two ranks or pseudo channels.
    """
    second = load_spec(preset).second_level
    overrides = {second: 2} if second == "rank" else {}
    spec = load_spec(preset, overrides=overrides)
    step = np.arange(120)
    place = {level: np.zeros_like(step) for level in ("channel", "row", "column", *spec.levels[1:])}
    # Never the same burst within a few requests, or a read would be answered from the write queue.
    place["column"] = (step // 2 + step % 2 * spec.columns // 2) % spec.columns
    if relation != "bank":
        place["bank_group" if relation == "rank" else second] = step % 2
    address = parse_map("RoBaRaCoCh", spec, channels=1).join(place) * spec.burst_bytes
    # With one entry each the queues cannot gather reads or writes, so that the controller has to alternate.
    result = run(
        preset, address, step % 2, overrides=overrides, read_queue=1, write_queue=1, offers_per_cycle=4
    )
    column = [name in ("RD", "WR") for name in result.command_names]
    issued = result.commands[np.array(column)[result.commands["command"]]]
    names = [result.command_names[command] for command in issued["command"]]
    # The first write may overtake the second read while rows are opened; from then on they take turns.
    assert len(names) == 120 and all(a != b for a, b in pairwise(names[10:]))
    reads = issued["clock"][10:][np.array(names[10:]) == "RD"]
    there, back = distance(spec, "RD", "WR", relation), distance(spec, "WR", "RD", relation)
    period = max(there + back, distance(spec, "RD", "RD", "bank"), distance(spec, "WR", "WR", "bank"))
    assert set(np.diff(reads).tolist()) == {period}
    if relation == "bank":
        timing = spec.timing
        assert back == timing["nCWL"] + timing.get("nBLMAX", timing["nBL"]) + timing["nWTRL"]


def cycles_per_read(spec: Spec, command: str, banks: list[int]) -> float:
    """Mean distance of column reads that take turns in open rows of some banks, each as early as it may."""
    device, clock = Device(SpecHandle(spec)), 0
    for bank in banks:
        clock = max(clock + 1, device.earliest("ACT", bank)[0])
        device.issue("ACT", bank, row=7, cycle=clock)
    first = clock = clock + 1000
    rounds = 10
    for bank in [*banks * rounds, banks[0]]:
        clock = max(clock, device.earliest(command, bank)[0])
        device.issue(command, bank, row=7, cycle=clock)
    return (clock - first) / (rounds * len(banks))


@pytest.mark.parametrize("preset", NATIVE)
def test_rate_of_pim_reads_by_level(preset: str) -> None:
    """Bank and bank group: tCCD_L. Rank: tCCD_S, or a burst, over its groups. Base die and beyond: as RD."""
    spec = load_spec(preset)
    long, short = spec.timing["nCCDL"], spec.timing["nCCDS"]
    per_group = spec.counts["bank"]
    groups = [group * per_group for group in range(spec.counts["bank_group"])]
    for level in pe_levels(spec):
        derived = derive_pim(spec, level, "channel" if level in ("bank", "bank_group") else None)
        assert cycles_per_read(derived, "PIM_RD", [0]) == long
        if level == "bank":
            continue
        assert cycles_per_read(derived, "PIM_RD", [0, 1]) == long
        if level == "bank_group":
            continue
        least = max(short, spec.timing["nBL"], long / len(groups))
        assert cycles_per_read(derived, "PIM_RD", groups) == least
        if level not in ("sid", spec.second_level):
            for banks in ([0], groups, [0, spec.banks - 1]):
                assert cycles_per_read(derived, "PIM_RD", banks) == cycles_per_read(spec, "RD", banks)
