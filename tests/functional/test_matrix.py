# SPDX-License-Identifier: MIT
"""Every system with every scheme, and with every two settings of its switches: protocol and sums hold.

Systems come from the registry: one that is added is part of all this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.errors import ConfigError
from heam_sim.planning import plan
from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.systems import Host, Pim, Placement, Tier, load_system
from heam_sim.trace import LookupTrace
from heam_sim.verification import check_commands
from tests.functional.pairwise import Pair, Row, cover, met_in, pairs_of
from tests.functional.small import SYSTEMS, mixed_trace, run_of, trace_of
from tests.functional.switches import NO_SWITCHES, arguments, factors_of, reasons

SCHEMES = (
    "full",
    "hash:0.25",
    "qr:4",
    "qr:8:add",
    "qr:4:concatenate",
    "qr:4:multiply:200",
    "qr:1",
    "qr:100000",
    "qr:4:pool-first",
    "partitions:3",
    "partitions:3:add:4:7",
    "partitions:3:multiply:4:7:pool-first",
    "tt:16",
    "tt:5:auto:7",
    "pq:3:16",
)
# Half of it is the profile: enough to have hot rows that are looked up again.
MIXED = mixed_trace(samples=12)


def weighted(trace: LookupTrace) -> LookupTrace:
    weights = [np.arange(one.size) / 8 for one in trace.indices]
    return LookupTrace.from_arrays(
        trace.indices, trace.offsets, cardinalities=trace.cardinalities, weights=weights
    )


WEIGHTED = weighted(MIXED)


def refusal(system: str, embedding: str, scope: str, vector_bytes: int) -> str:
    """Why a combination is refused at the defaults; empty if it is not."""
    if "concatenate" in embedding and vector_bytes == 64:
        return r"less than a burst or host line .* at least 128 bytes"
    if "pool-first" in embedding and scope == "sample":
        return r"pools all tables into one vector"
    if embedding.startswith("tt") and load_system(system).placement.partition == "vertical":
        return r"cannot stripe the cores of a tensor train"
    return ""


@pytest.mark.parametrize(
    ("vector_bytes", "trace"),
    [(64, MIXED), (128, MIXED), (128, WEIGHTED), (512, WEIGHTED)],
    ids=["64", "128", "128-weights", "512-weights"],
)
@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("embedding", SCHEMES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_sums_and_protocol_hold(
    system: str, embedding: str, scope: Any, vector_bytes: int, trace: LookupTrace
) -> None:
    options: dict[str, Any] = {
        "system": system,
        "embedding": embedding,
        "scope": scope,
        "vector_bytes": vector_bytes,
        "profile": 0.5,
    }
    why = refusal(system, embedding, scope, vector_bytes)
    if why:
        with pytest.raises(ConfigError, match=why):
            simulate(trace, **options)
        return
    result = simulate(trace, check=True, **options)
    assert result.samples == 6
    assert result.gnrs == (6 if scope == "sample" else 6 * MIXED.tables)
    assert result.lookups == MIXED.split(0.5)[1].lookups > 0
    assert result.time_ns > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_protocol_check_reads_every_command(system: str) -> None:
    """Tier by tier, and all of them together are the whole log but for what is no command to a memory."""
    planned, done = run_of(WEIGHTED, system=system, embedding="qr:4", vector_bytes=128, profile=0.5)
    reports = [
        check_commands(planned, tier, done.log, done.command_names) for tier in planned.placement.layouts
    ]
    assert all(report.ok for report in reports)
    notes = [done.command_names.index(name) for name in ("LLC_HIT", "PE_HIT", "MERGED", "PIM_XMOV")]
    issued = int((~np.isin(done.log["command"], notes)).sum())
    assert sum(report.commands for report in reports) == issued > 50


# --- every two settings of all switches


@cache
def array(system: str) -> tuple[list[Row], list[Pair]]:
    names = {factor: list(levels) for factor, levels in factors_of(system).items()}
    return cover(names, lambda row: not reasons(row))


TRACE = mixed_trace(samples=16, seed=6)
ROWS = [(system, number) for system in SYSTEMS for number in range(len(array(system)[0]))]


def run(trace: LookupTrace, system: str, row: Mapping[str, str]) -> Result:
    options = arguments(system, row)
    return simulate(weighted(trace) if options.pop("weights") else trace, check=True, **options)


@pytest.mark.parametrize(("system", "number"), ROWS)
def test_every_two_settings_hold(system: str, number: int) -> None:
    row = array(system)[0][number]
    result = run(TRACE, system, row)
    assert result.gnrs == result.samples * (1 if row["scope"] == "sample" else TRACE.tables)
    assert result.time_ns > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_two_settings_meet_or_are_refused(system: str) -> None:
    """What is left out of the array is refused with one sentence, and for a reason that is known."""
    factors = factors_of(system)
    rows, refused = array(system)
    met = met_in(rows, factors)
    wanted = pairs_of({factor: list(levels) for factor, levels in factors.items()})
    assert set(wanted) - met == set(refused)
    for pair in refused:
        # The rest of the row is what the first row has, but for what that one refuses on its own.
        row = {**rows[0], **dict(pair)}
        found = reasons(row)
        assert found, f"{pair} is left out, but no rule forbids it"
        options = arguments(system, row)
        options.pop("weights")
        with pytest.raises(ConfigError, match="|".join(found)) as caught:
            plan(TRACE, **options)
        assert str(caught.value).endswith(".")


@pytest.mark.parametrize("record", [Host, Placement, Pim, Tier])
def test_every_parameter_is_a_switch_of_the_array_or_known_not_to_be_one(record: type) -> None:
    """A parameter that is added to descriptions needs settings in switches.py, or a reason there."""
    part = {Host: "host", Placement: "placement", Pim: "pim", Tier: "tier"}[record]
    changed = {
        key.split(".")[-1]
        for system in SYSTEMS
        for levels in factors_of(system).values()
        for setting in levels.values()
        for key in setting
        if part == ("tier" if key.split(".")[0] in ("all", "plain", "dimm", "hbm") else key.split(".")[0])
    }
    if record is Tier:
        changed = {"overrides" if name == "nREFI" else name for name in changed}
    left = {field.name for field in fields(record)} - changed
    assert left == set(NO_SWITCHES[part])


# --- whatever is left, with whatever trace


@st.composite
def traces(draw: st.DrawFn) -> LookupTrace:
    """Up to three tables and five samples, bags of up to five lookups; a table that every scheme splits."""
    cardinalities = draw(st.lists(st.sampled_from([1, 2, 5, 30, 1000, 70_000]), max_size=2))
    cardinalities.append(draw(st.sampled_from([1000, 70_000])))
    samples = draw(st.integers(0, 5))
    bags = [
        draw(st.lists(st.lists(st.integers(0, rows - 1), max_size=5), min_size=samples, max_size=samples))
        for rows in cardinalities
    ]
    return trace_of(bags, cardinalities=cardinalities)


@st.composite
def settings_of_all(draw: st.DrawFn) -> tuple[str, Row]:
    """A system, and one setting of each of its switches."""
    system = draw(st.sampled_from(SYSTEMS))
    return system, {
        factor: draw(st.sampled_from(list(levels))) for factor, levels in factors_of(system).items()
    }


def holds_or_is_refused(trace: LookupTrace, system: str, row: Row) -> None:
    why = reasons(row)
    if why:
        options = arguments(system, row)
        options.pop("weights")
        with pytest.raises(ConfigError, match="|".join(why)):
            plan(trace, **options)
        return
    result = run(trace, system, row)
    assert result.samples == trace.split(0.5 if row["profile"] == "half" else 0)[1].samples
    assert result.energy_pJ >= 0


@settings(max_examples=40)
@given(traces(), settings_of_all())
def test_random_runs_are_right(trace: LookupTrace, drawn: tuple[str, Row]) -> None:
    holds_or_is_refused(trace, *drawn)


@pytest.mark.slow
@settings(max_examples=3000)
@given(traces(), settings_of_all())
def test_many_random_runs_are_right(trace: LookupTrace, drawn: tuple[str, Row]) -> None:
    holds_or_is_refused(trace, *drawn)


# --- the array itself


def test_a_cover_of_three_switches() -> None:
    factors = {"a": ["0", "1"], "b": ["0", "1"], "c": ["0", "1", "2"]}

    def allowed(row: Mapping[str, str]) -> bool:
        return not (row.get("a") == "1" and row.get("c") == "2") and row.get("b") != "1"

    rows, refused = cover(factors, lambda row: True)
    assert refused == [] and len(rows) == 6  # no fewer can be: b and c alone have six pairs
    assert met_in(rows, factors) == set(pairs_of(factors))
    rows, refused = cover(factors, allowed)
    assert rows and all(allowed(row) for row in rows)
    assert set(refused) == {
        pair for pair in pairs_of(factors) if ("b", "1") in pair or pair == (("a", "1"), ("c", "2"))
    }
