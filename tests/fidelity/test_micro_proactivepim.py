# SPDX-License-Identifier: MIT
"""The micro-trace of docs/models/proactivepim.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fidelity import micro
from tests.functional.small import IN_ORDER, commands, counted, run_of, trace_of

# The profile makes Q0 hot. Simulated, one after the other: (R0, Q0) and (R1, Q0). All are in unit 0 of
# channel 0: Q0 in bank 0, the copies of R0 and R1 at the top of banks 0 and 1.
TRACE = trace_of([[[0, 1], [0], [1]]], cardinalities=[64])
ONE_AT_A_TIME = {**IN_ORDER, "host.window_gnrs": 1}
OPTIONS: dict[str, Any] = {
    "system": "proactivepim",
    "embedding": "qr:4",
    "vector_bytes": 64,
    "profile": 0.34,
    "overrides": ONE_AT_A_TIME,
}
# Up to the end of the first GnR.
FIRST = [
    (0, 3, "ACT", 0, 16383, 0),  # R0: delivered at 1, on the path for 1, decoded for 1
    (0, 17, "PIM_RD", 0, 16383, 0),  # arrives at 33, in the register and the cache
    (0, 37, "PREpb", 0, 0, 0),  # 3 + tRAS
    (0, 51, "ACT", 0, 0, 0),
    (0, 65, "PIM_RD", 0, 0, 0),  # Q0, arrives at 81
    (0, 85, "PIM_MOV", 0, 0, 0),  # 81 + 1 + 3
    (0, 102, "PIM_RDRES", 0, 0, 0),  # 85 + 16 + 1; at the host in cycle 118, added at 119
]


def test_parameters_of_the_derivation() -> None:
    planned, _ = run_of(TRACE, **OPTIONS)
    timing, pim = planned.specs["hbm"].timing, planned.parameters()["hbm"]
    names = ("nRCD", "nRP", "nRAS", "nRC", "nCL", "nBL", "nCCDL", "nRRDL")
    assert [timing[name] for name in names] == [14, 14, 34, 48, 14, 2, 2, 6]
    assert (pim.instruction_cycles, pim.decode_cycles, pim.alu_cycles, pim.alu_latency) == (1, 1, 1, 3)
    assert (pim.port_bytes_per_cycle, pim.cache_ways, pim.lut_load) == (64, 4, 0)


def test_the_next_small_row_is_there_when_it_is_needed(root: Path) -> None:
    _, run = run_of(TRACE, **OPTIONS)
    prefetch = [
        (0, 9, "ACT", 1, 16383, 0),  # FILL of R1: ready at 5, tRRD_L after 3
        (0, 23, "PIM_RD", 1, 16383, 0),
    ]
    second = [
        (0, 121, "PE_HIT", 1, 16383, 0),  # issued at 119, delivered at 119; one cycle at the port
        (0, 122, "PIM_RD", 0, 0, 0),  # Q0's row is open; arrives at 138
        (0, 142, "PIM_MOV", 0, 0, 0),
        (0, 159, "PIM_RDRES", 0, 0, 0),
    ]
    assert commands(run) == sorted([*FIRST, *prefetch, *second], key=lambda row: row[1])
    names = ("pe_hits", "pe_misses", "pe_prefetches", "pe_filled", "pe_read")
    assert [counted(run, name) for name in names] == [1, 3, 1, 2, 1]
    result = micro.checked(TRACE, **OPTIONS)
    assert result.time_ns == 176.0  # 159 + 16 = 175 is host cycle 175
    bits = micro.BURST_BITS
    to_unit = micro.HBM_GLOBAL + micro.HBM_TSV + micro.HBM_PHY
    open_ns = 176 - 3  # bank 1 is open while bank 0 is not
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.HBM_ACT,
            "cell": 4 * bits * micro.HBM_CELL,
            "on_die_movement": bits * (4 * micro.HBM_MUX + 2 * micro.HBM_GLOBAL),
            "tsv": 2 * bits * micro.HBM_TSV,
            "io": 2 * bits * micro.HBM_PHY,
            "background": micro.HBM_OPEN_MW * open_ns
            + micro.HBM_CLOSED_MW * (8 * 176 - open_ns)
            + micro.DDR4_CLOSED_MW * 4 * 176,
            "alu": 2 * micro.BURST_ELEMENTS * (micro.MULTIPLY + 2 * micro.ADD),
            # R0 and R1 written, R1 read; five look-ups of four tags.
            "lut": 3 * bits * micro.LUT_BIT + 5 * 4 * micro.TAG,
            "instruction": 5 * (85 * to_unit + micro.DECODE) + 2 * micro.HBM_COMMAND * micro.HBM_PHY,
            "host": 128 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "proactivepim", "176 ns", "375,317 pJ", of=result)


def test_without_prefetch_it_is_read_from_its_bank(root: Path) -> None:
    options = {**OPTIONS, "overrides": {**ONE_AT_A_TIME, "hbm.pim.prefetch": False}}
    _, run = run_of(TRACE, **options)
    second = [
        (0, 121, "ACT", 1, 16383, 0),
        (0, 135, "PIM_RD", 1, 16383, 0),
        (0, 137, "PIM_RD", 0, 0, 0),  # tCCD_L; arrives at 153
        (0, 157, "PIM_MOV", 0, 0, 0),
        (0, 174, "PIM_RDRES", 0, 0, 0),
    ]
    assert commands(run) == [*FIRST, *second]
    result = micro.checked(TRACE, **options)
    assert result.time_ns == 191.0  # 174 + 16 = 190
    sram = 2 * micro.BURST_BITS * micro.LUT_BIT + 4 * 4 * micro.TAG  # both lines written, four look-ups
    assert result.energy.by_component()["lut"].value == pytest.approx(sram)
    micro.assert_card(root, "proactivepim", "191 ns")
