# SPDX-License-Identifier: MIT
"""The micro-traces of docs/models/space.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fidelity import micro
from tests.functional.small import IN_ORDER, commands, run_of, trace_of

# A: the profile (sample 0) makes rows 0 and 1 hot, in channels 0 and 1; simulated: both, and row 5, cold.
MIXED = trace_of([[[0, 1], [0, 1, 5]]], cardinalities=[64])
MIXED_OPTIONS: dict[str, Any] = {
    "system": "space",
    "embedding": "full",
    "vector_bytes": 64,
    "profile": 0.5,
    "overrides": {**IN_ORDER, "placement.hot_share": 1},
}
# B: the profile gathers rows 0 and 9 in two bags, and so does the simulated one. Nothing is hot.
PAIR = trace_of([[[0, 9], [9, 0], [9, 0]]], cardinalities=[64])
PAIR_OPTIONS: dict[str, Any] = {
    **MIXED_OPTIONS,
    "profile": 0.67,
    "overrides": {**IN_ORDER, "placement.hot_share": 0},
}


def test_parameters_of_the_derivation() -> None:
    planned, _ = run_of(MIXED, **MIXED_OPTIONS)
    spec, pim = planned.specs["hbm"], planned.parameters()["hbm"]
    names = ("nRCD", "nCL", "nCWL", "nBL")
    assert [spec.timing[name] for name in names] == [14, 14, 4, 2]
    assert (pim.instruction_cycles, pim.decode_cycles, pim.alu_cycles, pim.alu_latency) == (1, 1, 1, 3)
    assert (pim.imm_latency, pim.res_latency, pim.result_bursts) == (4, 14, 1)
    assert (pim.stack_cycles, pim.xmov_cycles, pim.xmov_latency, pim.stack_tags) == (1, 1, 14, 32)


def test_hot_rows_meet_a_cold_one(root: Path) -> None:
    _, run = run_of(MIXED, **MIXED_OPTIONS)
    assert commands(run) == [
        (0, 3, "ACT", 0, 0, 0),  # delivered at 1, path 1, decode 1
        (0, 17, "PIM_RD", 0, 0, 0),  # arrives at 33, added by 34
        (0, 31, "PIM_WRIMM", 0, 0, 0),  # arrives at 37, added by 38, the sum at 41
        (0, 41, "PIM_XMOV", 0, 0, 0),  # arrives at 56, added by 57
        (0, 57, "PIM_RDRES", 0, 0, 0),
        (1, 3, "ACT", 0, 0, 0),
        (1, 17, "PIM_RD", 0, 0, 0),  # the sum at 33 + 1 + 3
        (1, 37, "PIM_XMOV", 0, 0, 0),  # arrives at 52, added by 53
        (9, 1, "ACT", 8, 0, 0),  # vector 5 of the DIMMs: channel 1, bank group 2
        (9, 23, "RD", 8, 0, 0),  # at the host at 49 = tick 245 = host cycle 31
    ]
    result = micro.checked(MIXED, **MIXED_OPTIONS)
    assert result.time_ns == 74.0  # 57 + 16 = 73 is host cycle 73
    assert (result.host["cold_lookups"], result.host["pair_reads"], result.host["added_bytes"]) == (1, 0, 64)
    bits, open_dimm = micro.BURST_BITS, 0.625 * (118 - 1)  # 74 ns are 118 whole cycles
    micro.assert_energy(
        result,
        {
            "activation": 2 * micro.HBM_ACT + micro.DDR4_ACT,
            "cell": 2 * bits * micro.HBM_CELL + micro.DDR4_CELL,
            "on_die_movement": 2 * bits * (micro.HBM_MUX + micro.HBM_GLOBAL) + micro.DDR4_ON_DIE,
            "crossbar": 2 * bits * micro.CROSSBAR,
            "tsv": 2 * bits * micro.HBM_TSV,
            "io": 2 * bits * micro.HBM_PHY + bits * micro.HOST_BUS,  # the immediate, the result; the RD
            "background": micro.HBM_OPEN_MW * 2 * (74 - 3)
            + micro.HBM_CLOSED_MW * (8 * 74 - 142)
            + micro.DDR4_OPEN_MW * open_dimm
            + micro.DDR4_CLOSED_MW * (4 * 74 - open_dimm),
            "alu": (3 + 2) * micro.BURST_ELEMENTS * micro.ADD,  # three vectors in PEs, two in the stack
            # Four commands from the base die, the immediate and the result from the host; two to the DIMM.
            "instruction": 3 * 85 * micro.HBM_PHY
            + 3 * micro.DECODE
            + micro.HBM_COMMAND * (4 * micro.HBM_TSV + 2 * micro.HBM_PHY)
            + 2 * micro.DDR4_COMMAND * micro.HOST_BUS,
            "host": 64 * micro.HOST_ADD_B + micro.LLC_LOOKUP + 64 * micro.LLC_B,
        },
    )
    micro.assert_card(root, "space", "74 ns", f"{result.energy_pJ:,.0f} pJ")


def test_a_sum_serves_two_lookups(root: Path) -> None:
    planned, run = run_of(PAIR, **PAIR_OPTIONS)
    assert planned.placement.pairs.members()[1].tolist() == [[0, 9]]
    assert commands(run) == [
        (0, 3, "ACT", 0, 0, 0),  # the sum lies in the first place of the HBM
        (0, 17, "PIM_RD", 0, 0, 0),
        (0, 37, "PIM_XMOV", 0, 0, 0),
        (0, 53, "PIM_RDRES", 0, 0, 0),  # 37 + 1 + 14, added in 1
    ]
    result = micro.checked(PAIR, **PAIR_OPTIONS)
    assert result.time_ns == 70.0  # 53 + 16 = 69 is host cycle 69
    assert (result.host["cold_lookups"], result.host["pair_reads"]) == (0, 1)
    assert any("1 sums of pairs serve 1.000 of the lookups" in note for note in result.notes)
    micro.assert_card(root, "space", "70 ns")
