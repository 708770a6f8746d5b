# SPDX-License-Identifier: MIT
"""Loading: overrides, capacity, exact arithmetic, and one typed sentence for everything that is wrong."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest

from heam_sim.dram import earliest_gap, list_presets, load_spec
from heam_sim.dram.expressions import evaluate, round_interval, round_minimum
from heam_sim.dram.standard_file import parse_standard
from heam_sim.errors import ConfigError, SpecError

DDR4 = "native/DDR4_8Gb_x8/DDR4_2400"


def text_of(family: str, file: str) -> str:
    return (resources.files("heam_sim.dram") / "standards" / family / file).read_text(encoding="utf-8")


def test_overrides_come_before_what_is_derived() -> None:
    spec = load_spec(DDR4, overrides={"rank": 2, "tRP_ns": 20.0, "nCL": 20, "nFAW": 40, "rows": 1024})
    assert spec.counts["rank"] == 2
    assert spec.banks == 32
    assert spec.nodes("bank_group") == 8
    assert spec.rows == 1024
    assert spec.timing["nRP"] == 24
    assert spec.timing["nFAW"] == 40
    assert spec.read_latency == 24
    assert earliest_gap(spec, "PREpb", "ACT", "bank") == 24
    assert earliest_gap(spec, "RD", "WR", "rank") == 20 + 4 + 2 - 12
    assert load_spec(DDR4).timing["nRP"] == 16


def test_an_override_in_ns_is_the_decimal_number_that_was_written() -> None:
    # 5.1 ns are 6.12 clocks, 6.12 + 0.974 = 7.094; the lower limit of five clocks does not bind.
    assert load_spec(DDR4, overrides={"tCCD_L_ns": 5.1}).timing["nCCDL"] == 7
    assert load_spec(DDR4, overrides={"tCCD_L_ns": Fraction(1)}).timing["nCCDL"] == 5
    assert load_spec(DDR4, overrides={"tREFI_ns": "7799.9"}).timing["nREFI"] == 9359


def test_capacity_scale_multiplies_rows_only() -> None:
    plain, scaled = load_spec(DDR4), load_spec(DDR4, capacity_scale=4)
    assert scaled.rows == 4 * plain.rows
    assert scaled.bytes_per_channel == 4 * plain.bytes_per_channel
    assert scaled.timing == plain.timing
    assert scaled.constraints == plain.constraints
    assert scaled.to_dict()["capacity_scale"] == 4
    assert load_spec(DDR4, overrides={"rows": 16}, capacity_scale=4).rows == 64


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"ranks": 2}, "did you mean 'rank'"),
        ({"tRPP_ns": 2}, "did you mean 'tRP_ns'"),
        ({"pseudo_channel": 2}, "unknown override"),
        ({"channel": 2}, "unknown override"),
        ({"rank": 0}, "at least 1"),
        ({"rank": True}, "whole number"),
        ({"nCL": 2.5}, "whole number"),
        ({"nCL": -1}, "whole number"),
        ({"nBL": 0}, "at least 1 cycle"),
        ({"tRP_ns": "soon"}, "nanoseconds"),
        ({"tRP_ns": -1}, "nanoseconds"),
        ({"tRP_ns": float("nan")}, "nanoseconds"),
    ],
)
def test_wrong_overrides(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_spec(DDR4, overrides=overrides)


def test_ramulators_names_of_levels_are_understood_and_counts_enter_what_is_derived() -> None:
    name = "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps"
    one = load_spec(name, overrides={"bankgroup": 2, "pseudochannel": 1, "row": 64})
    assert (one.counts["bank_group"], one.counts["pseudo_channel"], one.rows) == (2, 1, 64)
    assert one == load_spec(name, overrides={"bank_group": 2, "pseudo_channel": 1, "rows": 64})
    # 3900 ns over 32 banks, then over 8: 121.9 and 487.5, rounded up.
    assert load_spec(name).timing["nREFIpb"] == 122
    assert one.timing["nREFIpb"] == 488
    with pytest.raises(SpecError, match="same as 'bank_group'"):
        load_spec(name, overrides={"bankgroup": 2, "bank_group": 2})
    with pytest.raises(SpecError, match="unknown override 'bankgroup'"):
        load_spec(DDR4, overrides={"bankgroup": 2})


def test_overrides_in_cycles_count_clocks_where_commands_start_on_half_clocks() -> None:
    hbm3 = load_spec("native/HBM3_16Gb_8hi/HBM3_6400", overrides={"nCL": 21, "tRP_ns": 17})
    assert hbm3.tCK_ps == Fraction(625, 2)
    assert hbm3.timing["nCL"] == 42
    assert hbm3.timing["nRP"] == 56  # 27.2 clocks, rounded up to 28


def test_values_by_device_width_and_density() -> None:
    def faw(organization: str, rate: int) -> int:
        return load_spec(f"native/{organization}/DDR4_{rate}").timing["nFAW"]

    # 13, 21 and 30 ns at 2400 MT/s (15.6, 25.2, 36), 10.875 ns at 2933 MT/s (15.95); at least 16, 20, 28.
    assert [faw(f"DDR4_8Gb_x{width}", 2400) for width in (4, 8, 16)] == [16, 26, 36]
    assert faw("DDR4_8Gb_x4", 2933) == 16
    rfc = [load_spec(f"native/DDR4_{gigabit}Gb_x8/DDR4_3200").timing["nRFC"] for gigabit in (2, 4, 8, 16)]
    assert rfc == [256, 416, 560, 880]
    # Refresh of an HBM3 stack follows the density per stack ID: with one ID instead of two, 16 Gb.
    hbm3 = "ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps"
    assert load_spec(hbm3).timing["nRFC"] == 1120
    assert load_spec(hbm3, overrides={"sid": 1}).timing["nRFC"] == 1440


def test_compatibility_presets_know_no_nanoseconds() -> None:
    with pytest.raises(SpecError, match="unknown override 'tRP_ns'"):
        load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", overrides={"tRP_ns": 13})


@pytest.mark.parametrize("scale", [0, -1, 1.5, True])
def test_wrong_capacity_scale(scale: int) -> None:
    with pytest.raises(SpecError, match="capacity_scale"):
        load_spec(DDR4, capacity_scale=scale)


@pytest.mark.parametrize("name", ["native/DDR4_8Gb_x8/DDR4_2401", "DDR4", "native/DDR4_8Gb_x8", ""])
def test_unknown_preset(name: str) -> None:
    with pytest.raises(SpecError, match="unknown memory preset"):
        load_spec(name)


def test_own_standards(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    text = text_of("native", "DDR4.toml").replace("[timing.DDR4_2400]", "[timing.DDR4_mine]")
    (tmp_path / "mine" / "DDR4.toml").write_text(text, encoding="utf-8")
    mine = [name for name in list_presets(folder=tmp_path) if name.startswith("mine/DDR4_8Gb_x8/")]
    assert "mine/DDR4_8Gb_x8/DDR4_mine" in mine
    assert "mine/DDR4_8Gb_x8/DDR4_2400" not in mine
    assert load_spec("mine/DDR4_8Gb_x8/DDR4_mine", folder=tmp_path).timing == load_spec(DDR4).timing
    with pytest.raises(SpecError, match="does not exist"):
        list_presets(folder=tmp_path / "nowhere")


def test_a_timing_block_can_be_bound_to_organisations(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    text = text_of("native", "DDR4.toml").replace(
        "[timing.DDR4_2400]", '[timing.DDR4_2400]\norganizations = ["other"]'
    )
    (tmp_path / "mine" / "DDR4.toml").write_text(text, encoding="utf-8")
    presets = list_presets(folder=tmp_path)
    assert "mine/DDR4_8Gb_x8/DDR4_3200" in presets
    assert "mine/DDR4_8Gb_x8/DDR4_2400" not in presets
    with pytest.raises(SpecError, match="unknown memory preset"):
        load_spec("mine/DDR4_8Gb_x8/DDR4_2400", folder=tmp_path)


BROKEN = [
    ('name = "DDR4"', 'name = "DDR4', "not valid TOML"),
    ("format = 1", "format = 2", "format 2"),
    ("format = 1\n", "", "key 'format' is missing"),
    ("split_command_buses = false", "split_comand_buses = false", "did you mean 'split_command_buses'"),
    ("split_command_buses = false", "split_command_buses = 0", "true or false"),
    ('rounding = "jesd79-4"', 'rounding = "jesd79"', "did you mean 'jesd79-"),
    ('rounding = "jesd79-4"', 'rounding = "none"', "needs a rounding rule"),
    ('source = "JESD79-4 speed', 'sauce = "JESD79-4 speed', "did you mean 'source'"),
    (
        'constraints = "JESD79-4 command timing; gaps between ranks from bus occupancy plus nRTRS"',
        "",
        "missing",
    ),
    ('commands = "JESD79-4 command truth table"', 'commands = " "', "non-empty"),
    ('"channel", "rank", "bank_group", "bank"]', '"channel", "bank_group", "bank"]', "levels must run"),
    ("tRP_ns = 13.32\n", "", "'tRP_ns' is missing"),
    ("tRP_ns = 13.32\n", "tRP_ns = 13.32\ntRPX_ns = 1\n", "did you mean 'tRP_ns'"),
    ("tRP_ns = 13.32\n", 'tRP_ns = "13.32"\n', "nanoseconds"),
    ("nCL = 16", "nCL = 16.0", "whole number of cycles"),
    ("tRP_ns = 13.32\n", "tRP_ns = 13.32\ntRFC_ns = 350\n", "keep one of the two"),
    ('tCK_ps = "2500/3"', 'tCK_ps = "fast"', "tCK_ps"),
    ('tCK_ps = "2500/3"', "tCK_ps = 0", "above zero"),
    ("rank = 1, bank_group = 4", "bank_group = 4", "counts must name exactly"),
    ("rank = 1, bank_group = 4", "rank = 0, bank_group = 4", "at least 1"),
    ("rows = 65536", "rows = 65536.5", "whole number"),
    ('kind = "PREA"', 'kind = "PREAL"', "did you mean 'PREA'"),
    ('kind = "WR"', 'kind = "RD"', "2 commands of kind RD;"),
    ('scope = "rank"', 'scope = "bank"', "PREA addresses a rank"),
    ('scope = "bank"', 'scope = "bnk"', "did you mean 'bank'"),
    ('name = "PREpb"', 'name = "ACT"', "defined twice"),
    ('cycles = "nRRDS"', 'cycles = "nRRD"', "did you mean 'nRRD"),
    ('cycles = "nRRDS"', 'cycles = "tRRD_S_ns"', "unknown timing name"),
    ('cycles = "nRRDS"', 'cycles = "nRRDS +"', "is not an expression"),
    ('cycles = "nRRDS"', "cycles = 4", "non-empty text"),
    ('cycles = "nRRDS"', 'cycles = "nRRDS - 100"', "gives -96"),
    ('cycles = "nRRDS"', 'cycles = "nRRDS / 3"', "no whole number"),
    ('resource = "activation_power"', 'resource = "activation"', "did you mean 'activation_power'"),
    ('resource = "activation_power"', 'resource = "merge_path"', "unknown resource"),
    ('resource = "activation_power"\n', "", "'resource' is missing"),
    ("window = 4", "window = 0", "at least 1"),
    ("window = 4", "window = 4\nsibling = true", "sibling row"),
    ('preceding = ["ACT"]', 'preceding = ["ACTX"]', "did you mean 'ACT'"),
    ('preceding = ["ACT"]', 'preceding = ["ACT", "ACT"]', "twice"),
    ('nRCD = "cycles(tRCD_ns)"', 'nRCD = "cycles(tRCDX_ns)"', "did you mean 'tRCD_ns'"),
    ('nRCD = "cycles(tRCD_ns)"', 'nRCD = "cycle(tRCD_ns)"', "did you mean 'cycles'"),
    ('nRCD = "cycles(tRCD_ns)"', 'nCL = "cycles(tRCD_ns)"', "new name"),
    ('nRCD = "cycles(tRCD_ns)"', 'nRCD = "cycles(tRCD_ns * bank_grup)"', "did you mean 'bank_group'"),
    ('nRCD = "cycles(tRCD_ns)"', 'nRCD = "upto(tRCD_ns, 1, 2)"', "upto\\(\\) takes"),
    ("device_width = 8\n", "", "'tRRD_S_ns' is given for x4, x8, x16 only"),
    ("device_width = 8\n", "device_width = 32\n", "device_width 32"),
    ("x8 = 3.3", "xx = 3.3", "device widths such as x8"),
    ("x8 = 3.3", 'x8 = "3.3"', "nanoseconds"),
    ("format = 1\n\n[standard]\n", "format = 1\n\n[standard]\nticks_per_clock = 0\n", "at least 1"),
    ("[standard]\n", '[standard]\naliases = { row = "rws" }\n', "did you mean 'rows'"),
]


# The block that a change is made in: many blocks give the same keys.
USED = {"[organization.DDR4_8Gb_x8]", "[timing.DDR4_2400]"}


def change(text: str, old: str, new: str) -> str:
    """Replace the first `old`, in the blocks of DDR4_8Gb_x8 and DDR4_2400 if it is in one of them."""
    for header in USED:
        start = text.index(header)
        stop = text.find("\n[", start + 1)
        stop = len(text) if stop < 0 else stop
        if old in text[start:stop]:
            return text[:start] + text[start:stop].replace(old, new, 1) + text[stop:]
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_broken_files(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = change(text_of("native", "DDR4.toml"), old, new)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "DDR4.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        load_spec("mine/DDR4_8Gb_x8/DDR4_2400", folder=tmp_path)
    assert "mine/DDR4.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_source_no_preset() -> None:
    text = text_of("native", "HBM2.toml")
    for start in ("[organization.HBM2_4Gb]", "[timing.HBM2_2000]", "[standard]"):
        head, tail = text.split(start)
        lines = tail.splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("source"))
        cut = "\n".join(lines[:first] + lines[first + 1 :])
        with pytest.raises(SpecError, match="'source' is missing"):
            parse_standard(head + start + cut, where="HBM2.toml")


def test_a_row_that_the_resource_table_does_not_know() -> None:
    text = text_of("ramulator-2.1", "DDR4.toml")
    row = '[[constraint]]\nlevel = "bank"\npreceding = ["PREpb"]\nfollowing = ["RD"]\ncycles = "nRP"\n\n'
    with pytest.raises(SpecError, match="no single resource"):
        parse_standard(text.replace("[organization.", row + "[organization."), where="DDR4.toml")
    with pytest.raises(SpecError, match="unknown key 'resource'"):
        named = row.replace("\n\n", '\nresource = "bank"\n\n')
        parse_standard(text.replace("[organization.", named + "[organization."), where="DDR4.toml")


@pytest.mark.parametrize(
    ("clocks", "jesd79_4", "jesd79_5", "ceil"),
    [
        # At a ratio just above a whole number the DDR rules forgive the truncated clock period.
        (Fraction(18), 18, 18, 18),
        (Fraction("18.02"), 18, 18, 19),
        (Fraction("18.026"), 19, 18, 19),
        (Fraction("18.054"), 19, 18, 19),
        (Fraction("18.055"), 19, 19, 19),
        (Fraction("17.984"), 18, 18, 18),
    ],
)
def test_rounding_rules(clocks: Fraction, jesd79_4: int, jesd79_5: int, ceil: int) -> None:
    period = Fraction(2500, 3)
    time_ns = clocks * period / 1000
    assert round_minimum(time_ns, period, "jesd79-4") == jesd79_4
    assert round_minimum(time_ns, period, "jesd79-5") == jesd79_5
    assert round_minimum(time_ns, period, "ceil") == ceil
    assert round_interval(time_ns, period) == clocks.numerator // clocks.denominator


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("max(nA, 4) - min(nA, 4)", 1),
        ("-(2 - nA)", 3),
        ("nA * 6 / 3", 10),
        ("max(0, 3 - nA)", 0),
        ("upto(nA, 4, 10, 5, 20, 30)", 20),
        ("upto(nA + 1, 4, 10, 5, 20, 30)", 30),
        ("upto(nA, 7)", 7),
    ],
)
def test_expressions(text: str, value: int) -> None:
    assert evaluate(text, {"nA": 5}, where="here") == value


@pytest.mark.parametrize(
    "text",
    [
        "nA ** 2",
        "nA / 0",
        "nA.real",
        "abs(nA)",
        "'4'",
        "4.5",
        "True",
        "max()",
        "[1]",
        "nA if nA else 1",
        "f(x=1)",
        "__import__('os')",
        "max(1, key=nA)",
        "upto()",
        "upto(nA, 1, 2)",
        "1 // 1",
    ],
)
def test_forbidden_expressions(text: str) -> None:
    with pytest.raises(SpecError, match="here"):
        evaluate(text, {"nA": 5}, where="here")


def test_unknown_names_in_queries() -> None:
    spec = load_spec(DDR4)
    with pytest.raises(SpecError, match="did you mean 'bank_group'"):
        spec.nodes("bankgroup")
    with pytest.raises(SpecError, match="unknown command"):
        earliest_gap(spec, "PIM_RD", "RD", "bank")
    with pytest.raises(ConfigError, match="unknown relation"):
        earliest_gap(spec, "RD", "RD", "banks")
