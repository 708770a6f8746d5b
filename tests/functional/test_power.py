# SPDX-License-Identifier: MIT
"""Energy and power of whole runs: what the engine counted, the report, and the power of every tier agree."""

from __future__ import annotations

import math
from typing import Any

import pytest

from heam_sim.energy import MEMORY_COMPONENTS
from heam_sim.errors import ConfigError
from heam_sim.results import Result, ResultSet
from heam_sim.simulation import simulate
from tests.functional.small import PSEUDO_CHANNELS, SYSTEMS, counted, mixed_trace, run_of, trace_of

TRACE, LONG = mixed_trace(samples=40), mixed_trace(samples=300)
QUICK: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 128, "profile": 0.25}
# The other published view of the HBM's energy (docs/energy.md).
CURRENTS = {"hbm.power": "hbm2-4gb-legacy-idd"}

DDR5 = {"dimm.memory": "native/DDR5_16Gb_x8/DDR5_4800", "dimm.power": "ddr5-4800-16gb-x8"}
# One GnR at a time: long enough for refreshes and for several windows.
SLOWLY = {"host.window_gnrs": 1}


# Commands that cost something.
PAYING = ("act", "rd", "ref", "ref_bank", "pim_rd", "pim_mov", "pim_rdres", "pim_wrlut")


def parts_of(result: Result, tier: str) -> dict[str, float]:
    """Nominal energies of a tier's components in pJ."""
    return {name: part.value for (owner, name), part in result.energy.components_pJ.items() if owner == tier}


@pytest.mark.parametrize(
    ("system", "overrides"),
    [
        *((system, {}) for system in SYSTEMS),
        ("heam", CURRENTS),
        ("heam", PSEUDO_CHANNELS),
        ("heam", {**PSEUDO_CHANNELS, "hbm.power": "hbm2-4gb-idd"}),
        ("host-hbm-dimm", CURRENTS),
        ("host-dimm", {**DDR5, **SLOWLY}),
        ("host-dimm", {**DDR5, **SLOWLY, "dimm.refresh": "same-bank"}),
        ("trim-b", {**DDR5, **SLOWLY}),
    ],
)
def test_counted_energy_average_and_peak_go_together(system: str, overrides: dict[str, Any]) -> None:
    slow = SLOWLY.items() <= overrides.items()
    result = simulate(LONG if slow else TRACE, system=system, overrides=overrides, **QUICK)
    assert result.time_ns > 0
    whole = math.fsum(row["average_power_W"] for row in result.power) * result.time_ns * 1e3
    host = result.energy.by_tier()["host"].value
    assert whole + host == pytest.approx(result.energy_pJ, rel=1e-12)
    for row in result.power:
        counters, parts = result.counters[row["tier"]], parts_of(result, row["tier"])
        memory = math.fsum(value for name, value in parts.items() if name in MEMORY_COMPONENTS)
        # Every command's energy was rounded to a whole femtojoule.
        issued = sum(counters[name] for name in PAYING)
        assert abs(counters["energy"] / 1000 - memory) <= 0.5e-3 * issued + 1e-6
        assert counters["energy_rank_peak"] <= counters["energy_peak"] <= counters["energy"]
        assert 0 < row["average_power_W"] <= row["peak_power_W"]
        assert row["peak_rank_power_W"] <= row["peak_power_W"]
        assert row["budget_W"] is None and not row["over_budget"]
        if slow:
            assert counters["ref"] + counters["ref_bank"] > 0
            assert counters["energy_peak"] < counters["energy"]


def test_the_two_views_of_hbm_differ_in_energy_and_in_nothing_else() -> None:
    one, other = (simulate(TRACE, system="heam", overrides=view, **QUICK) for view in ({}, CURRENTS))
    assert one.time_ns == other.time_ns
    per_act = [parts_of(run, "hbm")["activation"] / run.counters["hbm"]["act"] for run in (one, other)]
    assert per_act == pytest.approx([1818.0, 828.0])
    assert parts_of(one, "dimm") == parts_of(other, "dimm")
    assert other.peak_power_W["hbm"] < one.peak_power_W["hbm"]


def test_a_budget_is_flagged_and_noted(tmp_path: Any) -> None:
    peak = simulate(TRACE, system="heam", **QUICK).peak_power_W["hbm"]
    budgets = {"hbm.power_budget_W": 0.5 * peak, "dimm.power_budget_W": 1000}
    result = simulate(TRACE, system="heam", overrides=budgets, **QUICK)
    assert {row["tier"]: row["over_budget"] for row in result.power} == {"hbm": True, "dimm": False}
    assert [note for note in result.notes if "budget" in note] == [
        f"peak power of hbm, {peak:.3g} W, is above its budget of {0.5 * peak:g} W"
    ]
    row = result.to_frame().iloc[0]
    assert row["over_budget"] and row["peak_power_W"] == pytest.approx(sum(result.peak_power_W.values()))
    ResultSet([result]).save(tmp_path / "one.h5")
    assert ResultSet.load(tmp_path / "one.h5")[0].power == result.power


@pytest.mark.parametrize("budget", [0, -1, math.nan, True, "much"])
def test_a_budget_that_is_none_is_refused(budget: Any) -> None:
    with pytest.raises(ConfigError, match="power_budget_W"):
        simulate(TRACE, system="heam", overrides={"hbm.power_budget_W": budget}, **QUICK)


def test_area_of_luts_by_the_elements_and_devices() -> None:
    heam = simulate(TRACE, system="heam", **QUICK).power
    # 8 channels of 4 bank groups, 128 KiB each, at 4 mm2 per MiB.
    assert [row["sram_mm2"] for row in heam] == pytest.approx([16.0, 0.0])
    assert heam[0]["sram_of_element_in_device_mm2"] == pytest.approx(0.5)
    cached = {"dimm.pim.cache_bytes": 131072}
    (trim,) = simulate(TRACE, system="trim-g", overrides=cached, **QUICK).power
    # 2 channels x 2 ranks x 4 bank groups; each is eight devices in lock step, which share its cache.
    assert trim["sram_mm2"] == pytest.approx(8.0)
    assert trim["sram_of_element_in_device_mm2"] == pytest.approx(0.5 / 8)
    (recnmp,) = simulate(TRACE, system="recnmp", **QUICK).power
    assert recnmp["sram_of_element_in_device_mm2"] == pytest.approx(0.5)


def test_caches_pay_for_look_ups_reads_and_fills() -> None:
    """Rows 0, 1, 0 twice over: the profile lets both be kept; later bags find them."""
    bags = [[[0, 1, 0]] * 2 + [[0, 1]] * 3]
    trace = trace_of(bags, cardinalities=[64])
    options = {
        "system": "recnmp",
        "vector_bytes": 64,
        "profile": 0.4,
        "overrides": {"host.window_gnrs": 1},
    }
    _, run = run_of(trace, **options)
    names = ("pe_hits", "pe_misses", "merged", "pe_filled", "pe_read", "pe_prefetches")
    assert [counted(run, name) for name in names] == [4, 2, 0, 2, 4, 0]
    sram = 6 * 512 * 0.31 + 6 * 4 * 5.0  # four bursts read and two written; six look-ups of four tags
    assert parts_of(simulate(trace, **options), "dimm")["lut"] == pytest.approx(sram)


def test_a_broadcast_instruction_is_sent_once_and_decoded_by_every_rank() -> None:
    trace = trace_of([[[0, 1]]], cardinalities=[64])
    options = {"system": "tensordimm", "vector_bytes": 256, "profile": 0}
    _, run = run_of(trace, **options)
    assert (counted(run, "instructions"), run.carried) == (4, 4)  # two lookups in two channels, four ranks
    result = simulate(trace, **options)
    commands = sum(counted(run, name) for name in ("act", "pre", "pim_rd"))
    expected = 4 * 85 * 9.45 + 8 * 5.0  # bits over the host's bus, decoding
    expected += 23 * (commands * 4.06 + 4 * 9.45)  # from the buffer chip to the devices; four results
    assert parts_of(result, "dimm")["instruction"] == pytest.approx(expected)


def test_a_host_that_drives_the_elements_sends_commands_and_no_instructions() -> None:
    driven = {"dimm.pim.delivery": "host-driven", "dimm.pim.second_stage_bits_per_cycle": 0}
    result = simulate(TRACE, system="trim-g", overrides=driven, **QUICK)
    names = ("act", "pre", "prea", "ref", "pim_rd", "pim_mov", "pim_lut")
    commands = sum(result.counters["dimm"][name] for name in names)
    results = result.counters["dimm"]["pim_rdres"]
    expected = 23 * (commands * (4.06 + 9.45) + results * 9.45)
    assert parts_of(result, "dimm")["instruction"] == pytest.approx(expected)


def test_ddr5_standby_is_that_of_the_banks_that_were_open() -> None:
    result = simulate(TRACE, system="host-dimm", overrides=DDR5, **QUICK)
    part = result.energy.components_pJ["dimm", "background"]
    assert part.low == part.value == part.high
    counters = result.counters["dimm"]
    assert counters["rank_active"] < counters["bank_active"] < 32 * counters["rank_active"]


def test_a_power_file_with_other_banks_leaves_their_standby_open() -> None:
    """DDR4 has 16 banks in a rank, this file's device 32: how many it would have had open is not known."""
    mixed = {"dimm.power": DDR5["dimm.power"]}
    part = simulate(TRACE, system="host-dimm", overrides=mixed, **QUICK).energy.components_pJ
    assert part["dimm", "background"].low < part["dimm", "background"].value
