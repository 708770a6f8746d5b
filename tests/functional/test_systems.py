# SPDX-License-Identifier: MIT
"""From trace to result: every system reads what it must, adds it up right and keeps its books."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim import planning
from heam_sim.errors import ConfigError
from heam_sim.results import Result
from heam_sim.simulation import Run, simulate
from heam_sim.trace import LookupTrace, TraceFile
from tests.functional.small import (
    DIMM_IN_ORDER,
    IN_ORDER,
    PSEUDO_CHANNELS,
    SYSTEMS,
    counted,
    mixed_trace,
    pim_tier,
    run_of,
    tier_names,
    trace_of,
)

# Half of it is the profile: enough to have hot rows that are looked up again.
MIXED = mixed_trace(samples=12)
HALF: Any = {"profile": 0.5}


VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "LUT of three rows, the others in banks": ("heam", "qr:8", {"hbm.pim.lut_bytes": 3 * 128}),
    "LUT of three rows, addition": ("heam", "qr:8:add", {"hbm.pim.lut_bytes": 3 * 128}),
    "no LUT": ("heam", "qr:8", {"hbm.pim.lut_bytes": 0}),
    "nothing hot": ("heam", "qr:8", {"placement.hot_share": 0}),
    "all of the profile hot": ("heam", "qr:8", {"placement.hot_share": 1}),
    "hot and cold on the host": ("host-hbm-dimm", "qr:8", {"placement.hot_share": 0.5}),
    "barrier": ("heam", "qr:8", {"host.batch_gnrs": 4}),
    "barrier, RecNMP": ("recnmp", "qr:8", {"host.batch_gnrs": 4}),
    "one accumulator": ("heam", "qr:8", {"hbm.pim.batch_tags": 1}),
    "one accumulator, RecNMP": ("recnmp", "qr:8", {"dimm.pim.batch_tags": 1}),
    "queues of one": ("heam", "qr:8", {"hbm.pim.queue_depth": 1, "hbm.pim.lut_bytes": 0}),
    "queues of two": ("recnmp", "qr:8", {"dimm.pim.queue_depth": 2}),
    "one read queued": ("host-dimm", "qr:8", {"dimm.read_queue": 1}),
    "slow everything": (
        "heam",
        "qr:8",
        {
            "hbm.pim.path_bits_per_cycle": 17,
            "hbm.pim.decode_cycles": 9,
            "hbm.pim.alu_bytes_per_cycle": 16,
            "hbm.pim.merge_bytes_per_cycle": 8,
            "hbm.pim.lut_bytes_per_cycle": 4,
            "host.add_bytes_per_cycle": 8,
            "host.outstanding_bursts": 2,
            "host.issue_per_cycle": 1,
        },
    ),
    "one GnR in flight": ("heam", "qr:8", {"host.window_gnrs": 1}),
    "no LLC": ("host-hbm-dimm", "qr:8", {"host.llc_bytes": 0}),
    "LLC of one set": ("host-dimm", "qr:8", {"host.llc_bytes": 1024}),
    "pseudo channels": ("heam", "qr:8", PSEUDO_CHANNELS),
    "pseudo channels, overflow": ("heam", "qr:8", {**PSEUDO_CHANNELS, "hbm.pim.lut_bytes": 384}),
    "pseudo channels without PEs": ("host-hbm-dimm", "qr:8", PSEUDO_CHANNELS),
    "tables in order": ("heam", "qr:8", IN_ORDER),
    "tables in order, host": ("host-dimm", "full", DIMM_IN_ORDER),
    "an odd number of channels": ("heam", "qr:8", {"hbm.channels": 3, "dimm.channels": 1}),
    "four ranks": ("recnmp", "qr:8", {"dimm.overrides": {"rank": 4}}),
    "PEs in the base die": ("heam", "qr:8", {"hbm.pim.unit_level": "channel", "hbm.pim.merge_level": ""}),
    "PEs in every bank": ("heam", "qr:8", {"hbm.pim.unit_level": "bank"}),
    "partials straight to the host": ("heam", "qr:8", {"hbm.pim.merge_level": ""}),
    "partials straight to the host, RecNMP": ("recnmp", "qr:8", {"dimm.pim.merge_level": ""}),
    "an adder over the stack": ("heam", "qr:8", {"hbm.pim.merge_level": "stack"}),
    "a stack node": ("heam", "qr:8", {"hbm.pim.stack_bytes_per_cycle": 64}),
    "a stack node with one accumulator": (
        "heam",
        "qr:8",
        {"hbm.pim.stack_bytes_per_cycle": 16, "hbm.pim.stack_tags": 1, "hbm.pim.xmov_cycles": 3},
    ),
    "a stack node over PEs in the base die": (
        "heam",
        "tt:16",
        {"hbm.pim.stack_bytes_per_cycle": 64, "hbm.pim.unit_level": "channel", "hbm.pim.merge_level": ""},
    ),
    "a stack node, pseudo channels": (
        "proactivepim",
        "qr:8:concatenate",
        {**PSEUDO_CHANNELS, "hbm.pim.stack_bytes_per_cycle": 64},
    ),
    "an instruction per lookup": ("heam", "qr:8", {"hbm.pim.instruction_per": "lookup"}),
    "an instruction per lookup, some rows in banks": (
        "heam",
        "pq:4:8",
        {"hbm.pim.instruction_per": "lookup", "hbm.pim.lut_bytes": 12 * 128},
    ),
    "an instruction per lookup, prefetch": (
        "proactivepim",
        "partitions:3",
        {"hbm.pim.instruction_per": "lookup"},
    ),
    "an instruction per lookup, rows at several PEs": (
        "trim-g",
        "partitions:3:add",
        {"dimm.pim.instruction_per": "lookup"},
    ),
    "an instruction per lookup, second stage": (
        "trim-g",
        "qr:8",
        {"dimm.pim.instruction_per": "lookup"},
    ),
    "immediates": ("heam", "qr:8", {"hbm.pim.immediates": True}),
    "immediates, nothing hot": (
        "heam",
        "qr:8:concatenate",
        {"hbm.pim.immediates": True, "placement.hot_share": 0},
    ),
    "immediates for cores, in a stack": (
        "heam",
        "tt:16",
        {"hbm.pim.immediates": True, "hbm.pim.stack_bytes_per_cycle": 64, "hbm.pim.merge_level": "channel"},
    ),
    "immediates for PEs in the base die": (
        "heam",
        "partitions:3",
        {"hbm.pim.immediates": True, "hbm.pim.unit_level": "channel", "hbm.pim.merge_level": ""},
    ),
    "immediates of sums, small rows at home": (
        "proactivepim",
        "qr:8:add",
        {**PSEUDO_CHANNELS, "hbm.pim.immediates": True, "placement.small_tables": "home"},
    ),
    "immediates of small rows whose main row is hot": (
        "space",
        "partitions:3:add",
        {
            "placement.small_tables": "replicated",
            "placement.hot_share": 0.7,
            "hbm.pim.unit_level": "bank_group",
            "hbm.pim.merge_level": "channel",
        },
    ),
    "halves in two tiers": (
        "space",
        "qr:8:concatenate",
        {"placement.small_tables": "replicated", "placement.hot_share": 0.7, "placement.pair_share": 0.0},
    ),
    "pairs without PEs": ("host-hbm-dimm", "qr:8", {"placement.pair_share": 0.5}),
    "pairs beside copies and a cache": (
        "proactivepim",
        "tt:16",
        {"placement.pair_share": 1.0, "hbm.pim.merge_identical": True, "placement.hot_share": 0.5},
    ),
    "immediates straight to units, host-driven": (
        "heam",
        "qr:8",
        {"hbm.pim.immediates": True, "hbm.pim.merge_level": "", "hbm.pim.delivery": "host-driven"},
    ),
    "three partitions, some in the LUT": ("heam", "partitions:3", {"hbm.pim.lut_bytes": 20 * 128}),
    "no LUT for partitions": ("heam", "partitions:4", {"hbm.pim.lut_bytes": 0}),
    "halves, some in the LUT": ("heam", "qr:8:concatenate", {"hbm.pim.lut_bytes": 3 * 64}),
    "halves, nothing hot": ("heam", "qr:8:concatenate", {"placement.hot_share": 0}),
    "halves at home": ("heam", "qr:8:concatenate", {"placement.small_tables": "home"}),
    "cores, some in the LUT": ("heam", "tt:16", {"hbm.pim.lut_bytes": 4096}),
    "cores in pseudo channels": ("heam", "tt:16", {**PSEUDO_CHANNELS, "hbm.pim.lut_bytes": 0}),
    "cores in order": ("heam", "tt:16", {**IN_ORDER, "placement.hot_share": 1}),
    "cores in small pages": ("recnmp", "tt:16", {"dimm.page_bytes": 1024}),
    "cores on the host": ("host-hbm-dimm", "tt:16", {"hbm.page_bytes": 512, "placement.hot_share": 1}),
    "merging": ("heam", "qr:8", {"hbm.pim.merge_identical": True, "hbm.pim.lut_bytes": 0}),
    "merging cores": ("heam", "tt:16", {"hbm.pim.merge_identical": True, "hbm.channels": 1}),
    "a cache beside the LUT": (
        "heam",
        "qr:8",
        {"hbm.pim.cache_bytes": 4096, "hbm.pim.lut_bytes": 512, "hbm.pim.merge_identical": True},
    ),
    "a cache for small rows": (
        "trim-g",
        "partitions:3",
        {"dimm.pim.cache_bytes": 4096, "dimm.pim.cache_rows": "small"},
    ),
    "a cache for slices": ("tensordimm", "qr:8", {"dimm.pim.cache_bytes": 1024, "dimm.pim.cache_ways": 1}),
    "no cache, RecNMP": ("recnmp", "qr:8", {"dimm.pim.cache_bytes": 0}),
    "a tiny cache, RecNMP": ("recnmp", "tt:16", {"dimm.pim.cache_bytes": 8192, "dimm.pim.cache_ways": 1}),
    "stripes in one channel": ("tensordimm", "qr:8:add", {"placement.stripe": "channel"}),
    "slices with instructions of their own": (
        "tensordimm",
        "qr:8:concatenate",
        {"dimm.pim.delivery": "compressed"},
    ),
    "slices merged": ("tensordimm", "partitions:3", {"dimm.pim.merge_level": "dimm"}),
    "host-driven": ("recnmp", "qr:8", {"dimm.pim.delivery": "host-driven"}),
    "host-driven bank groups": ("heam", "qr:8", {"hbm.pim.delivery": "host-driven"}),
    "everything copied": (
        "trim-b",
        "qr:8:add",
        {"placement.replicate_share": 1.0, "placement.dispatch_window": 1},
    ),
    "copies in HBM": ("heam", "qr:8", {"placement.replicate_share": 0.5}),
    "no copies": ("trim-r", "qr:8:concatenate", {"placement.replicate_share": 0.0}),
    "R at home with addition": ("recnmp", "qr:8:add", {"placement.small_tables": "home"}),
}


@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_systems_hold(variant: str, scope: Any) -> None:
    system, embedding, overrides = VARIANTS[variant]
    result = simulate(
        MIXED,
        system=system,
        embedding=embedding,
        vector_bytes=128,
        scope=scope,
        overrides=overrides,
        check=True,
        **HALF,
    )
    assert result.gnrs == (6 if scope == "sample" else 6 * MIXED.tables)


def test_variants_are_what_they_say() -> None:
    """The variants above differ in what is run, so that a check of them says something."""

    def run(variant: str) -> Result:
        system, embedding, overrides = VARIANTS[variant]
        return simulate(
            MIXED, system=system, embedding=embedding, vector_bytes=128, overrides=overrides, **HALF
        )

    plain = simulate(MIXED, system="heam", embedding="qr:8", vector_bytes=128, **HALF)
    overflow = run("LUT of three rows, the others in banks")
    assert overflow.host["lut_reads"] > 0 and overflow.host["replica_reads"] > 0
    assert any("small operands (R, partitions, cores) read from replicas" in note for note in overflow.notes)
    none = run("no LUT")
    assert none.host["lut_reads"] == 0
    assert none.host["replica_reads"] == overflow.host["lut_reads"] + overflow.host["replica_reads"]
    assert run("nothing hot").host["cold_lookups"] == overflow.lookups
    assert 0 < run("all of the profile hot").host["cold_lookups"] < overflow.lookups
    assert run("no LLC").host["llc_hits"] == 0
    cold = run("immediates")
    assert cold.host["cold_lookups"] > 0
    assert cold.counters["hbm"]["pim_wrimm"] == 2 * cold.host["cold_lookups"]
    # The host multiplies: a vector of 128 B less for each lookup; what the PEs have is read out all the same.
    assert cold.host["lines"] == plain.host["lines"]
    fewer = 128 * cold.host["cold_lookups"]
    more = 64 * (cold.host["result_bursts"] - plain.host["result_bursts"])
    assert cold.host["added_bytes"] == plain.host["added_bytes"] - fewer + more
    halves = run("immediates, nothing hot")
    assert halves.host["added_bytes"] == 64 * halves.host["result_bursts"] > 0
    node = run("a stack node").counters["hbm"]
    assert node["pim_xmov"] > node["pim_rdres"] > 0 and node["stack_busy"] == node["pim_xmov"]
    assert run("partials straight to the host").counters["hbm"]["pim_mov"] == 0
    assert plain.counters["hbm"]["pim_mov"] > 0
    for slower in ("barrier", "one accumulator", "one GnR in flight", "slow everything"):
        assert run(slower).time_ns > plain.time_ns, slower


@pytest.mark.parametrize("system", SYSTEMS)
def test_runs_through_refreshes_hold(system: str) -> None:
    """A short refresh interval (assumed) puts many refreshes into a short run."""
    overrides: dict[str, Any] = {
        "dimm.overrides": {"rank": 2, "nREFI": 700},
        "host.window_gnrs": 2,
        "host.llc_bytes": 0,
    }
    if "hbm" in tier_names(system):
        overrides["hbm.overrides"] = {"nREFI": 400}
    trace = mixed_trace(samples=80, cardinalities=(40, 3000), seed=5)
    result = simulate(
        trace, system=system, embedding="qr:4", vector_bytes=256, overrides=overrides, check=True
    )
    for tier, counters in result.counters.items():
        interval = 700 if tier == "dimm" else 400
        ranks = 4 if tier == "dimm" else 8
        due = counters["cycles"] // interval * ranks
        assert due - 9 * ranks <= counters["ref"] <= due + ranks, tier  # at most eight are postponed
        assert counters["ref"] >= 2


@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_traces_at_the_edge_are_legal(system: str, scope: Any) -> None:
    nothing = trace_of([[], []], cardinalities=[5, 9])
    empty_bags = trace_of([[[], []], [[], []]], cardinalities=[5, 9])
    single = trace_of([[[4]], [[8]]], cardinalities=[5, 9])
    some_empty = trace_of([[[], [1, 1], []], [[3], [], []]], cardinalities=[5, 9])
    options: dict[str, Any] = {
        "system": system,
        "embedding": "qr:4",
        "vector_bytes": 64,
        "scope": scope,
        "profile": 0,
        "check": True,
    }
    for trace in (nothing, empty_bags):
        result = simulate(trace, **options)
        assert result.time_ns == 0 and result.lookups == 0
        assert result.gnrs == trace.samples * (1 if scope == "sample" else 2)
        assert result.latency_ns["p99"] == 0
    assert simulate(single, **options).gnrs == (1 if scope == "sample" else 2)
    assert simulate(some_empty, **options).gnrs == (3 if scope == "sample" else 6)


def test_a_profile_that_takes_everything_but_one_sample() -> None:
    result = simulate(MIXED, system="heam", embedding="qr:4", vector_bytes=64, profile=0.99, check=True)
    assert result.samples == 1


# --- the books ---


@pytest.mark.parametrize("embedding", ["full", "qr:4", "qr:8:add", "qr:4:multiply:200"])
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "overrides", [{}, PSEUDO_CHANNELS, {"hbm.pim.lut_bytes": 384}, {"host.llc_bytes": 2048}]
)
def test_what_goes_in_comes_out_once(system: str, embedding: str, overrides: dict[str, Any]) -> None:
    pes = pim_tier(system)
    has = {"host": True, "hbm": "hbm" in tier_names(system), "pim": pes is not None and pes.name == "hbm"}
    kept = {
        key: value for key, value in overrides.items() if has["pim" if ".pim." in key else key.split(".")[0]]
    }
    # Rows that are not read again are counted in a test of their own.
    if pes is not None:
        kept |= {f"{pes.name}.pim.cache_bytes": 0, f"{pes.name}.pim.prefetch": False}
    planned, run = run_of(MIXED, system=system, embedding=embedding, vector_bytes=128, overrides=kept, **HALF)
    items = planned.lowered(0, planned.simulated.samples).items
    assert run.host["items"] == items["kind"].size
    assert run.host["gnrs"] == planned.simulated.samples * MIXED.tables == run.latencies_ns.size
    for layout in planned.placement.layouts.values():
        span = range(layout.first_channel, layout.first_channel + layout.tier.channels)
        bursts_per_line = layout.line_bytes // layout.spec.burst_bytes
        of_tier = np.isin(items["channel"], span)
        for channel in span:
            _books_of_a_channel(run, channel, pim=layout.tier.pim is not None)
        if layout.tier.pim is None:
            continue
        reads = of_tier & (items["kind"] == 1)
        assert counted(run, "pim_rd", span) == int(items["bursts"][reads].sum())
        assert counted(run, "pim_lut", span) == int((of_tier & (items["kind"] == 2)).sum()) == run.lut_reads
        assert counted(run, "instructions", span) == int((of_tier & (items["kind"] > 0)).sum())
        assert sum(counted(run, name, span) for name in ("row_hits", "row_misses", "row_conflicts")) == int(
            reads.sum()
        )
        assert bursts_per_line in (1, 2)
    # Every line is a hit or a read, and every burst that was asked for came.
    per_line = planned.placement.home.line_bytes // planned.placement.home.spec.burst_bytes
    if len({layout.spec.burst_bytes for layout in planned.placement.layouts.values()}) == 1:
        assert (run.host["lines"] - run.host["llc_hits"]) * per_line == run.host["bursts_read"]
    assert run.host["bursts_read"] == counted(run, "rd")
    assert run.host["result_bursts"] == counted(run, "pim_rdres")


def _books_of_a_channel(run: Run, channel: int, *, pim: bool) -> None:
    counters = run.channels[channel]
    assert counters["reads"] == counters["reads_retired"] == counters["reads_completed"]
    assert counters["forwarded"] == counters["coalesced"] == counters["wr"] == 0
    if not pim:
        assert counters["rd"] == counters["reads"]
        kinds = ("row_hits", "row_misses", "row_conflicts")
        assert sum(counters[name] for name in kinds) == counters["reads"]
    names = {name: counters[key] for name, key in (("ACT", "act"), ("PREpb", "pre"), ("RD", "rd"))}
    mine = run.log["command"][run.log["channel"] == channel]
    for name, count in names.items():
        assert count == int((mine == run.command_names.index(name)).sum())


@pytest.mark.parametrize("system", ["recnmp", "trim-g", "proactivepim"])
def test_what_is_read_and_what_is_reused_add_up(system: str) -> None:
    tier = "hbm" if system == "proactivepim" else "dimm"
    overrides = {f"{tier}.pim.merge_identical": True, f"{tier}.pim.cache_bytes": 16384}
    trace = mixed_trace(samples=30, longest=6)
    planned, run = run_of(
        trace, system=system, embedding="qr:8", vector_bytes=128, overrides=overrides, **HALF
    )
    items = planned.lowered(0, planned.simulated.samples).items
    channels = planned.placement.layouts[tier].channels
    mine = np.isin(items["channel"], channels)
    operands = int((mine & (items["kind"] == 1) & (items["role"] != 4)).sum())
    assert counted(run, "pe_hits", channels) + counted(run, "pe_misses", channels) == operands
    assert counted(run, "pe_hits", channels) > operands // 10
    taken = np.isin(run.log["command"], [run.command_names.index(name) for name in ("PE_HIT", "MERGED")])
    fills = (run.log["role"] == 4) & (run.log["command"] == run.command_names.index("PIM_RD"))
    assert 2 * (operands - int(taken.sum())) == counted(run, "pim_rd", channels) - int(fills.sum())
    assert (fills.sum() > 0) == (system == "proactivepim")


def test_what_is_prefetched_is_found_in_the_cache() -> None:
    trace = mixed_trace(samples=40, longest=6, cardinalities=(9, 4000))
    options: dict[str, Any] = {"system": "proactivepim", "embedding": "qr:64", "vector_bytes": 128, **HALF}
    _, ahead = run_of(trace, **options, overrides={"host.window_gnrs": 2})
    _, late = run_of(trace, **options, overrides={"host.window_gnrs": 2, "hbm.pim.prefetch": False})
    assert counted(ahead, "pe_hits") > counted(late, "pe_hits") > 0
    assert counted(ahead, "pe_hits") + counted(ahead, "pe_misses") == counted(late, "pe_hits") + counted(
        late, "pe_misses"
    )


@pytest.mark.parametrize("merge_level", ["channel", ""])
def test_every_sum_leaves_once(merge_level: str) -> None:
    overrides = {"hbm.pim.merge_level": merge_level, "hbm.channels": 2}
    planned, run = run_of(
        MIXED, system="heam", embedding="qr:4", vector_bytes=128, overrides=overrides, **HALF
    )
    lowered = planned.lowered(0, planned.simulated.samples)
    gnr = np.repeat(np.arange(lowered.offsets.size - 1), np.diff(lowered.offsets.astype(np.int64)))
    at_pe = lowered.items["kind"] > 0
    places = {
        (int(g), int(c), int(u))
        for g, c, u in zip(
            gnr[at_pe], lowered.items["channel"][at_pe], lowered.items["unit"][at_pe], strict=True
        )
    }
    sums = places if not merge_level else {place[:2] for place in places}
    assert counted(run, "pim_rdres") == 2 * len(sums)
    assert counted(run, "pim_mov") == (2 * len(places) if merge_level else 0)
    assert len(places) > len({place[:2] for place in places}) > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_energy_parts_sum_and_power_is_energy_over_time(system: str) -> None:
    result = simulate(MIXED, system=system, embedding="qr:4", vector_bytes=256)
    assert result.energy_pJ == pytest.approx(
        sum(part.value for part in result.energy.components_pJ.values()), rel=1e-12
    )
    assert result.energy_pJ == pytest.approx(
        sum(part.value for part in result.energy.by_component().values()), rel=1e-12
    )
    assert result.average_power_W == pytest.approx(result.energy_pJ / result.time_ns * 1e-3, rel=1e-12)
    assert result.lookups_per_second == pytest.approx(result.lookups / result.time_ns * 1e9)
    assert result.energy.total_pJ.low < result.energy_pJ < result.energy.total_pJ.high


def test_the_host_pays_for_the_products_that_it_forms() -> None:
    """Two lookups of a table that stays whole, none of the one that is split: nothing is multiplied."""
    trace = trace_of([[[3, 4]], [[]]], cardinalities=[100, 1000])
    options: dict[str, Any] = {"vector_bytes": 64, "profile": 0}
    split = simulate(trace, system="host-dimm", embedding="qr:4:multiply:200", **options)
    whole = simulate(trace, system="host-dimm", embedding="full", **options)
    assert split.energy.by_component()["host"] == whole.energy.by_component()["host"]


def test_latencies_span_the_run() -> None:
    _, run = run_of(MIXED, system="heam", embedding="qr:4", vector_bytes=64, **HALF)
    assert run.latencies_ns.min() >= 0
    assert run.latencies_ns.max() <= run.time_ns


# --- the same input gives the same result ---


def _options(system: str) -> dict[str, Any]:
    # A window of three GnRs for the dispatcher, so that no chunk must be long.
    overrides = {"placement.dispatch_window": 3}
    return {
        "system": system,
        "embedding": "qr:4",
        "vector_bytes": 128,
        "scope": "bag",
        "overrides": overrides,
        **HALF,
    }


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_repeat_gives_the_identical_result(system: str) -> None:
    again = LookupTrace(MIXED.indices, MIXED.offsets, MIXED.cardinalities, MIXED.provenance)
    assert simulate(MIXED, **_options(system)) == simulate(again, **_options(system))
    assert simulate(MIXED, check=True, **_options(system)) == simulate(MIXED, **_options(system))


@pytest.mark.parametrize("lookups", [1, 5, 17])
@pytest.mark.parametrize("system", SYSTEMS)
def test_chunks_change_nothing(system: str, lookups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mixed_trace(samples=23, seed=3)
    _, whole = run_of(trace, **_options(system))
    expected = simulate(trace, **_options(system))
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", lookups)
    planned, pieces = run_of(trace, **_options(system))
    assert len(planned.chunks()) > 1
    assert np.array_equal(pieces.log, whole.log)
    assert simulate(trace, **_options(system)) == expected


def test_progress_counts_samples_up_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 5)
    seen: list[int] = []
    simulate(MIXED, progress=seen.append, **_options("heam"))
    assert seen == sorted(seen) and len(seen) > 1 and seen[-1] == 6


def test_threads_do_not_disturb_each_other() -> None:
    trace = mixed_trace(samples=60, seed=9)
    one_by_one = [simulate(trace, **_options(system)) for system in SYSTEMS]

    def run(system: str) -> Result:
        return simulate(trace, **_options(system))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, SYSTEMS)) == one_by_one


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_second_thread_changes_nothing(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a file, in many pieces, and with both checks."""
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 16)
    trace = mixed_trace(samples=24)
    trace.save(tmp_path / "trace.h5")
    options: dict[str, Any] = {"system": system, "embedding": "qr:4", "vector_bytes": 128, "check": True}
    one = simulate(trace, **options)
    assert len(run_of(trace, system=system, embedding="qr:4", vector_bytes=128)[0].chunks()) > 1
    with TraceFile(tmp_path / "trace.h5") as stored:
        assert simulate(stored, threads=2, **options) == one


def test_what_goes_wrong_in_the_second_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_CHUNK_LOOKUPS", 16)
    lower, calls = planning.lower, []

    def fails_later(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise ConfigError("the third piece")
        return lower(*args, **kwargs)

    monkeypatch.setattr(planning, "lower", fails_later)
    with pytest.raises(ConfigError, match="the third piece"):
        simulate(mixed_trace(samples=24), system="heam", threads=2)
    for threads in (0, 1.5, True):
        with pytest.raises(ConfigError, match=r"threads must be a whole number of at least 1"):
            simulate(mixed_trace(samples=2), threads=threads)  # type: ignore[arg-type]
