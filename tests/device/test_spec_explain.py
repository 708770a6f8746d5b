# SPDX-License-Identifier: MIT
"""The tables for people hold what the resolved specs hold, and say how it came about."""

from __future__ import annotations

import pytest

from heam_sim.dram import derive_pim, list_presets, load_spec
from heam_sim.dram.explain import constraint_table, list_table, pair_table, show_table, timing_table
from heam_sim.errors import SpecError

DDR5 = "native/DDR5_16Gb_x8/DDR5_4800"
HBM3 = "native/HBM3_16Gb_8hi/HBM3_6400"


def test_list_has_a_row_per_preset() -> None:
    rows = list_table()
    assert [row["preset"] for row in rows] == list_presets()
    assert len({tuple(row) for row in rows}) == 1
    row = next(row for row in rows if row["preset"] == HBM3)
    assert row["tCK_ps"] == "625/2"
    assert row["shape"] == "2 pseudo_channel, 2 sid, 4 bank_group, 4 bank"
    assert (row["banks"], row["capacity_MiB"], row["peak_GBps"]) == (64, 1024, 51.2)


def test_list_of_a_family() -> None:
    rows = list_table(family="native")
    assert rows
    assert all(str(row["preset"]).startswith("native/") for row in rows)
    with pytest.raises(SpecError, match="did you mean 'native'"):
        list_table(family="natve")


def test_timing_says_rule_inputs_and_rounding() -> None:
    rows = {row["name"]: row for row in timing_table(DDR5, overrides={"tRP_ns": 16, "nFAW": 40})}
    spec = load_spec(DDR5, overrides={"tRP_ns": 16, "nFAW": 40})
    assert {name: row["cycles"] for name, row in rows.items()} == spec.timing
    rp = rows["nRP"]
    assert (rp["rule"], rp["rounding"]) == ("cycles(tRP_ns)", "jesd79-5")
    assert rp["inputs"] == "tRP_ns = 16 (38.400 clocks)"
    assert rp["time_ns"] == pytest.approx(39 * 1.25 / 3)
    assert "DDR5_4800AN" in str(rp["source"])
    assert "rounding rule" in str(rp["source"])
    assert (rows["nFAW"]["rule"], rows["nFAW"]["source"]) == ("", "override")
    assert (rows["nREFI"]["rounding"], rows["nBL"]["rounding"], rows["nRRDS"]["rounding"]) == ("down", "", "")


def test_show_is_the_resolved_table() -> None:
    rows = show_table(HBM3, overrides={"sid": 1}, capacity_scale=2)
    spec = load_spec(HBM3, overrides={"sid": 1}, capacity_scale=2)

    def section(name: str) -> list[dict[str, object]]:
        return [dict(row) for row in rows if row["section"] == name]

    assert {row["name"]: row["value"] for row in section("timing")} == spec.timing
    assert [row["name"] for row in section("command")] == [command.name for command in spec.commands]
    assert [row["value"] for row in section("constraint")] == [row.cycles for row in spec.constraints]
    general = {row["name"]: row for row in section("general")}
    assert (general["sid"]["value"], general["sid"]["source"]) == (1, "override")
    assert (general["rows"]["value"], general["rows"]["derivation"]) == (32768, "times capacity_scale 2")
    assert general["tCK"]["derivation"] == "clock period / 2"
    assert all(row["source"] for row in rows)


def test_constraints_are_numbered_as_in_the_log() -> None:
    spec = derive_pim(load_spec(DDR5), "bank_group", "dimm")
    rows = constraint_table(spec)
    assert [row["number"] for row in rows] == list(range(len(spec.constraints)))
    assert all(row["cycles"] == spec.constraints[int(row["number"])].cycles for row in rows)


def test_pairs_add_up() -> None:
    rows = pair_table(load_spec(HBM3), "RD", "RD")
    found = {row["relation"]: row["cycles"] for row in rows if str(row["relation"]).startswith("distance")}
    assert found == {
        "distance: same bank": 8,
        "distance: another bank of the group": 8,
        "distance: another bank group": 4,
        "distance: another stack ID of the pseudo channel": 6,
        "distance: another rank or pseudo channel": 2,
    }
    nccdr = [row for row in rows if row["expression"] == "nCCDR"]
    assert [(row["relation"], row["cycles"], row["resource"]) for row in nccdr] == [
        ("another sid", 6, "dram_bus")
    ]
    window = [row for row in pair_table(load_spec(DDR5), "ACT", "ACT") if row["expression"] == "nFAW"]
    assert [row["relation"] for row in window] == ["same rank, 4 commands back"]
    with pytest.raises(SpecError, match="did you mean 'REFab'"):
        pair_table(load_spec(DDR5), "ACT", "REFa")
