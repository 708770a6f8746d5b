# SPDX-License-Identifier: MIT
"""Open loop: nothing is read for a GnR that has not come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import need_fields
from heam_sim.check.report import Findings, Report

__all__ = ["check_arrivals"]

# What is always for an operand of the GnR that it names.
_OPERANDS = ("RD", "PIM_RD", "PIM_LUT", "PE_HIT", "MERGED")
_AT_HOST = "LLC_HIT"


def check_arrivals(
    log: npt.NDArray[Any],
    command_names: Sequence[str],
    arrivals: npt.NDArray[Any],
    *,
    periods: Mapping[int, int],
    host_period: int,
    limit: int = 100,
) -> Report:
    """Hold the operands of a command log against the arrivals of their GnRs.

    Parameters
    ----------
    log, command_names
        A command log, as for :func:`~heam_sim.check.check_protocol`; LLC_HIT has the host's clock.
    arrivals
        Tick of every GnR.
    periods, host_period
        Ticks per cycle of every channel and of the host.
    limit
        Violations spelled out; all are counted.

    Returns
    -------
    Report
        Operands that are read before their GnR has come.

    Raises
    ------
    CheckError
        The log lacks a field.
    """
    need_fields(log, ("clock", "channel", "command", "tag"))
    findings = Findings(limit)
    wanted = [number for number, name in enumerate(command_names) if name in (*_OPERANDS, _AT_HOST)]
    at_host = [number for number, name in enumerate(command_names) if name == _AT_HOST]
    rows = np.flatnonzero(np.isin(log["command"], wanted))
    part = log[rows]
    table = np.array([periods[channel] for channel in range(len(periods))], dtype=np.int64)
    period = np.where(np.isin(part["command"], at_host), host_period, table[part["channel"]])
    tick = part["clock"].astype(np.int64) * period
    comes = arrivals.astype(np.int64)[part["tag"]]
    early = np.flatnonzero(tick < comes)
    clocks = part["clock"][early].astype(np.int64)

    def message(i: int) -> str:
        at = early[i]
        return f"arrivals: GnR {part['tag'][at]} comes at tick {comes[at]}, but is read at {tick[at]}"

    nobody = np.full(early.size, -1, dtype=np.int64)
    findings.add("arrivals", "arrivals", (nobody, rows[early]), (nobody, clocks), message)
    return findings.report(len(rows))
