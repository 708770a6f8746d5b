# SPDX-License-Identifier: MIT
"""Ceilings: worked out by hand on small traces, met by every run, and enforced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim import simulation
from heam_sim.bounds import Demand, _Distinct, ceilings
from heam_sim.errors import CeilingError, CheckError
from heam_sim.planning import plan
from heam_sim.simulation import simulate
from tests.functional.small import (
    DIMM_IN_ORDER,
    IN_ORDER,
    PSEUDO_CHANNELS,
    SYSTEMS,
    mixed_trace,
    tier_names,
    trace_of,
)

NO_LLC = {"host.llc_bytes": 0}


def limits(bags: Any, cardinalities: list[int], **options: Any) -> dict[tuple[str, str], float]:
    """Ceilings in ns by (tier, resource), without simulating."""
    planned = plan(
        trace_of(bags, cardinalities=cardinalities), **{"embedding": "full", "vector_bytes": 64, **options}
    )
    channels = sum(layout.tier.channels for layout in planned.placement.layouts.values())
    demand = Demand(channels, max(layout.units for layout in planned.placement.layouts.values()))
    demand.add(planned.lowered(0, planned.simulated.samples), planned.placement)
    rows = ceilings(planned.placement, demand, planned.parameters())
    times = [row["time_ns"] for row in rows]
    assert times == sorted(times, reverse=True)
    return {(row["tier"], row["resource"]): row["time_ns"] for row in rows}


def host_dimm(vectors: list[int], **overrides: Any) -> dict[tuple[str, str], float]:
    return limits(
        [[vectors]], [200_000], system="host-dimm", profile=0, overrides={**DIMM_IN_ORDER, **overrides}
    )


def test_host_side_bus() -> None:
    """Nine bursts of 2.5 ns on one channel: eight gaps between their reads."""
    nine = [2 * i for i in range(9)]
    assert host_dimm(nine, **NO_LLC)["dimm", "host-side bus"] == 8 * 4 * 0.625
    # Spread over both channels, the busier one counts.
    assert (
        host_dimm([*nine[:4], *(n + 1 for n in nine[:5])], **NO_LLC)["dimm", "host-side bus"] == 4 * 4 * 0.625
    )


def test_a_cache_leaves_distinct_lines_only() -> None:
    assert host_dimm([0, 2] * 4)["dimm", "host-side bus"] == 1 * 4 * 0.625
    assert host_dimm([0, 2] * 4, **NO_LLC)["dimm", "host-side bus"] == 7 * 4 * 0.625


def test_activation_window() -> None:
    """Nine rows of one rank: two full windows of nFAW = 34 before the ninth ACT."""
    nine_rows = [8192 * i for i in range(9)]
    found = host_dimm(nine_rows)
    assert found["dimm", "activation window"] == 2 * 34 * 0.625
    # Eight rows: seven gaps of nRRDS = 4 weigh less than one window; three rows: two gaps.
    assert host_dimm(nine_rows[:8])["dimm", "activation window"] == 34 * 0.625
    assert host_dimm(nine_rows[:3])["dimm", "activation window"] == 2 * 4 * 0.625
    # The same row again is no new activation.
    assert host_dimm([0, 64, 128, 0])["dimm", "activation window"] == 0.0
    # Ranks have windows of their own.
    other_rank = [8192 * i + 8 * (i % 2) for i in range(9)]
    assert host_dimm(other_rank)["dimm", "activation window"] == 34 * 0.625


def test_host_issue_and_adder() -> None:
    found = host_dimm(list(range(17)))
    assert found["host", "host issue"] == 2.0  # 17 lines, 8 in a cycle of 1 ns
    assert found["host", "host adder"] == 2.0  # 1088 B, 512 in a cycle
    slow = host_dimm(list(range(17)), **{"host.issue_per_cycle": 1, "host.add_bytes_per_cycle": 64})
    assert (slow["host", "host issue"], slow["host", "host adder"]) == (17.0, 17.0)


def test_ceilings_of_pes_in_bank_groups() -> None:
    """Five hot vectors of two bursts in one unit: places 0, 32, 64, 96 and 128 of the HBM."""
    profile = [4 * q for q in range(129)]
    simulated = [4 * q for q in (0, 32, 64, 96, 128)]
    found = limits(
        [[profile, simulated]],
        [1000],
        system="heam",
        embedding="qr:4",
        vector_bytes=128,
        profile=0.5,
        overrides={**IN_ORDER, "placement.hot_share": 1},
    )
    assert found["hbm", "PE column reads"] == (10 - 1) * 2  # nCCDL of the legacy channel
    assert found["hbm", "ALU"] == 10  # 64 B in a cycle
    assert found["hbm", "LUT port"] == 5 * 2  # 128 B in two cycles
    assert found["hbm", "instruction path"] == 10 + 2 - 1  # ten instructions, two result bursts
    assert found["hbm", "host-side bus (results)"] == (2 - 1) * 2
    assert found["hbm", "merge node"] == 2
    assert found["host", "host issue"] == 10 // 8


def test_two_units_share_the_work() -> None:
    """Places 0 and 8: one vector in each of two bank groups, two partials for the merge node."""
    found = limits(
        [[[4 * q for q in range(9)], [0, 32]]],
        [64],
        system="heam",
        embedding="qr:4",
        vector_bytes=128,
        profile=0.5,
        overrides={**IN_ORDER, "placement.hot_share": 1},
    )
    assert found["hbm", "PE column reads"] == (2 - 1) * 2
    assert found["hbm", "merge node"] == 2 * 2
    assert found["hbm", "activation window"] == 4  # two rows of the channel, nRRDS apart


def test_delivery_of_commands_and_instructions() -> None:
    """Vectors of two bursts: 0 and 2 in rank 0, 8 in rank 1, all in channel 0."""
    options: dict[str, Any] = {"vector_bytes": 128, "profile": 0}
    quiet = {**DIMM_IN_ORDER, "dimm.pim.cache_bytes": 0}
    driven = {**quiet, "dimm.pim.delivery": "host-driven"}
    found = limits([[[0, 2, 8]]], [64], system="recnmp", overrides=driven, **options)
    # 6 PIM_RD, 4 PIM_MOV, 2 PIM_RDRES and 3 ACT on one bus
    assert found["dimm", "command bus"] == (15 - 1) * 0.625
    alone = {**driven, "dimm.pim.merge_level": ""}
    found = limits([[[0, 2, 8]]], [64], system="recnmp", overrides=alone, **options)
    assert found["dimm", "command bus"] == (6 + 4 + 3 - 1) * 0.625
    found = limits([[[0, 2, 8]]], [64], system="recnmp", overrides=quiet, **options)
    assert ("dimm", "command bus") not in found and ("dimm", "second instruction path") not in found
    staged = {**quiet, "dimm.pim.delivery": "two-stage", "dimm.pim.second_stage_bits_per_cycle": 8}
    found = limits([[[0, 2, 8]]], [64], system="recnmp", overrides=staged, **options)
    assert found["dimm", "second instruction path"] == 2 * 10 * 0.625  # 79 bits; one rank has two at least


def test_a_split_command_bus_takes_a_row_and_a_column_command() -> None:
    profile = [4 * q for q in range(129)]
    simulated = [4 * q for q in (0, 32, 64, 96, 128)]
    overrides = {**IN_ORDER, "placement.hot_share": 1, "hbm.pim.delivery": "host-driven"}
    options: dict[str, Any] = {"system": "heam", "embedding": "qr:4", "vector_bytes": 128, "profile": 0.5}
    found = limits([[profile, simulated]], [1000], overrides=overrides, **options)
    assert found["hbm", "command bus"] == 10 + 2 + 2 - 1  # PIM_RD, PIM_MOV, PIM_RDRES; five ACT beside them


@pytest.mark.parametrize(
    ("system", "overrides", "gap_ns"),
    [
        ("recnmp", {}, 4 * 0.625),  # rank: nCCDS
        ("heam", {}, 2.0),  # bank group of a legacy channel: nCCDL
        ("heam", PSEUDO_CHANNELS, 4.0),  # bank group of a pseudo channel: nCCDL
    ],
)
def test_pe_column_reads_follow_from_the_stop_level(
    system: str, overrides: dict[str, Any], gap_ns: float
) -> None:
    options: dict[str, Any] = {"system": system, "vector_bytes": 256, "profile": 0.5}
    found = limits([[[5], [5]]], [64], overrides=overrides, **options)
    tier = "dimm" if system == "recnmp" else "hbm"
    bursts = 8 if overrides else 4
    assert found[tier, "PE column reads"] == (bursts - 1) * gap_ns


def test_the_estimate_is_not_enforced() -> None:
    """One ACT per operand is what a map without row hits costs; runs with hits may be faster."""
    found = host_dimm([64 * i for i in range(60)])  # all in one DRAM row
    estimate = "activation window, one ACT per operand"
    assert found["dimm", estimate] > found["dimm", "activation window"] == 0.0
    trace = trace_of([[[64 * i for i in range(60)]]], cardinalities=[200_000])
    result = simulate(
        trace, system="host-dimm", embedding="full", vector_bytes=64, profile=0, overrides=DIMM_IN_ORDER
    )
    assert estimate not in {row["resource"] for row in result.ceilings}
    assert estimate in {row["resource"] for row in result.provenance["estimates"]}


def test_a_stack_and_immediates() -> None:
    """Rows 0 and 1 are hot, in channels 0 and 1; 5 and 7 go to channel 0, which also reads out the sum."""
    overrides = {**IN_ORDER, "placement.hot_share": 1, "host.add_bytes_per_cycle": 16}
    found = limits([[[0, 1], [0, 1, 5, 7]]], [64], system="space", profile=0.5, overrides=overrides)
    assert found["hbm", "stack crossbar"] == 1  # two results: one gap
    assert found["hbm", "stack node"] == 2
    assert found["hbm", "host-side bus (immediates)"] == 2  # nBL
    assert found["hbm", "instruction path"] == 3 + 1 + 2 - 1  # instructions, a result, two immediates
    assert found["host", "host adder"] == 64 / 16  # the sum alone
    assert found["dimm", "activation window"] == 4 * 0.625  # tRRD between 5 and 7
    assert found["hbm", "activation window"] == 0  # an immediate opens no row


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_streaming_run_comes_close_to_its_bound(system: str) -> None:
    """Not only below: some ceiling explains most of the time of a long run."""
    trace = mixed_trace(samples=600, cardinalities=(100_000,), longest=16, seed=2)
    overrides = {**NO_LLC, **({"hbm.channels": 1} if "hbm" in tier_names(system) else {})}
    result = simulate(trace, system=system, embedding="full", vector_bytes=512, overrides=overrides)
    assert 0.3 < result.achieved_fraction <= 1
    assert result.bound


def test_a_run_above_its_ceiling_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mixed_trace(samples=12)
    options: dict[str, Any] = {"system": "heam", "embedding": "qr:4", "vector_bytes": 128}
    highest = simulate(trace, **options).ceilings[0]
    real = simulation._execute

    def faster(*arguments: Any, **more: Any) -> simulation.Run:
        return replace(real(*arguments, **more), time_ns=highest["time_ns"] * 0.99)

    monkeypatch.setattr(simulation, "_execute", faster)
    with pytest.raises(CeilingError) as caught:
        simulate(trace, **options)
    assert isinstance(caught.value, CheckError)
    assert highest["resource"] in str(caught.value) and "heam" in str(caught.value)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_enforced_ceiling_is_enforced(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mixed_trace(samples=20, cardinalities=(40, 3000))
    options: dict[str, Any] = {"system": system, "embedding": "qr:4", "vector_bytes": 256}
    rows = [row for row in simulate(trace, **options).ceilings if row["time_ns"] > 0]
    assert len(rows) >= 3
    real = simulation.ceilings
    for target in rows:

        def only(*arguments: Any, target: Any = target, **more: Any) -> Any:
            """All ceilings lifted but one, and that one out of reach."""
            same = [
                row
                for row in real(*arguments, **more)
                if (row["resource"], row["tier"]) == (target["resource"], target["tier"])
            ]
            assert same == [target]
            return [{**row, "time_ns": 1e12} for row in same]

        monkeypatch.setattr(simulation, "ceilings", only)
        with pytest.raises(CeilingError, match="faster than"):
            simulate(trace, **options)


@settings(max_examples=40)
@given(
    st.sampled_from(SYSTEMS),
    st.sampled_from(["full", "qr:4", "qr:8:add"]),
    st.sampled_from([64, 256]),
    st.integers(0, 1000),
    st.booleans(),
    st.sampled_from(["bag", "sample"]),
)
def test_no_run_is_faster_than_its_ceilings(
    system: str, embedding: str, vector_bytes: int, seed: int, cache: bool, scope: Any
) -> None:
    trace = mixed_trace(samples=10, cardinalities=(3, 400, 30_000), longest=8, seed=seed)
    result = simulate(
        trace,
        system=system,
        embedding=embedding,
        vector_bytes=vector_bytes,
        scope=scope,
        overrides={} if cache else NO_LLC,
    )
    for row in result.ceilings:
        assert row["enforced"] and result.time_ns >= row["time_ns"], row


@given(
    st.sampled_from([0, 64, 640, 6400, 1 << 27]),
    st.lists(st.lists(st.integers(0, 63), max_size=40), max_size=8),
)
def test_distinct_keys_are_counted_alike_as_flags_and_sorted(possible: int, parts: list[list[int]]) -> None:
    """Few of many are sorted, many become flags on the way; what was there before is not forgotten."""
    found = _Distinct(possible)
    for part in parts:
        found.add(np.array(part, np.int64))
    if not found._flags.size:
        assert list(found.values()) == sorted({key for part in parts for key in part})
    width = max(possible, 64) // 16 if possible <= 6400 else 4
    blocks = max(possible, 64) // width if possible <= 6400 else 16
    wanted = np.bincount(
        np.array(sorted({key for part in parts for key in part}), np.int64) // width, minlength=blocks
    )
    np.testing.assert_array_equal(found.counts(width, blocks), wanted)
    if possible in (64, 640) and sum(map(len, parts)) > 10:
        assert found._flags.size == possible
