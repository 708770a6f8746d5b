# SPDX-License-Identifier: MIT
"""Small traces, and runs of them with everything that the engine said."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from heam_sim.check import FunctionalReport
from heam_sim.planning import Plan, plan
from heam_sim.simulation import Run, _execute
from heam_sim.systems import Tier, known_systems, load_system
from heam_sim.trace import LookupTrace
from heam_sim.verification import check_sums

SYSTEMS = known_systems()
PSEUDO_CHANNELS = {"hbm.memory": "native/HBM2_4Gb/HBM2_2000", "hbm.power": "hbm2-4gb"}
DIMM_IN_ORDER = {"dimm.pages": "table-order"}
IN_ORDER = {**DIMM_IN_ORDER, "hbm.pages": "table-order"}


def tier_names(system: str) -> tuple[str, ...]:
    """Names of a system's memories."""
    return tuple(tier.name for tier in load_system(system).tiers)


#: Those with an HBM tier.
ON_HBM = tuple(system for system in SYSTEMS if "hbm" in tier_names(system))


def pim_tier(system: str) -> Tier | None:
    """The memory with PEs, if a system has any."""
    return next((tier for tier in load_system(system).tiers if tier.pim is not None), None)


def trace_of(bags: Sequence[Sequence[Sequence[int]]], *, cardinalities: Sequence[int]) -> LookupTrace:
    """A trace from ``bags[table][sample]`` = list of indices."""
    indices = [np.array([i for bag in table for i in bag], np.int64) for table in bags]
    offsets = [np.cumsum([0] + [len(bag) for bag in table]) for table in bags]
    return LookupTrace.from_arrays(indices, offsets, cardinalities=cardinalities)


def mixed_trace(
    *, samples: int = 8, cardinalities: Sequence[int] = (1, 7, 150, 5000), longest: int = 4, seed: int = 1
) -> LookupTrace:
    """Multi-hot bags of skewed ids, about a fifth of them empty, with repeated ids in a bag."""
    source = random.Random(seed)
    bags = [
        [
            [int(rows * source.random() ** 3) for _ in range(source.randint(0, longest))]
            for _ in range(samples)
        ]
        for rows in cardinalities
    ]
    return trace_of(bags, cardinalities=cardinalities)


def run_of(trace: LookupTrace, **options: Any) -> tuple[Plan, Run]:
    """Plan and execute with the command log kept; options as in ``simulate``."""
    planned = plan(trace, **options)
    return planned, _execute(planned, planned.parameters(), with_log=True, progress=None)


def metered(trace: LookupTrace, *, tier: str, energy: Mapping[str, int], window: int, **options: Any) -> Run:
    """A run whose commands of one tier cost what a test says, in windows of so many cycles."""
    planned = plan(trace, **options)
    parameters = planned.parameters()
    parameters[tier] = replace(parameters[tier], energy=energy, energy_window=window)
    return _execute(planned, parameters, with_log=False, progress=None)


def functional(planned: Plan, run: Run, log: np.ndarray[Any, Any]) -> FunctionalReport:
    """The functional check of a log that belongs to a run, or was made from its log."""
    return check_sums(planned, log, run.command_names)


def commands(run: Run, *, leave_out: Sequence[str] = ()) -> list[tuple[int, int, str, int, int, int]]:
    """The log as (channel, clock, name, bank, row, column), channel by channel, without some commands."""
    rows = [
        (
            int(r["channel"]),
            int(r["clock"]),
            run.command_names[r["command"]],
            int(r["bank"]),
            int(r["row"]),
            int(r["column"]),
        )
        for r in run.log
    ]
    return sorted((row for row in rows if row[2] not in leave_out), key=lambda row: row[:2])


def counted(run: Run, name: str, channels: Sequence[int] | None = None) -> int:
    """A counter summed over (some) channels."""
    picked = range(len(run.channels)) if channels is None else channels
    return sum(run.channels[channel][name] for channel in picked)
