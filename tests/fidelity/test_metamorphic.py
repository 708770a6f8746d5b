# SPDX-License-Identifier: MIT
"""What must follow when a parameter changes, whatever the numbers are.

More of a resource never slows a run down by more than NOISE: another number of channels or ranks gives every
row another place, and an order of service that is better at one point can be worse at another; 2.5 % is the
most that was seen (ranks of a DIMM doubled). A change that leaves places and orders alone has no such excuse.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from heam_sim import LookupTrace, Result, generate, simulate
from heam_sim.systems import Tier, known_systems, load_system

NOISE = 1.03
SYSTEMS = known_systems()
BASE: dict[str, Any] = {"host.llc_bytes": 0}
#: Without what keeps PEs from reading rows (caches) or puts several into one (pairs): with it the number of
#: reads is not a matter of sizes alone.
CACHED = {
    name: {
        f"{tier.name}.pim.{key}": value
        for tier in load_system(name).tiers
        if tier.pim and tier.pim.cache_bytes
        for key, value in (("cache_bytes", 0), ("prefetch", False))
    }
    | ({"placement.pair_share": 0.0} if load_system(name).placement.pair_share else {})
    for name in SYSTEMS
}


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=60, seed=2, pooling=6)


def run(trace: LookupTrace, system: str, overrides: dict[str, Any] | None = None, **options: Any) -> Result:
    wanted = {"embedding": "qr:4", "vector_bytes": 128, "scope": "bag", **options}
    return simulate(trace, system=system, overrides={**BASE, **(overrides or {})}, **wanted)


def more(tier: Tier) -> dict[str, Any]:
    """Every parameter of a tier of which there can be more, doubled."""
    found: dict[str, Any] = {
        "channels": 2 * tier.channels,
        "overrides": {**tier.overrides, "rank": 2 * tier.overrides.get("rank", 1)},
        "read_queue": 2 * tier.read_queue,
    }
    pim = tier.pim
    if pim is not None:
        names = (
            "batch_tags",
            "queue_depth",
            "instruction_buffer",
            "alu_bytes_per_cycle",
            "merge_bytes_per_cycle",
        )
        names += ("path_bits_per_cycle", "second_stage_bits_per_cycle", "lut_bytes", "lut_bytes_per_cycle")
        names += ("cache_bytes",)
        found |= {f"pim.{name}": 2 * getattr(pim, name) for name in names if getattr(pim, name)}
    return {f"{tier.name}.{key}": value for key, value in found.items()}


HOST = {
    "host.issue_per_cycle": 16,
    "host.outstanding_bursts": 1024,
    "host.add_bytes_per_cycle": 1024,
    "host.window_gnrs": 128,
    "host.llc_bytes": 1 << 20,
}
CHANGES = [
    (name, key, value)
    for name in SYSTEMS
    for key, value in {
        **HOST,
        **{k: v for tier in load_system(name).tiers for k, v in more(tier).items()},
    }.items()
]


@pytest.fixture(scope="module")
def base(trace: LookupTrace) -> dict[str, Result]:
    return {name: run(trace, name) for name in SYSTEMS}


@pytest.mark.parametrize(("system", "key", "value"), CHANGES)
def test_more_is_never_slower(
    trace: LookupTrace, base: dict[str, Result], system: str, key: str, value: Any
) -> None:
    assert run(trace, system, {key: value}).time_ns <= base[system].time_ns * NOISE


def test_a_larger_lut_is_never_slower(trace: LookupTrace) -> None:
    sizes = (0, 128, 1024, 4096, 16384, 131072)
    results = [run(trace, "heam", {"hbm.pim.lut_bytes": size}) for size in sizes]
    reads = [result.counters["hbm"]["pim_rd"] for result in results]
    assert all(after.time_ns <= before.time_ns * NOISE for before, after in pairwise(results))
    assert all(after <= before for before, after in pairwise(reads)) and reads[-1] < reads[0]


def test_a_lut_of_zero_bytes_is_no_lut(trace: LookupTrace) -> None:
    empty = run(trace, "heam", {"hbm.pim.lut_bytes": 0})
    without = run(trace, "heam", {"placement.small_tables": "replicated"})
    assert empty.time_ns == without.time_ns
    assert empty.counters == without.counters and empty.energy == without.energy
    assert empty.counters["hbm"]["pim_lut"] == empty.counters["hbm"]["pim_wrlut"] == 0


@pytest.mark.parametrize("system", [name for name in SYSTEMS if load_system(name).placement.hot_share])
def test_a_hot_share_of_one_needs_no_cold_tier(trace: LookupTrace, system: str) -> None:
    """The profile is the very part that is simulated, so all its rows are hot."""
    twice = LookupTrace.from_arrays(
        [np.concatenate((indices, indices)) for indices in trace.indices],
        [np.concatenate((offsets, offsets[1:] + offsets[-1])) for offsets in trace.offsets],
        cardinalities=trace.cardinalities,
    )
    result = run(twice, system, {"placement.hot_share": 1.0}, profile=0.5)
    cold = result.counters[load_system(system).placement.tier]
    assert cold["rd"] == cold["act"] == 0
    assert run(twice, system, {"placement.hot_share": 0.5}, profile=0.5).counters["dimm"]["rd"] > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_twice_the_vector_is_twice_the_column_reads(trace: LookupTrace, system: str) -> None:
    small, large = (run(trace, system, CACHED[system], vector_bytes=size) for size in (128, 256))
    for tier, counters in small.counters.items():
        for name in ("rd", "pim_rd"):  # partials follow the places, which change with the size
            assert large.counters[tier][name] == 2 * counters[name], (tier, name)
        assert large.counters[tier]["pim_lut"] == counters["pim_lut"]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("compose", ["multiply", "add"])
def test_one_collision_reads_the_full_table_and_one_row_of_r(
    trace: LookupTrace, system: str, compose: str
) -> None:
    """With c = 1 every index has a Q row of its own, and R has a single row that every lookup reads too."""
    full = run(trace, system, CACHED[system], embedding="full")
    one = run(trace, system, CACHED[system], embedding=f"qr:1:{compose}")

    def operands(result: Result) -> int:
        return sum(tier["rd"] + tier["pim_rd"] + 2 * tier["pim_lut"] for tier in result.counters.values())

    assert operands(full) == 2 * full.lookups  # two bursts of 64 bytes
    assert operands(one) == 2 * operands(full)


def test_a_pair_takes_the_place_of_two_operands(trace: LookupTrace) -> None:
    """Also composed ones: four rows."""
    for embedding, operands in (("full", 1), ("qr:4", 2), ("partitions:3", 3)):
        result = run(trace, "space", embedding=embedding)
        read = sum(tier["rd"] + tier["pim_rd"] for tier in result.counters.values())
        pairs = result.host["pair_reads"]
        assert pairs > 0 and read == 2 * (operands * (result.lookups - 2 * pairs) + pairs)


@pytest.mark.parametrize("system", SYSTEMS)
def test_more_collisions_than_rows_leave_one_row_of_q(system: str) -> None:
    """Then R is the table and Q one row per table: the result is checked on integers."""
    rng = np.random.default_rng(1)
    small = LookupTrace.from_arrays([rng.integers(0, 50, 200) for _ in range(3)], cardinalities=[50, 50, 50])
    many, exact = (run(small, system, embedding=f"qr:{c}", check=True) for c in (5000, 50))
    assert many.counters == exact.counters and many.time_ns == exact.time_ns
