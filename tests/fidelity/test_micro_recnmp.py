# SPDX-License-Identifier: MIT
"""The micro-traces of docs/models/recnmp.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fidelity import micro
from tests.functional.small import DIMM_IN_ORDER, commands, metered, run_of, trace_of

# Vectors of 128 B: 0 and 2 in rank 0 (bank groups 0 and 1), 8 in rank 1, all in channel 0.
GATHER = trace_of([[[0, 2, 8]]], cardinalities=[64])
GATHER_OPTIONS: dict[str, Any] = {
    "system": "recnmp",
    "embedding": "full",
    "vector_bytes": 128,
    "profile": 0,
    "overrides": DIMM_IN_ORDER,
}
# Vectors of 64 B: R0 from its copy at the top of rank 0's bank 0, Q0 (vector 4) from bank group 2.
PRODUCT = trace_of([[[0]]], cardinalities=[64])
PRODUCT_OPTIONS: dict[str, Any] = {**GATHER_OPTIONS, "embedding": "qr:4", "vector_bytes": 64}

# The profile, a bag of its own, reads row 0 twice: the cache may keep it. Simulated: row 0 twice.
REPEATED = trace_of([[[0, 0], [0, 0]]], cardinalities=[64])
REPEATED_OPTIONS: dict[str, Any] = {**GATHER_OPTIONS, "vector_bytes": 64, "profile": 0.5}


def test_parameters_of_the_derivation() -> None:
    planned, _ = run_of(GATHER, **GATHER_OPTIONS)
    pim = planned.parameters()["dimm"]
    assert (pim.instruction_cycles, pim.decode_cycles, pim.alu_cycles, pim.alu_latency) == (1, 1, 1, 3)
    assert (pim.merge_cycles, pim.mov_latency, pim.res_latency, pim.result_bursts) == (1, 22, 22, 2)


def test_two_ranks_gather_and_the_buffer_adds() -> None:
    _, run = run_of(GATHER, **GATHER_OPTIONS)
    assert commands(run) == [
        (0, 3, "ACT", 0, 0, 0),  # delivered at 1, on the path for 1, decoded for 1
        (0, 5, "ACT", 16, 0, 0),  # the third instruction; another rank shares no activation window
        (0, 7, "ACT", 4, 0, 0),  # ready at 4, tRRD_S after 3
        (0, 25, "PIM_RD", 0, 0, 0),
        (0, 27, "PIM_RD", 16, 0, 0),
        (0, 29, "PIM_RD", 4, 0, 0),
        (0, 33, "PIM_RD", 0, 0, 1),  # tCCD_L after 25, tCCD_S after 29
        (0, 35, "PIM_RD", 16, 0, 1),
        (0, 37, "PIM_RD", 4, 0, 1),
        (0, 65, "PIM_MOV", 16, 0, 0),  # rank 1 is complete at 35 + 26 + 1 + 3
        (0, 69, "PIM_MOV", 0, 0, 0),  # rank 0, complete at 67, comes first; tCCD_S
        (0, 73, "PIM_MOV", 0, 0, 1),
        (0, 77, "PIM_MOV", 16, 0, 1),
        (0, 104, "PIM_RDRES", 0, 0, 0),  # 77 + 26 + 1
        (0, 108, "PIM_RDRES", 0, 0, 1),
    ]


def test_time_and_energy_of_the_gather(root: Path) -> None:
    result = micro.checked(GATHER, **GATHER_OPTIONS)
    assert result.time_ns == 85.0  # 108 + 26 = 134 is tick 670; host cycle 84 adds, 85 has the sum
    open_ns = (136 - 3 + 136 - 5) * 0.625
    instruction_bits = 3 * 79
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.DDR4_ACT,
            "cell": 6 * micro.DDR4_CELL,
            "on_die_movement": 6 * micro.DDR4_ON_DIE,
            "dram_bus": 6 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": 2 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 85 - open_ns),
            "alu": (6 + 4) * micro.BURST_ELEMENTS * micro.ADD,
            "lut": 3 * 4 * micro.TAG,  # three look-ups in a cache of four ways, in vain
            "instruction": instruction_bits * micro.HOST_BUS
            + 3 * micro.DECODE
            + micro.DDR4_COMMAND * (9 * micro.MODULE_BUS + 2 * micro.HOST_BUS),
            "host": 128 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "recnmp", "85 ns", "220,281 pJ", of=result)


def test_a_product_is_formed_in_the_rank_of_q(root: Path) -> None:
    _, run = run_of(PRODUCT, **PRODUCT_OPTIONS)
    assert commands(run) == [
        (0, 3, "ACT", 0, 65535, 0),  # the copy of R0
        (0, 7, "ACT", 8, 0, 0),  # Q0: ready at 4, tRRD_S after 3
        (0, 25, "PIM_RD", 0, 65535, 0),  # LOAD, in the register at 51
        (0, 29, "PIM_RD", 8, 0, 0),  # MAC, arrives at 55
        (0, 59, "PIM_MOV", 0, 0, 0),  # 55 + 1 + 3
        (0, 86, "PIM_RDRES", 0, 0, 0),  # 59 + 26 + 1
    ]
    assert run.replica_reads == 1
    result = micro.checked(PRODUCT, **PRODUCT_OPTIONS)
    assert result.time_ns == 71.0  # 86 + 26 = 112 is tick 560 = host cycle 70
    alu = micro.BURST_ELEMENTS * (micro.ADD + micro.MULTIPLY + micro.ADD)  # the product, its sum, the merge
    assert result.energy.by_component()["alu"].value == pytest.approx(alu)
    open_ns = (113 - 3) * 0.625
    micro.assert_energy(
        result,
        {
            "activation": 2 * micro.DDR4_ACT,
            "cell": 2 * micro.DDR4_CELL,
            "on_die_movement": 2 * micro.DDR4_ON_DIE,
            "dram_bus": 2 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 71 - open_ns),
            "alu": alu,
            "lut": 2 * 4 * micro.TAG,
            "instruction": 2 * (79 * micro.HOST_BUS + micro.DECODE)
            + micro.DDR4_COMMAND * (4 * micro.MODULE_BUS + micro.HOST_BUS),
            "host": 64 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "recnmp", "71 ns", "153,086 pJ", of=result)


def test_two_sums_are_moved_and_the_host_multiplies_them(root: Path) -> None:
    options = {**PRODUCT_OPTIONS, "embedding": "qr:4:pool-first"}
    _, run = run_of(PRODUCT, **options)
    assert commands(run) == [
        (0, 3, "ACT", 0, 0, 0),  # R0 at home: no copy is needed
        (0, 7, "ACT", 8, 0, 0),
        (0, 25, "PIM_RD", 0, 0, 0),
        (0, 29, "PIM_RD", 8, 0, 0),  # arrives at 55
        (0, 59, "PIM_MOV", 0, 0, 0),  # 55 + 1 + 3; the sum of Q
        (0, 63, "PIM_MOV", 0, 0, 1),  # that of R; tCCD_S
        (0, 90, "PIM_RDRES", 0, 0, 0),  # 63 + 26 + 1
        (0, 94, "PIM_RDRES", 0, 0, 1),
    ]
    assert run.replica_reads == 0
    result = micro.checked(PRODUCT, **options)
    assert result.time_ns == 76.0  # 94 + 26 = 120 is tick 600 = host cycle 75
    open_ns = (121 - 3) * 0.625
    micro.assert_energy(
        result,
        {
            "activation": 2 * micro.DDR4_ACT,
            "cell": 2 * micro.DDR4_CELL,
            "on_die_movement": 2 * micro.DDR4_ON_DIE,
            "dram_bus": 2 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": 2 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 76 - open_ns),
            "alu": (2 + 2) * micro.BURST_ELEMENTS * micro.ADD,
            "lut": 2 * 4 * micro.TAG,
            "instruction": 2 * (79 * micro.HOST_BUS + micro.DECODE)
            + micro.DDR4_COMMAND * (4 * micro.MODULE_BUS + 2 * micro.HOST_BUS),
            "host": 128 * micro.HOST_ADD_B + 64 * micro.HOST_MULTIPLY_B,
        },
    )
    micro.assert_card(root, "recnmp", "76 ns", "167,346 pJ", of=result)


def test_a_row_on_its_way_serves_all_who_wait_for_it(root: Path) -> None:
    _, run = run_of(REPEATED, **REPEATED_OPTIONS)
    assert commands(run) == [
        (0, 3, "ACT", 0, 0, 0),
        (0, 25, "PIM_RD", 0, 0, 0),
        (0, 25, "MERGED", 0, 0, 0),  # the second operand was delivered at 2 and has followed the first since
        (0, 56, "PIM_MOV", 0, 0, 0),  # 25 + 26, two additions, 3
        (0, 83, "PIM_RDRES", 0, 0, 0),
    ]
    result = micro.checked(REPEATED, **REPEATED_OPTIONS)
    assert result.time_ns == 70.0  # 83 + 26 = 109 is tick 545; host cycle 69 adds
    open_ns = (112 - 3) * 0.625
    micro.assert_energy(
        result,
        {
            "activation": micro.DDR4_ACT,
            "cell": micro.DDR4_CELL,
            "on_die_movement": micro.DDR4_ON_DIE,
            "dram_bus": micro.BURST_BITS * micro.MODULE_BUS,
            "io": micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 70 - open_ns),
            "alu": (2 + 1) * micro.BURST_ELEMENTS * micro.ADD,
            "lut": 2 * 4 * micro.TAG + micro.BURST_BITS * micro.LUT_BIT,  # two look-ups, a line written
            "instruction": 2 * (79 * micro.HOST_BUS + micro.DECODE)
            + micro.DDR4_COMMAND * (2 * micro.MODULE_BUS + micro.HOST_BUS),
            "host": 64 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "recnmp", "70 ns", "142,199 pJ", of=result)


def test_results_of_the_merge_node_belong_to_no_rank() -> None:
    energy = {"ACT": 100, "PIM_RD": 10, "PIM_MOV": 1, "PIM_RDRES": 1000}
    run = metered(GATHER, tier="dimm", energy=energy, window=20, **GATHER_OPTIONS)
    channel = run.channels[0]
    assert channel["energy"] == 3 * 100 + 6 * 10 + 4 + 2 * 1000
    assert channel["energy_peak"] == 2000  # cycles 101 to 120
    assert channel["energy_rank_peak"] == 200  # two of the three ACT in cycles 1 to 20
