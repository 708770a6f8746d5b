# SPDX-License-Identifier: MIT
"""Every figure by name: the table that it shows, cut out of results, and the function that draws it.

``heam-sim reproduce``, ``heam-sim plot``, the scripts in ``plots/`` and ``result.plot()`` all draw from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from heam_sim import plotting
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.experiments import tables
from heam_sim.experiments.design import DEFAULT, Variant
from heam_sim.experiments.points import Point
from heam_sim.results import Result

__all__ = ["FIGURES", "FigureKind", "Material", "draw", "draw_all", "select"]

Drawn = tuple[Figure, pd.DataFrame]


@dataclass(frozen=True)
class Material:
    """What figures are drawn from.

    Attributes
    ----------
    frame
        A row per result, as :meth:`heam_sim.results.ResultSet.to_frame` or, of a study,
        :func:`heam_sim.experiments.summarise` makes it.
    results
        One per row; None if only the table is known (a CSV).
    variants, base
        Of the study's design; None for results that are no study.
    best
        The table of a search (``tuned.csv``); None if there is none.
    walk
        The table of ``heam-sim explain``; None if there is none.
    embeddings
        Of a study: those with which systems are compared; by default full tables and the base point's.
    """

    frame: pd.DataFrame
    results: tuple[Result, ...] | None = None
    variants: Mapping[str, Variant] | None = None
    base: Point | None = None
    best: pd.DataFrame | None = None
    walk: pd.DataFrame | None = None
    embeddings: tuple[str, ...] = ()

    def of_study(self) -> tuple[Point, Mapping[str, Variant]]:
        """The study's base point and variants, or a ConfigError."""
        if self.base is None or self.variants is None:
            raise ConfigError("these results are no reproduction study; run `heam-sim reproduce`.")
        return self.base, self.variants

    def plain(self) -> pd.DataFrame:
        """The rows that compare systems: of a study those without a variant, full or with its embedding."""
        if self.base is None:
            return self.frame
        usual = self.frame["embedding"].isin(self.embeddings or ("full", self.base.embedding))
        return self.frame[(self.frame["variant"] == DEFAULT) & usual]

    def at_base(self) -> list[Result]:
        """The results behind :meth:`plain` with the base point's trace, scope and vector size."""
        if self.results is None:
            raise ConfigError("a table does not hold what this figure shows; give a results.h5.")
        rows = self.plain()
        if self.base is not None:
            rows = tables.at_point(rows, self.base)
        return [self.results[number] for number in rows.index]


@dataclass(frozen=True)
class FigureKind:
    """A figure that can be asked for.

    Attributes
    ----------
    table
        Cuts the rows that it shows; empty where the results have none.
    figure
        Draws them.
    options
        Keywords that `figure` takes.
    split
        There is one figure per trace.
    study
        Only a reproduction study (or, for ``best``, a search) has it.
    """

    table: Callable[[Material], pd.DataFrame]
    figure: Callable[..., Drawn]
    options: tuple[str, ...] = ()
    split: bool = False
    study: bool = True


def _base_trace(material: Material) -> pd.DataFrame:
    base, _ = material.of_study()
    rows = material.plain()
    return rows[rows["trace"] == base.trace]


def _once(results: list[Result], figure: str, *names: str) -> list[Result]:
    """Results of which a figure has room for one of each name."""
    seen: set[tuple[Any, ...]] = set()
    for result in results:
        key = tuple(getattr(result, name) for name in names)
        if key in seen:
            raise ConfigError(
                f"figure {figure}: {', '.join(map(str, key))} occurs twice; choose rows, e.g. "
                "--only vector_bytes=128 --only embedding=full."
            )
        seen.add(key)
    return results


def _roofline_rows(material: Material) -> pd.DataFrame:
    base = material.base
    found = [one for one in material.at_base() if base is None or one.embedding == base.embedding]
    return tables.roofline_table(_once(found, "roofline", "system"))


def _time_rows(material: Material) -> pd.DataFrame:
    return tables.time_table(_once(material.at_base(), "time-parts", "system", "embedding"))


def _sensitivity_rows(material: Material) -> pd.DataFrame:
    base, variants = material.of_study()
    return tables.sensitivity_table(material.frame, base, variants)


def _latency_rows(material: Material) -> pd.DataFrame:
    return plotting.latency_table(material.frame)


def _imbalance_rows(material: Material) -> pd.DataFrame:
    base = material.base
    found = [one for one in material.at_base() if base is None or one.embedding == base.embedding]
    return tables.imbalance_table(_once(found, "imbalance", "system"))


def _walked(material: Material) -> pd.DataFrame:
    if material.walk is not None:
        return material.walk
    return tables.waterfall_table(material.frame, material.of_study()[0])


def _searched(material: Material) -> pd.DataFrame:
    return pd.DataFrame() if material.best is None else material.best


def _of_study(make: Callable[[pd.DataFrame, Point], pd.DataFrame]) -> Callable[[Material], pd.DataFrame]:
    return lambda material: make(material.frame, material.of_study()[0])


FIGURES: Mapping[str, FigureKind] = {
    "speedup": FigureKind(
        Material.plain,
        plotting.speedup_bars,
        ("baseline", "columns"),
        split=True,
        study=False,
    ),
    "energy": FigureKind(
        Material.plain,
        plotting.energy_stack,
        ("columns",),
        split=True,
        study=False,
    ),
    "speedup-over-full": FigureKind(
        _base_trace,
        partial(plotting.speedup_bars, against="full"),
        ("baseline", "columns"),
    ),
    "bank-accesses": FigureKind(
        _of_study(tables.main_table),
        plotting.access_bars,
        ("columns",),
    ),
    "hit-rates": FigureKind(
        _of_study(tables.main_table),
        plotting.hit_rate_bars,
        ("columns",),
    ),
    "roofline": FigureKind(
        _roofline_rows,
        plotting.roofline,
        ("columns",),
        study=False,
    ),
    "time-parts": FigureKind(_time_rows, plotting.time_bars, ("columns",), study=False),
    "ablation": FigureKind(
        _of_study(tables.ablation_table),
        plotting.ablation_bars,
        ("columns",),
    ),
    "waterfall": FigureKind(
        _walked,
        plotting.waterfall,
        ("columns",),
    ),
    "latency": FigureKind(
        _latency_rows,
        plotting.latency_curves,
        ("columns", "statistic"),
        study=False,
    ),
    "imbalance": FigureKind(
        _imbalance_rows,
        plotting.imbalance_maps,
        ("columns",),
        study=False,
    ),
    "sensitivity": FigureKind(
        _sensitivity_rows,
        plotting.sensitivity_curves,
        ("columns",),
    ),
    "memories": FigureKind(
        _of_study(tables.memories_table),
        plotting.memory_bars,
        ("columns",),
    ),
    "compression": FigureKind(
        _of_study(tables.compression_table),
        plotting.compression_curves,
        ("columns",),
    ),
    "best": FigureKind(
        _searched,
        plotting.best_bars,
        ("columns",),
    ),
}


def draw(material: Material, name: str, **options: Any) -> dict[str, Drawn]:
    """Draw one figure.

    Parameters
    ----------
    material
        The results.
    name
        A key of :data:`FIGURES`.
    options
        Those of the figure's function that :attr:`FigureKind.options` names.

    Returns
    -------
    dict
        Figure and table by the name of their files: `name`, or ``name-TRACE`` for every trace of a study.

    Raises
    ------
    heam_sim.errors.ConfigError
        An unknown figure or option, or results that do not have what it shows.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    kind = FIGURES[name]
    for option in options:
        if option not in kind.options:
            known = f"it has {', '.join(kind.options)}" if kind.options else "it has none"
            raise ConfigError(f"figure {name}: no option {option!r}; {known}.")
    try:
        table = kind.table(material)
    except ConfigError as error:
        raise ConfigError(f"figure {name}: {error}") from None
    if table.empty:
        raise ConfigError(f"figure {name}: these results have no rows for it; {_remedy(name, material)}.")
    return _drawn(name, kind, table, options)


def _remedy(name: str, material: Material) -> str:
    if name == "best":
        return "give the tuned.csv of `heam-sim tune` or of `heam-sim reproduce --trials`"
    if name == "latency":
        return "simulate with arrivals, e.g. `heam-sim simulate --arrival-rate 0.5x`, or sweep arrivals.load"
    if material.base is None:
        return "give more results or choose fewer with --only"
    return "a larger selection of `heam-sim reproduce` (default, --full) may have them"


def _drawn(name: str, kind: FigureKind, table: pd.DataFrame, options: Mapping[str, Any]) -> dict[str, Drawn]:
    if not kind.split or "trace" not in table.columns:
        return {name: kind.figure(table, **options)}
    parts = table.groupby("trace", sort=False)
    return {f"{name}-{trace}": kind.figure(part, **options) for trace, part in parts}


def draw_all(material: Material, names: Iterable[str] = tuple(FIGURES)) -> dict[str, Drawn]:
    """Draw every figure, or those named, for which a study has rows, by the name of its files."""
    found: dict[str, Drawn] = {}
    for name in names:
        kind = FIGURES[name]
        table = kind.table(material)
        if not table.empty:
            found |= _drawn(name, kind, table, {})
    return found


def select(material: Material, choices: Mapping[str, str]) -> Material:
    """Keep the rows whose columns have the given values, written as text.

    Raises
    ------
    heam_sim.errors.ConfigError
        The table has no such column, or no row such a value.
    """
    frame = material.frame
    for column, value in choices.items():
        if column not in frame.columns:
            raise unknown_name("column", column, frame.columns, where="--only")
        wanted = frame[column].map(lambda cell: _text(cell)) == value
        if not wanted.any():
            there = ", ".join(dict.fromkeys(_text(cell) for cell in frame[column]))
            raise ConfigError(f"--only {column}={value}: no such rows; there are {there}.")
        frame = frame[wanted]
    results = material.results
    if results is not None:
        results = tuple(results[number] for number in frame.index)
    return replace(material, frame=frame.reset_index(drop=True), results=results)


def _text(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
