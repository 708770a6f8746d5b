# SPDX-License-Identifier: MIT
"""What a run rests on: memories, energy numbers, traces, and which of these are assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from heam_sim.dram.explain import show_table
from heam_sim.energy import PowerFile, load_power
from heam_sim.report.configuration import description_sources, sound
from heam_sim.results import Result

__all__ = ["assumed_table", "memories_table", "sources_table", "traces_of"]

_ASSUMED = "assum"
_OF_MEMORY = ("memory", "overrides", "capacity_scale", "power")
_COLUMNS = ["part", "of", "value", "source"]
#: Holds the numbers of PEs, LUTs and the host, for every system (heam_sim.energy).
_LOGIC = "logic"
#: Of a memory's table, in the order in which people ask for them.
_FACTS = {
    "standard": "standard",
    "tCK": "tCK_ps",
    "data rate": "data_rate_MTps",
    "capacity": "capacity_MiB_per_channel",
    "peak": "peak_GBps_per_channel",
}


def _tiers(results: Iterable[Result]) -> dict[str, tuple[Mapping[str, Any], list[str]]]:
    """Every memory as tiers configure it, with the systems and tiers that use it."""
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for result in results:
        for tier in result.config.get("system", {}).get("tiers", ()):
            key = " ".join(str(tier.get(name)) for name in _OF_MEMORY)
            users = found.setdefault(key, (tier, []))[1]
            user = f"{result.system}: {tier.get('name')}"
            if user not in users:
                users.append(user)
    return found


def _resolved(tier: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a tier's memory in this version; none if it does not have it."""
    rows: list[dict[str, Any]] | None = sound(
        show_table,
        str(tier.get("memory")),
        overrides=dict(tier.get("overrides") or {}) or None,
        capacity_scale=int(tier.get("capacity_scale") or 1),
    )
    return rows or []


def memories_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return a row per memory that a tier uses: what it is, who uses it, and its sources."""
    rows = []
    for tier, users in _tiers(results).values():
        resolved = _resolved(tier)
        general = {row["name"]: row for row in resolved if row["section"] == "general"}
        row: dict[str, Any] = {"memory": tier.get("memory"), "changed": _changed(tier)}
        for name, column in _FACTS.items():
            row[column] = _number(general[name]["value"]) if name in general else None
        row["used_by"] = "; ".join(users)
        row["sources"] = "; ".join(dict.fromkeys(str(part["source"]) for part in general.values()))
        row["power"] = tier.get("power")
        rows.append(row)
    return pd.DataFrame(rows)


def _changed(tier: Mapping[str, Any]) -> str:
    said = [f"{key} = {value}" for key, value in (tier.get("overrides") or {}).items()]
    if (tier.get("capacity_scale") or 1) != 1:
        said.append(f"capacity scaled by {tier['capacity_scale']}")
    return ", ".join(said)


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _power_files(results: Sequence[Result]) -> list[PowerFile]:
    names = dict.fromkeys(str(tier.get("power")) for tier, _ in _tiers(results).values())
    files = [sound(load_power, name) for name in (*names, _LOGIC)] if names else []
    return [file for file in files if file is not None]


def _all_sources(results: Sequence[Result]) -> pd.DataFrame:
    """Every source that a run has: of descriptions, memories, energy numbers and traces."""
    rows: list[tuple[str, str, str, str]] = []
    by_text: dict[tuple[str, str], list[str]] = {}
    for system, part, source in description_sources(results):
        by_text.setdefault((part, source), []).append(system)
    for (part, source), systems in by_text.items():
        rows.append((f"description: {part}", ", ".join(systems), "", source))
    for tier, _ in _tiers(results).values():
        rows += _memory_rows(tier)
    for file in _power_files(results):
        for key, value in file.values.items():
            rows.append((f"energy: {file.name}", key, _interval(value.interval), value.source))
    for trace in traces_of(results):
        rows += [
            (f"trace {trace['name']}", key, "", str(text))
            for key, text in trace["provenance"].items()
            if isinstance(text, str) and (key == "cardinalities" or _ASSUMED in text.lower())
        ]
    return pd.DataFrame(list(dict.fromkeys(rows)), columns=_COLUMNS)


def _memory_rows(tier: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Sources of a memory, with the names of what each of them says."""
    said: dict[str, list[str]] = {}
    for row in _resolved(tier):
        names = said.setdefault(str(row["source"]), [])
        if row["name"] not in names:
            names.append(str(row["name"]))
    name = f"memory: {tier.get('memory')}"
    return [(name, ", ".join(names), "", source) for source, names in said.items()]


def _interval(interval: Any) -> str:
    if interval.low == interval.high:
        return f"{interval.value:g}"
    return f"{interval.value:g} ({interval.low:g} to {interval.high:g})"


def _is_assumed(table: pd.DataFrame) -> pd.Series:
    return table["source"].str.lower().str.contains(_ASSUMED, regex=False)


def assumed_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return everything whose source says that it is assumed: ``part, of, value, source``."""
    table = _all_sources(results)
    return table[_is_assumed(table)].reset_index(drop=True)


def sources_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return everything whose source is a publication, a standard or another simulator."""
    table = _all_sources(results)
    return table[~_is_assumed(table)].reset_index(drop=True)


def traces_of(results: Sequence[Result], names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return every trace once: ``name, hash, provenance, results, samples, lookups``.

    Parameters
    ----------
    results
        Of a set.
    names
        Of traces by their hash; by default dataset and beginning of the hash.
    """
    found: dict[str, dict[str, Any]] = {}
    for result in results:
        key = str(result.provenance.get("trace_hash", ""))
        provenance = dict(result.provenance.get("trace") or {})
        usual = " ".join(filter(None, (str(provenance.get("dataset", "")), key[:12])))
        one = found.setdefault(
            key,
            {
                "name": (names or {}).get(key, usual or "unknown"),
                "hash": key,
                "provenance": provenance,
                "results": 0,
                "samples": result.samples,
                "lookups": result.lookups,
            },
        )
        one["results"] += 1
    return list(found.values())
