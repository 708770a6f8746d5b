# SPDX-License-Identifier: MIT
"""The stop-level rule on every shipped preset, against distances derived by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from heam_sim.dram import RELATIONS, Constraint, Spec, derive_pim, earliest_gap, load_spec
from heam_sim.dram.stop_level import PIM_COMMANDS, pe_levels
from heam_sim.errors import SpecError

TWO_RANKS = {"rank": 2}
DDR4_2400 = "native/DDR4_8Gb_x8/DDR4_2400"
HBM2 = "native/HBM2_4Gb/HBM2_2000"
LEGACY = "native/HBM2_4Gb_legacy/HBM2_2000"
HBM3 = "native/HBM3_16Gb_8hi/HBM3_6400"
DDR5 = "native/DDR5_16Gb_x8/DDR5_4800"

# PIM_RD to PIM_RD: same bank, other bank of the group, other group of the rank (pseudo channel), other rank.
# DDR4-2400: tCCD_L 6, tCCD_S 4, burst 4, rank switch 2. A bank or bank-group PE shares nothing with its
# neighbours; the rank's pins end at the rank PE; a DIMM or base-die PE takes one burst at a time from its
# ranks, without the switch of drivers that the host's bus needs.
DDR4_2400_RD = {
    "bank": (6, 0, 0, 0),
    "bank_group": (6, 6, 0, 0),
    "rank": (6, 6, 4, 0),
    "dimm": (6, 6, 4, 4),
    "channel": (6, 6, 4, 4),
    "stack": (6, 6, 4, 4),
    "host": (6, 6, 4, 6),
}
# DDR4-3200: tCCD_L 8, all else as above.
DDR4_3200_RD = {level: tuple(8 if gap == 6 and i < 2 else gap for i, gap in enumerate(gaps))
                for level, gaps in DDR4_2400_RD.items()}  # fmt: skip
# HBM2: tCCD_L 4, tCCD_S 2, burst 2; pseudo channels have data buses of their own up to the host.
HBM2_RD = {
    "bank": (4, 0, 0, 0),
    "bank_group": (4, 4, 0, 0),
    "pseudo_channel": (4, 4, 2, 0),
    "dimm": (4, 4, 2, 0),
    "channel": (4, 4, 2, 0),
    "stack": (4, 4, 2, 0),
    "host": (4, 4, 2, 0),
}
# HEAM's view: tCCD_L 2 = burst 2, tCCD_S 1 but the buses are taken for 2. There is one rank only.
LEGACY_RD = {
    "bank": (2, 0, 0),
    "bank_group": (2, 2, 0),
    "rank": (2, 2, 2),
    "dimm": (2, 2, 2),
    "channel": (2, 2, 2),
    "stack": (2, 2, 2),
    "host": (2, 2, 2),
}
# HBM3 in half clocks: tCCD_L 8, tCCD_S 4, burst 4; another stack ID is no relation of this table.
HBM3_RD = {
    "bank": (8, 0, 0, 0),
    "bank_group": (8, 8, 0, 0),
    "sid": (8, 8, 4, 0),
    "pseudo_channel": (8, 8, 4, 0),
    "dimm": (8, 8, 4, 0),
    "channel": (8, 8, 4, 0),
    "stack": (8, 8, 4, 0),
    "host": (8, 8, 4, 0),
}
# DDR5-4800: tCCD_L 12, tCCD_S 8, burst 8, rank switch 2.
DDR5_4800_RD = {
    "bank": (12, 0, 0, 0),
    "bank_group": (12, 12, 0, 0),
    "rank": (12, 12, 8, 0),
    "dimm": (12, 12, 8, 8),
    "channel": (12, 12, 8, 8),
    "stack": (12, 12, 8, 8),
    "host": (12, 12, 8, 10),
}
# LPDDR5-6400 and GDDR6: 4 clocks in a group, 2 else, burst 2.
SHORT_RD = {
    "bank": (4, 0, 0, 0),
    "bank_group": (4, 4, 0, 0),
    "rank": (4, 4, 2, 0),
    "dimm": (4, 4, 2, 2),
    "channel": (4, 4, 2, 2),
    "stack": (4, 4, 2, 2),
    "host": (4, 4, 2, 4),
}
PRESETS = {
    DDR4_2400: (TWO_RANKS, DDR4_2400_RD),
    "native/DDR4_8Gb_x8/DDR4_3200": (TWO_RANKS, DDR4_3200_RD),
    HBM2: ({}, HBM2_RD),
    LEGACY: ({}, LEGACY_RD),
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R": (TWO_RANKS, DDR4_2400_RD),
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA": (TWO_RANKS, DDR4_3200_RD),
    "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps": ({}, HBM2_RD),
    DDR5: (TWO_RANKS, DDR5_4800_RD),
    "ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN": (TWO_RANKS, DDR5_4800_RD),
    HBM3: ({}, HBM3_RD),
    "ramulator-2.1/HBM3_16Gb_8hi/HBM3_6400Mbps": ({}, HBM3_RD),
    "native/HBM2E_16Gb_8hi/HBM2E_3200": ({}, {**HBM2_RD, "sid": (4, 4, 2, 0)}),
    "native/LPDDR5_8Gb_x16/LPDDR5_6400": (TWO_RANKS, SHORT_RD),
    "native/GDDR6_8Gb_x16/GDDR6_14000": (TWO_RANKS, SHORT_RD),
}
CASES = [(name, level) for name, (_, table) in PRESETS.items() for level in table]


def plain_spec(name: str) -> Spec:
    return load_spec(name, overrides=PRESETS[name][0])


def gaps(spec: Spec, first: str, second: str) -> tuple[int, ...]:
    return tuple(earliest_gap(spec, first, second, relation) for relation in RELATIONS)


def derived_rows(spec: Spec) -> list[Constraint]:
    return [row for row in spec.constraints if set(PIM_COMMANDS) & {*row.preceding, *row.following}]


@pytest.mark.parametrize("name", PRESETS)
def test_the_tables_cover_every_pe_level(name: str) -> None:
    assert set(PRESETS[name][1]) == set(pe_levels(plain_spec(name)))


@pytest.mark.parametrize(("name", "level"), CASES)
def test_distance_of_pim_reads(name: str, level: str) -> None:
    expected = PRESETS[name][1][level]
    assert gaps(derive_pim(plain_spec(name), level), "PIM_RD", "PIM_RD")[: len(expected)] == expected


@pytest.mark.parametrize(("name", "level"), CASES)
def test_a_pim_read_treats_its_bank_as_a_read_does(name: str, level: str) -> None:
    plain = plain_spec(name)
    # The slots of the host's command bus are not those of the local controllers.
    rows = tuple(row for row in plain.constraints if row.resource != "command_bus")
    plain = replace(plain, constraints=rows)
    spec = derive_pim(plain, level)
    for other in ("ACT", "PREpb", "PREab", "RD", "WR", "REFab"):
        assert earliest_gap(spec, "PIM_RD", other, "bank") == earliest_gap(plain, "RD", other, "bank")
        assert earliest_gap(spec, other, "PIM_RD", "bank") == earliest_gap(plain, other, "RD", "bank")
    # Precharging all banks waits for the last read of any of them.
    assert earliest_gap(spec, "PIM_RD", "PREab", "rank") == earliest_gap(plain, "RD", "PREab", "rank") > 0
    assert earliest_gap(spec, "ACT", "PIM_RD", "bank") > 0
    assert earliest_gap(spec, "PIM_RD", "PREpb", "bank") > 0


@pytest.mark.parametrize(("name", "level"), CASES)
def test_plain_commands_and_rows_stay(name: str, level: str) -> None:
    plain = plain_spec(name)
    spec = derive_pim(plain, level)
    assert spec.commands[: len(plain.commands)] == plain.commands
    assert [c.name for c in spec.commands[len(plain.commands) :]] == list(PIM_COMMANDS)
    assert spec.constraints[: len(plain.constraints)] == plain.constraints
    added = spec.constraints[len(plain.constraints) :]
    assert list(added) == derived_rows(spec)
    assert (spec.unit_level, spec.merge_level) == (level, None)
    # One row at most for two commands at one level, and every row can bind.
    seen = set()
    for row in added:
        assert row.cycles > 0
        for pair in product(row.preceding, row.following):
            key = (row.level, row.sibling, *pair)
            assert key not in seen
            seen.add(key)


@pytest.mark.parametrize("name", PRESETS)
def test_bank_group_pes_do_not_wait_for_other_bank_groups(name: str) -> None:
    spec = derive_pim(plain_spec(name), "bank_group", "channel")
    deep = spec.depth("bank_group")
    tied = [
        row.describe()
        for row in derived_rows(spec)
        if "PIM_RD" in (*row.preceding, *row.following)
        and not {"PREab", "REFab"} & {*row.preceding, *row.following}
        and (row.sibling or spec.depth(row.level) < deep)
    ]
    assert tied == []


def test_bank_group_pes_of_heam_on_both_views() -> None:
    legacy = derive_pim(load_spec(LEGACY), "bank_group", "channel")
    hbm2 = derive_pim(load_spec(HBM2), "bank_group", "channel")
    # Four groups at one burst per 2 cycles against a channel of one burst per 2 cycles: 4x. Four groups at
    # one per 4 cycles against a pseudo channel of one per 2: 2x.
    assert gaps(legacy, "PIM_RD", "PIM_RD")[:3] == (2, 2, 0)
    assert gaps(legacy, "RD", "RD")[:3] == (2, 2, 2)
    assert gaps(hbm2, "PIM_RD", "PIM_RD") == (4, 4, 0, 0)
    assert gaps(hbm2, "RD", "RD") == (4, 4, 2, 0)
    # Activation stays with the whole rank or pseudo channel.
    assert gaps(legacy, "ACT", "ACT")[:3] == (48, 6, 4)
    windows = [(row.level, row.cycles) for row in legacy.constraints if row.window == 4]
    assert windows == [("rank", 30)]
    # Partials share the through-silicon vias (2 per burst), and one merge node takes one per tCCD_S.
    assert gaps(legacy, "PIM_MOV", "PIM_MOV")[:3] == (2, 2, 2)
    assert gaps(hbm2, "PIM_MOV", "PIM_MOV") == (2, 2, 2, 2)
    # A partial and a plain read meet on the vias; a partial and a PIM read only in one PE.
    assert gaps(hbm2, "PIM_MOV", "RD") == (2, 2, 2, 0)
    assert gaps(hbm2, "PIM_MOV", "PIM_RD") == (2, 2, 0, 0)
    # Results use only what lies beyond the base die: the bus to the host.
    assert gaps(legacy, "PIM_RDRES", "PIM_RDRES")[:3] == (2, 2, 2)
    assert gaps(hbm2, "PIM_RDRES", "PIM_RDRES") == (2, 2, 2, 0)
    assert gaps(hbm2, "PIM_RDRES", "PIM_RD") == (0, 0, 0, 0)
    assert gaps(hbm2, "PIM_RDRES", "PIM_MOV") == (0, 0, 0, 0)


def test_stack_ids_of_hbm3() -> None:
    plain = load_spec(HBM3)
    # Reads behind two stack IDs keep three clocks on the vias, one more than within one of them.
    assert earliest_gap(plain, "RD", "RD", "pseudo_channel") == 6
    assert earliest_gap(plain, "RD", "RD", "sid") == earliest_gap(plain, "RD", "RD", "rank") == 4
    # The vias lie outside a bank-group PE and a PE of one stack ID, inside one of the pseudo channel.
    far = {level: earliest_gap(derive_pim(plain, level), "PIM_RD", "PIM_RD", "pseudo_channel")
           for level in pe_levels(plain)}  # fmt: skip
    assert far == {
        "bank": 0,
        "bank_group": 0,
        "sid": 0,
        "pseudo_channel": 6,
        "dimm": 6,
        "channel": 6,
        "stack": 6,
        "host": 6,
    }
    # Partials of PEs behind two stack IDs use the vias as reads do.
    merged = derive_pim(plain, "sid", "channel")
    assert earliest_gap(merged, "PIM_MOV", "PIM_MOV", "pseudo_channel") == 6
    assert earliest_gap(merged, "PIM_MOV", "PIM_MOV", "rank") == 4
    assert merged.command("PIM_MOV").scope == "sid"
    # One column command takes the host's column bus for a clock; a result is a column command of the host,
    # a PIM read is not.
    assert earliest_gap(plain, "RD", "RD", "other_rank") == 2
    assert earliest_gap(merged, "PIM_RD", "PIM_RD", "other_rank") == 0


def test_writes_of_one_bank_group_of_ddr5_do_not_bind_pim_reads_of_another() -> None:
    spec = derive_pim(plain_spec(DDR5), "bank_group", "dimm")
    # 32 + 8 + 24 cycles after a write into the same group, 32 + 8 + 6 for plain reads of another one.
    assert gaps(spec, "WR", "PIM_RD")[:3] == (64, 64, 0)
    assert gaps(spec, "WR", "RD")[:3] == (64, 64, 46)
    assert gaps(spec, "ACT", "PIM_RD")[:3] == (34, 0, 0)
    assert gaps(spec, "PIM_RD", "PREpb")[:3] == (19, 0, 0)


def test_rank_pes_with_a_dimm_buffer() -> None:
    spec = derive_pim(plain_spec(DDR4_2400), "rank", "dimm")
    # Between rank and DIMM buffer lies no shared resource but the path into the buffer, at tCCD_S.
    assert gaps(spec, "PIM_MOV", "PIM_MOV") == (4, 4, 4, 4)
    assert [r.resource for r in derived_rows(spec) if "PIM_MOV" in r.preceding] == ["merge_path"]
    assert gaps(spec, "PIM_MOV", "PIM_RD") == (0, 0, 0, 0)
    # The result is a burst on the channel's bus: 4 to the next, 6 across a rank switch, 10 before a write.
    assert gaps(spec, "PIM_RDRES", "PIM_RDRES") == (4, 4, 4, 6)
    assert gaps(spec, "PIM_RDRES", "RD") == (4, 4, 4, 6)
    assert gaps(spec, "PIM_RDRES", "WR") == (10, 10, 10, 10)
    assert gaps(spec, "WR", "PIM_RDRES") == (2, 2, 2, 2)
    # It does not touch the ranks, so it keeps no distance to what happens in them.
    for other in ("PIM_RD", "ACT", "PREpb", "PREab", "REFab"):
        assert gaps(spec, "PIM_RDRES", other) == gaps(spec, other, "PIM_RDRES") == (0, 0, 0, 0)


def test_results_without_a_merge_node_start_at_the_pe() -> None:
    spec = derive_pim(plain_spec(DDR4_2400), "bank_group")
    assert spec.command("PIM_RDRES").scope == "bank_group"
    assert gaps(spec, "PIM_RDRES", "PIM_RDRES") == (4, 4, 4, 6)
    # One PE reads a bank and sends a result through its own port: tCCD_S apart. Other PEs do not care.
    assert gaps(spec, "PIM_RD", "PIM_RDRES") == (4, 4, 0, 0)
    # Without a merge level nothing moves.
    assert not [row for row in derived_rows(spec) if "PIM_MOV" in (*row.preceding, *row.following)]


def test_the_path_into_a_merge_node_is_taken_at_the_short_column_distance() -> None:
    # HEAM's view has tCCD_S 1 below a burst of 2, and a rank PE has the vias behind it.
    spec = derive_pim(load_spec(LEGACY), "rank", "channel")
    assert gaps(spec, "PIM_MOV", "PIM_MOV")[:3] == (1, 1, 1)


def test_rows_below_a_scope_do_not_count() -> None:
    plain = plain_spec(DDR4_2400)
    deep = Constraint("bank", ("RD", "REFab"), ("RD", "REFab"), 50, 1, False, "state")
    spec = replace(plain, constraints=(deep,))
    assert gaps(spec, "RD", "RD") == (50, 0, 0, 0)
    assert gaps(spec, "RD", "REFab") == gaps(spec, "REFab", "RD") == (0, 0, 0, 0)


def test_partials_inside_one_rank() -> None:
    spec = derive_pim(plain_spec(DDR4_2400), "bank", "rank")
    # From the banks over bank-group and rank I/O: tCCD_L in a group, tCCD_S in a rank; ranks are independent.
    assert gaps(spec, "PIM_MOV", "PIM_MOV") == (6, 6, 4, 0)
    assert spec.command("PIM_RDRES").scope == "rank"


def test_filling_the_lut() -> None:
    spec = derive_pim(plain_spec(DDR4_2400), "rank", "dimm")
    assert gaps(spec, "PIM_WRLUT", "PIM_WRLUT") == (4, 4, 4, 6)
    assert gaps(spec, "WR", "PIM_WRLUT") == (4, 4, 4, 6)
    # Turn-around of the bus: 12 + 4 + 2 - 16. The plain pair waits for tWTR as well: 25 in a bank group.
    assert gaps(spec, "PIM_WRLUT", "RD") == (2, 2, 2, 2)
    assert gaps(spec, "PIM_WRLUT", "PIM_RDRES") == (2, 2, 2, 2)
    assert earliest_gap(spec, "WR", "RD", "bank") == 25
    assert gaps(spec, "RD", "PIM_WRLUT") == (10, 10, 10, 10)
    # Nor does it wait for tWTR where bank-group and rank I/O lie on its way; a plain write does.
    group = derive_pim(plain_spec(DDR4_2400), "bank_group")
    assert gaps(group, "PIM_WRLUT", "RD") == gaps(group, "PIM_WRLUT", "PIM_RDRES") == (2, 2, 2, 2)
    assert gaps(group, "WR", "PIM_RDRES")[:3] == (19, 19, 19)
    # A broadcast below the rank reaches every bank group, so tCCD_L holds for the whole rank.
    deep = derive_pim(plain_spec(DDR4_2400), "bank", "rank")
    assert gaps(deep, "PIM_WRLUT", "PIM_WRLUT") == (6, 6, 6, 6)
    groups = derive_pim(load_spec(HBM2), "bank_group", "channel")
    assert gaps(groups, "PIM_WRLUT", "PIM_WRLUT") == (2, 2, 2, 0)


def test_immediates() -> None:
    """As filling the LUT, but to one PE: rows of deeper levels stay where they are."""
    plain = plain_spec(DDR4_2400)
    assert "PIM_WRIMM" not in {command.name for command in derive_pim(plain, "rank", "dimm").commands}
    spec = derive_pim(plain, "rank", "dimm", immediates=True)
    without = derive_pim(plain, "rank", "dimm")
    names = [command.name for command in without.commands]
    assert [command.name for command in spec.commands] == [*names, "PIM_WRIMM"]
    for one in names:
        for other in names:
            assert gaps(spec, one, other) == gaps(without, one, other)
        if one != "PIM_WRLUT":
            assert gaps(spec, "PIM_WRIMM", one) == gaps(spec, "PIM_WRLUT", one)
            assert gaps(spec, one, "PIM_WRIMM") == gaps(spec, one, "PIM_WRLUT")
    assert gaps(spec, "PIM_WRIMM", "PIM_WRIMM") == gaps(spec, "PIM_WRLUT", "PIM_WRIMM") == (4, 4, 4, 6)
    deep = derive_pim(plain, "bank", "rank", immediates=True)
    assert deep.command("PIM_WRIMM").scope == "bank"
    assert gaps(deep, "PIM_WRIMM", "PIM_WRIMM") == (6, 6, 4, 6)
    assert gaps(deep, "PIM_WRIMM", "PIM_RD") == gaps(deep, "PIM_RD", "PIM_WRIMM") == (0, 0, 0, 0)
    groups = derive_pim(load_spec(HBM2), "bank_group", "channel", immediates=True)
    assert gaps(groups, "PIM_WRIMM", "PIM_WRIMM") == (2, 2, 2, 0)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_what_never_touches_cells(name: str, level: str) -> None:
    plain = plain_spec(name)
    merge = "channel" if level in ("bank", "bank_group", plain.second_level) else None
    for spec in (derive_pim(plain, level), derive_pim(plain, level, merge)):
        for own in ("PIM_MOV", "PIM_RDRES", "PIM_WRLUT"):
            for other in ("ACT", "PREpb", "PREab", "REFab"):
                assert gaps(spec, own, other) == gaps(spec, other, own) == (0, 0, 0, 0)
        assert gaps(spec, "PIM_WRLUT", "PIM_RD") == gaps(spec, "PIM_RD", "PIM_WRLUT") == (0, 0, 0, 0)
        assert not [row for row in derived_rows(spec) if "PIM_LUT" in (*row.preceding, *row.following)]
        # A burst of a result or of LUT contents never follows another closer than a burst on one bus.
        burst = spec.timing["nBL"]
        assert earliest_gap(spec, "PIM_RDRES", "PIM_RDRES", "bank") >= burst
        assert earliest_gap(spec, "PIM_WRLUT", "PIM_WRLUT", "bank") >= burst


@pytest.mark.parametrize(
    ("name", "unit", "merge", "scopes"),
    [
        (DDR4_2400, "bank", "rank", ("bank", "bank", "rank", "rank", "bank")),
        (DDR4_2400, "bank_group", None, ("bank", "bank_group", "bank_group", "rank", "bank_group")),
        (DDR4_2400, "rank", "dimm", ("bank", "rank", "rank", "rank", "rank")),
        (DDR4_2400, "dimm", None, ("bank", "channel", "rank", "rank", "channel")),
        (
            HBM2,
            "bank_group",
            "channel",
            ("bank", "bank_group", "pseudo_channel", "pseudo_channel", "bank_group"),
        ),
        (HBM2, "channel", "stack", ("bank", "channel", "pseudo_channel", "pseudo_channel", "channel")),
    ],
)
def test_scopes(name: str, unit: str, merge: str | None, scopes: tuple[str, ...]) -> None:
    spec = derive_pim(load_spec(name), unit, merge)
    assert tuple(spec.command(command).scope for command in PIM_COMMANDS) == scopes
    assert [spec.command(command).kind for command in PIM_COMMANDS] == list(PIM_COMMANDS)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("unit", "merge"), [("bank", "channel"), ("bank_group", "channel"), ("channel", None)]
)
def test_no_row_is_out_of_reach(name: str, unit: str, merge: str | None) -> None:
    spec = derive_pim(plain_spec(name), unit, merge)
    for row in derived_rows(spec):
        for command in (*row.preceding, *row.following):
            assert spec.depth(row.level) <= spec.depth(spec.command(command).scope), row.describe()


def test_buses_have_a_floor_even_if_the_spec_names_none() -> None:
    plain = plain_spec(DDR4_2400)
    bare = replace(plain, constraints=tuple(r for r in plain.constraints if r.resource == "bank"))
    spec = derive_pim(bare, "rank", "dimm")
    assert gaps(spec, "PIM_RDRES", "PIM_RDRES") == (4, 4, 4, 4)
    assert gaps(spec, "PIM_WRLUT", "PIM_WRLUT") == (4, 4, 4, 4)
    assert gaps(spec, "PIM_RD", "PIM_RD") == (0, 0, 0, 0)


def test_command_bus_rows_do_not_bind_pim_reads() -> None:
    plain = plain_spec(DDR4_2400)
    slot = Constraint("channel", ("RD", "ACT"), ("RD", "ACT"), 50, 1, False, "command_bus")
    spec = derive_pim(replace(plain, constraints=(*plain.constraints, slot)), "bank_group", "dimm")
    assert earliest_gap(spec, "PIM_RD", "PIM_RD", "bank") == 6
    assert earliest_gap(spec, "RD", "RD", "bank") == 50


def test_what_cannot_be_derived() -> None:
    plain = plain_spec(DDR4_2400)
    with pytest.raises(SpecError, match="did you mean 'bank_group'"):
        derive_pim(plain, "bankgroup")
    with pytest.raises(SpecError, match="unknown unit_level 'pseudo_channel'"):
        derive_pim(plain, "pseudo_channel")
    for unit, merge in (("rank", "rank"), ("rank", "bank"), ("dimm", "channel"), ("rank", "host")):
        with pytest.raises(SpecError, match="merge_level"):
            derive_pim(plain, unit, merge)
    with pytest.raises(SpecError, match="derived already"):
        derive_pim(derive_pim(plain, "rank"), "rank")
    without = replace(plain, timing={k: v for k, v in plain.timing.items() if k != "nCCDS"})
    with pytest.raises(SpecError, match="nCCDS"):
        derive_pim(without, "rank", "dimm")
    window = Constraint("rank", ("RD",), ("RD",), 50, 4, False, "rank_io")
    with pytest.raises(SpecError, match="window"):
        derive_pim(replace(plain, constraints=(*plain.constraints, window)), "rank")
