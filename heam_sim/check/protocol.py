# SPDX-License-Identifier: MIT
"""The protocol check: does a command log obey every rule of its memory standard?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import Events, IntArray, SpecLike, Tree, collect
from heam_sim.check.report import Findings, Report
from heam_sim.check.rules import (
    check_alignment,
    check_bank_states,
    check_bus,
    check_refresh,
    check_slots,
    find_units,
)
from heam_sim.check.timing import check_rows

__all__ = ["check_protocol"]


def _check_order(log: npt.NDArray[Any], issued: IntArray, findings: Findings) -> None:
    """The clocks of a channel never go back in the order of issue."""
    channel, clock = log["channel"][issued].astype(np.int64), log["clock"][issued].astype(np.int64)
    grouped = np.argsort(channel, kind="stable")
    back = np.flatnonzero((np.diff(channel[grouped]) == 0) & (np.diff(clock[grouped]) < 0))
    first, second = grouped[back], grouped[back + 1]

    def message(i: int) -> str:
        a, b = int(first[i]), int(second[i])
        return f"clock order: in channel {channel[b]} a command at {clock[b]} follows one at {clock[a]}"

    pairs = issued[first], issued[second]
    findings.add("clock order", "clock order", pairs, (clock[first], clock[second]), message)


def check_protocol(
    log: npt.NDArray[Any],
    command_names: Sequence[str],
    spec: SpecLike,
    *,
    channel: int | Iterable[int] | None = None,
    refresh: bool = True,
    split_buses: bool | None = None,
    unit_level: str | None = None,
    res_latency: int | None = None,
    imm_latency: int | None = None,
    allow_closed_precharge: bool = False,
    postponed_refreshes: int | None = None,
    limit: int = 100,
) -> Report:
    """Hold a command log against a resolved spec.

    The rules: every constraint row; ACT only on a closed bank; RD, WR, PIM_RD, RDA and WRA only on the open
    row, which the latter two close; PREpb only on an open bank, a refresh only when all banks that it
    concerns are closed; clocks that never go back in a channel; one command per command slot; no overlapping
    bursts on a host-side data bus; no late refresh.

    Parameters
    ----------
    log
        Structured array with at least ``clock``, ``channel``, ``command``, ``bank``, ``row`` and ``unit``,
        one element per command in order of issue. ``LLC_HIT`` elements are not DRAM commands and are passed
        over.
    command_names
        Names behind the log's command numbers.
    spec
        Resolved standard of the checked channels, PIM commands included where the log has them.
    channel
        Channel or channels to check; all by default. Tiers with different specs are checked one by one.
    refresh
        Whether refresh was on (deadlines are checked).
    split_buses
        Whether column and row commands have a slot each; the spec's own by default.
    unit_level
        Level of the PEs; by default the spec's own, or else the level that fits the log's PIM_RDs. A name
        that is no level of the spec (``"dimm"``, ``"stack"``) means one PE per channel.
    res_latency
        Cycles from PIM_RDRES to its burst on the host-side bus; nCL by default (assumed, as there).
    imm_latency
        Cycles from PIM_WRIMM to its burst there; nCWL by default (assumed, as there).
    allow_closed_precharge
        Accept PREpb on a closed bank, as some simulators do.
    postponed_refreshes
        How many refresh intervals may be postponed; by default what the spec states, or else 8 (JESD79-4).
    limit
        Violations spelled out per row label; all are counted.

    Returns
    -------
    Report
        Violations and counts; ``report.ok`` when there are none.

    Raises
    ------
    CheckError
        The log lacks fields, or holds commands or banks that the spec does not have.
    SpecError
        A row names an unknown level or command, or a timing value is missing.
    """
    tree, findings = Tree.of(spec), Findings(limit)
    events, issued = collect(log, command_names, spec, tree, channel)
    _check_order(log, issued, findings)
    check_rows(events, tree, tuple(spec.constraints), findings)
    check_alignment(events, spec, findings)
    check_bank_states(events, tree, findings, allow_closed_precharge=allow_closed_precharge)
    _check_slots(events, tree, spec, split_buses, unit_level, findings)
    check_bus(events, tree, spec, res_latency, imm_latency, findings)
    if refresh:
        stated = getattr(spec, "max_postponed_refreshes", None)
        limit_of = postponed_refreshes if postponed_refreshes is not None else 8 if stated is None else stated
        check_refresh(events, tree, spec, limit_of, findings)
    return findings.report(len(events))


def _check_slots(
    events: Events,
    tree: Tree,
    spec: SpecLike,
    split_buses: bool | None,
    unit_level: str | None,
    findings: Findings,
) -> None:
    split = bool(spec.split_command_buses) if split_buses is None else split_buses
    level = unit_level if unit_level is not None else getattr(spec, "unit_level", None)
    units = find_units(events, tree, level, findings)
    check_slots(events, tree, units, split, findings, has_units=level is not None)
