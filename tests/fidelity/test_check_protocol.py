# SPDX-License-Identifier: MIT
"""The protocol checker: legal logs, mutation for every row of every spec, agreement with a literal walk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heam_sim.check.logs import LOG_DTYPE
from heam_sim.check.protocol import check_protocol
from heam_sim.check.report import Report
from heam_sim.check.timing import row_label
from heam_sim.dram import derive_pim, load_spec
from heam_sim.errors import CheckError, SpecError
from tests.fidelity.check_twin import Generated, Generator, ToyCommand, ToyRow, ToySpec, literal_row_counts

TOY = ToySpec()
NAMES = tuple(c.name for c in TOY.commands)
PLAIN = (
    "native/DDR4_8Gb_x8/DDR4_2400",
    "native/DDR4_8Gb_x8/DDR4_3200",
    "native/HBM2_4Gb/HBM2_2000",
    "native/HBM2_4Gb_legacy/HBM2_2000",
    "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R",
    "ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps",
)
# Preset, PE level, merge level: the PIM systems of the first issue, and a bank PE.
PIM = (
    ("native/DDR4_8Gb_x8/DDR4_2400", "rank", "dimm"),
    ("native/DDR4_8Gb_x8/DDR4_3200", "rank", None),
    ("native/HBM2_4Gb/HBM2_2000", "bank_group", "channel"),
    ("native/HBM2_4Gb_legacy/HBM2_2000", "bank_group", "channel"),
    ("native/HBM2_4Gb_legacy/HBM2_2000", "bank", "channel"),
)
CASES: list[tuple[str, ...]] = [("toy",), *((name,) for name in PLAIN), *PIM]  # type: ignore[list-item]


def make_log(*commands: tuple[int, str, int, int], names: tuple[str, ...] = NAMES) -> np.ndarray:
    """Log of (clock, command, bank, row) in channel 0."""
    log = np.zeros(len(commands), dtype=LOG_DTYPE)
    for i, (clock, name, bank, row) in enumerate(commands):
        log[i] = (clock, 0, names.index(name), bank, row, 0, 0, 0, 65535, -1, 0)
    return log


_CACHE: dict[tuple[str, ...], tuple[Any, Generated]] = {}


def case(key: tuple[str, ...]) -> tuple[Any, Generated]:
    """Spec and legal log of a case, made once."""
    if key not in _CACHE:
        if key == ("toy",):
            spec: Any = TOY
            made = Generator(spec, 1).run(2500)
        elif len(key) == 1:
            spec = two_ranks(key[0])
            made = Generator(spec, 2).run(2500)
        else:
            spec = derive_pim(two_ranks(key[0]), key[1], key[2])
            size = {
                "rank": spec.banks // spec.counts[spec.levels[1]],
                "bank_group": spec.counts["bank"],
                "bank": 1,
            }
            made = Generator(spec, 3, pim=True, unit_banks=size[key[1]]).run(3000)
        _CACHE[key] = spec, made
    return _CACHE[key]


def check(spec: Any, log: np.ndarray, names: tuple[str, ...], **options: Any) -> Report:
    # Real refresh intervals are longer than these logs; refresh has tests of its own.
    return check_protocol(log, names, spec, refresh=options.pop("refresh", False), limit=10_000, **options)


def two_ranks(name: str) -> Any:
    """A preset with two ranks, where it has ranks: one alone would leave sibling rows untouched."""
    plain = load_spec(name)
    return load_spec(name, overrides={"rank": 2}) if "rank" in plain.levels else plain


def ident(key: tuple[str, ...]) -> str:
    return "-".join(str(part) for part in key).replace("/", "_")


@pytest.mark.parametrize("key", CASES, ids=ident)
def test_a_legal_log_is_clean(key: tuple[str, ...]) -> None:
    spec, made = case(key)
    report = check(spec, made.log, made.names)
    assert report.counts == {}
    assert report.commands == len(made.log)


def used_rows(spec: Any, made: Generated) -> list[Any]:
    """Rows between commands that controllers issue (presets may also carry RDA, WRA, REFpb)."""
    seen = {made.names[c] for c in np.unique(made.log["command"])}
    return [row for row in spec.constraints if seen & set(row.preceding) and seen & set(row.following)]


@pytest.mark.parametrize("key", CASES, ids=ident)
def test_each_row_that_sets_a_time_is_named_when_its_command_comes_a_cycle_early(
    key: tuple[str, ...],
) -> None:
    spec, made = case(key)
    tried = 0
    for i, row in enumerate(spec.constraints):
        for place in made.binding.get(i, [])[:2]:
            early = made.log.copy()
            early["clock"][place] -= 1
            counts = check(spec, early, made.names).counts
            assert row_label(row) in counts, row_label(row)
            tried += 1
    assert tried > 10


@pytest.mark.parametrize("key", CASES, ids=ident)
def test_each_row_is_enforced_to_the_cycle(key: tuple[str, ...]) -> None:
    """A row as long as the log keeps holds, one cycle more breaks: for every row, dominated or not."""
    spec, made = case(key)
    missing = []
    for row in used_rows(spec, made):
        # Far too long a row shows all pairs it binds; the closest is what the log keeps.
        seen = check(replace(spec, constraints=(_longer(row, 100_000),)), made.log, made.names)
        rows = [v for v in seen.violations if v.rule == "row"]
        if not rows:
            missing.append(row_label(row))
            continue
        closest = min(v.second_clock - v.first_clock for v in rows)
        assert closest >= row.cycles
        kept = check(replace(spec, constraints=(_longer(row, closest),)), made.log, made.names)
        broken = check(replace(spec, constraints=(_longer(row, closest + 1),)), made.log, made.names)
        assert kept.counts == {}
        assert set(broken.counts) == {row_label(_longer(row, closest + 1))}
    assert missing == []


def _longer(row: Any, cycles: int) -> Any:
    return replace(row, cycles=cycles)


@pytest.mark.parametrize("key", [("toy",), *PIM[2:3]], ids=ident)
def test_dropped_row_commands_are_caught(key: tuple[str, ...]) -> None:
    spec, made = case(key)
    rank_banks = spec.counts["bank_group"] * spec.counts["bank"]
    tried: Counter[str] = Counter()
    for place in range(len(made.log) // 2):
        name, bank = made.names[made.log["command"][place]], int(made.log["bank"][place])
        if name not in ("PREpb", "ACT") or tried[name] == 10:
            continue
        # A precharge of the whole rank soon after makes up for what is dropped.
        after = made.log[place + 1 :]
        whole = after["command"] == made.names.index("PREab")
        uses = (after["bank"] == bank) & np.isin(
            after["command"], [made.names.index(n) for n in ("ACT", "RD", "PREpb")]
        )
        if (
            whole.any()
            and (whole & (after["bank"] // rank_banks == bank // rank_banks)).argmax() < uses.argmax()
        ):
            continue
        assert check(spec, np.delete(made.log, place), made.names).counts.get("bank state", 0) >= 1
        tried[name] += 1
    assert set(tried) == {"PREpb", "ACT"} and min(tried.values()) >= 5


def test_the_message_names_row_commands_and_clocks() -> None:
    log = make_log((1, "ACT", 0, 7), (10, "RD", 0, 7), (13, "WR", 0, 7))
    report = check_protocol(log, NAMES, TOY, refresh=False)
    [violation] = [v for v in report.violations if v.rule == "row"]
    assert violation.message == "row 'rank RD->WR 4 (rank_io)' broken: RD at 10 then WR at 13, 3 < 4 cycles"
    assert (violation.first_index, violation.second_index) == (1, 2)
    with pytest.raises(CheckError, match=r"broken: RD at 10 then WR at 13"):
        report.require()


def test_bank_states() -> None:
    def states(*commands: tuple[int, str, int, int], **options: bool) -> list[int]:
        report = check_protocol(
            make_log(*commands), NAMES, replace(TOY, constraints=()), refresh=False, **options
        )
        assert set(report.counts) <= {"bank state"}
        return [v.second_index for v in report.violations]

    assert states((1, "ACT", 0, 7), (20, "RD", 0, 7), (40, "PREpb", 0, 0)) == []
    assert states((1, "ACT", 0, 7), (20, "ACT", 0, 7)) == [1]
    assert states((1, "RD", 0, 7)) == [0]
    assert states((1, "ACT", 0, 7), (20, "RD", 0, 6)) == [1]
    assert states((1, "ACT", 0, 7), (20, "WR", 1, 7)) == [1]
    assert states((1, "PREpb", 0, 0)) == [0]
    assert states((1, "PREpb", 0, 0), allow_closed_precharge=True) == []
    assert states((1, "ACT", 3, 7), (20, "REFab", 0, 0)) == [1]
    assert states((1, "ACT", 3, 7), (20, "PREab", 0, 0), (30, "REFab", 0, 0)) == []
    assert states((1, "ACT", 3, 7), (20, "REFab", 4, 0)) == []  # the other rank
    assert states((1, "ACT", 4, 7), (20, "PREab", 0, 0), (30, "REFab", 4, 0)) == [2]


def test_command_slots() -> None:
    spec = replace(TOY, constraints=())
    log = make_log((1, "ACT", 0, 7), (2, "ACT", 1, 7), (9, "RD", 0, 7), (9, "ACT", 5, 7))
    assert check(spec, log, NAMES).counts == {"command slot": 1}
    assert check(spec, log, NAMES, split_buses=True).counts == {}
    assert check(replace(spec, split_command_buses=True), log, NAMES).counts == {}
    log["command"][2] = NAMES.index("ACT")
    log["bank"][2] = 4
    assert check(spec, log, NAMES, split_buses=True).counts == {"command slot": 1}


def test_pim_units_have_their_own_slots() -> None:
    spec = derive_pim(two_ranks("native/DDR4_8Gb_x8/DDR4_2400"), "rank", "dimm")
    spec = replace(spec, constraints=())
    names = tuple(c.name for c in spec.commands)
    log = make_log(
        (1, "ACT", 0, 7), (1, "ACT", 16, 7), (50, "PIM_RD", 0, 7), (50, "PIM_RD", 16, 7), names=names
    )
    log["unit"] = [0, 1, 0, 1]
    assert check(spec, log, names).counts == {}
    # Two banks of one rank share the rank's unit, whatever the log says.
    log["bank"][[1, 3]] = 4
    report = check(spec, log, names)
    assert report.counts == {"command slot": 2, "unit": 1}


def test_bursts_on_one_data_bus_must_not_overlap() -> None:
    spec = replace(TOY, constraints=())
    # A read's burst is [15, 17), a write's starts three cycles after it.
    for clock, overlaps in ((11, 1), (12, 1), (13, 1), (14, 0)):
        log = make_log((1, "ACT", 0, 7), (2, "ACT", 4, 7), (10, "RD", 0, 7), (clock, "WR", 4, 7))
        assert check(spec, log, NAMES).counts.get("data bus", 0) == overlaps


def test_pseudo_channels_have_their_own_bus() -> None:
    spec = replace(TOY, constraints=(), levels=("channel", "pseudo_channel", "bank_group", "bank"))
    spec = replace(spec, counts={"channel": 1, "pseudo_channel": 2, "bank_group": 2, "bank": 2})
    commands = tuple(replace(c, scope="pseudo_channel") if c.scope == "rank" else c for c in spec.commands)
    spec = replace(spec, commands=commands)
    log = make_log((1, "ACT", 0, 7), (2, "ACT", 4, 7), (10, "RD", 0, 7), (11, "RD", 4, 7))
    assert check(spec, log, NAMES).counts == {}
    log["bank"][[1, 3]] = 1
    assert check(spec, log, NAMES).counts == {"data bus": 1}


def test_results_of_pes_use_the_bus_after_their_own_latency() -> None:
    spec = derive_pim(load_spec("native/DDR4_8Gb_x8/DDR4_2400"), "rank", "dimm")
    names, burst = tuple(c.name for c in spec.commands), spec.timing["nBL"]
    spec = replace(spec, constraints=())
    log = make_log((100, "PIM_RDRES", 0, 0), (100 + burst - 1, "PIM_RDRES", 0, 0), names=names)
    assert check(spec, log, names).counts == {"data bus": 1}
    log = make_log((1, "ACT", 0, 7), (100, "RD", 0, 7), (103, "PIM_RDRES", 0, 0), names=names)
    assert check(spec, log, names).counts == {"data bus": 1}
    assert check(spec, log, names, res_latency=spec.timing["nCL"] + 1).counts == {}


def test_refresh_deadlines() -> None:
    names = NAMES
    nine = 9 * TOY.refresh_interval
    log = make_log(
        (nine, "REFab", 0, 0), (nine, "REFab", 4, 0), (2 * nine, "REFab", 0, 0), (2 * nine, "REFab", 4, 0)
    )
    log["clock"][1] -= 1
    log["clock"][3] -= 2
    log = log[[1, 0, 3, 2]]
    spec = replace(TOY, constraints=())
    assert check(spec, log, names, refresh=True).counts == {}
    late = log.copy()
    late["clock"][3] += 1
    report = check(spec, late, names, refresh=True)
    assert report.counts == {"refresh deadline": 1}
    assert "rank 0 of channel 0" in report.violations[0].message
    assert check(spec, late, names).counts == {}  # refresh off
    without = np.delete(log, 0)
    assert check(spec, without, names, refresh=True).counts == {"refresh deadline": 1}
    assert check(spec, log, names, refresh=True, postponed_refreshes=7).counts["refresh deadline"] >= 2


BANKS = replace(
    TOY,
    commands=(
        *TOY.commands,
        ToyCommand("REFpb", "REFPB", "bank"),
        ToyCommand("REFsb", "REFSB", "bank"),
    ),
    constraints=(
        ToyRow("bank", ("REFpb", "REFsb"), ("ACT",), 9, resource="refresh"),
        ToyRow("bank_group", ("REFsb",), ("ACT",), 5, resource="refresh"),
        ToyRow("rank", ("REFsb",), ("REFsb",), 20, window=2, resource="refresh"),
        ToyRow("bank", ("ACT",), ("REFpb", "REFsb"), 12, resource="refresh"),
    ),
)
BANK_NAMES = (*NAMES, "REFpb", "REFsb")


def test_a_same_bank_refresh_concerns_one_bank_of_every_group() -> None:
    def broken(*commands: tuple[int, str, int, int]) -> list[str]:
        log = make_log(*commands, names=BANK_NAMES)
        return [v.row for v in check(BANKS, log, BANK_NAMES).violations]

    # Rank 0 has the groups (0, 1) and (2, 3): REFsb at bank 0 concerns bank 2 too, but not 1, 3 and 4.
    of_bank, of_group = "bank REFpb/REFsb->ACT 9 (refresh)", "bank_group REFsb->ACT 5 (refresh)"
    for first in (0, 2):
        assert broken((10, "REFsb", first, 0), (18, "ACT", 2, 7)) == [of_bank]
        assert broken((10, "REFsb", first, 0), (19, "ACT", 2, 7), (20, "ACT", 0, 7)) == []
        assert broken((10, "REFsb", first, 0), (14, "ACT", 3, 7)) == [of_group]
        assert broken((10, "REFsb", first, 0), (15, "ACT", 3, 7), (16, "ACT", 1, 7), (17, "ACT", 4, 7)) == []
    assert broken((10, "REFpb", 0, 0), (14, "ACT", 2, 7), (15, "ACT", 3, 7)) == []
    assert broken((10, "REFpb", 0, 0), (18, "ACT", 0, 7)) == [of_bank]
    # Once a rank, not once a bank: two refreshes count twice in the window, not four times.
    window = "rank REFsb->REFsb 20 window 2 (refresh)"
    assert broken((10, "REFsb", 0, 0), (11, "REFsb", 1, 0), (30, "REFsb", 0, 0)) == []
    assert broken((10, "REFsb", 0, 0), (11, "REFsb", 1, 0), (29, "REFsb", 0, 0)) == [window]
    state = "bank state"
    assert broken((1, "ACT", 2, 7), (13, "REFsb", 0, 0)) == [state]
    assert broken((1, "ACT", 2, 7), (12, "REFsb", 2, 0)) == ["bank ACT->REFpb/REFsb 12 (refresh)", state]
    assert broken((1, "ACT", 2, 7), (13, "REFpb", 0, 0)) == []
    assert broken((1, "ACT", 2, 7), (13, "REFpb", 2, 0)) == [state]


def test_a_command_between_its_cycles_is_caught() -> None:
    slow = tuple(replace(c, alignment=3) if c.name in ("RD", "WR") else c for c in TOY.commands)
    spec = replace(TOY, commands=slow, constraints=())
    log = make_log((1, "ACT", 0, 7), (4, "RD", 0, 7), (10, "WR", 0, 7), (12, "PREpb", 0, 0))
    assert check(spec, log, NAMES).counts == {}
    log["clock"][1:3] += 1
    report = check(spec, log, NAMES)
    assert report.counts == {"alignment": 2}
    assert [v.second_index for v in report.violations] == [1, 2]
    assert "RD at 5 does not start in one of the cycles 1, 4, 7" in report.violations[0].message


def test_no_sibling_row_names_a_same_bank_refresh() -> None:
    row = ToyRow("bank_group", ("REFsb",), ("ACT",), 5, sibling=True)
    with pytest.raises(SpecError, match="REFSB"):
        check(replace(BANKS, constraints=(row,)), make_log((1, "ACT", 0, 7)), NAMES)


@pytest.mark.parametrize(("command", "turns"), [("REFpb", 4), ("REFsb", 2)])
def test_every_bank_has_its_deadline(command: str, turns: int) -> None:
    """Both ranks' banks in turn, as late as may be; one of them a cycle later, and one left out."""
    spec, interval = replace(BANKS, constraints=()), BANKS.refresh_interval
    rounds = [
        (3 * interval * number, command, 4 * rank + turn, 0)
        for number in (1, 2)
        for turn in range(turns)
        for rank in range(2)
    ]
    log = make_log(*rounds, names=BANK_NAMES)

    def late(these: np.ndarray, postponed: int | None) -> int:
        options: dict[str, Any] = {} if postponed is None else {"postponed_refreshes": postponed}
        report = check(spec, these, BANK_NAMES, refresh=True, **options)
        assert set(report.counts) <= {"refresh deadline", "command slot"}
        return report.counts.get("refresh deadline", 0)

    concerned = 4 // turns
    assert late(log, 2) == 0
    assert late(log, 1) == 2 * 8
    assert late(log, None) == 0
    later = log.copy()
    later["clock"][-1] += 1
    assert late(later, 2) == concerned
    assert late(np.delete(log, 3), 2) == concerned
    stated = replace(BANKS, constraints=(), max_postponed_refreshes=1)
    assert check(stated, log, BANK_NAMES, refresh=True).counts["refresh deadline"] == 2 * 8
    # A standard with an interval of its own for such refreshes: 180 cycles are so many rounds of it.
    apart = interval // turns // 2
    rounds_late = -(-3 * interval // (apart * turns)) - 1
    spec = replace(BANKS, constraints=(), bank_refresh_interval=apart)
    assert late(log, rounds_late) == 0
    assert late(log, rounds_late - 1) == 2 * 8


def test_generated_refreshes_are_in_time_and_a_dropped_stretch_is_not() -> None:
    spec, made = case(("toy",))
    assert check(spec, made.log, made.names, refresh=True).ok
    refresh = made.log["command"] == made.names.index("REFab")
    window = (made.log["clock"] > 200) & (made.log["clock"] < 900)
    assert (
        check(spec, made.log[~(refresh & window)], made.names, refresh=True).counts["refresh deadline"] >= 2
    )


def test_clocks_must_not_go_back_and_channels_are_apart() -> None:
    spec = replace(TOY, constraints=())
    log = make_log((10, "ACT", 0, 7), (9, "ACT", 4, 7))
    assert check(spec, log, NAMES).counts == {"clock order": 1}
    log["channel"][1] = 3
    assert check(spec, log, NAMES).counts == {}
    assert check(spec, log, NAMES, channel=3).commands == 1
    assert check(spec, log, NAMES, channel=range(2)).commands == 1


def test_rows_do_not_bind_across_channels() -> None:
    log = make_log((10, "ACT", 0, 7), (11, "ACT", 1, 7))
    assert check(TOY, log, NAMES).counts == {"rank ACT->ACT 2 (activation_power)": 1}
    log["channel"][1] = 1
    assert check(TOY, log, NAMES).counts == {}


def test_llc_hits_are_passed_over_and_foreign_commands_refused() -> None:
    names = (*NAMES, "LLC_HIT", "PIM_RD")
    log = make_log((1, "ACT", 0, 7), (1, "LLC_HIT", 900, 7), names=names)
    report = check(TOY, log, names)
    assert report.ok and report.commands == 1
    log["command"][1] = names.index("PIM_RD")
    with pytest.raises(CheckError, match="'PIM_RD', which toy does not have"):
        check(TOY, log, names)
    log["command"][1] = 200
    with pytest.raises(CheckError, match="command number 200"):
        check(TOY, log, names)


def test_bad_arguments_are_refused() -> None:
    log = make_log((1, "ACT", 8, 7))
    with pytest.raises(CheckError, match="bank 8"):
        check(TOY, log, NAMES)
    with pytest.raises(CheckError, match="'unit'"):
        check(TOY, log[["clock", "channel", "command", "bank", "row"]], NAMES)
    log["bank"] = 0
    for row, what in (
        (ToyRow("bank", ("ACX",), ("RD",), 3), "ACX"),
        (ToyRow("bank", ("ACT",), ("RD",), 3, 0), "window"),
    ):
        with pytest.raises(SpecError, match=what):
            check(replace(TOY, constraints=(row,)), log, NAMES)


def test_an_empty_log_is_legal() -> None:
    assert check(TOY, make_log(), NAMES, refresh=True).ok


@pytest.mark.parametrize("seed", range(12))
def test_rows_agree_with_a_literal_walk_on_lawless_logs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = ("channel", "rank", "bank_group", "bank")
    rows = []
    for _ in range(12):
        sibling = rng.random() < 0.4
        level = str(rng.choice(levels[1:] if sibling else levels))
        pick = [
            tuple(str(n) for n in rng.choice(NAMES, size=rng.integers(1, 3), replace=False)) for _ in range(2)
        ]
        window = 1 if sibling else int(rng.integers(1, 5))
        rows.append(ToyRow(level, pick[0], pick[1], int(rng.integers(0, 30)), window, bool(sibling)))
    spec = replace(TOY, constraints=tuple(rows), counts={"channel": 1, "rank": 2, "bank_group": 2, "bank": 3})
    log = np.zeros(600, dtype=LOG_DTYPE)
    log["clock"] = np.cumsum(rng.integers(0, 3, len(log)))
    log["channel"], log["command"] = rng.integers(0, 2, len(log)), rng.integers(0, len(NAMES), len(log))
    log["bank"], log["unit"] = rng.integers(0, 12, len(log)), 65535
    expected: Counter[str] = Counter()
    for row, count in literal_row_counts(spec, log, NAMES).items():
        expected[row_label(rows[row])] += count
    counts = check(spec, log, NAMES).counts
    assert {k: v for k, v in counts.items() if "->" in k} == dict(expected)
    assert sum(expected.values()) > 100
