# SPDX-License-Identifier: MIT
"""The protocol checker on every row of every shipped memory: a cycle early or a lost precharge is caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heam_sim.check.protocol import check_protocol
from heam_sim.check.report import Report, Violation
from heam_sim.check.timing import row_label
from heam_sim.dram import derive_pim, list_presets, load_spec
from heam_sim.dram.loader import iter_standards
from tests.fidelity.directed import Case, Event, Player, alone, binding_case, pairs, to_log

UNIT, MERGE = "bank_group", "channel"
# Measured: 84 % (DDR5) to 100 % (DDR4) of the pairs of commands meet in a legal log.
REQUIRED_SHARE = 0.8


def _spec(name: str, pim: bool) -> Any:
    plain = load_spec(name)
    # One rank alone would leave the rows between ranks untouched.
    spec = load_spec(name, overrides={"rank": 2}) if "rank" in plain.levels else plain
    return derive_pim(spec, UNIT, MERGE) if pim else spec


def _files() -> list[tuple[str, tuple[str, ...]]]:
    """Of every standard file: its first preset, and the others."""
    files = []
    for family, file in iter_standards():
        first, *others = sorted(
            f"{family}/{organization}/{timing}" for organization, timing in file.presets()
        )
        files.append((first, tuple(others)))
    return files


def _shape(name: str) -> tuple[Any, ...]:
    """Everything that these tests can see of a memory."""
    spec = load_spec(name)
    rows = tuple((r.level, r.preceding, r.following, r.cycles, r.window, r.sibling) for r in spec.constraints)
    return tuple(spec.counts.items()), rows, tuple(spec.timing.items())


FILES = _files()
FIRST = [first for first, _ in FILES]
EVERY = pytest.mark.parametrize("pim", [False, True], ids=["plain", "pim"])


def _check(spec: Any, log: np.ndarray) -> Report:
    # The logs are pauses for the most part: refresh deadlines have tests of their own.
    names = [command.name for command in spec.commands]
    return check_protocol(log, names, spec, refresh=False, limit=1_000_000)


def _rows(report: Report) -> dict[tuple[str, int, int], Violation]:
    return {(v.row, v.first_index, v.second_index): v for v in report.violations if v.rule == "row"}


def _expect(
    found: dict[tuple[str, int, int], Violation], spec: Any, case: Case, mark: tuple[int, int], log: Any
) -> None:
    """The violation of one case names its row, both commands and both cycles."""
    row = spec.constraints[case.row]
    first, second = (int(log["clock"][place]) for place in mark)
    names = [case.events[place].name for place in (case.first, case.second)]
    violation = found.get((row_label(row), *mark))
    assert violation is not None, (
        f"{row_label(row)}: {names[0]} at {first}, {names[1]} at {second} went unnoticed"
    )
    assert (violation.first_clock, violation.second_clock) == (first, second)
    assert violation.message == (
        f"row {row_label(row)!r} broken: {names[0]} at {first} then {names[1]} at {second}, "
        f"{second - first} < {row.cycles} cycles"
    )


def test_every_preset_belongs_to_a_file() -> None:
    assert sorted(name for first, others in FILES for name in (first, *others)) == list_presets()


@EVERY
@pytest.mark.parametrize("name", FIRST)
def test_each_row_is_caught_one_cycle_early(name: str, pim: bool) -> None:
    prove_rows(_spec(name, pim))


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize(("first", "others"), FILES, ids=FIRST)
def test_each_row_of_the_other_presets_is_caught(first: str, others: tuple[str, ...], pim: bool) -> None:
    shapes = {_shape(first)}
    for name in others:
        shape = _shape(name)
        if shape not in shapes:  # organisations differ in rows of cells only
            shapes.add(shape)
            prove_rows(_spec(name, pim))
            prove_precharges(_spec(name, pim), pim)


def prove_rows(spec: Any) -> None:
    """One cycle early, each row of a memory is caught."""
    binding: list[Case] = []
    rest: list[tuple[int, str, str]] = []
    for number, before, after in pairs(spec):
        if spec.constraints[number].cycles == 0:
            continue  # allows everything
        case = binding_case(spec, number, before, after)
        if case is None:
            rest.append((number, before, after))
        else:
            binding.append(case)
    # Rows that a legal log can meet: all of them in one log, first on time, then each a cycle early.
    log, marks = to_log(spec, binding)
    on_time = _check(spec, log)
    automatic = {"RDA", "WRA"} & {event.name for case in binding for event in case.events}
    assert set(on_time.counts) <= ({"bank state"} if automatic else set())
    log["clock"][[second for _, second in marks]] -= 1
    found = _rows(_check(spec, log))
    for case, mark in zip(binding, marks, strict=True):
        _expect(found, spec, case, mark, log)
    # Rows that others always outdo: each in a memory that has no other row.
    for pair in rest:
        single, case = alone(spec, *pair)
        log, [mark] = to_log(single, [case])
        assert not _rows(_check(single, log))
        log["clock"][mark[1]] -= 1
        _expect(_rows(_check(single, log)), single, Case(0, case.events, case.first, case.second), mark, log)
    assert len(binding) >= REQUIRED_SHARE * (len(binding) + len(rest)), (len(binding), rest)


@EVERY
@pytest.mark.parametrize("name", FIRST)
def test_a_lost_precharge_is_caught(name: str, pim: bool) -> None:
    prove_precharges(_spec(name, pim), pim)


def prove_precharges(spec: Any, pim: bool) -> None:
    """Without its precharge of the bank or of the rank, the next ACT or REFab is caught."""
    kinds = {command.kind: command.name for command in spec.commands}
    column = kinds["PIM_RD"] if pim else kinds["RD"]
    for closing, following in (("PRE", "ACT"), ("PREA", "ACT"), ("PRE", "REF"), ("PREA", "REF")):
        player = Player(spec, closing)
        act = player.issue(kinds["ACT"], 0)
        player.issue(column, 0)
        player.prepare(kinds[following], 0)
        player.issue(kinds[following], 0)
        last: Event = player.events[-1]
        log, _ = to_log(spec, [Case(0, tuple(player.events), 0, 0)])
        assert _check(spec, log).ok
        lost = int(np.flatnonzero(log["command"] == [c.kind for c in spec.commands].index(closing))[0])
        [violation] = _check(spec, np.delete(log, lost)).violations
        assert violation.rule == "bank state"
        assert (violation.first_clock, violation.second_clock) == (player.events[act].clock, last.clock)
        for word in (last.name, f"at {last.clock}", "bank 0", "row 1 is open"):
            assert word in violation.message
