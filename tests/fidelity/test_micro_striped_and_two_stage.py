# SPDX-License-Identifier: MIT
"""The micro-traces of docs/models/tensordimm.md and trim.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fidelity import micro
from tests.functional.small import DIMM_IN_ORDER, commands, run_of, trace_of

STRIPED = trace_of([[[0, 1]]], cardinalities=[64])
STRIPED_OPTIONS: dict[str, Any] = {
    "system": "tensordimm",
    "embedding": "full",
    "vector_bytes": 256,
    "profile": 0,
    "overrides": DIMM_IN_ORDER,
}
TWO_STAGE = trace_of([[[0, 2, 8]]], cardinalities=[64])
TWO_STAGE_OPTIONS: dict[str, Any] = {**STRIPED_OPTIONS, "system": "trim-g", "vector_bytes": 64}

# Vectors of 128 B: banks 0 and 1 of bank group 0, and bank 0 of bank group 1, all in rank 0 of channel 0.
ONE_RANK = trace_of([[[0, 16, 2]]], cardinalities=[64])
ONE_RANK_OPTIONS: dict[str, Any] = {
    "embedding": "full",
    "vector_bytes": 128,
    "profile": 0,
    "overrides": DIMM_IN_ORDER,
}


def test_every_rank_works_on_every_lookup(root: Path) -> None:
    planned, run = run_of(STRIPED, **STRIPED_OPTIONS)
    pim = planned.parameters()["dimm"]
    assert (pim.instruction_cycles, pim.decode_cycles, pim.merge, pim.result_bursts) == (2, 1, False, 4)
    for channel in (0, 1):
        assert [row[1:] for row in commands(run) if row[0] == channel] == [
            (4, "ACT", 0, 0, 0),
            (4, "ACT", 16, 0, 0),  # carried by the first instruction
            (8, "ACT", 4, 0, 0),  # tRRD_S
            (8, "ACT", 20, 0, 0),
            (26, "PIM_RD", 0, 0, 0),
            (26, "PIM_RD", 16, 0, 0),
            (30, "PIM_RD", 4, 0, 0),
            (30, "PIM_RD", 20, 0, 0),
            (60, "PIM_RDRES", 0, 0, channel),  # slices 0 and 1 of the vector
            (66, "PIM_RDRES", 16, 0, 2 + channel),  # slices 2 and 3; another rank on the bus
        ]
        assert run.channels[channel]["instructions"] == 2
    result = micro.checked(STRIPED, **STRIPED_OPTIONS)
    assert result.time_ns == 59.0
    open_ns = 4 * (94 - 4) * 0.625  # every rank from its first ACT to cycle floor(472 / 5) = 94
    micro.assert_energy(
        result,
        {
            "activation": 8 * micro.DDR4_ACT,
            "cell": 8 * micro.DDR4_CELL,
            "on_die_movement": 8 * micro.DDR4_ON_DIE,
            "dram_bus": 8 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": 4 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 59 - open_ns),
            "alu": 8 * micro.BURST_ELEMENTS * micro.ADD,
            # Four instructions on the way, each decoded in two ranks; 16 commands behind the buffer chips.
            "instruction": 4 * 85 * micro.HOST_BUS
            + 8 * micro.DECODE
            + micro.DDR4_COMMAND * (16 * micro.MODULE_BUS + 4 * micro.HOST_BUS),
            "host": 256 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "tensordimm", "59 ns", "228,307 pJ", of=result)


def test_instructions_cross_the_paths_of_their_ranks(root: Path) -> None:
    planned, run = run_of(TWO_STAGE, **TWO_STAGE_OPTIONS)
    pim = planned.parameters()["dimm"]
    assert (pim.instruction_cycles, pim.second_stage_cycles, pim.decode_cycles) == (2, 7, 1)
    assert commands(run) == [
        (0, 11, "ACT", 0, 0, 0),
        (0, 15, "ACT", 16, 0, 0),  # rank 1's own path
        (0, 18, "ACT", 4, 0, 0),  # rank 0's path was taken until 10
        (0, 33, "PIM_RD", 0, 0, 0),
        (0, 37, "PIM_RD", 16, 0, 0),
        (0, 40, "PIM_RD", 4, 0, 0),
        (0, 63, "PIM_MOV", 0, 0, 0),
        (0, 67, "PIM_MOV", 16, 0, 0),
        (0, 71, "PIM_MOV", 4, 0, 0),
        (0, 98, "PIM_RDRES", 0, 0, 0),
    ]
    result = micro.checked(TWO_STAGE, **TWO_STAGE_OPTIONS)
    assert result.time_ns == 79.0
    open_ns = (126 - 11 + 126 - 15) * 0.625
    down = micro.DDR4_GLOBAL_DOWN_BIT + micro.MODULE_BUS + micro.HOST_BUS
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.DDR4_ACT,
            "cell": 3 * micro.DDR4_CELL,
            # Reads up to the bank groups, and the partials from there on.
            "on_die_movement": 3 * micro.DDR4_MUX + 3 * micro.DDR4_GLOBAL,
            "dram_bus": 3 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 79 - open_ns),
            "alu": (3 + 3) * micro.BURST_ELEMENTS * micro.ADD,
            # All eight devices of a rank decode what is meant for one of its bank groups.
            "instruction": 3 * (85 * down + micro.DEVICES * micro.DECODE)
            + micro.DDR4_COMMAND * micro.HOST_BUS,
            "host": 64 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "trim", "79 ns", "188,059 pJ", of=result)


def test_one_rank_reads_all_that_lies_in_it(root: Path) -> None:
    _, run = run_of(ONE_RANK, **ONE_RANK_OPTIONS, system="trim-r")
    assert commands(run) == [
        (0, 11, "ACT", 0, 0, 0),
        (0, 19, "ACT", 1, 0, 0),  # ready at 18, tRRD_L after 11
        (0, 25, "ACT", 4, 0, 0),  # ready at 25
        (0, 33, "PIM_RD", 0, 0, 0),
        (0, 41, "PIM_RD", 0, 0, 1),  # tCCD_L; row 16 could come as well, but is younger
        (0, 47, "PIM_RD", 4, 0, 0),  # 25 + 22; row 16 waits until 49
        (0, 51, "PIM_RD", 1, 0, 0),  # tCCD_S after 47
        (0, 55, "PIM_RD", 4, 0, 1),
        (0, 59, "PIM_RD", 1, 0, 1),
        (0, 89, "PIM_MOV", 0, 0, 0),  # 59 + 26 + 1 + 3
        (0, 93, "PIM_MOV", 0, 0, 1),
        (0, 120, "PIM_RDRES", 0, 0, 0),  # 93 + 26 + 1
        (0, 124, "PIM_RDRES", 0, 0, 1),
    ]
    result = micro.checked(ONE_RANK, **ONE_RANK_OPTIONS, system="trim-r")
    assert result.time_ns == 95.0  # 124 + 26 = 150 is tick 750; host cycle 94 adds
    open_ns = (152 - 11) * 0.625
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.DDR4_ACT,
            "cell": 6 * micro.DDR4_CELL,
            "on_die_movement": 6 * micro.DDR4_ON_DIE,
            "dram_bus": 6 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": 2 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 95 - open_ns),
            "alu": (6 + 2) * micro.BURST_ELEMENTS * micro.ADD,
            # Nine commands from the buffer chip, two results asked for.
            "instruction": 3 * (85 * micro.HOST_BUS + micro.DECODE)
            + micro.DDR4_COMMAND * (9 * micro.MODULE_BUS + 2 * micro.HOST_BUS),
            "host": 128 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "trim", "95 ns", "225,901 pJ", of=result)


def test_every_bank_reads_at_once_and_moves_what_it_has_read(root: Path) -> None:
    _, run = run_of(ONE_RANK, **ONE_RANK_OPTIONS, system="trim-b")
    assert commands(run) == [
        (0, 11, "ACT", 0, 0, 0),
        (0, 19, "ACT", 1, 0, 0),
        (0, 25, "ACT", 4, 0, 0),
        (0, 33, "PIM_RD", 0, 0, 0),
        (0, 41, "PIM_RD", 0, 0, 1),  # tCCD_L within a bank
        (0, 41, "PIM_RD", 1, 0, 0),  # and nothing between banks
        (0, 47, "PIM_RD", 4, 0, 0),
        (0, 49, "PIM_RD", 1, 0, 1),
        (0, 55, "PIM_RD", 4, 0, 1),
        (0, 71, "PIM_MOV", 0, 0, 0),  # 41 + 26 + 1 + 3
        (0, 79, "PIM_MOV", 0, 0, 1),  # tCCD_L: the bank group's I/O
        (0, 85, "PIM_MOV", 4, 0, 0),  # ready; bank 1, ready since 79, waits for the same I/O until 87
        (0, 89, "PIM_MOV", 1, 0, 0),  # tCCD_S
        (0, 93, "PIM_MOV", 4, 0, 1),
        (0, 97, "PIM_MOV", 1, 0, 1),
        (0, 124, "PIM_RDRES", 0, 0, 0),
        (0, 128, "PIM_RDRES", 0, 0, 1),
    ]
    result = micro.checked(ONE_RANK, **ONE_RANK_OPTIONS, system="trim-b")
    assert result.time_ns == 98.0  # 128 + 26 = 154 is tick 770; host cycle 97 adds
    open_ns = (156 - 11) * 0.625
    down = micro.DDR4_MUX_DOWN_BIT + micro.DDR4_GLOBAL_DOWN_BIT + micro.MODULE_BUS + micro.HOST_BUS
    micro.assert_energy(
        result,
        {
            "activation": 3 * micro.DDR4_ACT,
            "cell": 6 * micro.DDR4_CELL,
            "on_die_movement": 6 * micro.DDR4_ON_DIE,
            "dram_bus": 6 * micro.BURST_BITS * micro.MODULE_BUS,
            "io": 2 * micro.BURST_BITS * micro.HOST_BUS,
            "background": micro.DDR4_OPEN_MW * open_ns + micro.DDR4_CLOSED_MW * (4 * 98 - open_ns),
            "alu": (6 + 6) * micro.BURST_ELEMENTS * micro.ADD,
            "instruction": 3 * (85 * down + micro.DEVICES * micro.DECODE)
            + 2 * micro.DDR4_COMMAND * micro.HOST_BUS,
            "host": 128 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "trim", "98 ns", "232,580 pJ", of=result)
