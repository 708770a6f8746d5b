# SPDX-License-Identifier: MIT
"""Command logs with one thing broken: each function returns a change of a run's log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from heam_sim.simulation import Run

Log = np.ndarray[Any, Any]
Change = Callable[[Run, Log], Log]


def rows_of(run: Run, log: Log, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = np.flatnonzero(log["command"] == run.command_names.index(name))
    assert found.size, f"the run has no {name}"
    return found


def drop(name: str) -> Change:
    return lambda run, log: np.delete(log, rows_of(run, log, name)[-1])


def twice(name: str) -> Change:
    def change(run: Run, log: Log) -> Log:
        at = rows_of(run, log, name)[-1]
        return np.insert(log, at + 1, log[at])

    return change


def put(name: str, field: str, change: Callable[[int], int]) -> Change:
    def edit(run: Run, log: Log) -> Log:
        at = rows_of(run, log, name)[0]
        log[field][at] = change(int(log[field][at]))
        return log

    return edit


def swap_tags(name: str) -> Change:
    def change(run: Run, log: Log) -> Log:
        rows = rows_of(run, log, name)
        other = rows[np.flatnonzero(log["tag"][rows] != log["tag"][rows[0]])[0]]
        log["tag"][[rows[0], other]] = log["tag"][[other, rows[0]]]
        return log

    return change


def read_another_row(name: str) -> Change:
    """One burst is read where another table row lives: an address that the placement knows."""

    def change(run: Run, log: Log) -> Log:
        rows = rows_of(run, log, name)
        place = ["channel", "bank", "row", "column"]
        # The same unit and the same burst of the vector, so that only the row differs.
        same = (log["unit"][rows] == log["unit"][rows[0]]) & (log["channel"][rows] == log["channel"][rows[0]])
        same &= log["column"][rows] % 2 == log["column"][rows[0]] % 2
        differs = np.array([any(log[p][r] != log[p][rows[0]] for p in place) for r in rows])
        other = rows[np.flatnonzero(same & differs)[0]]
        for field in place:
            log[field][rows[0]] = log[field][other]
        return log

    return change


def elsewhere(name: str) -> Change:
    """A row is taken in a PE where nobody has read it: the only record of its own lookup there."""

    def change(run: Run, log: Log) -> Log:
        at = rows_of(run, log, name)[0]
        lookup = (log["tag"] == log["tag"][at]) & (log["slot"] == log["slot"][at]) & (log["unit"] != 65535)
        log["unit"][lookup] ^= 1
        return log

    return change


def taken_first(name: str) -> Change:
    """A row is taken before it was read."""

    def change(run: Run, log: Log) -> Log:
        at = rows_of(run, log, name)[0]
        return np.concatenate((log[at : at + 1], np.delete(log, at)))

    return change
