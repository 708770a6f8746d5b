# SPDX-License-Identifier: MIT
"""Reads architecture descriptions from TOML, with overrides by dotted keys."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from heam_sim.dram.loader import OWN_FILE
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.systems.model import Host, Pim, Placement, System, Tier

__all__ = ["known_systems", "load_system", "system_from_dict", "system_text"]

_T = TypeVar("_T")
_HOST_FILE = "host.toml"


def known_systems() -> tuple[str, ...]:
    """Return the names of the architectures that come with heam_sim.

    Returns
    -------
    tuple of str
        For :func:`load_system`.
    """
    folder = resources.files("heam_sim.systems") / "data"
    return tuple(
        sorted(
            item.name.removesuffix(".toml")
            for item in folder.iterdir()
            if item.name.endswith(".toml") and item.name != _HOST_FILE
        )
    )


def load_system(name: str | Path, *, overrides: Mapping[str, Any] | None = None) -> System:
    """Load an architecture.

    Parameters
    ----------
    name
        One of :func:`known_systems`, or the path of a TOML file of the same form. Paths of memories and power
        files in it start at its folder.
    overrides
        Values to change, by dotted keys: ``"host.llc_bytes"``, ``"placement.hot_share"``,
        ``"hbm.pim.lut_bytes"`` (tiers by their names), ``"hbm.memory"``. Paths start at the current folder.

    Returns
    -------
    System
        Sizes in bytes, periods in ps, latencies in cycles, as the keys say.

    Raises
    ------
    ConfigError
        An unknown system or key (with the nearest known one), a missing key or a value that cannot be.
    """
    if not isinstance(name, str | Path):
        raise ConfigError(
            f"system: needs a name or a path, not {type(name).__name__}; known: {', '.join(known_systems())}."
        )
    if overrides is not None and not isinstance(overrides, Mapping):
        raise ConfigError(
            f"overrides: needs a mapping of dotted keys to values, not {type(overrides).__name__}."
        )
    where, data = _read(name)
    if "host" in data:
        raise ConfigError(
            f"{where}: has a table [host], but the host is one for all systems; override host.* keys instead."
        )
    data["host"] = _section(_parse(_data_text(_HOST_FILE), _HOST_FILE), "host", _HOST_FILE)
    for key, value in (overrides or {}).items():
        _override(data, key, value)
    return _build_system(data, where)


def _data_text(file: str) -> str:
    return (resources.files("heam_sim.systems") / "data" / file).read_text(encoding="utf-8")


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: is no TOML: {error}; mend the line.") from None


def _read(name: str | Path) -> tuple[str, dict[str, Any]]:
    if isinstance(name, str) and name in known_systems():
        return f"{name}.toml", _parse(_data_text(f"{name}.toml"), f"{name}.toml")
    path = Path(name)
    return str(path), _from_folder(_parse(system_text(name), str(path)), path.parent)


def system_text(name: str | Path) -> str:
    """Return the TOML text of an architecture; parameters and errors as in :func:`load_system`."""
    if isinstance(name, str) and name in known_systems():
        return _data_text(f"{name}.toml")
    path = Path(name)
    if path.suffix != ".toml":
        raise unknown_name("system", str(name), known_systems())
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a system description: {error}.") from None


def _from_folder(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let relative paths of memories and power files start at the folder of the file that names them."""
    tiers = data.get("tier")
    for tier in tiers if isinstance(tiers, list) else ():
        for key in ("memory", "power"):
            value = tier.get(key) if isinstance(tier, dict) else None
            if isinstance(value, str) and (OWN_FILE in value or value.endswith(".toml")):
                tier[key] = (folder / value).as_posix()
    return data


def _section(data: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    section = data.get(key)
    if not isinstance(section, dict):
        raise ConfigError(f"{where}: needs a table [{key}].")
    return copy.deepcopy(section)


def _override(data: dict[str, Any], key: str, value: Any) -> None:
    if not isinstance(key, str):
        raise ConfigError(f"overrides: key {key!r} is no text; write a dotted key such as 'host.llc_bytes'.")
    *path, last = key.split(".")
    node: Any = data
    for depth, part in enumerate(path):
        tiers = {tier.get("name"): tier for tier in data.get("tier", [])} if depth == 0 else {}
        choices: dict[str, Any] = {**{k: v for k, v in node.items() if isinstance(v, dict)}, **tiers}
        if part not in choices:
            raise unknown_name("part", part, choices, where=f"override {key!r}")
        node = choices[part]
    if not path or (last not in node and last not in _optional(data, node)):
        raise unknown_name(
            "key", last, node if path else ["host.*", "placement.*", "<tier>.*"], where=f"override {key!r}"
        )
    node[last] = value


def _optional(data: Mapping[str, Any], node: Any) -> set[str]:
    """Keys that a part of a description may have without writing them down."""
    if node is data.get("placement"):
        return {item.name for item in fields(Placement)}
    if any(node is tier for tier in data.get("tier", [])):
        return {item.name for item in fields(Tier)} - {"pim"}
    if any(node is tier.get("pim") for tier in data.get("tier", [])):
        return {item.name for item in fields(Pim)}
    return set()


def _make(cls: type[_T], section: Mapping[str, Any], where: str) -> _T:
    """Build a record, refusing unknown and missing keys and demanding a source."""
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    for key in section:
        if key not in known:
            raise unknown_name("key", key, known, where=where)
    for name, item in known.items():
        if name not in section and item.default is MISSING:
            raise ConfigError(f"{where}: key {name!r} is missing; add it.")
    source = section.get("source", "")
    if not isinstance(source, str) or not source.strip():
        raise ConfigError(
            f"{where}: source is empty; name where the numbers come from, or write 'assumed: ...'."
        )
    _check_types(cls, section, where)
    return cls(**section)


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "int | None": ((int,), "a whole number"),
    "float | None": ((int, float), "a number"),
    "bool | str": ((bool, str), "true, false or the name of a refresh"),
    "int | str": ((int, str), "a whole number or the name of a timing value"),
    "Mapping[str, Any]": ((dict,), "a table"),
}


def _check_types(cls: type, section: Mapping[str, Any], where: str) -> None:
    """Hold plain values against the annotations of the record; records and choices check themselves."""
    for item in fields(cls):
        if item.name not in section or item.type not in _TYPES:
            continue
        types, what = _TYPES[str(item.type)]
        value = section[item.name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ConfigError(f"{where}: {item.name} is {value!r}; it must be {what}.")


def _build_tier(section: dict[str, Any], where: str) -> Tier:
    section = dict(section)
    name = section.get("name", "?")
    pim = section.pop("pim", None)
    built = _make(Pim, pim, f"{where}: [tier.pim] of {name}") if pim is not None else None
    return _make(Tier, {**section, "pim": built}, f"{where}: [[tier]] {name}")


def _build_system(data: dict[str, Any], where: str) -> System:
    for key in data:
        if key not in ("system", "tier", "placement", "host"):
            raise unknown_name("table", key, ("system", "tier", "placement"), where=where)
    tiers = data.get("tier")
    if not isinstance(tiers, list) or not tiers:
        raise ConfigError(f"{where}: needs at least one [[tier]].")
    head = _section(data, "system", where)
    parts = {
        "tiers": tuple(_build_tier(tier, where) for tier in tiers),
        "placement": _make(Placement, _section(data, "placement", where), f"{where}: [placement]"),
        "host": _make(Host, data["host"], "host"),
    }
    return _make(System, {**head, **parts}, f"{where}: [system]")


def system_from_dict(data: Mapping[str, Any], *, where: str = "description") -> System:
    """Build an architecture from what :meth:`System.to_dict` gave, e.g. out of a stored result.

    Parameters
    ----------
    data
        Plain types, as JSON holds them.
    where
        Beginning of messages.

    Returns
    -------
    System
        Equal to the one that was described.

    Raises
    ------
    ConfigError
        As :func:`load_system`.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: is {type(data).__name__}; give the mapping that System.to_dict returns.")
    rest = copy.deepcopy(dict(data))
    tiers = [
        {key: value for key, value in tier.items() if value is not None}  # None: left out
        for tier in rest.pop("tiers", ())
    ]
    tables = {"tier": tiers, "placement": rest.pop("placement", None), "host": rest.pop("host", None)}
    return _build_system({"system": rest, **tables}, where)
