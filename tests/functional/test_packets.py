# SPDX-License-Identifier: MIT
"""Bags that are sent table by table: another order of the same work, and every result under its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim import planning
from heam_sim.errors import ConfigError
from heam_sim.lowering import bags_in_order
from heam_sim.simulation import simulate
from heam_sim.trace import TraceFile
from tests.functional.small import SYSTEMS, functional, mixed_trace, run_of

TRACE = mixed_trace(samples=17, seed=4)
OPTIONS: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 128, "profile": 0.2}  # 14 samples are run


def spelled_out(samples: int, tables: int, packet: int) -> list[int]:
    """The order as three loops."""
    order = []
    for first in range(0, samples, packet):
        for table in range(tables):
            for sample in range(first, min(first + packet, samples)):
                order.append(sample * tables + table)
    return order


@given(st.integers(0, 12), st.integers(1, 5), st.integers(1, 15))
def test_the_order_is_that_of_three_loops(samples: int, tables: int, packet: int) -> None:
    places = np.arange(samples * tables)
    order = bags_in_order(places, samples=samples, tables=tables, packet_samples=packet)
    assert order.tolist() == spelled_out(samples, tables, packet)


@pytest.mark.parametrize("packet", [1, 4, 100])
@pytest.mark.parametrize("system", SYSTEMS)
def test_bags_finish_in_that_order_where_one_follows_the_other(system: str, packet: int) -> None:
    overrides = {"host.window_gnrs": 1, "placement.packet_samples": packet}
    planned, run = run_of(TRACE, system=system, overrides=overrides, **OPTIONS)
    tables = planned.simulated.tables
    assert run.gnrs.tolist() == spelled_out(planned.simulated.samples, tables, packet)
    empty = np.concatenate([np.diff(cuts)[:, None] for cuts in planned.whole().offsets], axis=1).ravel() == 0
    assert empty.any()
    assert ((run.latencies_ns == 0) == empty[run.gnrs]).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("system", SYSTEMS)
def test_sums_hold(system: str, weighted: bool) -> None:
    weights = [np.arange(one.size) / 8 for one in TRACE.indices] if weighted else None
    trace = TRACE.from_arrays(
        TRACE.indices, TRACE.offsets, cardinalities=TRACE.cardinalities, weights=weights
    )
    overrides = {"placement.packet_samples": 4}
    packed = simulate(trace, system=system, overrides=overrides, check=True, **OPTIONS)
    plain = simulate(trace, system=system, **OPTIONS)
    assert packed.lookups == plain.lookups and packed.gnrs == plain.gnrs


@pytest.mark.parametrize("system", ["host-dimm", "recnmp"])
def test_a_result_under_another_name_is_found_out(system: str) -> None:
    planned, run = run_of(TRACE, system=system, overrides={"placement.packet_samples": 4}, **OPTIONS)
    assert functional(planned, run, run.log).ok
    order = planned.gnrs_in_order(np.arange(planned.simulated.samples * planned.simulated.tables))
    admitted = run.log.copy()
    admitted["tag"] = np.argsort(order)[run.log["tag"]]
    assert not functional(planned, run, admitted).ok


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_pooled_sample_has_one_order(system: str) -> None:
    results = [
        simulate(
            TRACE, system=system, scope="sample", overrides={"placement.packet_samples": packet}, **OPTIONS
        )
        for packet in (1, 4)
    ]
    assert results[0].time_ns == results[1].time_ns and results[0].counters == results[1].counters


@pytest.mark.parametrize("system", ["host-hbm-dimm", "trim-g", "proactivepim"])
def test_chunks_do_not_cut_packets(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = {"placement.packet_samples": 4, "placement.dispatch_window": 6}
    options = {**OPTIONS, "system": system, "overrides": overrides}
    trace = mixed_trace(samples=50, seed=3)
    _, whole = run_of(trace, **options)
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 5)
    planned, pieces = run_of(trace, **options)
    assert len(planned.chunks()) > 2
    assert np.array_equal(pieces.log, whole.log) and np.array_equal(pieces.gnrs, whole.gnrs)


def test_a_trace_in_a_file_has_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mixed_trace(samples=50, seed=3)
    trace.save(tmp_path / "trace.h5")
    options = {**OPTIONS, "system": "recnmp", "overrides": {"placement.packet_samples": 4}}
    whole = simulate(trace, **options)
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 5)
    with TraceFile(tmp_path / "trace.h5") as stored:
        assert simulate(stored, check=True, **options) == whole


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "all"])
def test_what_is_no_number_of_samples_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="packet_samples"):
        simulate(TRACE, system="recnmp", overrides={"placement.packet_samples": wrong}, **OPTIONS)
