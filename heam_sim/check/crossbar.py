# SPDX-License-Identifier: MIT
"""The crossbar of a stack: one burst at a time, over all its channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import need_fields
from heam_sim.check.report import Findings, Report

__all__ = ["check_crossbar"]


def check_crossbar(
    log: npt.NDArray[Any],
    command_names: Sequence[str],
    channels: Iterable[int],
    *,
    cycles: int,
    limit: int = 100,
) -> Report:
    """Hold the PIM_XMOVs of one stack against its crossbar.

    Parameters
    ----------
    log, command_names
        A command log, as for :func:`~heam_sim.check.check_protocol`.
    channels
        The channels of the stack, all of one clock.
    cycles
        Cycles of that clock that a burst takes.
    limit
        Violations spelled out; all are counted.

    Returns
    -------
    Report
        What was counted and what is wrong.

    Raises
    ------
    CheckError
        The log lacks a field.
    """
    need_fields(log, ("clock", "channel", "command"))
    findings = Findings(limit)
    numbers = [i for i, name in enumerate(command_names) if name == "PIM_XMOV"]
    inside = np.isin(log["channel"], np.array(list(channels), dtype=np.int64))
    moves = np.flatnonzero(inside & np.isin(log["command"], numbers))
    clock = log["clock"][moves].astype(np.int64)
    close = np.flatnonzero(np.diff(clock) < cycles)
    first, second = moves[close], moves[close + 1]

    def message(i: int) -> str:
        one, other = clock[close[i]], clock[close[i] + 1]
        return f"crossbar: a PIM_XMOV at {other} follows one at {one}, but a burst takes {cycles} cycles"

    findings.add("crossbar", "crossbar", (first, second), (clock[close], clock[close + 1]), message)
    return findings.report(len(moves))
