# SPDX-License-Identifier: MIT
"""Bags whose parts are pooled before they are composed: another sum, which every system must give as well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.embedding import QR, EmbeddingScheme, Partitions, sum_bytes
from heam_sim.embedding.reference import pooled, row_values, weight_values
from heam_sim.errors import ConfigError
from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace
from tests.functional.small import SYSTEMS, functional, mixed_trace, run_of, trace_of

TRACE = mixed_trace(samples=12)
WEIGHTED = LookupTrace.from_arrays(
    TRACE.indices,
    TRACE.offsets,
    cardinalities=TRACE.cardinalities,
    weights=[np.arange(one.size) / 8 for one in TRACE.indices],
)
HALF: dict[str, Any] = {"profile": 0.5, "vector_bytes": 128}


def by_loops(trace: LookupTrace, scheme: EmbeddingScheme, vector_bytes: int, burst: int) -> list[list[int]]:
    """The definition: a sum for every part of every bag, then their product."""
    parts = scheme.subtables(trace.cardinalities, vector_bytes)
    bags = []
    for sample in range(trace.samples):
        for table in range(trace.tables):
            first, last = trace.offsets[table][sample : sample + 2]
            product = np.ones(vector_bytes // burst * 2, object)
            sums: dict[int, Any] = {part.id: 0 for part in parts if part.table == table}
            for at in range(first, last):
                weight = 1
                if trace.weights is not None:
                    weight = int(weight_values(trace.weights[table][at : at + 1])[0])
                for operand in scheme.operands(table, trace.indices[table][at : at + 1], parts):
                    row = row_values(operand.subtable_id, operand.rows, vector_bytes // burst)
                    sums[operand.subtable_id] = sums[operand.subtable_id] + weight * row.reshape(-1)
            for one in sums.values():
                product = product * one
            bags.append([int(value) for value in product])
    return bags


@given(
    st.lists(st.lists(st.lists(st.integers(0, 40), max_size=4), min_size=2, max_size=2), max_size=4),
    st.sampled_from(
        [QR(4, pool_first=True), QR(3, threshold=9, pool_first=True), Partitions(3, pool_first=True)]
    ),
    st.booleans(),
)
def test_the_ground_truth_is_the_definition(
    bags: list[list[list[int]]], scheme: EmbeddingScheme, weighted: bool
) -> None:
    rows = [9, 41]
    columns = [[[i % rows[table] for i in sample[table]] for sample in bags] for table in range(2)]
    trace = trace_of(columns, cardinalities=rows)
    if weighted:
        weights = [np.arange(one.size) / 4 for one in trace.indices]
        trace = LookupTrace.from_arrays(trace.indices, trace.offsets, cardinalities=rows, weights=weights)
    found = pooled(trace, scheme, 128, 64, "bag")
    assert found.shape == (2 * len(bags), 2, 2)
    assert [bag.reshape(-1).tolist() for bag in found] == by_loops(trace, scheme, 128, 64)


def test_it_is_another_model_only_where_bags_are_long_and_rows_multiplied() -> None:
    one_hot = trace_of([[[3], [17], [3]]], cardinalities=[20])
    long = trace_of([[[3, 17], [5, 5], []]], cardinalities=[20])
    for first, then in (("qr:4:multiply", True), ("qr:4:add", False), ("qr:4:concatenate", False)):
        compose: Any = first.split(":")[-1]
        same = [
            np.array_equal(
                pooled(trace, QR(4, compose), 128, 64, "bag"),
                pooled(trace, QR(4, compose, pool_first=True), 128, 64, "bag"),
            )
            for trace in (one_hot, long)
        ]
        assert same == [True, not then]


@pytest.mark.parametrize("compose", ["add", "concatenate"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_sums_of_sums_are_run_as_they_are(system: str, compose: str) -> None:
    plain, first = (
        simulate(TRACE, system=system, embedding=f"qr:4:{compose}{order}", **HALF)
        for order in ("", ":pool-first")
    )
    assert plain.time_ns == first.time_ns and plain.counters == first.counters
    assert plain.energy == first.energy


def run(system: str, embedding: str, **overrides: Any) -> Result:
    return simulate(TRACE, system=system, embedding=embedding, overrides=overrides, **HALF)


def test_every_part_has_a_sum_of_its_own_to_be_moved_and_multiplied() -> None:
    """As many reads as with addition, which has one sum; R needs no copies, as products of rows do."""
    quiet = {"dimm.pim.cache_bytes": 0}
    added, first, product = (
        run("recnmp", name, **quiet) for name in ("qr:4:add", "qr:4:pool-first", "qr:4:multiply")
    )
    assert first.counters["dimm"]["pim_rd"] == added.counters["dimm"]["pim_rd"]
    assert first.host["replica_reads"] == added.host["replica_reads"] == 0 < product.host["replica_reads"]
    moved = [result.counters["dimm"]["pim_rdres"] for result in (added, first)]
    assert moved[0] < moved[1] <= 2 * moved[0]


def test_the_host_multiplies_once_for_a_bag() -> None:
    """Bags of 3, 0 and 2 lookups of a table with two parts and a whole one; 64 B are 16 elements."""
    trace = trace_of([[[3, 4, 9], [], [1, 1]], [[1], [2], [3]]], cardinalities=[1000, 7])
    for embedding, products in (
        ("qr:4:multiply:7:pool-first", 2),
        ("partitions:3:multiply:0:7:pool-first", 4),
        ("qr:4:multiply:7", 5),
        ("qr:4:add:7", 0),
    ):
        _, done = run_of(trace, system="host-dimm", embedding=embedding, vector_bytes=64, profile=0)
        assert done.work.host_multiplies == 16 * products, embedding


@pytest.mark.parametrize("name", ["PIM_RD", "PIM_RDRES"])
def test_a_broken_sum_is_found_out(name: str) -> None:
    for system in ("recnmp", "trim-g", "heam", "tensordimm"):
        planned, done = run_of(WEIGHTED, system=system, embedding="qr:4:pool-first", **HALF)
        assert functional(planned, done, done.log).ok
        which = np.flatnonzero(done.log["command"] == done.command_names.index(name))
        assert not functional(planned, done, np.delete(done.log, which[0])).ok
        # What belongs to R's sum goes to Q's.
        swapped = done.log.copy()
        swapped["column"][which[0]] ^= 2
        assert not functional(planned, done, swapped).ok


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_two_models_are_told_apart(system: str) -> None:
    """The log of a run that multiplies rows is no run of the other model, though it reads the same rows."""
    planned, done = run_of(TRACE, system=system, embedding="qr:4", **HALF)
    assert functional(planned, done, done.log).ok
    other = functional(replace(planned, scheme=QR(4, pool_first=True)), done, done.log)
    assert other.counts["sum"] > 0 and "operand" not in other.counts


def test_what_cannot_be_pooled_first_is_refused() -> None:
    with pytest.raises(ConfigError, match="pools all tables into one vector before; use scope 'bag'"):
        simulate(TRACE, embedding="qr:4:pool-first", scope="sample")
    with pytest.raises(ConfigError, match="pool_first must be True or False, not 1"):
        QR(4, pool_first=1)  # type: ignore[arg-type]
    assert sum_bytes(Partitions(8, pool_first=True).subtables([5000], 1024)) == 8192
    with pytest.raises(ConfigError, match=r"pooled into 128 bursts .* at most 64"):
        simulate(TRACE, system="recnmp", embedding="partitions:8:pool-first", vector_bytes=1024)
