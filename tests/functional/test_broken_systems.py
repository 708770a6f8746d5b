# SPDX-License-Identifier: MIT
"""The same defects in every system that can have them.

A lookup that is lost, a partial that counts twice, the wrong copy of a row, a cache line that has left.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from heam_sim.check import Homes
from heam_sim.planning import Plan
from heam_sim.simulation import Run
from heam_sim.systems import load_system
from heam_sim.verification import check_commands, declare_homes
from tests.functional.breaks import Change, Log, drop, elsewhere, rows_of, taken_first, twice
from tests.functional.small import SYSTEMS, functional, mixed_trace, pim_tier, run_of

WITH_PES = [system for system in SYSTEMS if pim_tier(system) is not None]
TRACE = mixed_trace(samples=12)
REPEATS = mixed_trace(samples=60, longest=6, cardinalities=(7, 3000))


def tiers_of_one_channel(system: str) -> dict[str, Any]:
    """So that GnRs share channels and units."""
    return {f"{tier.name}.channels": 1 for tier in load_system(system).tiers}


@cache
def plain_run(system: str) -> tuple[Plan, Run]:
    overrides = tiers_of_one_channel(system)
    return run_of(TRACE, system=system, embedding="qr:4", vector_bytes=128, profile=0.5, overrides=overrides)


@cache
def copied_run(system: str) -> tuple[Plan, Run]:
    """Copies at every PE: of the most read rows, or of R where vectors are striped."""
    pim = pim_tier(system)
    assert pim is not None
    overrides = tiers_of_one_channel(system)
    overrides |= {f"{pim.name}.pim.{key}": 0 for key in ("cache_bytes", "lut_bytes")}
    overrides |= {f"{pim.name}.pim.prefetch": False}
    if load_system(system).placement.partition == "horizontal":
        overrides |= {"placement.replicate_share": 0.9, "placement.dispatch_window": 4}
    return run_of(TRACE, system=system, embedding="qr:4", vector_bytes=128, profile=0.5, overrides=overrides)


@cache
def cached_run(system: str) -> tuple[Plan, Run]:
    """A cache of two rows, and the hits that it nevertheless has."""
    pim = pim_tier(system)
    assert pim is not None
    changes = {
        "cache_bytes": 2 * 128,
        "cache_ways": 2,
        "cache_min_reads": 0,
        "cache_rows": "all",
        "lut_bytes": 0,
        "queue_depth": 2,
        "prefetch": False,
    }
    overrides = {f"{pim.name}.pim.{key}": value for key, value in changes.items()}
    overrides |= tiers_of_one_channel(system)
    return run_of(
        REPEATS, system=system, embedding="qr:4", vector_bytes=128, profile=0.3, overrides=overrides
    )


def found_out(ran: tuple[Plan, Run], change: Change) -> set[str]:
    """The rules by which the functional check finds a change of a right log out."""
    planned, run = ran
    assert functional(planned, run, run.log).ok
    report = functional(planned, run, change(run, run.log.copy()))
    assert not report.ok
    return set(report.counts)


def without_a_lookup(run: Run, log: Log) -> Log:
    """Every record of the last lookup of a GnR is gone."""
    data = np.isin(
        log["command"],
        [
            run.command_names.index(name)
            for name in ("RD", "LLC_HIT", "PIM_RD", "PIM_LUT", "PE_HIT", "MERGED")
            if name in run.command_names
        ],
    )
    at = log[np.flatnonzero(data)[-1]]
    kept = ~data | (log["tag"] != at["tag"]) | (log["slot"] != at["slot"])
    return log[kept]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lookup_that_is_lost(system: str) -> None:
    assert {"operand", "sum"} <= found_out(plain_run(system), without_a_lookup)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_partial_that_counts_twice(system: str) -> None:
    """On its way to the adder or to the host; a host without PEs adds a vector twice."""
    planned, run = plain_run(system)
    layout = planned.placement.pim_layout
    names = ["RD"] if layout is None else ["PIM_RDRES"]
    if layout is not None and layout.tier.pim is not None and layout.tier.pim.merge_level:
        names.append("PIM_MOV")
    for name in names:
        rules = found_out((planned, run), twice(name))
        assert rules & {"twice", "operand", "pairing"}, name
        assert "sum" in found_out((planned, run), drop(name)), name


_PLACE = {"channel": "channel", "bank": "bank", "row": "dram_row", "column": "column"}


def reads_at(homes: Homes, place: dict[str, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the homes a place is."""
    return np.logical_and.reduce([getattr(homes, of) == place[name] for name, of in _PLACE.items()])


@pytest.mark.parametrize("system", WITH_PES)
def test_the_wrong_copy(system: str) -> None:
    """Another row's copy at the same PE, and the right row's copy at another PE, whose value is the same."""
    planned, run = copied_run(system)
    layout, homes = planned.placement.pim_layout, declare_homes(planned)
    assert layout is not None
    top = layout.spec.rows - layout.reserved_rows
    reads = rows_of(run, run.log, "PIM_RD")
    reads = reads[run.log["row"][reads] >= top]
    assert reads.size > 10
    at = int(reads[0])
    here = reads_at(homes, {name: int(run.log[name][at]) for name in _PLACE})
    assert here.sum() == 1

    def of_it(field: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        values = getattr(homes, field)
        same: np.ndarray[Any, np.dtype[np.bool_]] = values == values[here]
        return same

    unit = homes.bank // layout.unit_stride
    assert unit[here] == run.log["unit"][at]
    copies = (homes.dram_row >= top) & of_it("channel") & of_it("burst")
    row = of_it("subtable_id") & of_it("row")

    def read_there(which: np.ndarray[Any, np.dtype[np.bool_]]) -> Change:
        other = int(np.flatnonzero(which)[0])

        def change(run: Run, log: Log) -> Log:
            for name, of in _PLACE.items():
                log[name][at] = getattr(homes, of)[other]
            return log

        return change

    assert "operand" in found_out((planned, run), read_there(copies & ~row & (unit == unit[here])))
    if layout.units == 1:
        return  # a channel's only PE
    # The sum stays right, so it is the protocol check's to see that a PE reads a bank that is not its own.
    log = read_there(copies & row & (unit != unit[here]))(run, run.log.copy())
    tier = layout.tier.name
    assert check_commands(planned, tier, run.log, run.command_names).ok
    assert "unit" in check_commands(planned, tier, log, run.command_names).counts


@pytest.mark.parametrize("system", WITH_PES)
def test_a_cache_line_that_has_left(system: str) -> None:
    """A row is taken that was not read yet, that only another PE has read, or that others have driven out."""
    ran = cached_run(system)
    assert "cache" in found_out(ran, taken_first("PE_HIT"))
    # The other PE may happen to have read the row as well; then its sum is one that nobody fetches.
    assert found_out(ran, elsewhere("PE_HIT")) & {"cache", "left over"}
    layout = ran[0].placement.pim_layout
    assert layout is not None
    bursts = layout.shape(128).slot_bytes // layout.spec.burst_bytes
    assert "cache" in found_out(ran, lambda run, log: stale(run, log, bursts))


def stale(run: Run, log: Log, bursts: int) -> Log:
    """The last hit of the PE with the most takes the row (of so many bursts) that was used longest ago."""
    hits = rows_of(run, log, "PE_HIT")
    place = log["channel"].astype(np.int64) << 16 | log["unit"]
    units, counts = np.unique(place[hits], return_counts=True)
    last = int(hits[place[hits] == units[np.argmax(counts)]][-1])
    names = [run.command_names.index(name) for name in ("PIM_RD", "PE_HIT", "MERGED")]
    whole = np.isin(log["command"], names) & (log["column"] % bursts == 0) & (place == place[last])
    fields = ["bank", "row", "column"]
    used = {tuple(int(log[name][at]) for name in fields): at for at in np.flatnonzero(whole).tolist()}
    for name, value in zip(fields, min(used, key=used.__getitem__), strict=True):
        log[name][last] = value
    return log
