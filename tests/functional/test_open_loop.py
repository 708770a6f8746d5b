# SPDX-License-Identifier: MIT
"""Open loop: what arrivals change in a run, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heam_sim import PoissonArrivals, RegularArrivals, Result, generate, planning, simulate, simulation
from heam_sim.errors import CeilingError, CheckError, ConfigError
from heam_sim.planning import plan, resolved_config
from heam_sim.results import ResultSet
from heam_sim.simulation import _execute, scheduled
from heam_sim.systems import known_systems, load_system
from heam_sim.verification import verify
from tests.fidelity.test_micro_host_dimm import OPTIONS, TRACE
from tests.functional.small import mixed_trace, pim_tier

ZIPF = generate("criteo-kaggle", samples=100)
ARRIVALS = {"process": "poisson", "per_second": None, "load": 0.5, "seed": 4}
BUSY: dict[str, Any] = {"system": "heam", "embedding": "qr:4", "vector_bytes": 128, "scope": "sample"}


def open_loop(system: str) -> dict[str, Any]:
    """What a system needs to be run in an open loop."""
    tier = pim_tier(system)
    return {f"{tier.name}.pim.prefetch": False} if tier and tier.pim and tier.pim.prefetch else {}


def parts(result: Result) -> dict[tuple[str, str], float]:
    return {(row["tier"], row["resource"]): row["time_ns"] for row in result.time_parts if row["time_ns"]}


def test_a_lone_sample_takes_as_long_as_in_a_closed_loop() -> None:
    # docs/models/host-dimm.md: 78 ns from an idle memory. At 1000 ns (channel cycle 1600) the ACT goes at
    # once, 122 cycles before the last data: 1722 x 0.625 = 1076.25, host cycle 1077 adds, 1078 has the sum.
    result = simulate(TRACE, **OPTIONS, arrivals=[1000.0], check=True)
    assert result.time_ns == 1078.0
    assert result.latency_ns == {"mean": 78.0, "p50": 78.0, "p95": 78.0, "p99": 78.0}
    assert result.arrivals["sample_latency_ns"] == result.latency_ns
    assert parts(result)["host", "arrivals"] == 1000.0
    assert sum(parts(result).values()) == 1078.0
    assert (result.bound, result.bound_by) == ("arrivals", "host: arrivals")
    assert result.achieved_fraction == pytest.approx(1000 / 1078)


def test_an_arrival_between_two_host_cycles_waits_for_the_next() -> None:
    # 1000.3 ns is tick 8002.4 of 125 ps: arrival 8003 (1000.375 ns); host cycle 1001; 78 ns later done.
    result = simulate(TRACE, **OPTIONS, arrivals=[1000.3])
    assert result.time_ns == pytest.approx(1001 + 78, abs=1)
    assert result.latency_ns["mean"] == pytest.approx(result.time_ns - 1000.375)


@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("system", known_systems())
def test_every_system_under_a_load(system: str, scope: Any) -> None:
    overrides = {**open_loop(system), "host.llc_bytes": 0}
    options: dict[str, Any] = {**BUSY, "system": system, "scope": scope, "overrides": overrides}
    closed = simulate(ZIPF, **options)
    result = simulate(ZIPF, **options, arrivals=PoissonArrivals(load=0.5), check=True)
    said = result.arrivals
    assert said["closed_loop_samples_per_second"] == pytest.approx(closed.samples_per_second)
    assert said["samples_per_second"] == pytest.approx(closed.samples_per_second / 2)
    assert said["last_arrival_ns"] < result.time_ns
    assert sum(parts(result).values()) == pytest.approx(result.time_ns, rel=1e-12)
    assert ("host", "not traced") not in parts(result)
    assert parts(result)["host", "arrivals"] > 0
    # The same work, only later.
    for tier, counters in closed.counters.items():
        for name in ("rd", "pim_lut", "instructions", *(() if counters["pe_misses"] else ("pim_rd",))):
            assert result.counters[tier][name] == counters[name], (tier, name)
    latency = said["sample_latency_ns"]
    assert latency["mean"] >= result.latency_ns["mean"] * (1 - 1e-12)
    assert latency["p50"] <= latency["p95"] <= latency["p99"] <= result.time_ns


def test_latency_grows_without_bound_beyond_saturation() -> None:
    at = {load: simulate(ZIPF, **BUSY, arrivals=PoissonArrivals(load=load)) for load in (0.1, 0.9, 3.0)}
    mean = {load: result.arrivals["sample_latency_ns"]["mean"] for load, result in at.items()}
    assert mean[0.1] < mean[0.9] < mean[3.0]
    assert at[0.1].samples_per_second < at[0.9].samples_per_second
    # Overloaded, it is as fast as the closed loop, and the last sample waits for most of the run.
    closed = at[3.0].arrivals["closed_loop_samples_per_second"]
    assert at[3.0].samples_per_second == pytest.approx(closed, rel=0.05)
    assert parts(at[0.1])["host", "arrivals"] > 0.5 * at[0.1].time_ns
    assert parts(at[3.0]).get(("host", "arrivals"), 0.0) < 0.1 * at[3.0].time_ns


def test_samples_that_are_all_there_change_nothing_but_latencies() -> None:
    closed = simulate(ZIPF, **BUSY)
    crowd = simulate(ZIPF, **BUSY, arrivals=np.zeros(closed.samples))
    for name in ("time_ns", "counters", "channel_counters", "energy", "time_parts", "power", "bank_reads"):
        assert getattr(crowd, name) == getattr(closed, name), name
    assert crowd.latency_ns["mean"] > closed.latency_ns["mean"]
    assert "arrivals" not in closed.config and closed.arrivals == {}


@pytest.mark.parametrize("packet_samples", [1, 4])
def test_pieces_of_the_trace_and_a_second_thread_change_nothing(
    packet_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"system": "recnmp", "vector_bytes": 64, "check": True}
    options["overrides"] = {"placement.packet_samples": packet_samples}
    options["arrivals"] = PoissonArrivals(per_second=5e6, seed=2)
    trace = mixed_trace(samples=40)
    whole = simulate(trace, **options)
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 20)
    assert simulate(trace, **options) == whole
    assert simulate(trace, threads=2, **options) == whole


def test_dotted_keys_are_the_same() -> None:
    keyword = simulate(ZIPF, **BUSY, arrivals=PoissonArrivals(load=0.5, seed=4))
    dotted = {"arrivals.load": 0.5, "arrivals.seed": 4}
    assert simulate(ZIPF, **BUSY, overrides=dotted) == keyword
    described = {**BUSY, "system": load_system("heam")}
    assert simulate(ZIPF, **described, overrides=dotted) == keyword
    told = resolved_config(**BUSY, overrides=dotted)
    assert told["arrivals"] == keyword.config["arrivals"] == ARRIVALS
    with pytest.raises(ConfigError, match="given twice"):
        simulate(ZIPF, **BUSY, arrivals=1e6, overrides=dotted)


def test_a_result_keeps_it(tmp_path: Any) -> None:
    result = simulate(ZIPF, **BUSY, arrivals=RegularArrivals(per_second=1e6))
    ResultSet([result]).save(tmp_path / "r.h5")
    (found,) = ResultSet.load(tmp_path / "r.h5")
    assert found == result
    row = found.to_frame().iloc[0]
    assert row["offered_samples_per_second"] == 1e6 and np.isnan(row["offered_load"])
    assert row["sample_latency_p99_ns"] == result.arrivals["sample_latency_ns"]["p99"]
    assert np.isnan(simulate(ZIPF, **BUSY).to_frame()["sample_latency_mean_ns"].iloc[0])


def test_prefetching_needs_to_know_what_comes() -> None:
    with pytest.raises(ConfigError, match=r"hbm\.pim\.prefetch = false"):
        simulate(ZIPF, **{**BUSY, "system": "proactivepim"}, arrivals=1e6)


def test_an_engine_that_is_faster_than_the_last_arrival_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = simulation._execute

    def faster(*arguments: Any, **more: Any) -> simulation.Run:
        run = real(*arguments, **more)
        return replace(run, time_ns=0.9 * arguments[0].last_arrival_ns)

    monkeypatch.setattr(simulation, "_execute", faster)
    with pytest.raises(CeilingError, match="arrivals of host"):
        simulate(ZIPF, **BUSY, arrivals=1e5)


@pytest.mark.parametrize("system", ["host-dimm", "heam"])
def test_an_engine_that_does_not_wait_is_found_out(system: str) -> None:
    """The log of a closed loop, held against arrivals that it knows nothing of."""
    planned = plan(ZIPF, **{**BUSY, "system": system}, arrivals=1e6)
    run = _execute(planned, planned.parameters(), with_log=True, progress=None)
    with pytest.raises(CheckError, match=r"comes at tick .* but is read at"):
        verify(scheduled(planned), run)


@pytest.mark.parametrize("system", known_systems())
def test_reads_of_bank_groups_are_those_of_the_counters(system: str) -> None:
    result = simulate(mixed_trace(samples=30), system=system, embedding="qr:4", vector_bytes=128)
    for tier, found in result.bank_reads.items():
        channels = [row for row in result.channel_counters if row["tier"] == tier]
        sums = [sum(groups) for groups in found["reads"]]
        assert sums == [row["rd"] + row["pim_rd"] for row in channels]
        assert found["level"] == "bank_group"
