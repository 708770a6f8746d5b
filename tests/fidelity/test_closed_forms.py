# SPDX-License-Identifier: MIT
"""Closed forms that native memories must meet: latency, streaming peak, activation window, refresh loss."""

from __future__ import annotations

import numpy as np
import pytest

from heam_sim.dram import list_presets, load_spec
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
    # 64 entries look far enough ahead to open the next row of every bank group in time.
    result = run(preset, address, address_map=streaming_map(preset), offers_per_cycle=4, read_queue=64)
    assert result.bandwidth_GBps >= 0.95 * spec.peak_bytes_per_ns, (
        result.bandwidth_GBps / spec.peak_bytes_per_ns
    )
    assert result.bandwidth_GBps <= spec.peak_bytes_per_ns


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
