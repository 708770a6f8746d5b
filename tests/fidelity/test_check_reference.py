# SPDX-License-Identifier: MIT
"""What the slow reference issues on random standards and systems obeys the independent protocol checker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import PSEUDO_COMMANDS
from heam_sim.check.logs import LOG_DTYPE
from heam_sim.check.protocol import check_protocol
from tests.reference.plain import replay
from tests.reference.random_specs import RandomSystem, replays, systems
from tests.reference.system import simulate
from tests.reference.timing import NO_UNIT, Record

# Random rows know nothing of the data bus, so its bursts may overlap in random standards.
NOT_PROMISED = {"data bus"}


def named(spec: Any) -> Any:
    """A random standard with what the checker reads and the engine does not: a name and a write latency."""
    return SimpleNamespace(**{**vars(spec), "name": "random", "timing": {**spec.timing, "nCWL": 1}})


def as_log(records: list[Any]) -> tuple[np.ndarray, list[str]]:
    names = sorted({record.command for record in records})
    log = np.zeros(len(records), dtype=LOG_DTYPE)
    for i, record in enumerate(records):
        log[i] = tuple(record._replace(command=names.index(record.command)))
    return log, names


@settings(max_examples=40)
@given(systems())
def test_random_systems_obey_their_standards(system: RandomSystem) -> None:
    out = simulate(system.channels, system.host, system.items, system.gnr_offsets)
    log, names = as_log(out["log"])
    for index, channel in enumerate(system.channels):
        report = check_protocol(
            log,
            names,
            named(channel["spec"]),
            channel=index,
            refresh=channel["refresh"],
            unit_level=channel.get("unit_level"),
        )
        assert set(report.counts) <= NOT_PROMISED, report.violations[0].message
        commands = [r for r in out["log"] if r.command not in PSEUDO_COMMANDS.values()]
        assert report.commands == sum(r.channel == index for r in commands)


@settings(max_examples=40)
@given(replays(), st.integers(0, 10**6))
def test_random_replays_obey_their_standards_and_a_shifted_command_does_not(
    case: dict[str, Any], which: int
) -> None:
    spec = named(case["spec"])
    for channel in replay(**case):
        records = [
            Record(clock, 0, command, bank, row, column, 0, 0, NO_UNIT, bound, 0)
            for clock, command, bank, row, column, bound in channel.commands
        ]
        log, names = as_log(records)
        options: dict[str, Any] = {"refresh": case["refresh"]}
        report = check_protocol(log, names, spec, **options)
        assert set(report.counts) <= NOT_PROMISED, report.violations[0].message
        bound = [i for i, record in enumerate(records) if record.bound >= 0]
        if bound:
            # The engine names the row that set a command's time: one cycle earlier must break something.
            place = bound[which % len(bound)]
            log["clock"][place] -= 1
            early = check_protocol(log, names, spec, **options)
            assert set(early.counts) - NOT_PROMISED
