# SPDX-License-Identifier: MIT
"""The micro-trace of docs/models/host-hbm-dimm.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fidelity import micro
from tests.functional.small import IN_ORDER, commands, run_of, trace_of

# The profile (sample 0) makes Q row 5 hot. Simulated: (R0, Q5) and (R1, Q7); Q7 is cold.
TRACE = trace_of([[[20], [20, 29]]], cardinalities=[64])
OPTIONS: dict[str, Any] = {
    "system": "host-hbm-dimm",
    "embedding": "qr:4",
    "vector_bytes": 256,
    "profile": 0.5,
    "overrides": IN_ORDER,
}


def test_timing_values_of_the_derivation() -> None:
    planned, _ = run_of(TRACE, **OPTIONS)
    hbm, dimm = planned.specs["hbm"].timing, planned.specs["dimm"].timing
    assert [hbm[name] for name in ("nRCD", "nCL", "nBL", "nCCDS", "nCCDL")] == [14, 14, 2, 1, 2]
    assert [dimm[name] for name in ("nRCD", "nCL", "nBL", "nCCDL")] == [22, 22, 4, 8]
    assert [planned.specs[name].tCK_ps / planned.tick_ps for name in ("hbm", "dimm")] == [8, 5]


def test_every_command_is_where_the_card_derives_it() -> None:
    _, run = run_of(TRACE, **OPTIONS)
    in_hbm = [
        (channel, clock, name, 0, 0, column)
        for channel in (0, 1, 4)  # R0, R1 and the hot copy of Q5
        for clock, name, column in ((1, "ACT", 0), (15, "RD", 0), (17, "RD", 1), (19, "RD", 2), (21, "RD", 3))
    ]
    # Q7 is vector 11 of the DIMM: channel 1, rank 1, bank group 1. Its lines are issued in host cycle 1.
    in_dimm = [
        (9, clock, name, 20, 0, column)
        for clock, name, column in ((2, "ACT", 0), (24, "RD", 0), (32, "RD", 1), (40, "RD", 2), (48, "RD", 3))
    ]
    assert commands(run) == in_hbm + in_dimm
    assert run.cold_lookups == 1


def test_time_and_energy(root: Path) -> None:
    result = micro.checked(TRACE, **OPTIONS)
    assert result.time_ns == 48.0  # cycle 74 is tick 370; host cycle 47 adds, 48 has the sum
    hbm_open, dimm_open = 3 * (48 - 1), (76 - 2) * 0.625
    hbm_bits, dimm_bits = 12 * micro.BURST_BITS, 4 * micro.BURST_BITS
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.HBM_ACT + micro.DDR4_ACT,
            "cell": hbm_bits * micro.HBM_CELL + 4 * micro.DDR4_CELL,
            "on_die_movement": hbm_bits * (micro.HBM_MUX + micro.HBM_GLOBAL) + 4 * micro.DDR4_ON_DIE,
            "tsv": hbm_bits * micro.HBM_TSV,
            "io": hbm_bits * micro.HBM_PHY + dimm_bits * micro.HOST_BUS,
            "background": micro.HBM_OPEN_MW * hbm_open
            + micro.HBM_CLOSED_MW * (8 * 48 - hbm_open)
            + micro.DDR4_OPEN_MW * dimm_open
            + micro.DDR4_CLOSED_MW * (4 * 48 - dimm_open),
            # Three times ACT and four RD from the HBM, once from the DIMM.
            "instruction": 15 * micro.HBM_COMMAND * (micro.HBM_TSV + micro.HBM_PHY)
            + 5 * micro.DDR4_COMMAND * micro.HOST_BUS,
            # Four vectors are added, two products of 256 B formed, 16 lines looked up.
            "host": 1024 * micro.HOST_ADD_B
            + 512 * micro.HOST_MULTIPLY_B
            + 16 * (micro.LLC_LOOKUP + 64 * micro.LLC_B),
        },
    )
    micro.assert_card(root, "host-hbm-dimm", "48 ns", "183,547 pJ", of=result)
