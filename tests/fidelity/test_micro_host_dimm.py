# SPDX-License-Identifier: MIT
"""The micro-trace of docs/models/host-dimm.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fidelity import micro
from tests.functional.small import DIMM_IN_ORDER, commands, metered, run_of, trace_of

# Vectors of 64 B in table order: channel = v mod 2, bank group = v/2 mod 4, rank = v/8 mod 2, bank = v/16
# mod 4,
# column = v/64 mod 128, row = v/8192. All five lookups fall into channel 0.
TRACE = trace_of([[[0, 2, 64, 0, 8192]]], cardinalities=[20000])
OPTIONS: dict[str, Any] = {
    "system": "host-dimm",
    "embedding": "full",
    "vector_bytes": 64,
    "profile": 0,
    "overrides": DIMM_IN_ORDER,
}


def test_timing_values_of_the_derivation() -> None:
    planned, _ = run_of(TRACE, **OPTIONS)
    spec = planned.specs["dimm"]
    used = ("nRCD", "nRP", "nRAS", "nRC", "nCL", "nBL", "nCCDS", "nCCDL", "nRRDS", "nRTP")
    assert [spec.timing[name] for name in used] == [22, 22, 52, 74, 22, 4, 4, 8, 4, 12]
    assert planned.tick_ps == 125


def test_every_command_is_where_the_card_derives_it() -> None:
    _, run = run_of(TRACE, **OPTIONS)
    assert commands(run) == [
        (0, 0, "LLC_HIT", 0, 0, 0),  # the second look at row 0, in host cycle 0
        (0, 1, "ACT", 0, 0, 0),
        (0, 5, "ACT", 4, 0, 0),  # tRRD_S
        (0, 23, "RD", 0, 0, 0),  # 1 + tRCD
        (0, 27, "RD", 4, 0, 0),  # 5 + tRCD, and tCCD_S
        (0, 31, "RD", 0, 0, 1),  # 23 + tCCD_L
        (0, 53, "PREpb", 0, 1, 0),  # 1 + tRAS
        (0, 75, "ACT", 0, 1, 0),  # 53 + tRP, 1 + tRC
        (0, 97, "RD", 0, 1, 0),  # 75 + tRCD
    ]
    channel = run.channels[0]
    assert (channel["row_hits"], channel["row_misses"], channel["row_conflicts"]) == (1, 2, 1)
    # Data at cycles 49, 53, 57 and 123; requests entered at stamps 0, 1, 2 and 3.
    assert channel["read_latency"] == 49 + (53 - 1) + (57 - 2) + (123 - 3)


def test_time_and_energy(root: Path) -> None:
    result = micro.checked(TRACE, **OPTIONS)
    assert result.time_ns == 78.0  # cycle 123 is tick 615; host cycle 77 adds, 78 has the sum
    assert result.latency_ns["mean"] == 78.0
    open_ns = (124 - 1) * 0.625  # rank 0 of channel 0 from its first ACT to cycle floor(624 / 5) = 124
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.DDR4_ACT,
            "cell": 4 * micro.DDR4_CELL,
            "on_die_movement": 4 * micro.DDR4_ON_DIE,
            "io": 4 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 78 - open_ns),
            # Three ACT, four RD and a PRE.
            "instruction": 8 * micro.DDR4_COMMAND * micro.HOST_BUS,
            "host": 5 * (64 * micro.HOST_ADD_B + micro.LLC_LOOKUP + 64 * micro.LLC_B),
        },
    )
    micro.assert_card(root, "host-dimm", "78 ns", "189,307 pJ", of=result)


def test_without_llc_the_repeated_row_is_one_more_read() -> None:
    options = {**OPTIONS, "overrides": {**DIMM_IN_ORDER, "host.llc_bytes": 0}}
    _, run = run_of(TRACE, **options)
    # It is open, so it follows the others at tCCD_L and comes before the conflict closes the row.
    assert commands(run)[5:7] == [(0, 39, "RD", 0, 0, 0), (0, 53, "PREpb", 0, 1, 0)]
    assert micro.checked(TRACE, **options).time_ns == 78.0


def test_energy_by_windows_and_open_time_by_banks() -> None:
    run = metered(TRACE, tier="dimm", energy={"ACT": 100, "RD": 10, "PRE": 1}, window=25, **OPTIONS)
    channel = run.channels[0]
    # Cycles 1 to 25: two ACT and a RD; 26 to 50: two RD; 51 to 75: PRE and ACT; 76 to 100: a RD.
    assert channel["energy"] == 210 + 20 + 101 + 10
    assert channel["energy_peak"] == channel["energy_rank_peak"] == 210
    # Bank 0: 1 to 53 and 75 to the end, 124; bank 4: from 5 on.
    assert channel["bank_active"] == 52 + 49 + 119
    assert channel["rank_active"] == 123
    # Windows of 22 cycles: the RD of cycle 23 is in the next one.
    narrower = metered(TRACE, tier="dimm", energy={"ACT": 100, "RD": 10}, window=22, **OPTIONS)
    assert narrower.channels[0]["energy_peak"] == 200
    assert run.channels[1]["energy"] == run.channels[1]["bank_active"] == 0
