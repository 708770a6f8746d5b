# SPDX-License-Identifier: MIT
"""RDA and WRA close their bank: recordings of Ramulator 2.1's ClosedCAP row policy, and changes to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heam_sim.check import CommandLog, Report, check_protocol, read_any_log
from heam_sim.dram import Spec, load_spec

DATA = Path(__file__).resolve().parents[1] / "data" / "ramulator-2.1-closedcap"
CASES = {
    "ddr4_2400r_2rank_closedcap": ("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", {"rank": 2}),
    "hbm2_2000_1ch_closedcap": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", {}),
}
NAMES = sorted(CASES)


def recording(name: str) -> tuple[CommandLog, Spec]:
    preset, overrides = CASES[name]
    spec = load_spec(preset, overrides=overrides)
    return read_any_log(DATA / f"{name}.csv", spec), spec


def verdict(log: np.ndarray, stored: CommandLog, spec: Spec, **options: object) -> Report:
    """The policy sends a PREpb after an RDA has closed the bank: such ones are accepted unless asked for."""
    return check_protocol(
        log, stored.command_names, spec, limit=10_000, **{"allow_closed_precharge": True, **options}
    )


def rules(report: Report) -> set[str]:
    """What was broken, but for the gap between a read and a write in the other rank."""
    return set(report.counts) - {"data bus"}


def closing(stored: CommandLog) -> np.ndarray:
    kinds = [stored.command_names.index(name) for name in ("RDA", "WRA")]
    return np.flatnonzero(np.isin(stored.log["command"], kinds))


def next_in_bank(log: np.ndarray, at: int) -> int:
    """The next command that names the bank of command `at`; -1 if there is none."""
    later = np.flatnonzero(log["bank"][at + 1 :] == log["bank"][at])
    return at + 1 + int(later[0]) if later.size else -1


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_with_automatic_precharges_obeys_the_rules(name: str) -> None:
    stored, spec = recording(name)
    assert stored.log.size == 700 and closing(stored).size > 50
    report = verdict(stored.log, stored, spec)
    assert rules(report) == set()
    # Each overlap is a read and then a write of the other rank.
    assert report.counts.get("data bus", 0) <= (20 if "ddr4" in name else 0)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_automatic_precharge_the_bank_would_be_open(name: str) -> None:
    stored, spec = recording(name)
    for at in closing(stored)[:20]:
        follows = next_in_bank(stored.log, at)
        changed = stored.log.copy()
        plain = "RD" if stored.command_names[changed["command"][at]] == "RDA" else "WR"
        changed["command"][at] = stored.command_names.index(plain)
        found = rules(verdict(changed, stored, spec))
        expected = follows >= 0 and stored.command_names[stored.log["command"][follows]] == "ACT"
        assert ("bank state" in found) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["RD", "WR", "RDA", "WRA"])
def test_no_column_command_follows_an_automatic_precharge(name: str, command: str) -> None:
    stored, spec = recording(name)
    at = closing(stored)[5]
    extra = stored.log[at : at + 1].copy()
    extra["clock"] = stored.log["clock"][at] + 200  # far behind every row
    extra["command"] = stored.command_names.index(command)
    report = verdict(np.concatenate([stored.log[: at + 1], extra]), stored, spec, refresh=False)
    assert report.counts == {"bank state": 1}
    assert "no row is open" in report.violations[0].message


@pytest.mark.parametrize("name", NAMES)
def test_an_automatic_precharge_needs_the_open_row(name: str) -> None:
    stored, spec = recording(name)
    at = closing(stored)[5]
    changed = stored.log[: at + 1].copy()
    changed["row"][at] ^= 1
    assert "bank state" in rules(verdict(changed, stored, spec, refresh=False))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["RDA", "WRA"])
def test_an_activation_waits_for_the_row_behind_it(name: str, command: str) -> None:
    """ACT in the cycle that the row RDA -> ACT (WRA -> ACT) allows, and one cycle before it."""
    stored, spec = recording(name)
    number = stored.command_names.index(command)
    at = int(closing(stored)[stored.log["command"][closing(stored)] == number][2])
    wait = max(
        row.cycles
        for row in spec.constraints
        if row.level == "bank" and command in row.preceding and "ACT" in row.following
    )
    begun = np.flatnonzero(
        (stored.log["bank"][:at] == stored.log["bank"][at])
        & (stored.log["command"][:at] == stored.command_names.index("ACT"))
    )[-1]
    # Nothing but this bank's commands, so that no other row can bind; the automatic precharge sets the time.
    own = stored.log[[begun, at, begun]].copy()
    own["clock"][1] = max(own["clock"][1], own["clock"][0] + spec.timing["nRC"] + 1 - wait)
    for early in (0, 1):
        own["clock"][2] = own["clock"][1] + wait - early
        report = verdict(own, stored, spec, refresh=False)
        assert report.ok == (early == 0)
        assert all(f"{command}" in label and "->ACT" in label for label in report.counts)


@pytest.mark.parametrize("name", NAMES)
def test_a_precharge_of_a_closed_bank_is_told_unless_allowed(name: str) -> None:
    stored, spec = recording(name)
    at = closing(stored)[5]
    extra = stored.log[at : at + 1].copy()
    extra["clock"] = stored.log["clock"][at] + 200
    extra["command"] = stored.command_names.index("PREpb")
    log = np.concatenate([stored.log[: at + 1], extra])
    assert rules(verdict(log, stored, spec, refresh=False)) == set()
    strict = verdict(log, stored, spec, refresh=False, allow_closed_precharge=False)
    assert rules(strict) == {"bank state"}
