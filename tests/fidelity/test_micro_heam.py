# SPDX-License-Identifier: MIT
"""The micro-traces of docs/models/heam.md, derived there step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fidelity import micro
from tests.functional.small import IN_ORDER, commands, run_of, trace_of

BASE: dict[str, Any] = {
    "system": "heam",
    "embedding": "qr:4",
    "vector_bytes": 64,
    "profile": 0.5,
    "overrides": IN_ORDER,
}
# Sample 0 is the profile in all of them. A: (R0, Q0), hot.
ONE = trace_of([[[0], [0]]], cardinalities=[64])
# B: the profile makes Q0 to Q8 hot, in places 0 to 8 of the HBM; simulated (R0, Q0) and (R1, Q8), two units
# of channel 0.
TWO = trace_of([[[4 * q for q in range(9)], [0, 33]]], cardinalities=[64])
TWO_OPTIONS = {**BASE, "vector_bytes": 128, "overrides": {**IN_ORDER, "placement.hot_share": 1}}
# C: (R0, Q0) hot, (R2, Q1) and (R2, Q2) cold.
COLD = trace_of([[[0], [0, 6, 10]]], cardinalities=[64])
# D: as A, without a LUT.
NO_LUT_OPTIONS = {**BASE, "overrides": {**IN_ORDER, "hbm.pim.lut_bytes": 0}}


def test_parameters_of_the_derivation() -> None:
    planned, _ = run_of(TWO, **TWO_OPTIONS)
    spec, pim = planned.specs["hbm"], planned.parameters()["hbm"]
    names = ("nRCD", "nRP", "nRAS", "nRC", "nCL", "nBL", "nCCDS", "nCCDL", "nRRDS")
    assert [spec.timing[name] for name in names] == [14, 14, 34, 48, 14, 2, 1, 2, 4]
    assert (pim.instruction_cycles, pim.decode_cycles, pim.alu_cycles, pim.alu_latency) == (1, 1, 1, 3)
    assert (pim.merge_cycles, pim.mov_latency, pim.res_latency, pim.result_bursts) == (1, 14, 14, 2)
    assert (pim.port_bytes_per_cycle, pim.lut_load) == (64, 8)  # 128 B over a 64 B port; 4 rows of 2 bursts


def _lut_fill(bursts: int) -> list[tuple[int, int, str, int, int, int]]:
    """The host writes every channel's LUTs, a burst each nBL = 2 cycles from cycle 1 on."""
    return [(c, 1 + 2 * b, "PIM_WRLUT", 0, b, b) for c in range(8) for b in range(bursts)]


def _lut_written(bursts: int) -> float:
    return 8 * bursts * micro.BURST_BITS * 4 * micro.LUT_BIT  # eight channels, four copies


def test_one_hot_lookup(root: Path) -> None:
    _, run = run_of(ONE, **BASE)
    fill = _lut_fill(4)
    work = [
        (0, 10, "PIM_LUT", 0, 0, 0),  # fill until 7, delivered at 8, path 1, decode 1; in the register at 11
        (0, 11, "ACT", 0, 0, 0),  # delivered at 9
        (0, 25, "PIM_RD", 0, 0, 0),  # 11 + tRCD; arrives at 41
        (0, 45, "PIM_MOV", 0, 0, 0),  # 41 + 1 + 3
        (0, 62, "PIM_RDRES", 0, 0, 0),  # 45 + 14 + 2 + 1
    ]
    assert commands(run) == sorted(fill + work, key=lambda row: row[:2])
    result = micro.checked(ONE, **BASE)
    assert result.time_ns == 79.0  # 62 + 16 = 78 is host cycle 78
    bits = micro.BURST_BITS
    to_unit = micro.HBM_GLOBAL, micro.HBM_TSV, micro.HBM_PHY  # from the host down to a bank group
    micro.assert_energy(
        result,
        {
            "activation": micro.HBM_ACT,
            "cell": bits * micro.HBM_CELL,
            # The read up to the bank group, the partial beyond it, 32 bursts of R rows down to it.
            "on_die_movement": bits * (micro.HBM_MUX + (1 + 32) * micro.HBM_GLOBAL),
            "tsv": bits * (1 + 32) * micro.HBM_TSV,
            "io": bits * (1 + 32) * micro.HBM_PHY,
            "background": micro.HBM_OPEN_MW * (79 - 11)
            + micro.HBM_CLOSED_MW * (8 * 79 - 68)
            + micro.DDR4_CLOSED_MW * 4 * 79,
            "alu": micro.BURST_ELEMENTS * (micro.ADD + micro.MULTIPLY + micro.ADD),
            "lut": bits * micro.LUT_BIT + _lut_written(4),
            # PIM_RDRES comes from the base die, PIM_WRLUT goes where the rows go.
            "instruction": 2 * 85 * sum(to_unit)
            + 2 * micro.DECODE
            + micro.HBM_COMMAND * (micro.HBM_PHY + 32 * sum(to_unit)),
            "host": 64 * micro.HOST_ADD_B,
        },
    )
    micro.assert_card(root, "heam", "79 ns", "221,668 pJ", of=result)


def test_two_units_meet_in_the_base_die(root: Path) -> None:
    _, run = run_of(TWO, **TWO_OPTIONS)
    fill = _lut_fill(8)
    work = [
        (0, 18, "PIM_LUT", 0, 0, 0),  # fill until 15, delivered at 16; in the register at 20
        (0, 19, "ACT", 0, 0, 0),
        (0, 20, "PIM_LUT", 0, 1, 0),  # unit 1
        (0, 23, "ACT", 4, 0, 0),  # ready at 21; tRRD_S after 19 also between bank groups
        (0, 33, "PIM_RD", 0, 0, 0),
        (0, 35, "PIM_RD", 0, 0, 1),  # tCCD_L
        (0, 37, "PIM_RD", 4, 0, 0),
        (0, 39, "PIM_RD", 4, 0, 1),
        (0, 55, "PIM_MOV", 0, 0, 0),  # 35 + 16 + 1 + 3
        (0, 57, "PIM_MOV", 0, 0, 1),  # the through-silicon vias carry a burst in 2 cycles
        (0, 59, "PIM_MOV", 4, 0, 0),  # ready at 39 + 16 + 1 + 3 = 59
        (0, 61, "PIM_MOV", 4, 0, 1),
        (0, 78, "PIM_RDRES", 0, 0, 0),  # 61 + 16 + 1
        (0, 80, "PIM_RDRES", 0, 0, 1),
    ]
    assert commands(run) == sorted(fill + work, key=lambda row: row[:2])
    result = micro.checked(TWO, **TWO_OPTIONS)
    assert result.time_ns == 97.0  # 80 + 16 = 96 is host cycle 96
    parts = {name: part.value for name, part in result.energy.by_component().items()}
    bits = micro.BURST_BITS
    assert parts["activation"] == 2 * micro.HBM_ACT
    assert parts["cell"] == pytest.approx(4 * bits * micro.HBM_CELL)
    assert parts["on_die_movement"] == pytest.approx(bits * (4 * micro.HBM_MUX + (4 + 64) * micro.HBM_GLOBAL))
    assert parts["io"] == pytest.approx(bits * (2 + 64) * micro.HBM_PHY)
    # Four bursts multiplied and added in the units, four added in the base die.
    assert parts["alu"] == pytest.approx(4 * micro.BURST_ELEMENTS * (micro.MULTIPLY + 2 * micro.ADD))
    assert parts["lut"] == pytest.approx(2 * 128 * 8 * micro.LUT_BIT + _lut_written(8))
    assert parts["tsv"] == pytest.approx(bits * (4 + 64) * micro.HBM_TSV)
    to_unit = micro.HBM_GLOBAL + micro.HBM_TSV + micro.HBM_PHY
    assert parts["instruction"] == pytest.approx(
        4 * (85 * to_unit + micro.DECODE) + micro.HBM_COMMAND * (2 * micro.HBM_PHY + 64 * to_unit)
    )
    assert parts["host"] == pytest.approx(128 * micro.HOST_ADD_B)
    assert parts["background"] == pytest.approx(
        micro.HBM_OPEN_MW * (97 - 19) + micro.HBM_CLOSED_MW * (8 * 97 - 78) + micro.DDR4_CLOSED_MW * 4 * 97
    )
    micro.assert_card(root, "heam", "97 ns", "321,309 pJ", of=result)


def test_cold_lookups_hide_behind_hot_ones(root: Path) -> None:
    _, run = run_of(COLD, **BASE)
    in_dimm = [row for row in commands(run) if row[0] >= 8]
    assert in_dimm == [
        (8, 0, "LLC_HIT", 4, 0, 0),  # R2 of the second cold lookup
        (8, 1, "ACT", 4, 0, 0),  # R2: vector 2, channel 0, bank group 1
        (8, 5, "ACT", 12, 0, 0),  # Q2: vector 6, bank group 3; tRRD_S
        (8, 23, "RD", 4, 0, 0),
        (8, 27, "RD", 12, 0, 0),
        (9, 1, "ACT", 8, 0, 0),  # Q1: vector 5, channel 1, bank group 2
        (9, 23, "RD", 8, 0, 0),
    ]
    _, alone = run_of(ONE, **BASE)
    assert [row for row in commands(run) if row[0] < 8] == commands(alone)
    result = micro.checked(COLD, **BASE)
    assert result.time_ns == 79.0  # the last cold burst came in host cycle 34
    assert (result.host["cold_lookups"], result.host["lut_reads"], result.host["llc_hits"]) == (2, 1, 1)
    # Cold: two products of 64 B and four vectors added; hot: one result added.
    host = (
        (256 + 64) * micro.HOST_ADD_B
        + 128 * micro.HOST_MULTIPLY_B
        + 4 * (micro.LLC_LOOKUP + 64 * micro.LLC_B)
    )
    assert result.energy.by_component()["host"].value == pytest.approx(host)
    micro.assert_card(root, "heam", "79 ns", "284,288 pJ", of=result)


def test_without_a_lut_r_is_read_from_the_banks_of_its_unit(root: Path) -> None:
    _, run = run_of(ONE, **NO_LUT_OPTIONS)
    assert commands(run) == [
        (0, 3, "ACT", 0, 16383, 0),  # nothing to load: delivered at 1; the copy of R0 is in Q0's own bank
        (0, 17, "PIM_RD", 0, 16383, 0),
        (0, 37, "PREpb", 0, 0, 0),  # 3 + tRAS
        (0, 51, "ACT", 0, 0, 0),  # 37 + tRP, 3 + tRC
        (0, 65, "PIM_RD", 0, 0, 0),
        (0, 85, "PIM_MOV", 0, 0, 0),  # 65 + 16 + 1 + 3
        (0, 102, "PIM_RDRES", 0, 0, 0),
    ]
    result = micro.checked(ONE, **NO_LUT_OPTIONS)
    assert result.time_ns == 119.0
    bits = micro.BURST_BITS
    open_ns = (37 - 3) + (119 - 51)
    micro.assert_energy(
        result,
        {
            "activation": 2 * micro.HBM_ACT,
            "cell": 2 * bits * micro.HBM_CELL,
            "on_die_movement": bits * (2 * micro.HBM_MUX + micro.HBM_GLOBAL),
            "tsv": bits * micro.HBM_TSV,
            "io": bits * micro.HBM_PHY,
            "background": micro.HBM_OPEN_MW * open_ns
            + micro.HBM_CLOSED_MW * (8 * 119 - open_ns)
            + micro.DDR4_CLOSED_MW * 4 * 119,
            "alu": micro.BURST_ELEMENTS * (micro.ADD + micro.MULTIPLY + micro.ADD),
            "instruction": 2 * 85 * (micro.HBM_GLOBAL + micro.HBM_TSV + micro.HBM_PHY)
            + 2 * micro.DECODE
            + micro.HBM_COMMAND * micro.HBM_PHY,
            "host": 64 * micro.HOST_ADD_B,
        },
    )
    assert any("replicas in banks" in note for note in result.notes)
    micro.assert_card(root, "heam", "119 ns", "251,858 pJ", of=result)
