# SPDX-License-Identifier: MIT
"""The C core does exactly what the slow reference does, on presets and on every PE level derived of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heam_sim.dram import Spec, derive_pim, load_spec
from tests.equivalence.core_runs import (
    CoreRun,
    assert_equal_replay,
    assert_equal_system,
    core_replay,
    core_system,
)
from tests.equivalence.test_core_reference import check_device
from tests.reference.plain import replay
from tests.reference.random_specs import ITEM_DTYPES, RandomSystem
from tests.reference.system import HOST_READ, PIM_LUT, PIM_READ, simulate
from tests.reference.timing import ROLE_ACC, ROLE_LOAD, ROLE_MAC, ROLE_MUL

# Refresh every few hundred cycles instead of every few thousand, so that short streams meet it.
MEMORIES = {
    "DDR4": ("native/DDR4_8Gb_x8/DDR4_3200", {"rank": 2, "nREFI": 300, "nRFC": 90}),
    "HBM2": ("native/HBM2_4Gb/HBM2_2000", {"nREFI": 260, "nRFC": 60}),
    "HBM2 legacy": ("native/HBM2_4Gb_legacy/HBM2_2000", {"nREFI": 260, "nRFC": 60}),
}
# Memories with refreshes of banks; intervals as short as a turn of all banks lets them be.
BANK_REFRESH = {
    "DDR5": ("native/DDR5_16Gb_x8/DDR5_4800", {"rank": 2, "nREFIsb": 400, "nRFCsb": 60}, "same-bank"),
    "HBM2": ("native/HBM2_4Gb/HBM2_2000", {"nREFI": 1600, "nRFCpb": 40}, "per-bank"),
    "HBM3": ("native/HBM3_16Gb_8hi/HBM3_6400", {"nREFI": 3000, "nRFCpb": 40}, "per-bank"),
    "LPDDR5": ("native/LPDDR5_8Gb_x16/LPDDR5_6400", {"rank": 2, "nREFI": 1600, "nRFCpb": 30}, "per-bank"),
}
POLICIES = (
    {},
    {"scheduler": "fcfs", "row_policy": "capped", "row_cap": 2},
    {"scheduler": "frfcfs-cap", "row_hit_cap": 2, "row_policy": "timeout", "row_timeout": 50},
    {"row_policy": "closed", "refresh_stagger": True, "refresh_postpone": 1},
    {"scheduler": "frfcfs-cap", "refresh_postpone": 3},
)
# Units at a level, and where their sums meet; the level names are the derivation's.
LEVELS = (
    ("DDR4", "bank", "rank"),
    ("DDR4", "bank_group", None),
    ("DDR4", "rank", None),
    ("DDR4", "rank", "dimm"),
    ("DDR4", "dimm", None),
    ("HBM2", "bank", "channel"),
    ("HBM2", "bank_group", "channel"),
    ("HBM2", "pseudo_channel", "channel"),
    ("HBM2", "channel", None),
    ("HBM2 legacy", "bank", None),
    ("HBM2 legacy", "bank_group", "channel"),
    ("HBM2 legacy", "bank_group", None),
    ("HBM2 legacy", "channel", None),
    ("HBM2 legacy", "stack", None),
)
HOST = {
    "period": 5,
    "issue_per_cycle": 2,
    "outstanding": 24,
    "add_bytes_per_cycle": 32,
    "line_bytes": 64,
    "llc_sets": 4,
    "llc_ways": 2,
    "window": 6,
    "batch": 0,
    "instruction_buffer": 4,
}
PIM = {
    "kind": "pim",
    "period": 8,
    "queue_depth": 4,
    "batch_tags": 3,
    "instruction_cycles": 2,
    "decode_cycles": 1,
    "alu_cycles": 2,
    "alu_latency": 4,
    "merge_cycles": 1,
    "mov_latency": 14,
    "res_latency": 14,
    "port_bytes_per_cycle": 40,
    "lut_load": 6,
    "result_bursts": 4,
    "refresh": True,
    "path_uses_dq": False,
}


def memory(name: str) -> Spec:
    preset, overrides = MEMORIES[name]
    return load_spec(preset, overrides=overrides)


def pim_channel(name: str, level: str, merge: str | None, **options: Any) -> dict[str, Any]:
    spec = derive_pim(memory(name), level, merge)
    node = level if level in spec.levels else "channel"
    return {**PIM, "spec": spec, "unit_level": node, "merge": merge is not None, **options}


def plain_channel(name: str, **options: Any) -> dict[str, Any]:
    return {"kind": "plain", "spec": memory(name), "period": 3, "refresh": True, "read_queue": 32, **options}


def work(
    channels: list[dict[str, Any]], *, seed: int, gnrs: int, operands: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Random bags: few rows and banks, so that hits and conflicts happen; LOAD and MAC pairs, LUT rows."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, int]] = []
    offsets = [0]
    for _ in range(gnrs):
        for slot in range(int(rng.integers(operands + 1))):
            rows += operand(rng, channels, int(rng.integers(len(channels))), slot)
        offsets.append(len(rows))
    items = {
        name: np.array([row.get(name, 0) for row in rows], dtype=dtype) for name, dtype in ITEM_DTYPES.items()
    }
    return items, np.array(offsets, dtype=np.uint64)


def operand(
    rng: np.random.Generator, channels: list[dict[str, Any]], channel: int, slot: int
) -> list[dict[str, int]]:
    spec = channels[channel]["spec"]
    item = {"channel": channel, "slot": slot, "unit": 65535, "role": ROLE_ACC, "row": int(rng.integers(3))}
    item |= {"bank": int(rng.integers(spec.banks)), "line": int(rng.integers(40))}
    if channels[channel]["kind"] == "plain":
        per_line = 64 // spec.burst_bytes
        column = per_line * int(rng.integers(4))
        return [{**item, "kind": HOST_READ, "column": column, "bursts": per_line * int(rng.integers(1, 3))}]
    units = spec.nodes(channels[channel]["unit_level"])
    per_unit = spec.banks // units
    item["unit"] = int(rng.integers(units))

    def read(role: int) -> dict[str, int]:
        bank = item["unit"] * per_unit + int(rng.integers(per_unit))
        place = {"bank": bank, "column": int(rng.integers(8)), "bursts": int(rng.integers(1, 5))}
        return {**item, **place, "kind": PIM_READ, "role": role, "row": int(rng.integers(3))}

    def lut(role: int) -> dict[str, int]:
        place = {"bank": 0, "column": 0, "bursts": int(rng.integers(1, 5)), "row": int(rng.integers(500))}
        return {**item, **place, "kind": PIM_LUT, "role": role}

    kind = rng.random()
    if kind < 0.4:
        return [read(ROLE_ACC)]
    if kind < 0.5:
        return [lut(ROLE_ACC)]
    if kind < 0.6:
        return [read(ROLE_LOAD), lut(ROLE_MUL), read(ROLE_MUL), read(ROLE_MAC)]
    return [read(ROLE_LOAD) if kind < 0.75 else lut(ROLE_LOAD), read(ROLE_MAC)]


def check(
    channels: list[dict[str, Any]], *, seed: int, gnrs: int = 12, operands: int = 8, **host: int
) -> CoreRun:
    """Compare, also with the work in two pieces; give back what the core said."""
    items, offsets = work(channels, seed=seed, gnrs=gnrs, operands=operands)
    case = RandomSystem(channels, {**HOST, **host}, items, offsets)
    reference = simulate(case.channels, case.host, case.items, case.gnr_offsets)
    core = core_system(case)
    assert_equal_system(core, reference)
    assert core_system(case, cuts=[gnrs // 2], max_steps=3) == core
    return core


def issued(core: CoreRun) -> set[str]:
    return {record[2] for record in core.log}


@pytest.mark.parametrize(("name", "level", "merge"), LEVELS)
def test_every_unit_level(name: str, level: str, merge: str | None) -> None:
    core = check([pim_channel(name, level, merge)], seed=7)
    wanted = {"ACT", "PREpb", "PREab", "REFab", "PIM_RD", "PIM_RDRES", "PIM_WRLUT", "PIM_LUT"}
    assert issued(core) - {"PIM_MOV"} == wanted
    assert ("PIM_MOV" in issued(core)) == (merge is not None)


@pytest.mark.parametrize("name", MEMORIES)
def test_plain_reads_with_an_llc(name: str) -> None:
    core = check([plain_channel(name), plain_channel(name, period=4, read_queue=2)], seed=3)
    assert issued(core) == {"ACT", "PREpb", "PREab", "REFab", "RD", "LLC_HIT"}


@pytest.mark.parametrize("seed", range(3))
def test_two_tiers_of_different_clocks(seed: int) -> None:
    channels = [
        pim_channel("HBM2 legacy", "bank_group", "channel"),
        pim_channel("HBM2 legacy", "bank_group", "channel", period=9),
        plain_channel("DDR4"),
        plain_channel("DDR4", period=7),
    ]
    core = check(channels, seed=seed, gnrs=16, operands=10)
    assert {record[1] for record in core.log} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "options",
    [
        {"queue_depth": 1},
        {"batch_tags": 1},
        {"queue_depth": 1, "batch_tags": 1},
        {"path_uses_dq": True},
        {"path_uses_dq": True, "instruction_cycles": 5, "res_latency": 3, "result_bursts": 5},
        {"refresh": False},
        {"port_bytes_per_cycle": 3},
        {"alu_cycles": 9, "alu_latency": 0},
        {"merge_cycles": 12, "mov_latency": 0},
        {"instruction_cycles": 30},
        {"decode_cycles": 50},
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
@pytest.mark.parametrize(
    ("name", "level", "merge"), [("DDR4", "rank", "dimm"), ("HBM2 legacy", "bank_group", "channel")]
)
def test_extreme_channel_options(name: str, level: str, merge: str, options: dict[str, Any]) -> None:
    check([pim_channel(name, level, merge, **options)], seed=11)


@pytest.mark.parametrize(
    "host",
    [
        {"window": 1},
        {"batch": 4, "window": 16},
        {"outstanding": 2},
        {"llc_sets": 0},
        {"add_bytes_per_cycle": 1},
        {"period": 40},
        {"issue_per_cycle": 9, "instruction_buffer": 1},
    ],
    ids=lambda host: ",".join(f"{name}={value}" for name, value in host.items()),
)
def test_extreme_hosts(host: dict[str, int]) -> None:
    check([pim_channel("HBM2", "bank_group", "channel"), plain_channel("HBM2")], seed=5, **host)


@pytest.mark.parametrize("name", MEMORIES)
@pytest.mark.parametrize("drain", [True, False])
def test_replays(name: str, drain: bool) -> None:
    spec = memory(name)
    rng = np.random.default_rng(1)
    requests = []
    for _ in range(500):
        channel, bank, row = int(rng.integers(2)), int(rng.integers(spec.banks)), int(rng.integers(3))
        column = int(rng.integers(6))
        address = ((channel * spec.banks + bank) * 8 + row) * 8 + column
        requests.append((channel, bank, row, column, bool(rng.random() < 0.4), address))
    case = {"spec": spec, "requests": requests, "channels": 2, "offers_per_cycle": 2, "drain": drain}
    core = core_replay(case)
    assert_equal_replay(core, replay(**case))
    for part in core:
        assert part.counters["num_maintenance_reqs_served"] > 0
        assert part.counters["num_read_reqs_forwarded"] > 0
        assert part.counters["num_write_reqs_coalesced"] > 0


@pytest.mark.parametrize("policies", POLICIES, ids=lambda p: ",".join(map(str, p.values())) or "default")
@pytest.mark.parametrize("name", BANK_REFRESH)
def test_replays_with_policies_and_refreshes_of_banks(name: str, policies: dict[str, Any]) -> None:
    preset, overrides, refresh = BANK_REFRESH[name]
    spec = load_spec(preset, overrides=overrides)
    interval = (spec.bank_refresh_interval or 0) * spec.refresh_turns("REFSB")
    rng = np.random.default_rng(4)
    requests = []
    for _ in range(350):
        bank, row, column = int(rng.integers(spec.banks)), int(rng.integers(3)), int(rng.integers(6))
        requests.append((0, bank, row, column, bool(rng.random() < 0.4), (bank * 8 + row) * 8 + column))
    case = {"spec": spec, "requests": requests, "channels": 1, "refresh": refresh, **policies}
    case["refresh_interval"] = interval
    core = core_replay(case)
    assert_equal_replay(core, replay(**case))
    assert core[0].counters["ref_bank"] > 0
    assert core[0].counters["num_maintenance_reqs_served"] == 0


@pytest.mark.parametrize("name", BANK_REFRESH)
def test_devices_with_refreshes_of_banks(name: str) -> None:
    preset, overrides, _ = BANK_REFRESH[name]
    check_device(load_spec(preset, overrides=overrides), seed=6, commands=150)


@pytest.mark.parametrize(("name", "level", "merge"), [*LEVELS, *((name, None, None) for name in MEMORIES)])
def test_devices(name: str, level: str | None, merge: str | None) -> None:
    plain = memory(name)
    spec = plain if level is None else derive_pim(plain, level, merge)
    check_device(spec, seed=2, commands=150)
