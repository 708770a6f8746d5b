# SPDX-License-Identifier: MIT
"""Results made by hand for the tests of results and figures."""

from __future__ import annotations

from heam_sim.energy import HostActivity, TierActivity, compute_energy, load_power
from heam_sim.results import Result, ResultSet

SYSTEMS = ("host-dimm", "host-hbm-dimm", "recnmp", "heam")


def make_result(system="host-dimm", *, collisions=4, vector_bytes=64, scope="bag", speed=1.0, **changes):
    """A result whose run takes 1000 ns over ``speed`` for 10 samples."""
    time_ns = 1000.0 / speed
    tier = TierActivity(
        name="dimm",
        power=load_power("ddr4-3200-8gb-x8"),
        burst_bytes=64,
        counts={"act": 10, "rd": 10 * vector_bytes // 64, "ref": 1},
        ranks=4,
        rank_active_ns=time_ns,
    )
    fields = {
        "system": system,
        "embedding": f"qr-c{collisions}-multiply",
        "vector_bytes": vector_bytes,
        "scope": scope,
        "samples": 10,
        "gnrs": 260,
        "lookups": 520,
        "time_ns": time_ns,
        "latency_ns": {"mean": 0.1 + 0.2, "p50": 1.0, "p95": 2.0, "p99": 1e-300},
        "counters": {"dimm": dict(tier.counts)},
        "channel_counters": [{"channel": 0, "rd": 2**63, "hit_rate": 1 / 3}],
        "host": {"llc_hits": 7},
        "energy": compute_energy([tier], HostActivity(add_bytes=640), time_ns),
        "ceilings": [{"resource": "tFAW", "time_ns": 400.0}, {"resource": "host-side bus", "time_ns": 500.0}],
        "config": {"embedding": {"kind": "qr", "collisions": collisions}, "window": None, "note": "µ"},
        "provenance": {"trace_hash": "ab12", "software_version": "0.1.0"},
        "notes": ("capacity_scale = 2", "refresh on"),
    }
    return Result(**(fields | changes))


def make_study(scopes=("sample",), collisions=(4, 8), sizes=(64, 512), systems=SYSTEMS):
    """All systems in every configuration; the i-th system is i + 1 times as fast as the first."""
    return ResultSet(
        make_result(system, collisions=c, vector_bytes=size, scope=scope, speed=i + 1.0)
        for scope in scopes
        for c in collisions
        for size in sizes
        for i, system in enumerate(systems)
    )
