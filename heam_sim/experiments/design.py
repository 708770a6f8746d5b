# SPDX-License-Identifier: MIT
"""What a study consists of: traces, variants, a base, grids and single points; from TOML or from Python."""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from heam_sim.datasets import check_workload, expand_multi_hot, generate, read_dataset, shape_info, workload
from heam_sim.datasets.registered import is_reader_file
from heam_sim.dram.loader import OWN_FILE
from heam_sim.errors import ConfigError, DatasetError, unknown_name
from heam_sim.experiments.points import Point, freeze
from heam_sim.systems import known_systems, load_system
from heam_sim.trace import LookupTrace

__all__ = ["DEFAULT", "Design", "Selection", "TraceSource", "Variant", "expand", "read_design"]

#: Name of the trace when there is only one.
MAIN = "main"
#: The variant that changes nothing.
DEFAULT = "default"
_FIELDS = tuple(item.name for item in fields(Point) if item.name != "overrides")
_T = TypeVar("_T")
_TYPES: dict[str, tuple[type, ...]] = {"vector_bytes": (int,), "profile": (int, float)}


@dataclass(frozen=True, kw_only=True)
class TraceSource:
    """Where a trace comes from: a file, a generator, or a workload beside recommendation.

    Attributes
    ----------
    file
        A stored trace (HDF5).
    dataset, path
        Format of the file at `path`, or the shape of a generated trace if there is no `path`.
    samples, seed
        As for :func:`heam_sim.generate` and :func:`heam_sim.read_dataset`.
    pooling
        Lookups per bag; 0: those of the shape. A one-hot dataset file is expanded
        (:func:`heam_sim.datasets.expand_multi_hot`), so that it has as many lookups in fewer samples.
    lookups
        Instead of `samples`: as many samples as have at most so many lookups (generated traces only).
    workload
        Instead of all others: the ``kind`` and the options of :func:`heam_sim.workload`.

    Raises
    ------
    ConfigError
        If `workload` has no kind, or an unknown kind or option.
    """

    file: str = ""
    dataset: str = "criteo-kaggle"
    path: str = ""
    samples: int | None = None
    seed: int = 1
    pooling: int = 1
    lookups: int | None = None
    workload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.workload:
            check_workload(*self._made())

    def _made(self) -> tuple[str, dict[str, Any]]:
        """Kind and options of the workload."""
        options = dict(self.workload)
        return options.pop("kind", ""), options

    def load(self, folder: Path) -> LookupTrace:
        """Load, read or generate; relative paths start at `folder`."""
        if self.workload:
            kind, options = self._made()
            if "path" in options:
                options["path"] = folder / options["path"]
            return workload(kind, **options)
        if self.file:
            loaded = LookupTrace.load(folder / self.file)
            return (
                loaded if self.samples is None else loaded.samples_slice(0, min(self.samples, loaded.samples))
            )
        if self.path:
            name = str(folder / self.dataset) if is_reader_file(self.dataset) else self.dataset
            return self.expanded(read_dataset(name, folder / self.path, samples=self.samples))
        return generate(self.dataset, samples=self._generated(), seed=self.seed, pooling=self.pooling or None)

    def expanded(self, one_hot: LookupTrace) -> LookupTrace:
        """Return a one-hot trace with the wanted lookups per bag, in as many lookups."""
        if self.pooling <= 1:
            return one_hot
        bags = one_hot.samples // self.pooling
        return expand_multi_hot(one_hot, pooling=self.pooling, seed=self.seed).samples_slice(0, bags)

    def _generated(self) -> int:
        if self.samples is not None:
            return self.samples
        if self.lookups is None:
            return 10_000
        shape = shape_info(self.dataset)
        of_sample = len(shape.pooling) * self.pooling if self.pooling else sum(shape.pooling)
        return self.lookups // of_sample


@dataclass(frozen=True)
class Variant:
    """A named change of the systems.

    Attributes
    ----------
    set
        Overrides by dotted keys.
    against
        The variant in which a baseline runs that has no such point itself.
    why
        What it is for, or where its numbers come from.
    ablation
        It takes away a part of the system, so that no claim about the system can be held against it.
    """

    set: Mapping[str, Any] = field(default_factory=dict)
    against: str = DEFAULT
    why: str = ""
    ablation: bool = False


@dataclass(frozen=True)
class Selection:
    """How much of a study is wanted.

    Attributes
    ----------
    lookups
        Of every generated trace that has neither ``samples`` nor ``lookups`` of its own; 0: 10,000 samples.
    why
        For whom.
    """

    lookups: int = 0
    why: str = ""


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
    variants
        By name.
    base
        What every point has unless it says otherwise.
    figures
        Names of ``heam_sim.experiments.figures.FIGURES`` to draw in the end, as far as there are points.
    """

    name: str
    traces: Mapping[str, TraceSource]
    points: tuple[Point, ...]
    folder: Path
    variants: Mapping[str, Variant] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[str, ...] = ()


def expand(
    *,
    base: Mapping[str, Any] | None = None,
    grids: Iterable[Mapping[str, Sequence[Any]]] = (),
    points: Iterable[Mapping[str, Any]] = (),
    traces: Iterable[str] = (MAIN,),
    variants: Mapping[str, Variant] | None = None,
    where: str = "sweep",
) -> tuple[Point, ...]:
    """Turn a base, grids and single points into points.

    Parameters
    ----------
    base
        What every point has unless it says otherwise: fields of :class:`Point` by their names, overrides of
        the system by dotted keys.
    grids
        Each maps keys to lists of values; all combinations are taken, the last key changing fastest. The
        system ``"*"`` stands for all known ones, ``"*/hbm"`` for those with a tier ``hbm``, ``"*/hbm.pim"``
        for those with PEs in it.
    points
        Each maps keys to values.
    traces
        Names that a point may give as its ``trace``; the first is what it has by default.
    variants
        What a point may give as its ``variant``, besides ``"default"``.
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
        axes = {key: _systems(values, where) if key == "system" else values for key, values in grid.items()}
        rows += [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    rows += list(points)
    made = [_point({**common, **row}, names, variants or {}, where) for row in rows or [{}]]
    return tuple(dict.fromkeys(made))


def _systems(values: Sequence[Any], where: str) -> list[Any]:
    """Put the names in the place of ``"*"``."""
    found: list[Any] = []
    for value in values:
        if not isinstance(value, str) or value.partition("/")[0] != "*":
            found.append(value)
            continue
        names = [name for name in known_systems() if _has(name, value[2:])]
        if not names:
            raise ConfigError(f"{where}: system is {value!r}, but no known system has a part {value[2:]!r}.")
        found += names
    return found


@functools.cache
def _has(system: str, part: str) -> bool:
    tier, _, pim = part.partition(".")
    tiers = {one.name: one for one in load_system(system).tiers}
    return not tier or (tier in tiers and (not pim or tiers[tier].pim is not None))


def _point(
    row: Mapping[str, Any], traces: tuple[str, ...], variants: Mapping[str, Variant], where: str
) -> Point:
    wanted: dict[str, Any] = {"trace": traces[0]}
    variant = _typed("variant", row.get("variant", DEFAULT), where)
    if variant != DEFAULT and variant not in variants:
        raise unknown_name("variant", variant, (DEFAULT, *variants), where=where)
    overrides = dict(variants[variant].set) if variant != DEFAULT else {}
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


def read_design(path: str | Path, *, selection: str | None = None) -> Design:
    """Read a study from TOML; relative paths in it start at its folder.

    ``[study]`` has a ``name``, and perhaps ``figures``, a list of their names; ``[traces.NAME]`` the keys of
    :class:`TraceSource`; ``[variants.NAME]`` those of :class:`Variant`; ``[base]`` what all points have;
    ``[grid]`` (or several ``[[grid]]``) lists of values; ``[[point]]`` single points. Overrides are quoted
    dotted keys: ``"hbm.pim.batch_tags" = [4, 16]``. ``[selections.NAME]`` has the keys of
    :class:`Selection`; a grid or point with ``in = [NAME, ...]`` is in these only.

    Parameters
    ----------
    path
        The file.
    selection
        One of its selections; None: everything.

    Returns
    -------
    Design
        Ready for :func:`run_design`.

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
    data = _located(data, file.parent)
    known = ("study", "selections", "traces", "variants", "base", "grid", "point")
    for table in data:
        if table not in known:
            raise unknown_name("table", table, known, where=str(file))
    selections = _records(Selection, data, "selections", {"lookups": int, "why": str}, file)
    if selection is not None and selection not in selections:
        raise unknown_name("selection", selection, selections, where=str(file))
    texts, whole = dict.fromkeys(("file", "dataset", "path"), str), ("samples", "seed", "pooling", "lookups")
    types = {**texts, **dict.fromkeys(whole, int), "workload": dict}
    traces = _records(TraceSource, data, "traces", types, file)
    traces = traces or {MAIN: TraceSource()}
    if selection is not None and selections[selection].lookups:
        traces = {name: _sized(source, selections[selection].lookups) for name, source in traces.items()}
    variants = _records(
        Variant, data, "variants", {"set": dict, "against": str, "why": str, "ablation": bool}, file
    )
    for name, variant in variants.items():
        if variant.against not in (DEFAULT, *variants):
            raise unknown_name("variant", variant.against, variants, where=f"{file}: [variants.{name}]")
    grids = data.get("grid", [])
    points = expand(
        base=data.get("base"),
        grids=_selected([grids] if isinstance(grids, dict) else grids, selection, selections, file),
        points=_selected(data.get("point", []), selection, selections, file),
        traces=traces,
        variants=variants,
        where=str(file),
    )
    said = data.get("study", {})
    for key in said:
        if key not in ("name", "figures"):
            raise unknown_name("key", key, ("name", "figures"), where=f"{file}: [study]")
    figures = said.get("figures", [])
    if not isinstance(figures, list) or not all(isinstance(one, str) for one in figures):
        raise ConfigError(f"{file}: [study]: figures is {figures!r}; it must be a list of names.")
    name, base = said.get("name", file.stem), data.get("base", {})
    return Design(str(name), traces, points, file.parent, variants, base, tuple(figures))


def _located(value: Any, folder: Path, key: str = "") -> Any:
    """Let relative paths of systems, memories and power files start at the folder of the study."""
    if isinstance(value, dict):
        return {name: _located(item, folder, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_located(item, folder, key) for item in value]
    names_file = key == "system" or key.endswith((".memory", ".power"))
    if names_file and isinstance(value, str) and (OWN_FILE in value or value.endswith(".toml")):
        return (folder / value).as_posix()
    return value


def _sized(source: TraceSource, lookups: int) -> TraceSource:
    own = source.file or source.path or source.workload or source.samples is not None
    own = own or source.lookups is not None
    return source if own else replace(source, lookups=lookups)


def _selected(
    rows: Sequence[Mapping[str, Any]], wanted: str | None, selections: Mapping[str, Selection], file: Path
) -> list[dict[str, Any]]:
    """The grids or points of a selection, without their key ``in``."""
    found = []
    for row in rows:
        names = row.get("in", list(selections))
        for name in names:
            if name not in selections:
                raise unknown_name("selection", str(name), selections, where=f"{file}: in")
        if wanted is None or wanted in names:
            found.append({key: value for key, value in row.items() if key != "in"})
    return found


def _records(
    cls: type[_T], data: Mapping[str, Any], table: str, types: Mapping[str, type], file: Path
) -> dict[str, _T]:
    """Tables ``[table.NAME]`` as records, with the types of their keys checked."""
    words = {int: "a whole number", str: "text", dict: "a table", bool: "true or false"}
    found = {}
    for name, record in data.get(table, {}).items():
        where = f"{file}: [{table}.{name}]"
        if not isinstance(record, dict):
            raise ConfigError(f"{where}: is {record!r}; it must be a table.")
        for key, value in record.items():
            if key not in types:
                raise unknown_name("key", key, types, where=where)
            if type(value) is not types[key]:
                raise ConfigError(f"{where}: {key} is {value!r}; it must be {words[types[key]]}.")
        try:
            found[name] = cls(**record)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    return found
