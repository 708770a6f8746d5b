# SPDX-License-Identifier: MIT
"""Work arrays and what they ask for, against the slow references: lookup by lookup, item by item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heam_sim import bounds
from heam_sim._core import FLAG_CACHE, FLAG_CARRIED
from heam_sim.bounds import Demand
from heam_sim.embedding import QR
from heam_sim.errors import ConfigError
from heam_sim.planning import Plan, plan
from heam_sim.trace import LookupTrace
from tests.functional.small import SYSTEMS, mixed_trace
from tests.functional.test_matrix import SCHEMES
from tests.functional.test_systems import VARIANTS
from tests.reference.demand import SlowDemand
from tests.reference.lowering import SlowLowering

MIXED = mixed_trace(samples=8)
ONE_HOT = LookupTrace.from_arrays(
    [np.array(rows) for rows in ([0, 1, 1, 0, 2, 1], [30, 30, 8, 8, 8, 30], [999, 5, 70, 999, 5, 6])],
    cardinalities=[3, 40, 1000],
    weights=[np.arange(6) / 4] * 3,
)
FIXED_BAGS = LookupTrace.from_arrays(
    [np.arange(18) % 5, np.arange(6) * 7],
    [np.arange(7) * 3, np.arange(7)],
    cardinalities=[5, 50],
)
#: Those that lowering has a case of its own for; the others are slow tests.
QUICK = (
    "LUT of three rows, the others in banks",
    "LUT of three rows, addition",
    "nothing hot",
    "hot and cold on the host",
    "no LLC",
    "an odd number of channels",
    "three partitions, some in the LUT",
    "halves, some in the LUT",
    "cores, some in the LUT",
    "cores in small pages",
    "a cache beside the LUT",
    "a cache for slices",
    "stripes in one channel",
    "slices with instructions of their own",
    "slices merged",
    "everything copied",
    "copies in HBM",
    "R at home with addition",
    "an instruction per lookup, some rows in banks",
    "an instruction per lookup, prefetch",
    "an instruction per lookup, rows at several PEs",
)
#: As many lookups in every sample, but not of the same tables.
EQUAL_SUMS = LookupTrace.from_arrays(
    [np.array([1, 2, 0, 1, 1, 0]), np.array([3, 40, 41, 7, 7, 7])],
    [np.array([0, 2, 3, 5, 6]), np.array([0, 1, 3, 4, 6])],
    cardinalities=[5, 50],
)
OF_UNITS = ("reads", "port_cycles", "alu_bursts", "alu_cycles")
OF_CHANNELS = ("instructions", "operands", "host_bursts", "partials", "results", "stack_sums", "immediates")


def assert_lowered(planned: Plan, start: int, stop: int) -> None:
    """Equal work arrays, counts and demand of some samples."""
    fast, slow = planned._lower(start, stop), SlowLowering(planned, start, stop)
    assert fast.offsets.dtype == np.uint64
    assert np.array_equal(fast.offsets, slow.offsets)
    for name, expected in slow.items.items():
        assert fast.items[name].dtype == expected.dtype
        assert np.array_equal(fast.items[name], expected), name
    for name in ("cold_lookups", "lut_reads", "replica_reads", "spread_reads", "pair_reads", "shared"):
        assert getattr(fast, name) == slow.counts[name], name
    carried = np.count_nonzero(slow.items["flags"] & FLAG_CARRIED)
    assert fast.carried == carried - slow.counts["shared"]  # those that are decoded anew
    for name in ("pe_adds", "pe_multiplies", "host_multiplies", "lut_bytes"):
        assert getattr(fast.work, name) == slow.counts[name], name
    assert_demand(planned, start, stop)


def assert_demand(planned: Plan, start: int, stop: int) -> None:
    """Equal demand of some samples, added in two pieces (where that cuts no window of the dispatcher)."""
    layouts = planned.placement.layouts.values()
    burst_bytes = [layout.spec.burst_bytes for layout in layouts for _ in layout.channels]
    fast = Demand(len(burst_bytes), max(layout.units for layout in layouts))
    middle = start if planned.placement.spread.rows.size else (start + stop) // 2
    for piece in ((start, middle), (middle, stop)):
        fast.add(planned._lower(*piece), planned.placement)
    whole, pim = planned._lower(start, stop), planned.placement.pim_layout
    port = pim.tier.pim.lut_bytes_per_cycle if pim is not None and pim.tier.pim is not None else 1
    slow = SlowDemand(
        whole.items,
        whole.offsets,
        burst_bytes=burst_bytes,
        line_bytes=planned.placement.home.line_bytes,
        port=port,
        stack=pim.channels if pim and pim.tier.pim and pim.tier.pim.stack_bytes_per_cycle else range(0),
    )
    for name in (*OF_UNITS, *OF_CHANNELS):
        expected = np.zeros_like(getattr(fast, name))
        for at, value in slow.sums[name].items():
            expected[at] = value
        assert np.array_equal(getattr(fast, name), expected), name
    assert (fast.host_lines, fast.added_lines) == (slow.host_lines, slow.added_lines)
    if planned.placement.reuses_rows:
        units = fast.units
        keys = [(channel * units + unit) << 44 | line for channel, unit, line in slow.pe_rows]
        assert fast.pe_rows.values().tolist() == sorted(keys)
        assert fast.shortest == min(slow.pe_rows.values(), default=0)
    if planned.system.host.llc_bytes:
        found = {
            (first >> 48, (first & ~(-1 << 48)) + line)
            for lines, firsts in fast.lines.items()
            for first in firsts.values().tolist()
            for line in range(lines)
        }
        assert found == slow.lines
        assert sum(lines * firsts.values().size for lines, firsts in fast.lines.items()) == len(found)
    assert_rows(fast, slow, planned)


def assert_rows(fast: Demand, slow: SlowDemand, planned: Plan) -> None:
    """Equal distinct DRAM rows of every bank."""
    specs = [layout.spec for layout in planned.placement.layouts.values()]
    banks, rows = max(spec.banks for spec in specs), max(spec.rows for spec in specs)
    expected = np.zeros((fast.channels, banks), np.int64)
    for channel, bank, _ in slow.rows:
        expected[channel, bank] += 1
    assert fast.rows is not None
    assert fast.rows.counts(rows, expected.size).tolist() == expected.ravel().tolist()


def planned_for(
    system: str, embedding: str, scope: Any, vector_bytes: int, trace: LookupTrace
) -> Plan | None:
    try:
        return plan(
            trace, system=system, embedding=embedding, scope=scope, vector_bytes=vector_bytes, profile=0.5
        )
    except ConfigError:  # refused combinations: tests/functional
        return None


@pytest.mark.parametrize(
    "trace", [MIXED, ONE_HOT, FIXED_BAGS, EQUAL_SUMS], ids=["bags", "one-hot", "fixed bags", "equal sums"]
)
@pytest.mark.parametrize("system", SYSTEMS)
def test_systems(system: str, trace: LookupTrace) -> None:
    for number, embedding in enumerate(("full", "qr:4", "tt:16")):
        planned = planned_for(system, embedding, ("bag", "sample")[number % 2], 128, trace)
        if planned is not None:
            assert_lowered(planned, 0, planned.simulated.samples)


@pytest.mark.parametrize("vector_bytes", [64, 512])
@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("embedding", SCHEMES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_all_schemes(system: str, embedding: str, scope: Any, vector_bytes: int) -> None:
    planned = planned_for(system, embedding, scope, vector_bytes, MIXED)
    if planned is not None:
        assert_lowered(planned, 0, planned.simulated.samples)


@pytest.mark.parametrize(
    "variant", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS]
)
def test_variants(variant: str) -> None:
    assert set(QUICK) < set(VARIANTS)
    system, embedding, overrides = VARIANTS[variant]
    planned = plan(
        MIXED, system=system, embedding=embedding, vector_bytes=128, profile=0.5, overrides=overrides
    )
    assert_lowered(planned, 0, planned.simulated.samples)


def test_rows_that_may_be_kept_come_with_another_slice() -> None:
    overrides = {"placement.stripe": "channel", "dimm.pim.cache_bytes": 1024, "dimm.pim.cache_ways": 1}
    planned = plan(MIXED, system="tensordimm", embedding="qr:8", vector_bytes=256, overrides=overrides)
    flags = planned._lower(0, planned.simulated.samples).items["flags"]
    assert (flags == FLAG_CACHE | FLAG_CARRIED).any()
    assert_lowered(planned, 0, planned.simulated.samples)


def test_few_flags_or_many_rows_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memories with more rows than flags are kept for: sorted sets instead."""
    planned = plan(MIXED, system="heam", embedding=QR(4), vector_bytes=128, profile=0.5)
    monkeypatch.setattr(bounds, "_FLAGS", 1000)
    assert_demand(planned, 0, planned.simulated.samples)
