# SPDX-License-Identifier: MIT
"""The shipped presets hold the numbers that their sources give."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from heam_sim.dram import RESOURCES, Spec, list_presets, load_spec

# One preset of every file and shape; tests/device/test_spec_breadth.py looks at all of them.
PRESETS = [
    "native/DDR4_16Gb_x16/DDR4_2933",
    "native/DDR4_8Gb_x8/DDR4_2400",
    "native/DDR4_8Gb_x8/DDR4_3200",
    "native/DDR5_16Gb_x8/DDR5_4800",
    "native/GDDR6_8Gb_x16/GDDR6_14000",
    "native/HBM2E_16Gb_8hi/HBM2E_3200",
    "native/HBM2_4Gb/HBM2_2000",
    "native/HBM2_4Gb_legacy/HBM2_2000",
    "native/HBM3_16Gb_8hi/HBM3_6400",
    "native/LPDDR5_8Gb_x16/LPDDR5_6400",
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R",
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA",
    "ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN",
    "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps",
    "ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps",
]

# Resolved tables written out by Ramulator 2.1 itself; they are no part of this repository.
RESOLVED_ENV = "HEAM_SIM_RAMULATOR_RESOLVED"
RESOLVED = [
    ("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", {"rank": 2}, "ddr4_2400r_8gb_x8_2rank.json"),
    ("ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA", {"rank": 1}, "ddr4_3200aa_8gb_x8_1rank.json"),
    ("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN", {"rank": 2}, "ddr5_4800an_16gb_x8_2rank.json"),
    ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", {}, "hbm2_2000_4gb.json"),
    ("ramulator-2.1/HBM2_8Gb/HBM2_2400Mbps", {}, "hbm2_2400_8gb.json"),
    ("ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps", {}, "hbm3_6400_16gb.json"),
]
LEVELS = {
    "Channel": "channel",
    "Rank": "rank",
    "PseudoChannel": "pseudo_channel",
    "Sid": "sid",
    "BankGroup": "bank_group",
    "Bank": "bank",
}


def rows_of(
    spec: Spec, level: str, first: str, second: str, *, sibling: bool = False, window: int = 1
) -> list[int]:
    return [
        row.cycles
        for row in spec.constraints
        if row.level == level
        and first in row.preceding
        and second in row.following
        and row.sibling == sibling
        and row.window == window
    ]


def test_the_presets_are_there() -> None:
    assert set(PRESETS) <= set(list_presets())


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_and_block_has_a_source_and_a_resource(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name
    assert spec.source.count(";") >= 2
    for row in spec.constraints:
        assert row.source.strip()
        assert row.expression
        assert row.resource in RESOURCES
        assert row.resource != "merge_path"


@pytest.mark.parametrize("name", PRESETS)
def test_the_resolved_table_is_json(name: str) -> None:
    spec = load_spec(name)
    table = json.loads(json.dumps(spec.to_dict()))
    assert Fraction(table["tCK_ps"]) == spec.tCK_ps
    assert table["timing"] == spec.timing
    assert len(table["constraints"]) == len(spec.constraints)
    assert all(row.describe().count("->") == 1 for row in spec.constraints)


@pytest.mark.parametrize(("name", "overrides", "file"), RESOLVED)
def test_equal_to_the_resolved_table_row_for_row(name: str, overrides: dict[str, int], file: str) -> None:
    if RESOLVED_ENV not in os.environ:
        pytest.skip(f"name the folder of Ramulator's resolved tables in {RESOLVED_ENV} to compare them whole")
    table = json.loads((Path(os.environ[RESOLVED_ENV]) / file).read_text(encoding="utf-8"))
    spec = load_spec(name, overrides=overrides)
    timing = dict(table["timing"])
    assert timing.pop("rate") == spec.data_rate_MTps
    assert timing.pop("tCK_ps") == spec.tCK_ps
    assert timing == spec.timing
    assert [LEVELS[level] for level in table["levels"][:-2]] == list(spec.levels)
    assert {LEVELS[k]: v for k, v in table["counts"].items() if k in LEVELS} == spec.counts
    assert table["counts"]["Row"] == spec.rows
    assert table["counts"]["Column"] == spec.columns * table["internal_prefetch"]
    assert spec.burst_bytes * 8 == table["channel_width_bits"] * table["internal_prefetch"]
    assert spec.devices == table["channel_width_bits"] // table["dq"]
    assert table["commands"] == [command.name for command in spec.commands]
    assert bool(table["row_commands"]) == spec.split_command_buses
    if spec.split_command_buses:
        assert table["row_commands"] == [c.name for c in spec.commands if c.slot == "row"]
    assert table["read_latency_cycles"] == spec.read_latency
    expected = []
    for row in table["constraints"]:
        window, sibling = (*row.get("extra", [1]), False)[:2]
        level = LEVELS[row["level"]]
        expected.append(
            (level, tuple(row["preceding"]), tuple(row["following"]), row["cycles"], window, sibling)
        )
    rows = [(r.level, r.preceding, r.following, r.cycles, r.window, r.sibling) for r in spec.constraints]
    assert rows == expected


# The essential rows of the compatibility presets, copied by hand:
# (level, first, second, sibling, window) -> cycles.
ESSENTIAL = {
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R": {
        ("channel", "RD", "RD", False, 1): [4],
        ("rank", "RD", "RD", False, 1): [4],
        ("rank", "RD", "WR", False, 1): [10],
        ("rank", "WR", "RD", False, 1): [19],
        ("rank", "RD", "WR", True, 1): [6],
        ("rank", "WR", "RD", True, 1): [2],
        ("rank", "ACT", "ACT", False, 1): [4],
        ("rank", "ACT", "ACT", False, 4): [26],
        ("rank", "REFab", "ACT", False, 1): [433],
        ("rank", "REFab", "REFab", False, 1): [],
        ("bank_group", "RD", "RD", False, 1): [6],
        ("bank_group", "WR", "RD", False, 1): [25],
        ("bank_group", "ACT", "ACT", False, 1): [6],
        ("bank", "ACT", "ACT", False, 1): [55],
        ("bank", "ACT", "RD", False, 1): [16],
        ("bank", "ACT", "PREpb", False, 1): [39],
        ("bank", "PREpb", "ACT", False, 1): [16],
        ("bank", "RD", "PREpb", False, 1): [9],
        ("bank", "WR", "PREpb", False, 1): [34],
    },
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA": {
        ("rank", "RD", "WR", False, 1): [12],
        ("rank", "WR", "RD", False, 1): [24],
        ("rank", "WR", "RD", True, 1): [0],
        ("rank", "ACT", "ACT", False, 4): [34],
        ("rank", "REFab", "ACT", False, 1): [576],
        ("bank_group", "RD", "RD", False, 1): [8],
        ("bank_group", "WR", "RD", False, 1): [32],
        ("bank", "ACT", "ACT", False, 1): [74],
        ("bank", "RD", "PREpb", False, 1): [12],
        ("bank", "WRA", "ACT", False, 1): [66],
    },
    "ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN": {
        ("channel", "RD", "PREpb", False, 1): [2],
        ("channel", "RD", "RD", False, 1): [2, 8],
        ("rank", "RD", "WR", False, 1): [14],
        ("rank", "WR", "RD", False, 1): [46],
        ("rank", "RD", "WR", True, 1): [10],
        ("rank", "ACT", "ACT", False, 4): [48],
        ("rank", "PREpb", "PREab", False, 1): [2],
        ("rank", "REFab", "ACT", False, 1): [709],
        ("bank_group", "RD", "RD", False, 1): [12],
        ("bank_group", "WR", "WR", False, 1): [48],
        ("bank", "ACT", "RD", False, 1): [34],
        ("bank", "ACT", "PREpb", False, 1): [78],
        ("bank", "PREpb", "ACT", False, 1): [33],
        ("bank", "WR", "PREpb", False, 1): [113],
    },
    "ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps": {
        ("channel", "ACT", "RFMpb", False, 1): [3],
        ("channel", "RD", "WR", False, 1): [2],
        ("pseudo_channel", "RD", "RD", False, 1): [4],
        ("pseudo_channel", "REFpb", "REFpb", False, 1): [16],
        ("sid", "RD", "RD", False, 1): [4],
        ("sid", "RD", "RD", True, 1): [6],
        ("bank_group", "RD", "RD", False, 1): [8],
        ("bank", "ACT", "RD", False, 1): [63],
        ("bank", "PREpb", "ACT", False, 1): [50],
        ("bank", "RFMpb", "ACT", False, 1): [638],
    },
    "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps": {
        ("channel", "ACT", "REFpb", False, 1): [2],
        ("pseudo_channel", "RD", "RD", False, 1): [2, 2],
        ("pseudo_channel", "RD", "WR", False, 1): [13],
        ("pseudo_channel", "ACT", "ACT", False, 4): [15],
        ("pseudo_channel", "ACT", "PREab", False, 1): [35],
        ("pseudo_channel", "PREab", "ACT", False, 1): [13],
        ("pseudo_channel", "REFab", "ACT", False, 1): [259],
        ("bank_group", "RD", "RD", False, 1): [4],
        ("bank_group", "WR", "RD", False, 1): [15],
        ("bank", "ACT", "RD", False, 1): [15],
        ("bank", "ACT", "WR", False, 1): [13],
        ("bank", "PREpb", "ACT", False, 1): [13],
        ("bank", "REFpb", "ACT", False, 1): [159],
    },
}


@pytest.mark.parametrize("name", ESSENTIAL)
def test_essential_rows_of_the_compatibility_presets(name: str) -> None:
    spec = load_spec(name)
    found = {
        key: rows_of(spec, key[0], key[1], key[2], sibling=key[3], window=key[4]) for key in ESSENTIAL[name]
    }
    assert found == ESSENTIAL[name]


def test_resources_of_the_compatibility_rows() -> None:
    ddr4 = load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R")
    hbm2 = load_spec("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps")

    def resources(spec: Spec, level: str, first: str, second: str, *, sibling: bool = False) -> list[str]:
        return [
            row.resource
            for row in spec.constraints
            if row.level == level
            and first in row.preceding
            and second in row.following
            and row.sibling == sibling
        ]

    assert resources(ddr4, "channel", "RD", "RD") == ["host_bus"]
    assert resources(ddr4, "rank", "RD", "RD") == ["rank_io"]
    # A rank row that binds the other rank stands for the channel's data bus.
    assert resources(ddr4, "rank", "RD", "RD", sibling=True) == ["host_bus"]
    assert resources(ddr4, "rank", "ACT", "ACT") == ["activation_power", "activation_power"]
    assert resources(ddr4, "rank", "RD", "PREab") == ["state"]
    assert resources(ddr4, "rank", "REFab", "ACT") == ["refresh"]
    assert resources(ddr4, "bank_group", "WR", "RD") == ["bank_group_io"]
    assert resources(ddr4, "bank_group", "ACT", "ACT") == ["activation_power"]
    assert resources(ddr4, "bank", "RD", "PREpb") == ["bank"]
    # Both rows between reads of a pseudo channel: occupancy of its bus, then tCCD_S.
    assert resources(hbm2, "pseudo_channel", "RD", "RD") == ["host_bus", "rank_io"]
    assert resources(hbm2, "channel", "ACT", "ACT") == ["command_bus"]
    assert resources(hbm2, "bank", "REFpb", "ACT") == ["refresh"]
    # A row as long as a command stands for the command bus, even between two reads; it is no data burst.
    ddr5 = load_spec("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN")
    assert resources(ddr5, "channel", "RD", "RD") == ["command_bus", "host_bus"]
    assert resources(ddr5, "rank", "PREpb", "PREpb") == ["state"]
    hbm3 = load_spec("ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps")
    assert resources(hbm3, "channel", "RD", "WR") == ["command_bus"]
    assert resources(hbm3, "sid", "RD", "RD") == ["rank_io"]
    assert resources(hbm3, "sid", "RD", "RD", sibling=True) == ["dram_bus"]
    assert resources(hbm3, "bank", "RFMpb", "ACT") == ["refresh"]


# Native cycles, rounded by hand from the nanoseconds: DDR4 floor(t / tCK + 0.974), tREFI down.
NATIVE = {
    "native/DDR4_8Gb_x8/DDR4_2400": {
        "nRCD": 16,  # 13.32 * 1.2 = 15.984
        "nRAS": 39,  # 38.4
        "nRC": 55,  # 54.384
        "nWR": 18,  # 18 exactly; a bare ceil with 833 ps would give 19
        "nRTP": 9,
        "nCCDL": 6,  # 6 exactly; a bare ceil with 833 ps would give 7
        "nRRDS": 4,
        "nRRDL": 6,
        "nWTRS": 3,
        "nWTRL": 9,
        "nFAW": 26,  # 25.2
        "nRFC": 420,
        "nREFI": 9360,
    },
    "native/DDR4_8Gb_x8/DDR4_3200": {
        "nRCD": 22,
        "nRAS": 52,  # 51.2
        "nRC": 74,  # 73.2
        "nWR": 24,
        "nRTP": 12,
        "nCCDL": 8,
        "nRRDS": 4,
        "nRRDL": 8,  # 7.84
        "nWTRS": 4,
        "nWTRL": 12,
        "nFAW": 34,  # 33.6
        "nRFC": 560,
        "nREFI": 12480,
    },
    "native/HBM2_4Gb/HBM2_2000": {
        "nRCDRD": 14,
        "nRCDWR": 12,
        "nRC": 48,
        "nCCDS": 2,
        "nCCDL": 4,
        "nFAW": 15,
        "nRFC": 260,
        "nREFI": 3900,
    },
    "native/HBM2_4Gb_legacy/HBM2_2000": {
        "nBL": 2,
        "nCCDS": 1,
        "nCCDL": 2,
        "nRRDS": 4,
        "nRRDL": 6,
        "nWTRS": 6,
        "nWTRL": 8,
        "nRTPL": 6,
        "nCWL": 4,
        "nFAW": 30,
        "nRFC": 260,
        "nREFI": 3900,
    },
}


@pytest.mark.parametrize("name", NATIVE)
def test_native_cycles(name: str) -> None:
    timing = load_spec(name).timing
    assert {key: timing[key] for key in NATIVE[name]} == NATIVE[name]


@pytest.mark.parametrize(
    ("name", "banks", "capacity", "peak", "period"),
    [
        ("native/DDR4_8Gb_x8/DDR4_2400", 16, 8 * 2**30, 19.2, Fraction(2500, 3)),
        ("native/DDR4_8Gb_x8/DDR4_3200", 16, 8 * 2**30, 25.6, Fraction(625)),
        ("native/HBM2_4Gb/HBM2_2000", 32, 512 * 2**20, 32.0, Fraction(1000)),
        ("native/HBM2_4Gb_legacy/HBM2_2000", 16, 512 * 2**20, 32.0, Fraction(1000)),
        ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", 32, 2**30, 32.0, Fraction(1000)),
    ],
)
def test_sizes_and_peak(name: str, banks: int, capacity: int, peak: float, period: Fraction) -> None:
    spec = load_spec(name)
    assert (spec.banks, spec.bytes_per_channel, spec.tCK_ps) == (banks, capacity, period)
    assert spec.peak_bytes_per_ns == pytest.approx(peak, rel=1e-12)


def test_the_native_ddr4_preset_closes_the_gaps_between_ranks() -> None:
    spec = load_spec("native/DDR4_8Gb_x8/DDR4_2400", overrides={"rank": 2})
    # 4 cycles of burst and 2 of rank switch; a read at 0 is on the bus in 16..20, a write 10 later in 22..26.
    assert rows_of(spec, "rank", "RD", "RD", sibling=True) == [6]
    assert rows_of(spec, "rank", "WR", "WR", sibling=True) == [6]
    assert rows_of(spec, "rank", "RD", "WR", sibling=True) == [10]
    # A write at 0 is on the bus in 12..16, a read 2 later in 18..22.
    assert rows_of(spec, "rank", "WR", "RD", sibling=True) == [2]
    assert rows_of(spec, "rank", "REFab", "REFab") == [420]
    assert {row.resource for row in spec.constraints if row.sibling} == {"host_bus"}


@pytest.mark.parametrize("name", PRESETS)
def test_row_levels_are_not_deeper_than_the_first_command_reaches(name: str) -> None:
    spec = load_spec(name)
    for row in spec.constraints:
        for command in row.preceding:
            assert spec.depth(row.level) <= spec.depth(spec.command(command).scope)
