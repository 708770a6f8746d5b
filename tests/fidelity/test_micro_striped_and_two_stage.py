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
    assert micro.checked(STRIPED, **STRIPED_OPTIONS).time_ns == 59.0
    micro.assert_card(root, "tensordimm", "59 ns")


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
    assert micro.checked(TWO_STAGE, **TWO_STAGE_OPTIONS).time_ns == 79.0
    micro.assert_card(root, "trim", "79 ns")
