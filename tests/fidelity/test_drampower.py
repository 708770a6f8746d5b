# SPDX-License-Identifier: MIT
"""Our energy of plain traffic against DRAMPower's on the same commands and the same description.

The answers were recorded with DRAMPower 6.2.0, core energy only (docs/validation.md); the files hold command
traces of our replay, the description that DRAMPower was given, and what it said.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heam_sim.dram import load_spec
from heam_sim.energy import commands_activity, commands_energy, event_energies, load_power

DATA = Path(__file__).parents[1] / "data" / "drampower"
CASES = ("ddr4", "ddr4-2rank-distinct", "ddr5")


def load(case):
    record = json.loads((DATA / f"{case}.json").read_text(encoding="utf-8"))
    with np.load(DATA / f"{case}.npz") as file:
        commands = file["commands"]
    name = record["power"]
    power = load_power(DATA / name if name.endswith(".toml") else name)
    spec = load_spec(record["preset"], overrides=record["overrides"])
    return record, commands, spec, power


def ours(case, **changes):
    record, commands, spec, power = load(case)
    arguments = {"cycles": record["cycles"], "interface": False} | changes
    return commands_energy(commands, record["command_names"], spec, power, **arguments)


def components(case):
    """Our parts and theirs, in pJ, under common names."""
    parts = {name: item.value for name, item in ours(case).by_component().items()}
    answer = {
        key.removesuffix("_J"): 1e12 * value for key, value in load(case)[0]["answer"].items() if "_J" in key
    }
    return {
        "activation": (parts["activation"], answer["E_act"] + answer["E_pre"]),
        "column": (parts["cell"] + parts["on_die_movement"], answer["E_RD"] + answer["E_WR"]),
        "refresh": (parts["refresh"], answer["E_ref_AB"]),
        "background": (parts["background"], answer["E_bg_act"] + answer["E_bg_pre"]),
        "total": (sum(parts.values()), answer["total"]),
    }


@pytest.mark.parametrize("case", CASES)
def test_total_energy_agrees_within_one_percent(case):
    theirs = load(case)[0]["answer"]["total_J"] * 1e12
    assert abs(ours(case).total_pJ.value / theirs - 1) <= 0.01


@pytest.mark.parametrize("case", CASES)
def test_components_agree(case):
    # What remains is explained in docs/validation.md: rows open at the end, and how DDR5 rounds tRFC.
    limits = {"activation": 0.01, "column": 1e-6, "refresh": 0.005, "background": 0.0002, "total": 0.01}
    if case != "ddr5":
        limits |= {"refresh": 1e-6, "background": 1e-6}
    for name, (mine, theirs) in components(case).items():
        assert abs(mine / theirs - 1) <= limits[name], (name, mine / theirs - 1)


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_made_of_the_compared_parts_only(case):
    answer = load(case)[0]["answer"]
    named = sum(answer[key] for key in answer if key.startswith("E_"))
    assert answer["rest_J"] == 0
    assert named == pytest.approx(answer["total_J"], rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_open_rows_at_the_end_explain_the_activation(case):
    record, _, _, power = load(case)
    counts = record["answer"]["counts"]
    state = {
        name: power["VDD_V"].value * power[f"IDD{name}_mA"].value
        + power["VPP_V"].value * power[f"IPP{name}_mA"].value
        for name in ("0", "2N")
    }
    precharge = power["devices_per_rank"].value * (state["0"] - state["2N"]) * power["tRP_ns"].value
    mine, theirs = components(case)["activation"]
    assert counts["act"] > counts["pre"]
    assert mine - (counts["act"] - counts["pre"]) * precharge == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_counts_and_open_times_agree(case):
    record, commands, spec, power = load(case)
    activity = commands_activity(commands, record["command_names"], spec, power, cycles=record["cycles"])
    counts, ranks = record["answer"]["counts"], record["answer"]["ranks"]
    assert [activity.counts[key] for key in ("act", "rd", "wr")] == [
        counts[key] for key in ("act", "rd", "wr")
    ]
    banks = event_energies(power).banks
    assert activity.counts["ref"] * banks == counts["bank_refreshes"]
    active = (
        activity.rank_active_ns / (float(spec.tCK_ps) / 1000)
        + activity.counts["ref"] * record["description"]["RFC"]
    )
    assert active == pytest.approx(sum(rank["act_cycles"] for rank in ranks), abs=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_the_description_is_our_power_file(case):
    record, _, spec, power = load(case)
    given = record["description"]
    for current in ("0", "2N", "3N", "4R", "4W", "5B"):
        for supply in ("dd", "pp"):
            mine = power[f"I{supply.upper()}{current}_mA"].value
            assert 1000 * given[f"i{supply}{current.lower()}_A"] == pytest.approx(mine)
    assert (given["vdd_V"], given["vpp_V"]) == (power["VDD_V"].value, power["VPP_V"].value)
    assert given["factRho"] == power["standby_shared_ratio"].value
    for name, key in (("RAS", "tRAS_ns"), ("RP", "tRP_ns")):
        assert given[name] * given["tCK_s"] * 1e9 == pytest.approx(power[key].value)
    # A DDR5 activation takes two cycles, so its first one comes a cycle before the refresh is over.
    assert given["RFC"] == spec.timing["nRFC"] - spec.timing.get("nCA", 1) + 1
    assert given["RFC"] * given["tCK_s"] * 1e9 == pytest.approx(power["tRFC_ns"].value, rel=0.005)
    assert given["devices"] == power["devices_per_rank"].value == spec.devices


def test_the_comparison_sees_a_wrong_model():
    # Drop the supply VPP, or the refreshes: both move the total by more than the limit.
    record, commands, spec, _ = load("ddr4-2rank-distinct")
    theirs = record["answer"]["total_J"] * 1e12
    kinds = [
        command.kind for name in record["command_names"] for command in spec.commands if command.name == name
    ]
    kept = commands[commands["command"] != kinds.index("REF")]
    short = commands_energy(
        kept,
        record["command_names"],
        spec,
        load_power(DATA / "distinct.toml"),
        cycles=record["cycles"],
        interface=False,
    )
    assert abs(short.total_pJ.value / theirs - 1) > 0.01
    # 5000 cycles more of standby are seen too.
    longer = ours("ddr4-2rank-distinct", cycles=record["cycles"] + 5000)
    assert abs(longer.total_pJ.value / theirs - 1) > 0.01
