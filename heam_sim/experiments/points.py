# SPDX-License-Identifier: MIT
"""Points of a study: what is simulated, under which key its result is kept, and where."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heam_sim._version import __version__
from heam_sim.arrivals import split_overrides
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.lowering import Scope
from heam_sim.planning import resolved_config
from heam_sim.results import Result, ResultSet
from heam_sim.results.atomic import remove_leftovers
from heam_sim.systems import load_system

__all__ = ["Point", "PointStore", "arguments_key", "freeze", "point_key", "software_digest"]

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = (".py", ".toml", ".so")
#: Rooms that no simulation depends on.
AROUND = ("analysis", "cli", "experiments", "plotting", "report", "timelines")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One simulation of a study.

    Attributes
    ----------
    trace
        Name of one of the study's traces.
    system, embedding, vector_bytes, scope, profile
        As in :func:`heam_sim.simulate`.
    overrides
        Changed parameters as sorted pairs (see :func:`freeze`).
    variant
        What the study calls the change; it does not enter the key.
    """

    trace: str
    system: str
    embedding: str = "full"
    vector_bytes: int = 256
    scope: Scope = "bag"
    profile: float = 0.2
    overrides: tuple[tuple[str, Any], ...] = ()
    variant: str = "default"

    @property
    def label(self) -> str:
        """For people: what tells this point from its neighbours."""
        changed = [f"{key} = {thaw(value)}" for key, value in self.overrides]
        tail = changed if self.variant == "default" else [self.variant]
        return ", ".join([f"{self.system} {self.embedding} {self.vector_bytes} B", *tail])

    def arguments(self) -> dict[str, Any]:
        """Return the keywords of :func:`heam_sim.simulate`."""
        return {
            "system": self.system,
            "embedding": self.embedding,
            "vector_bytes": self.vector_bytes,
            "scope": self.scope,
            "profile": self.profile,
            "overrides": {key: thaw(value) for key, value in self.overrides},
        }

    def resolved(self) -> dict[str, Any]:
        """Return the same keywords with system and arrivals as objects: no file is needed to simulate them.

        Raises
        ------
        ConfigError
            There is no such system, or it cannot be changed like this.
        """
        arguments = self.arguments()
        arrivals, overrides = split_overrides(arguments.pop("overrides"))
        system = load_system(arguments.pop("system"), overrides=overrides)
        return {"system": system, **arguments, **({} if arrivals is None else {"arrivals": arrivals})}


def freeze(overrides: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Turn overrides into sorted, hashable pairs; values may be nested lists and tables.

    Parameters
    ----------
    overrides
        Values by dotted keys.

    Returns
    -------
    tuple of pairs
        Key and value, sorted by key.
    """
    return tuple(sorted((key, _frozen(value)) for key, value in overrides.items()))


@dataclass(frozen=True)
class _Table:
    """A frozen mapping; tuples alone could not be told from lists."""

    pairs: tuple[tuple[str, Any], ...]


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Table(tuple(sorted((str(key), _frozen(item)) for key, item in value.items())))
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """Undo what :func:`freeze` did to one value."""
    if isinstance(value, _Table):
        return {key: thaw(item) for key, item in value.pairs}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value


@functools.cache
def software_digest() -> str:
    """Return a digest of the version and of the package's own files, as far as a simulation depends on them.

    A version number alone would let a result of older code pass for one of newer code between two releases.
    What only chooses or shows results is left out, so that another table or figure costs no simulation.
    """
    digest = hashlib.sha256(__version__.encode())
    files = (path.relative_to(_PACKAGE) for path in _PACKAGE.rglob("*") if path.suffix in _SOURCES)
    for name in sorted(name for name in files if name.parts[0] not in AROUND):
        file = _PACKAGE / name
        digest.update(name.as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def point_key(point: Point, trace_hash: str, *, check: bool = False) -> str:
    """Return the key of a point's result: a hash of input, resolved configuration and software.

    Parameters
    ----------
    point
        What is simulated.
    trace_hash
        ``content_hash`` of its trace.
    check
        Whether the command log is checked.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ConfigError
        The point's parameters are not what they can be.
    """
    return arguments_key(point.resolved(), trace_hash, check=check)


def arguments_key(arguments: Mapping[str, Any], trace_hash: str, *, check: bool = False) -> str:
    """Return :func:`point_key` of a point whose :meth:`Point.resolved` is known."""
    content = {
        "trace": trace_hash,
        "config": resolved_config(**arguments),
        "check": check,
        "software": software_digest(),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class PointStore:
    """Results of points in a folder, one file per key, each there whole or not at all.

    Parameters
    ----------
    folder
        Made when the first result is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / f"{key[:32]}.h5"

    def get(self, key: str) -> Result | None:
        """Return a stored result, or None; a damaged file counts as missing and is removed."""
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            found = ResultSet.load(path)
        except DatasetError:
            path.unlink(missing_ok=True)
            return None
        return found[0] if found.provenance.get("key") == key and len(found) == 1 else None

    def put(self, key: str, result: Result) -> None:
        """Store a result."""
        ResultSet([result], provenance={"key": key}).save(self.path(key))

    def clean(self) -> None:
        """Remove what processes that were killed have left half-written."""
        remove_leftovers(self.folder)

    def keys(self) -> Iterator[str]:
        """Beginnings of the keys that are stored."""
        return (path.stem for path in sorted(self.folder.glob("[0-9a-f]*.h5")))


def check_traces(points: tuple[Point, ...], traces: Mapping[str, Path]) -> None:
    """Demand a file for every trace that a point names."""
    for point in points:
        if point.trace not in traces:
            raise ConfigError(
                f"point {point.label}: names trace {point.trace!r}, but the study has {', '.join(traces)}."
            )
