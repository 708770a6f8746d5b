# SPDX-License-Identifier: MIT
"""Energy is a pure function of counters: hand-derived cases, refusals and invariants."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.energy import (
    COMPONENTS,
    COUNTS,
    MEMORY_COMPONENTS,
    EnergyReport,
    HostActivity,
    Interval,
    TierActivity,
    command_energies,
    compute_energy,
    load_power,
)
from heam_sim.errors import ConfigError

DIMM, HBM = load_power("ddr4-3200-8gb-x8"), load_power("hbm2-4gb-legacy")
IDLE = HostActivity()


def tier(power=HBM, **changes):
    fields = {"name": "t", "power": power, "burst_bytes": 64, "counts": {}, "ranks": 1, "rank_active_ns": 0.0}
    return TierActivity(**(fields | changes))


def parts(activity, time_ns=0.0):
    """Nominal energy of the non-zero components of one tier."""
    report = compute_energy([activity], IDLE, time_ns)
    return {
        name: part.value
        for (owner, name), part in report.components_pJ.items()
        if owner == "t" and part.value
    }


def approx(**expected):
    return pytest.approx(expected)


def test_hbm_host_read_pays_the_whole_path():
    assert parts(tier(counts={"rd": 1})) == approx(
        cell=512 * 0.44, on_die_movement=512 * 2.24, tsv=512 * 0.5, io=512 * 0.3
    )


@pytest.mark.parametrize(
    ("level", "movement", "tsv"),
    [("bank", 0, 0), ("bank_group", 1.01, 0), ("channel", 2.24, 0.5), ("rank", 2.24, 0.5)],
)
def test_hbm_pim_read_pays_up_to_its_level(level, movement, tsv):
    found = parts(tier(counts={"pim_rd": 2}, unit_level=level))
    assert found.pop("cell") == pytest.approx(1024 * 0.44)
    assert found.pop("on_die_movement", 0) == pytest.approx(1024 * movement)
    assert found.pop("tsv", 0) == pytest.approx(1024 * tsv)
    assert not found


def test_read_then_move_then_result_pays_the_host_path_once():
    whole = parts(tier(counts={"rd": 3}))
    steps = parts(
        tier(
            counts={"pim_rd": 3, "pim_mov": 3, "pim_rdres": 3}, unit_level="bank_group", merge_level="channel"
        )
    )
    # Three results are asked for over the PHY; what the elements read needs no command from outside.
    assert steps.pop("instruction") == pytest.approx(3 * 16 * 0.3)
    assert steps == pytest.approx(whole)


def test_result_without_merge_starts_at_the_unit():
    assert parts(tier(counts={"pim_rdres": 1}, unit_level="bank_group")) == approx(
        on_die_movement=512 * 1.23, tsv=512 * 0.5, io=512 * 0.3, instruction=16 * (1.23 + 0.5 + 0.3)
    )


def test_lut_loading_pays_wires_once_and_every_copy():
    assert parts(tier(counts={"pim_wrlut": 1}, unit_level="bank_group", lut_copies=4)) == approx(
        on_die_movement=512 * 1.23,
        tsv=512 * 0.5,
        io=512 * 0.3,
        lut=4 * 512 * 0.31,
        instruction=16 * (1.23 + 0.5 + 0.3),
    )


def test_lut_read_alu_and_merge():
    counts = {"pim_lut": 1, "lut_bytes_read": 64, "alu_add_elements": 10, "alu_mul_elements": 20}
    found = parts(
        tier(counts=counts | {"merge_add_elements": 30}, unit_level="bank_group", merge_level="channel")
    )
    assert found == approx(lut=512 * 0.31, alu=40 * 0.9 + 20 * 3.7)


def test_instruction_pays_bits_above_the_unit_and_decoding():
    found = parts(tier(counts={"instructions": 2, "instruction_bits": 170}, unit_level="bank_group"))
    assert found == approx(instruction=170 * (1.23 + 0.5 + 0.3) + 2 * 5.0)


@pytest.mark.parametrize(("unit", "devices"), [("bank", 8), ("bank_group", 8), ("rank", 1), ("channel", 1)])
def test_below_rank_level_the_devices_of_a_dimm_work_in_lock_step(unit, devices):
    """All decode every instruction and read tags of their own; a row's bytes and sums are shared out."""
    once = {"lut_bytes_read": 64, "cache_bytes_written": 128, "alu_add_elements": 16}
    shared = parts(tier(DIMM, counts=once, unit_level=unit))
    assert shared == approx(lut=3 * 512 * 0.31, alu=16 * 0.9)
    own = parts(tier(DIMM, counts={"instructions": 2, "tags_read": 12}, unit_level=unit))
    assert own == approx(instruction=2 * 5.0 * devices, lut=12 * 5.0 * devices)
    assert parts(tier(HBM, counts={"instructions": 2}, unit_level=unit)) == approx(instruction=10.0)


def test_commands_pay_the_pins_that_they_cross():
    def pins(power, **changes):
        return parts(tier(power, counts={"commands": 3}, **changes)).get("instruction", 0.0)

    assert pins(DIMM) == pytest.approx(3 * 23 * 9.45)
    assert pins(DIMM, buffered=True) == pytest.approx(3 * 23 * (4.06 + 9.45))
    assert pins(HBM) == pytest.approx(3 * 16 * 0.8)
    # Controllers beside the elements: in the buffer chip or base die they are behind the host's bus, in the
    # memory dies behind all pins.
    assert pins(DIMM, unit_level="rank") == pytest.approx(3 * 23 * 4.06)
    assert pins(HBM, unit_level="channel") == pytest.approx(3 * 16 * 0.5)
    assert pins(DIMM, unit_level="bank_group") == 0.0
    assert pins(DIMM, unit_level="rank", host_driven=True) == pytest.approx(3 * 23 * (4.06 + 9.45))
    assert pins(HBM, unit_level="bank", host_driven=True) == pytest.approx(3 * 16 * 0.8)


@pytest.mark.parametrize("power", [DIMM, HBM], ids=["dimm", "hbm"])
@pytest.mark.parametrize("unit", [None, "bank", "bank_group", "rank"])
def test_energies_of_single_commands_make_up_the_memory_components(power, unit):
    levels = {"unit_level": unit, "merge_level": "channel" if unit else None, "ref_bank_share": 0.25}
    energies = command_energies(tier(power, **levels))
    known = [name for name in energies if unit or not name.startswith("pim")]
    counts = {name: 3 + 2 * place for place, name in enumerate(known)}
    report = compute_energy([tier(power, counts=counts, **levels)], IDLE, 0.0)
    memory = [part for (_, name), part in report.components_pJ.items() if name in MEMORY_COMPONENTS]
    for end in ("low", "value", "high"):
        whole = sum(counts[name] * getattr(energies[name], end) for name in counts)
        assert getattr(Interval.total(memory), end) == pytest.approx(whole)
    assert energies["act"].value == pytest.approx(4200.0 if power is DIMM else 1818.0)


def test_activation_and_refresh_by_count():
    assert parts(tier(counts={"act": 3, "ref": 2})) == approx(activation=3 * 1818.0, refresh=2 * 60840.0)


def test_background_by_row_state():
    # 8 nodes, 100 ns: 300 ns open at 66 mW, 500 ns closed at 48 mW.
    assert parts(tier(ranks=8, rank_active_ns=300.0), 100.0) == approx(background=300 * 66 + 500 * 48)


def test_plain_dimm_read_pays_no_module_bus():
    assert parts(tier(DIMM, counts={"rd": 1})) == approx(
        cell=2784 * 0.164, on_die_movement=2784 * 0.836, io=512 * 9.45
    )


def test_rank_element_behind_the_module_bus():
    levels = {"unit_level": "rank", "merge_level": "channel"}
    assert parts(tier(DIMM, counts={"pim_rd": 1}, **levels)) == approx(
        cell=2784 * 0.164, on_die_movement=2784 * 0.836, dram_bus=512 * 4.06
    )
    assert parts(tier(DIMM, counts={"pim_mov": 5}, **levels)) == {}  # both sit in the buffer chip
    assert parts(tier(DIMM, counts={"pim_rdres": 1}, **levels)) == approx(
        io=512 * 9.45, instruction=23 * 9.45
    )
    assert parts(tier(DIMM, counts={"rd": 1}, **levels))["dram_bus"] == pytest.approx(512 * 4.06)
    assert "dram_bus" not in parts(tier(DIMM, counts={"rd": 1}, buffered=False, **levels))


def test_write_uses_the_write_current():
    assert parts(tier(DIMM, counts={"wr": 1}))["cell"] == pytest.approx(2352 * 0.164)


def test_host_work():
    host = HostActivity(add_bytes=100, multiply_bytes=200, llc_lookups=3, llc_line_bytes=64)
    report = compute_energy([], host, 10.0)
    assert set(report.components_pJ) == {("host", "host")}
    assert report.total_pJ.value == pytest.approx(130 + 400 + 150 + 640)


def test_interval_reaches_the_report():
    report = compute_energy([tier(DIMM, counts={"rd": 1})], IDLE, 0.0)
    part = report.components_pJ["t", "io"]
    assert (part.low, part.value, part.high) == pytest.approx((512 * 4.06, 512 * 9.45, 512 * 22.0))


def test_every_component_of_the_tier_is_reported_even_if_zero():
    report = compute_energy([tier(HBM), tier(DIMM, name="d")], IDLE, 0.0)
    shared = set(COMPONENTS) - {"host", "tsv", "crossbar", "dram_bus"}
    assert {name for owner, name in report.components_pJ if owner == "t"} == shared | {"tsv", "crossbar"}
    assert {name for owner, name in report.components_pJ if owner == "d"} == shared | {"dram_bus"}


def test_a_run_without_time_has_no_power():
    report = compute_energy([tier()], IDLE, 0.0)
    assert report.total_pJ.value == 0.0 and report.average_power_W.value == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": {"acts": 1}}, "did you mean 'act'"),
        ({"counts": {"act": -1}}, "not negative"),
        ({"counts": {"act": 1.5}}, "whole number"),
        ({"counts": {"act": True}}, "whole number"),
        ({"counts": {"pim_rd": 1}}, "give unit_level"),
        ({"merge_level": "channel"}, "give unit_level"),
        ({"counts": {"pim_mov": 1}, "unit_level": "bank"}, "give merge_level"),
        ({"counts": {"merge_add_elements": 1}, "unit_level": "bank"}, "give merge_level"),
        ({"unit_level": "channel", "merge_level": "bank"}, "below unit_level"),
        ({"unit_level": "bank_groups"}, "did you mean 'bank_group'"),
        ({"counts": {"pim_lut": 1}, "unit_level": "bank"}, "lut_bytes_read"),
        ({"ranks": 0}, "at least 1"),
        ({"name": "host"}, "reserved"),
    ],
)
def test_a_wrong_activity_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        tier(**changes)


def test_wrong_calls_are_refused():
    with pytest.raises(ConfigError, match="time_ns"):
        compute_energy([], IDLE, math.nan)
    with pytest.raises(ConfigError, match="given twice"):
        compute_energy([tier(), tier()], IDLE, 1.0)
    with pytest.raises(ConfigError, match="rank_active_ns"):
        compute_energy([tier(rank_active_ns=1.1)], IDLE, 1.0)
    with pytest.raises(ConfigError, match="kind 'logic'"):
        compute_energy([], IDLE, 1.0, logic=HBM)
    with pytest.raises(ConfigError, match="host: add_bytes"):
        HostActivity(add_bytes=-1)


def test_interval_arithmetic():
    a, b = Interval(1, 2, 3), Interval(4, 5, 7)
    assert a + b == Interval(5, 7, 10)
    assert b - a == Interval(1, 3, 6)
    assert a * b == Interval(4, 10, 21)
    for wrong in ((2, 1, 3), (1, 4, 3), (0, math.inf, math.inf)):
        with pytest.raises(ConfigError):
            Interval(*wrong)
    with pytest.raises(ConfigError, match="negative"):
        a.scaled(-1)
    with pytest.raises(ConfigError, match="negative"):
        Interval(-1, 0, 1) * a


numbers = st.integers(0, 10**9)


@st.composite
def runs(draw):
    """Two tiers with arbitrary counters, a host and a time."""
    time_ns = draw(st.floats(1e-3, 1e12))
    tiers = []
    for name, power, ranks in (("dimm", DIMM, 4), ("hbm", HBM, 8)):
        counts = {key: draw(numbers) for key in COUNTS} | {"lut_bytes_read": draw(st.integers(1, 10**9))}
        share = draw(st.floats(0, 1))
        unit = draw(st.sampled_from(["bank", "bank_group", "rank"]))
        activity = {"counts": counts, "ranks": ranks, "rank_active_ns": share * ranks * time_ns}
        activity["ref_bank_share"] = draw(st.floats(1e-3, 1))
        tiers.append(tier(power, name=name, unit_level=unit, merge_level="channel", **activity))
    fields = ("add_bytes", "multiply_bytes", "llc_lookups", "llc_line_bytes")
    return tiers, HostActivity(**{key: draw(numbers) for key in fields}), time_ns


def times(activity, factor):
    counts = {key: number * factor for key, number in activity.counts.items()}
    kept = {
        key: getattr(activity, key)
        for key in ("name", "power", "burst_bytes", "ranks", "unit_level", "merge_level", "ref_bank_share")
    }
    return TierActivity(**kept, counts=counts, rank_active_ns=activity.rank_active_ns * factor)


@settings(max_examples=40, deadline=None)
@given(runs(), st.integers(2, 7))
def test_invariants(run, factor):
    tiers, host, time_ns = run
    report = compute_energy(tiers, host, time_ns)
    total = report.total_pJ
    for end in ("low", "value", "high"):
        assert getattr(total, end) == math.fsum(getattr(part, end) for part in report.components_pJ.values())
    assert math.fsum(part.value for part in report.by_component().values()) == pytest.approx(total.value)
    assert math.fsum(part.value for part in report.by_tier().values()) == pytest.approx(total.value)
    # W x ns = nJ
    assert report.average_power_W.value * time_ns * 1e3 == pytest.approx(total.value)
    assert compute_energy(tiers, host, time_ns) == report
    fields = ("add_bytes", "multiply_bytes", "llc_lookups", "llc_line_bytes")
    bigger = HostActivity(**{key: factor * getattr(host, key) for key in fields})
    scaled = compute_energy([times(activity, factor) for activity in tiers], bigger, time_ns * factor)
    for key, part in report.components_pJ.items():
        assert scaled.components_pJ[key].value == pytest.approx(factor * part.value)
        assert scaled.components_pJ[key].high == pytest.approx(factor * part.high)


def test_report_is_a_plain_value():
    part = {("t", "cell"): Interval(1, 2, 4), ("host", "host"): Interval.exact(0.5)}
    report = EnergyReport(part, 2.0)
    assert report.total_pJ == Interval(1.5, 2.5, 4.5)
    assert report.average_power_W.value == pytest.approx(1.25e-3)
    assert report.by_tier() == {"t": Interval(1, 2, 4), "host": Interval.exact(0.5)}


def test_the_example_in_the_documentation_runs():
    text = (Path(__file__).parents[2] / "docs" / "energy.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)
    report = names["report"]
    assert isinstance(report, EnergyReport)
    # 100 activations, 400 bursts to the bank group, 8 result bursts, 8 nodes x 1000 ns, 512 bytes added
    expected = 100 * 1818 + 400 * 512 * 1.45 + 8 * 512 * 2.03 + 6000 * 66 + 2000 * 48 + 512 * 1.3
    expected += 8 * 16 * 2.03  # the commands that ask for the results
    assert report.total_pJ.value == pytest.approx(expected)
