# SPDX-License-Identifier: MIT
"""The figures that a set of results allows, each with words for those who do not see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from heam_sim.errors import HeamSimError
from heam_sim.experiments.figure_texts import FIGURE_TEXTS
from heam_sim.experiments.figures import FIGURES, Material, draw
from heam_sim.report.tables import shown
from heam_sim.results import Result
from heam_sim.results.export import heading

__all__ = ["Drawn", "alternative", "drawable"]

# With more bars than this side by side, names under them cannot be read.
_MOST_NAMED = 12
_LONGEST_NAME = 20
#: What a figure shows first of all: of this column the words give the ends.
_SHOWN = {
    "speedup": "speedup",
    "speedup-over-full": "speedup",
    "energy": "total_pJ_per_sample",
    "bank-accesses": "bank_vectors_per_lookup",
    "hit-rates": "row_hit_rate",
    "roofline": "used_share",
    "time-parts": "share",
    "ablation": "speedup_over_host_dimm",
    "sensitivity": "lookups_per_second",
    "memories": "speedup_over_host_dimm",
    "compression": "time_ns_per_sample",
    "best": "best_speedup",
}
_NAMES = (
    "system",
    "embedding",
    "vector_bytes",
    "scope",
    "step",
    "factor",
    "setting",
    "tier",
    "level",
    "resource",
)


@dataclass(frozen=True)
class Drawn:
    """A figure: its kind, and the key to the numbers under its bars, if names would not fit there."""

    kind: str
    figure: Figure
    table: pd.DataFrame
    key: tuple[tuple[str, str], ...] = ()


def drawable(material: Material, names: Sequence[str]) -> dict[str, Drawn]:
    """Draw every figure that the results allow.

    Parameters
    ----------
    material
        The results.
    names
        A short name of every result. Where results of one system, embedding and vector size differ in
        something else, bars are called by these names or, if these are long, by numbers.

    Returns
    -------
    dict
        By the name of the figure's files.
    """
    found: dict[str, Drawn] = {}
    material, names = _literal(material), [_escaped(name) for name in names]
    for kind, about in FIGURES.items():
        if about.study and material.base is None and material.best is None:
            continue
        if kind == "best" and material.best is not None and material.best["best_speedup"].isna().all():
            continue  # a search without the baseline has no speed-ups
        if kind == "roofline" and not all(one.config.get("system") for one in material.results or ()):
            continue  # only a system's description says what its memories could carry
        if kind == "speedup" and material.frame["system"].nunique() < 2:
            continue
        found |= _drawn(material, kind, names)
    return found


def _literal(material: Material) -> Material:
    """Names as Matplotlib shows them literally: what stands between two dollars would be a formula."""
    results = material.results
    if results is None or not any("$" in f"{one.system}{one.embedding}" for one in results):
        return material
    frame = material.frame.copy()
    for column in ("system", "embedding"):
        frame[column] = frame[column].map(_escaped)
    called = [replace(one, system=_escaped(one.system), embedding=_escaped(one.embedding)) for one in results]
    return replace(material, frame=frame, results=tuple(called))


def _escaped(name: str) -> str:
    return name.replace("$", r"\$")


def _drawn(material: Material, kind: str, names: Sequence[str]) -> dict[str, Drawn]:
    try:
        return {name: Drawn(kind, *drawn) for name, drawn in draw(material, kind).items()}
    except HeamSimError:
        if material.base is not None or material.results is None or kind == "speedup":
            return {}
    if len(names) > _MOST_NAMED:
        return {}
    short = list(names)
    if max(map(len, names)) > _LONGEST_NAME:
        short = [str(number) for number in range(1, len(names) + 1)]
    key = tuple(zip(short, names, strict=True)) if short != list(names) else ()
    try:
        drawn = draw(_named(material.results, short), kind)
    except HeamSimError:
        return {}
    return {name: Drawn(kind, *one, key) for name, one in drawn.items()}


def _named(results: Sequence[Result], names: Sequence[str]) -> Material:
    """Results as if each was of a system of its own; those of several embeddings side by side."""
    one = {result.embedding for result in results}
    embedding = one.pop() if len(one) == 1 else "various embeddings"
    called = tuple(
        replace(result, system=name, embedding=embedding) for result, name in zip(results, names, strict=True)
    )
    frame = pd.concat([result.to_frame() for result in called], ignore_index=True)
    return Material(frame.assign(collisions=math.nan), called)


def alternative(kind: str, table: pd.DataFrame) -> str:
    """Say in words what a figure shows: its subject, and where the least and the greatest value are."""
    said = FIGURE_TEXTS[kind]
    said = f"{said[0].upper()}{said[1:]}."
    column = _SHOWN.get(kind, "")
    if column not in table.columns:
        return said
    values = pd.to_numeric(table[column], errors="coerce").dropna()
    if values.empty:
        return said
    numbers = values.to_numpy(dtype=float)
    found = table.loc[values.index]
    least, most = found.iloc[int(numbers.argmin())], found.iloc[int(numbers.argmax())]
    return (
        f"{said} {heading(column)} from {shown(float(numbers.min()))} ({_where(least)}) to "
        f"{shown(float(numbers.max()))} ({_where(most)}); all numbers are in the table below the figure."
    )


def _where(row: pd.Series) -> str:
    cells = (
        f"{row[name]} B" if name == "vector_bytes" else str(row[name]) for name in _NAMES if name in row.index
    )
    return ", ".join(cells)
