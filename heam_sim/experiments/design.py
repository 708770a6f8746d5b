# SPDX-License-Identifier: MIT
"""What a sweep consists of: traces, a base, grids and single points; from TOML or from Python."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from heam_sim.datasets import generate, read_dataset
from heam_sim.errors import ConfigError, DatasetError, unknown_name
from heam_sim.experiments.points import Point, freeze
from heam_sim.trace import LookupTrace

__all__ = ["Design", "TraceSource", "expand", "read_design"]

#: Name of the trace when there is only one.
MAIN = "main"
_FIELDS = tuple(item.name for item in fields(Point) if item.name not in ("overrides", "variant"))
_TYPES: dict[str, tuple[type, ...]] = {"vector_bytes": (int,), "profile": (int, float)}


@dataclass(frozen=True, kw_only=True)
class TraceSource:
    """Where a trace comes from: a stored file, a dataset file, or a generator.

    Attributes
    ----------
    file
        A stored trace (HDF5).
    dataset, path
        Format of the file at `path`, or the shape of a generated trace if there is no `path`.
    samples, seed, pooling
        As for :func:`heam_sim.generate` and :func:`heam_sim.read_dataset`.
    """

    file: str = ""
    dataset: str = "criteo-kaggle"
    path: str = ""
    samples: int | None = None
    seed: int = 1
    pooling: int = 1

    def load(self, folder: Path) -> LookupTrace:
        """Load, read or generate; relative paths start at `folder`."""
        if self.file:
            loaded = LookupTrace.load(folder / self.file)
            return (
                loaded if self.samples is None else loaded.samples_slice(0, min(self.samples, loaded.samples))
            )
        if self.path:
            return read_dataset(self.dataset, folder / self.path, samples=self.samples)
        samples = 10_000 if self.samples is None else self.samples
        return generate(self.dataset, samples=samples, seed=self.seed, pooling=self.pooling)


@dataclass(frozen=True)
class Design:
    """A sweep, ready to be run.

    Attributes
    ----------
    name
        For titles and provenance.
    traces
        Sources by name.
    points
        What is simulated, in order, each once.
    folder
        Where relative paths of the sources start.
    """

    name: str
    traces: Mapping[str, TraceSource]
    points: tuple[Point, ...]
    folder: Path


def expand(
    *,
    base: Mapping[str, Any] | None = None,
    grids: Iterable[Mapping[str, Sequence[Any]]] = (),
    points: Iterable[Mapping[str, Any]] = (),
    traces: Iterable[str] = (MAIN,),
    where: str = "sweep",
) -> tuple[Point, ...]:
    """Turn a base, grids and single points into points.

    Parameters
    ----------
    base
        What every point has unless it says otherwise: fields of :class:`Point` by their names, overrides of
        the system by dotted keys.
    grids
        Each maps keys to lists of values; all combinations are taken, the last key changing fastest.
    points
        Each maps keys to values.
    traces
        Names that a point may give as its ``trace``; the first is what it has by default.
    where
        Beginning of messages.

    Returns
    -------
    tuple of Point
        Without repetitions. A sweep without grids and points is its base.

    Raises
    ------
    ConfigError
        An unknown key (with the nearest known one), a value of the wrong type, or an axis without values.
    """
    common = dict(base or {})
    names = tuple(traces)
    rows: list[Mapping[str, Any]] = []
    for number, grid in enumerate(grids):
        for key, values in grid.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ConfigError(
                    f"{where}: grid {number}: {key} is {values!r}; give a list of at least one value."
                )
        combinations = itertools.product(*grid.values())
        rows += [dict(zip(grid, combination, strict=True)) for combination in combinations]
    rows += list(points)
    made = [_point({**common, **row}, names, where) for row in rows or [{}]]
    return tuple(dict.fromkeys(made))


def _point(row: Mapping[str, Any], traces: tuple[str, ...], where: str) -> Point:
    wanted: dict[str, Any] = {"trace": traces[0]}
    overrides: dict[str, Any] = {}
    for key, value in row.items():
        if "." in key:
            overrides[key] = value
        elif key in _FIELDS:
            wanted[key] = _typed(key, value, where)
        else:
            raise unknown_name("key", key, (*_FIELDS, "host.*", "placement.*", "<tier>.*"), where=where)
    if "system" not in wanted:
        raise ConfigError(f"{where}: a point names no system; add `system` to it or to the base.")
    if wanted["trace"] not in traces:
        raise unknown_name("trace", wanted["trace"], traces, where=where)
    return Point(**wanted, overrides=freeze(overrides))


def _typed(key: str, value: Any, where: str) -> Any:
    types = _TYPES.get(key, (str,))
    if isinstance(value, Path) and key == "system":
        return str(value)
    if isinstance(value, bool) or not isinstance(value, types):
        what = {int: "a whole number", str: "text"}.get(types[0] if len(types) == 1 else float, "a number")
        raise ConfigError(f"{where}: {key} is {value!r}; it must be {what}.")
    return value


def read_design(path: str | Path) -> Design:
    """Read a sweep from TOML.

    ``[study]`` has a ``name``; ``[traces.NAME]`` the keys of :class:`TraceSource`; ``[base]`` what all points
    have; ``[grid]`` (or several ``[[grid]]``) lists of values; ``[[point]]`` single points. Overrides are
    quoted dotted keys: ``"hbm.pim.batch_tags" = [4, 16]``.

    Raises
    ------
    ConfigError
        The file is no TOML, or has an unknown table or key; the message names it.
    DatasetError
        The file cannot be read.
    """
    file = Path(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: cannot be read as a sweep: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is no TOML: {error}; mend the line.") from None
    known = ("study", "traces", "base", "grid", "point")
    for table in data:
        if table not in known:
            raise unknown_name("table", table, known, where=str(file))
    traces = {
        name: _source(table, f"{file}: [traces.{name}]") for name, table in data.get("traces", {}).items()
    }
    traces = traces or {MAIN: TraceSource()}
    grids = data.get("grid", [])
    points = expand(
        base=data.get("base"),
        grids=[grids] if isinstance(grids, dict) else grids,
        points=data.get("point", ()),
        traces=traces,
        where=str(file),
    )
    name = data.get("study", {}).get("name", file.stem)
    return Design(str(name), traces, points, file.parent)


def _source(table: Any, where: str) -> TraceSource:
    known = {item.name: item for item in fields(TraceSource)}
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: is {table!r}; it must be a table.")
    for key, value in table.items():
        if key not in known:
            raise unknown_name("key", key, known, where=where)
        whole = key in ("samples", "seed", "pooling")
        if isinstance(value, bool) or not isinstance(value, int if whole else str):
            raise ConfigError(
                f"{where}: {key} is {value!r}; it must be {'a whole number' if whole else 'text'}."
            )
    return TraceSource(**table)
