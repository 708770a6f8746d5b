# SPDX-License-Identifier: MIT
"""Resolved configurations as settings under dotted keys: what results share, and what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heam_sim.errors import HeamSimError
from heam_sim.results import Result
from heam_sim.systems import known_systems, load_system

__all__ = ["Change", "changes", "factors", "flat_system", "labels", "settings", "shipped_settings", "written"]

#: Of a run, in the order in which people name them.
_OF_RUN = ("system", "embedding", "vector_bytes", "scope")
#: Words about a setting, which are no setting.
_WORDS = ("source", "title", "name")
_NOTHING = "(not there)"


def written(value: Any) -> str:
    """Write a setting as descriptions do: lists and tables short, ``none`` for nothing."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 0.0 and 0 are one setting
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {written(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value) or "none"
    return str(value) if value != "" else "none"


def flat_system(system: Mapping[str, Any]) -> dict[str, Any]:
    """Return a system's settings by the dotted keys of overrides, e.g. ``hbm.pim.batch_tags``.

    Parameters
    ----------
    system
        As :meth:`heam_sim.systems.System.to_dict` and a result's ``config["system"]`` have it.
    """
    found: dict[str, Any] = {}
    parts = [("placement", system.get("placement")), ("host", system.get("host"))]
    parts = [(str(tier.get("name")), tier) for tier in system.get("tiers", ())] + parts
    for name, part in parts:
        for key, value in (part or {}).items():
            if key == "pim" and isinstance(value, Mapping):
                found |= {f"{name}.pim.{one}": item for one, item in value.items() if one not in _WORDS}
            elif key not in _WORDS:
                found[f"{name}.{key}"] = value
    return found


def settings(result: Result) -> dict[str, Any]:
    """Return everything that was set for a run: the names of the run, its profile, its system's settings."""
    found: dict[str, Any] = {key: getattr(result, key) for key in _OF_RUN}
    if "profile" in result.config:
        found["profile"] = result.config["profile"]
    return found | flat_system(result.config.get("system", {}))


def shipped_settings(system: str) -> dict[str, Any] | None:
    """Return the settings of a system as this version ships it; None if it does not."""
    if system not in known_systems():
        return None
    return flat_system(load_system(system).to_dict())


@dataclass(frozen=True)
class Change:
    """A setting in which results differ from their system's description.

    Attributes
    ----------
    system, setting
        Which.
    shipped
        What the description says; empty where there is none.
    values
        What the results have, with how many of them do.
    """

    system: str
    setting: str
    shipped: str
    values: tuple[tuple[str, int], ...]


def changes(results: Iterable[Result]) -> list[Change]:
    """Return the settings in which results differ from the shipped description, or from each other."""
    by_system: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        flat = flat_system(result.config.get("system", {}))
        by_system.setdefault(result.system, []).append(flat)
    found = []
    for system, flats in by_system.items():
        shipped = shipped_settings(system)
        for key in dict.fromkeys(key for flat in flats for key in flat):
            values = Counter(written(flat.get(key, _NOTHING)) for flat in flats)
            usual = None if shipped is None else written(shipped.get(key, _NOTHING))
            if len(values) > 1 or (usual is not None and set(values) != {usual}):
                found.append(Change(system, key, usual or "", tuple(values.items())))
    return found


def factors(results: Sequence[Result]) -> dict[str, list[Any]]:
    """Return what varies: name of the factor to its value in every result (None where it has none).

    First what names a run, with ``trace`` (the beginning of its hash) where there are several; then every
    setting that results of one and the same system have differently. What only follows from another choice
    of system is not listed.
    """
    found: dict[str, list[Any]] = {}
    traces = [str(result.provenance.get("trace_hash", ""))[:12] for result in results]
    if len(set(traces)) > 1:
        found["trace"] = traces
    every = [settings(result) for result in results]
    for key in (*_OF_RUN, "profile"):
        values = [one.get(key) for one in every]
        if len({written(value) for value in values}) > 1:
            found[key] = values
    for change in changes(results):
        if len(change.values) > 1 and change.setting not in found:
            found[change.setting] = [one.get(change.setting) for one in every]
    return found


def labels(results: Sequence[Result], varied: Mapping[str, Sequence[Any]] | None = None) -> list[str]:
    """Return a short name of every result, made of what varies; numbered where that is not enough."""
    varied = factors(results) if varied is None else varied
    found = []
    for number, result in enumerate(results):
        parts = [_short(key, values[number]) for key, values in varied.items() if values[number] is not None]
        found.append(", ".join(parts) or result.system)
    seen: Counter[str] = Counter()
    for number, label in enumerate(found):
        seen[label] += 1
        if seen[label] > 1:
            found[number] = f"{label} #{seen[label]}"
    return found


def _short(key: str, value: Any) -> str:
    if key == "vector_bytes":
        return f"{value} B"
    if "." not in key and key != "profile":
        return str(value)
    return f"{key.rpartition('.')[2]} {written(value)}"


def common(results: Sequence[Result]) -> dict[str, str]:
    """Return the settings that all results have, with the same value."""
    every = [settings(result) for result in results]
    return {
        key: written(value)
        for key, value in every[0].items()
        if all(key in one and written(one[key]) == written(value) for one in every)
    }


def side_by_side(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Return systems, and per setting that they do not share a row: its name, then a value per system.

    A setting that varies within a system shows all its values.
    """
    by_system: dict[str, dict[str, list[str]]] = {}
    for result in results:
        part = by_system.setdefault(result.system, {})
        for key, value in flat_system(result.config.get("system", {})).items():
            values = part.setdefault(key, [])
            if written(value) not in values:
                values.append(written(value))
    rows = []
    for key in dict.fromkeys(key for part in by_system.values() for key in part):
        cells = [" | ".join(part.get(key, ["–"])) for part in by_system.values()]
        if len(set(cells)) > 1:
            rows.append([key, *cells])
    return list(by_system), rows


def described(result: Result) -> dict[str, Any]:
    """Return what a system is, in words: its title, its source, a line per tier, placement and host."""
    system = result.config.get("system", {})
    lines = [
        (str(tier.get("name")), _tier(tier), str(tier.get("source", ""))) for tier in system.get("tiers", ())
    ]
    placement, host = system.get("placement") or {}, system.get("host") or {}
    if placement:
        lines.append(("placement", _placement(placement), str(placement.get("source", ""))))
    if host:
        lines.append(("host", _host(host), str(host.get("source", ""))))
    return {
        "name": result.system,
        "title": str(system.get("title", result.system)),
        "source": str(system.get("source", "")),
        "lines": lines,
    }


def _tier(tier: Mapping[str, Any]) -> str:
    said = f"{tier.get('channels')} × {tier.get('memory')}"
    if tier.get("overrides"):
        said += f" with {written(tier['overrides'])}"
    pim = tier.get("pim")
    if not pim:
        return f"{said}; no PEs"
    said += f"; PEs at {pim.get('unit_level')}"
    if pim.get("merge_level"):
        said += f", sums merged at {pim['merge_level']}"
    for key, name in (("lut_bytes", "LUT"), ("cache_bytes", "cache")):
        if pim.get(key):
            said += f", {name} of {pim[key] / 1024:g} KiB"
    return said


def _placement(placement: Mapping[str, Any]) -> str:
    said = f"{placement.get('policy')}, home {placement.get('tier')}"
    if placement.get("policy") == "hot-cold":
        said += f", {placement.get('hot_share')} of the accesses in {placement.get('hot_tier')}"
    return f"{said}, {placement.get('partition')} partition, small tables: {placement.get('small_tables')}"


def _host(host: Mapping[str, Any]) -> str:
    cache = host.get("llc_bytes") or 0
    said = f"LLC of {cache / 2**20:g} MiB" if cache else "no LLC"
    return f"{said}, {host.get('outstanding_bursts')} bursts and {host.get('window_gnrs')} GnRs in flight"


def description_sources(results: Iterable[Result]) -> list[tuple[str, str, str]]:
    """Return where descriptions have their numbers from: system, part and the source's words, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for result in results:
        system = result.config.get("system", {})
        found[result.system, "system", str(system.get("source", ""))] = None
        for tier in system.get("tiers", ()):
            found[result.system, f"tier {tier.get('name')}", str(tier.get("source", ""))] = None
            if tier.get("pim"):
                found[result.system, f"PEs of {tier.get('name')}", str(tier["pim"].get("source", ""))] = None
        for part in ("placement", "host"):
            if system.get(part):
                found[result.system, part, str(system[part].get("source", ""))] = None
    return [row for row in found if row[2]]


def sound(make: Any, *arguments: Any, **options: Any) -> Any:
    """Look something up in this version; None where it does not have what a file of another one names."""
    try:
        return make(*arguments, **options)
    except HeamSimError:
        return None
