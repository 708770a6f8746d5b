# SPDX-License-Identifier: MIT
"""From stored results to what figures are drawn from; a reproduction study is recognised as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heam_sim.errors import ConfigError
from heam_sim.experiments.comparisons import BASELINE, Results, summarise
from heam_sim.experiments.explain import explained_walk
from heam_sim.experiments.figures import Material, draw
from heam_sim.experiments.points import Point
from heam_sim.experiments.reproduction import study_design
from heam_sim.results import Result, ResultSet, read_frame

__all__ = ["draw_one", "load_material", "material_of", "study_results"]


def load_material(path: str | Path) -> Material:
    """Read what figures need from a ``results.h5``, or from the CSV of a summary, a search or an explanation.

    A table (CSV) suffices for all figures but those of times and bandwidths.

    Raises
    ------
    heam_sim.errors.DatasetError
        The file is missing or no such file.
    heam_sim.errors.ConfigError
        It is a study of another version.
    """
    file = Path(path)
    if file.suffix.lower() != ".csv":
        return material_of(ResultSet.load(file))
    frame = read_frame(file)
    if "best_speedup" in frame.columns:
        return Material(frame, best=frame)
    if {"changes", "speedup", "energy_ratio"} <= set(frame.columns):
        return Material(frame, walk=explained_walk(frame))
    if not {"trace", "variant", "model_bytes"} <= set(frame.columns):
        return Material(frame)
    design = study_design("full")
    return Material(frame, None, design.variants, Point(system=BASELINE, **design.base))


def material_of(results: Iterable[Result]) -> Material:
    """Prepare results in memory; a set with a study's provenance becomes that study.

    Raises
    ------
    heam_sim.errors.ConfigError
        A study that an older version has stored, or one whose points are not those of its results.
    """
    found = results if isinstance(results, ResultSet) else ResultSet(results)
    said = found.provenance
    compared = study_results(found)
    if compared is None:
        return Material(found.to_frame(), tuple(found), best=_searched(said))
    cardinalities = {name: np.array(rows, dtype=np.int64) for name, rows in said["cardinalities"].items()}
    frame = summarise(compared, cardinalities)
    base = Point(system=BASELINE, **study_design(said["selection"]).base)
    return Material(frame, tuple(found), compared.variants, base, _searched(said))


def study_results(found: ResultSet) -> Results | None:
    """Return the results of a reproduction study by their points; None for a set that is no such study.

    Raises
    ------
    heam_sim.errors.ConfigError
        As :func:`material_of`.
    """
    said = found.provenance
    if not {"points", "selection"} <= said.keys():
        return None
    if "cardinalities" not in said or len(said["points"]) != len(found):
        raise ConfigError(
            "these results of `heam-sim reproduce` do not say which traces they are of, as those of older "
            "versions; draw from the summary.csv beside them, or run the study again."
        )
    return Results(_by_point(found, said["points"]), study_design(said["selection"]).variants)


def _searched(said: Mapping[str, Any]) -> pd.DataFrame | None:
    """The table of the searches that a set's provenance holds."""
    if not said.get("searches"):
        return None
    frame = pd.DataFrame(said["searches"])
    for name in frame.columns:
        if name.endswith("_speedup"):  # without the baseline there is none, which JSON tells as null
            frame[name] = pd.to_numeric(frame[name])
    return frame


def _by_point(results: ResultSet, points: list[Any]) -> dict[Point, Result]:
    found = {}
    for (trace, variant), result in zip(points, results, strict=True):
        point = Point(
            trace=trace,
            variant=variant,
            system=result.system,
            embedding=result.embedding,
            vector_bytes=result.vector_bytes,
            scope=result.scope,  # type: ignore[arg-type]  # a result has no other
        )
        if point in found:
            raise ConfigError(f"these results have {point.label} on trace {trace} twice; leave one out.")
        found[point] = result
    return found


def draw_one(results: Iterable[Result], name: str, **options: Any) -> Figure:
    """Draw one figure of results in memory (see :func:`heam_sim.experiments.figures.draw`).

    Raises
    ------
    heam_sim.errors.ConfigError
        As there; or the results are of several traces, of which each has its own.
    """
    drawn: dict[str, tuple[Figure, pd.DataFrame]] = draw(material_of(results), name, **options)
    if len(drawn) > 1:
        raise ConfigError(f"figure {name}: there is one per trace ({', '.join(drawn)}); use `heam-sim plot`.")
    return next(iter(drawn.values()))[0]
