# SPDX-License-Identifier: MIT
"""What a result says per lookup, and how far it is from the bandwidth of every level: counters to ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from heam_sim.dram import Spec, earliest_gap
from heam_sim.embedding import parse_embedding
from heam_sim.results import Result
from heam_sim.systems import System, Tier, system_from_dict

__all__ = ["LEVELS", "bandwidth_rows", "measures", "model_bytes"]

#: Levels that data cross on their way from the cells to the host.
LEVELS = ("bank", "bank group", "rank", "host bus")
_LEVEL_OF_PE = {"bank": 0, "bank_group": 1, "host": 3}  # all others sit behind the rank's (or via's) bus: 2


def measures(result: Result) -> dict[str, float]:
    """Return ratios of a run's counters; NaN where a system has no such part.

    ``bank_vectors_per_lookup`` (bytes read from banks over those of a vector), ``column_reads_per_lookup``
    (bursts), ``activates_per_lookup``, ``row_hit_rate`` (of accesses to banks), ``llc_hit_rate`` (of the
    host's lines), ``lut_share`` (of all operands of the PEs), ``pe_cache_hit_rate`` (of those that a PE with
    a cache has from banks or cache), ``cold_share`` (of the lookups).
    """
    tiers = list(result.counters.values())
    read_bytes = sum(
        (tier["rd"] + tier["pim_rd"]) * spec.burst_bytes
        for tier, (_, spec) in zip(tiers, _tiers(result), strict=True)
    )
    accesses = sum(tier["row_hits"] + tier["row_misses"] + tier["row_conflicts"] for tier in tiers)
    operands = _sum(tiers, "instructions") + result.host.get("shared_instructions", 0)
    cacheable = sum(tier["pe_hits"] + tier["pe_misses"] for tier in tiers)
    return {
        "bank_vectors_per_lookup": _share(read_bytes, result.lookups * result.vector_bytes),
        "column_reads_per_lookup": _share(_sum(tiers, "rd") + _sum(tiers, "pim_rd"), result.lookups),
        "activates_per_lookup": _share(_sum(tiers, "act"), result.lookups),
        "row_hit_rate": _share(_sum(tiers, "row_hits"), accesses),
        "llc_hit_rate": _share(result.host["llc_hits"], result.host["lines"]),
        "lut_share": _share(result.host["lut_reads"], operands),
        "pe_cache_hit_rate": _share(_sum(tiers, "pe_hits"), cacheable),
        "cold_share": _share(result.host["cold_lookups"], result.lookups),
    }


def _sum(tiers: list[Mapping[str, int]], name: str) -> int:
    return sum(tier[name] for tier in tiers)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _tiers(result: Result) -> list[tuple[Tier, Spec]]:
    """Tiers that hold rows, in the order of the result's counters, with their memories."""
    system: System = system_from_dict(result.config["system"], where="result")
    by_name = {tier.name: tier for tier in system.tiers}
    return [(by_name[name], by_name[name].spec()) for name in result.counters]


def bandwidth_rows(result: Result) -> list[dict[str, Any]]:
    """Return, per tier and level, what it could carry and what it carried.

    Returns
    -------
    list of dict
        ``tier``, ``level`` (:data:`LEVELS`, then ``"instructions"``), ``peak_GBps`` and ``used_GBps`` (NaN
        for instructions, which are counted in slots of their path), ``used_share``, and
        ``roof_lookups_per_second``: the rate at which the level alone would be full with the same bytes per
        lookup (infinite where nothing crosses it).
    """
    rows = []
    for tier, spec in _tiers(result):
        counters = result.counters[tier.name]
        moved = _bytes_by_level(tier, spec, counters)
        for level, peak, count in zip(LEVELS, _peaks(tier, spec), moved, strict=True):
            used = count / result.time_ns if result.time_ns else math.nan
            rows.append(_row(result, tier.name, level, used / peak, peak_GBps=peak, used_GBps=used))
        if tier.pim is not None:
            cycles = tier.channels * result.time_ns * 1000 / float(spec.tCK_ps)
            share = _share(counters["path_busy"], cycles)
            rows.append(
                _row(result, tier.name, "instructions", share, peak_GBps=math.nan, used_GBps=math.nan)
            )
    return rows


def _row(result: Result, tier: str, level: str, share: float, **bandwidth: float) -> dict[str, Any]:
    roof = result.lookups_per_second / share if share > 0 else math.inf
    head: dict[str, Any] = {"tier": tier, "level": level, **bandwidth}
    return {**head, "used_share": share, "roof_lookups_per_second": roof}


def _peaks(tier: Tier, spec: Spec) -> list[float]:
    """GB/s that all nodes of each level of a tier carry together."""
    per_cycle = {
        "bank": spec.nodes("bank") / earliest_gap(spec, "RD", "RD", "bank"),
        "bank group": spec.nodes("bank_group") / earliest_gap(spec, "RD", "RD", "bank_group")
        if "bank_group" in spec.levels
        else spec.nodes("bank") / earliest_gap(spec, "RD", "RD", "bank"),
        "rank": spec.nodes(spec.second_level)
        / max(earliest_gap(spec, "RD", "RD", "rank"), spec.timing["nBL"]),
        "host bus": spec.nodes(spec.host_bus_level) / spec.timing["nBL"],
    }
    bytes_per_ns = spec.burst_bytes * 1000 / float(spec.tCK_ps)
    return [per_cycle[level] * bytes_per_ns * tier.channels for level in LEVELS]


def _bytes_by_level(tier: Tier, spec: Spec, counters: Mapping[str, int]) -> list[int]:
    """Bytes that cross each level: reads for the host all, those for PEs up to the PE, sums beyond it."""
    bursts = [counters["rd"]] * len(LEVELS)
    if tier.pim is not None:
        unit = _LEVEL_OF_PE.get(tier.pim.unit_level, 2)
        merge = _LEVEL_OF_PE.get(tier.pim.merge_level, 2) if tier.pim.merge_level else unit
        for level in range(len(LEVELS)):
            if level <= unit:
                bursts[level] += counters["pim_rd"]
            elif level <= merge:
                bursts[level] += counters["pim_mov"]
            else:
                bursts[level] += counters["pim_rdres"]
    return [count * spec.burst_bytes for count in bursts]


def model_bytes(embedding: str, cardinalities: Any, vector_bytes: int) -> int:
    """Bytes of all subtables of a model."""
    subtables = parse_embedding(embedding).subtables(cardinalities, vector_bytes)
    return sum(table.rows * table.row_bytes for table in subtables)
