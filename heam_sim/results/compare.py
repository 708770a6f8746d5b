# SPDX-License-Identifier: MIT
"""Results against results: which statistics changed and by how much, and several files as one."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heam_sim.errors import ConfigError
from heam_sim.results.facts import run_label
from heam_sim.results.result import Result
from heam_sim.results.result_set import ResultSet
from heam_sim.results.units import unit_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIFF_COLUMNS", "diff_results", "merge_results", "statistics"]

DIFF_COLUMNS = ("result", "statistic", "first", "second", "difference", "relative", "unit")
#: Fields that name a row of a table inside a result, so that rows are compared by name and not by place.
_ROW_NAMES = ("name", "channel", "tier", "resource")
_NAMES = ("system", "embedding", "vector_bytes", "scope")
_MISSING = None
#: What a study says of each result or trace; everything else in its provenance must be the same to merge.
_OF_PARTS = ("points", "cardinalities", "selection")
#: The table of a search, which a study may have beside its results.
_SEARCHES = "searches"


def statistics(result: Result) -> dict[str, Any]:
    """Return every number and text of a result by its dotted path.

    Examples: ``time_ns``, ``latency_ns.p99``, ``counters.hbm.act``, ``energy_pJ.hbm.activation`` (with
    ``.low`` and ``.high``), ``ceilings.hbm instruction path.time_ns``, ``config.system.host.llc_bytes``,
    ``provenance.trace_hash``. What tells results apart (system, embedding, size, scope) is not among them.

    Parameters
    ----------
    result
        Any result.

    Returns
    -------
    dict
        Path to number or text.
    """
    found: dict[str, Any] = {}
    # Causes before effects: what was run comes first.
    items = sorted(dataclasses.fields(result), key=lambda item: item.name not in ("config", "provenance"))
    for item in items:
        if item.name in _NAMES:
            continue
        if item.name == "energy":
            for (tier, component), part in result.energy.components_pJ.items():
                path = f"energy_pJ.{tier}.{component}"
                found |= {path: part.value, f"{path}.low": part.low, f"{path}.high": part.high}
            continue
        found.update(_flat(getattr(result, item.name), item.name))
    return found


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        names = [_row_name(item, i) for i, item in enumerate(value)]
        if len(set(names)) < len(names):
            names = [str(i) for i in range(len(value))]
        for name, item in zip(names, value, strict=True):
            yield from _flat(item, f"{path}.{name}")
    else:
        yield path, value


def _row_name(row: object, number: int) -> str:
    parts = [str(row[key]) for key in _ROW_NAMES if key in row] if isinstance(row, Mapping) else []
    return " ".join(parts) or str(number)


def diff_results(
    first: Sequence[Result] | ResultSet, second: Sequence[Result] | ResultSet, *, tolerance: float = 0.0
) -> pd.DataFrame:
    """Name every statistic that differs between two lists of results, and by how much.

    Results of the same system, embedding, vector size and scope are held against each other: first those
    with the same trace and configuration, then the rest in their order.

    Parameters
    ----------
    first, second
        The results.
    tolerance
        Numbers whose relative difference is at most this count as equal. Not for configurations.

    Returns
    -------
    pandas.DataFrame
        A row per difference: ``result`` (which one), ``statistic`` (see :func:`statistics`; empty for a
        result that only one side has), ``first`` and ``second`` (``None`` where it is missing),
        ``difference`` (second minus first), ``relative`` (over the first's size; both NaN for what is no
        number) and ``unit``. No rows: the same.

    Raises
    ------
    heam_sim.errors.ConfigError
        The tolerance is negative or no number.
    """
    import pandas as pd

    if not tolerance >= 0:
        raise ConfigError(f"tolerance is {tolerance!r}; give a number that is not negative.")
    rows: list[dict[str, Any]] = []
    for label, one, other in _pairs(list(first), list(second)):
        if one is None or other is None:
            rows.append(_difference(label, "", *("there" if side else _MISSING for side in (one, other))))
            continue
        before, after = statistics(one), statistics(other)
        for name in dict.fromkeys((*before, *after)):
            pair = before.get(name, _MISSING), after.get(name, _MISSING)
            exact = name.startswith("config.") or (name in before) != (name in after)
            if not _equal(*pair, 0.0 if exact else tolerance) or (name in before) != (name in after):
                rows.append(_difference(label, name, *pair))
    return pd.DataFrame(rows, columns=list(DIFF_COLUMNS), dtype=object).astype(
        {"difference": float, "relative": float}
    )


def _pairs(first: list[Result], second: list[Result]) -> Iterator[tuple[str, Result | None, Result | None]]:
    """Results that belong together, in the first side's order; what the second alone has comes last."""
    taken: dict[int, int] = {}  # place in the first to place in the second
    keys: tuple[Callable[[Result], object], ...] = (_run, _named)
    for key in keys:
        free: dict[object, deque[int]] = defaultdict(deque)
        for number in sorted(set(range(len(second))) - set(taken.values())):
            free[key(second[number])].append(number)
        for number, result in enumerate(first):
            if number not in taken and free[key(result)]:
                taken[number] = free[key(result)].popleft()
    labels = _labels(first)
    for number, result in enumerate(first):
        yield labels[number], result, second[taken[number]] if number in taken else None
    labels = _labels(second)
    for number in sorted(set(range(len(second))) - set(taken.values())):
        yield labels[number], None, second[number]


def _named(result: Result) -> tuple[Any, ...]:
    return tuple(getattr(result, name) for name in _NAMES)


def _run(result: Result) -> str:
    """What was run: equal for two results only if trace, configuration and names are the same."""
    return json.dumps([_named(result), result.provenance.get("trace_hash"), result.config], sort_keys=True)


def _labels(results: Sequence[Result]) -> list[str]:
    """``system embedding 64 B scope``, numbered from the second of a name on."""
    seen: dict[tuple[Any, ...], int] = defaultdict(int)
    found = []
    for result in results:
        key = _named(result)
        seen[key] += 1
        tail = "" if seen[key] == 1 else f" #{seen[key]}"
        found.append(f"{run_label(result)}{tail}")
    return found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(first: Any, second: Any, tolerance: float) -> bool:
    if _number(first) and _number(second):
        if first == second or (math.isnan(first) and math.isnan(second)):
            return True
        return bool(abs(second - first) <= tolerance * abs(first))
    return type(first) is type(second) and first == second


def _difference(label: str, name: str, first: Any, second: Any) -> dict[str, Any]:
    change, relative = math.nan, math.nan
    if _number(first) and _number(second):
        change = second - first
        relative = change / abs(first) if first else math.copysign(math.inf, change)
    return dict(zip(DIFF_COLUMNS, (label, name, first, second, change, relative, unit_of(name)), strict=True))


def merge_results(sets: Mapping[str, ResultSet]) -> ResultSet:
    """Put several sets of results into one; a run that is in two of them is kept once.

    Parameters
    ----------
    sets
        By name, e.g. of the file; the names enter the provenance.

    Returns
    -------
    ResultSet
        Parts of one study (the same dataset and seed) stay a study, from which all its figures can be drawn.
        Otherwise the provenance holds that of every part under its name.

    Raises
    ------
    heam_sim.errors.ConfigError
        Two sets have different results of the same run (trace, configuration, system, embedding, size,
        scope), or there is nothing to merge.
    """
    if not sets:
        raise ConfigError("merge: there is nothing to merge; give at least one file.")
    study = _common_study(list(sets.values()))
    kept: dict[str, tuple[str, Result]] = {}
    points: list[Any] = []
    for name, part in sets.items():
        of_part = part.provenance["points"] if study is not None else [None] * len(part)
        for result, point in zip(part, of_part, strict=True):
            # A variant that changes nothing is a point of its own with the run of another.
            key = f"{point} {_run(result)}"
            if key not in kept:
                kept[key] = name, result
                points.append(point)
            elif not _same_numbers(kept[key][1], result):
                raise ConfigError(
                    f"merge: {kept[key][0]} and {name} have different results of the same run "
                    f"({run_label(result)}); see `heam-sim results diff`, and leave one out."
                )
    results = [result for _, result in kept.values()]
    if study is not None:
        return ResultSet(results, provenance=study | {"points": points})
    return ResultSet(results, provenance={"merged": {name: part.provenance for name, part in sets.items()}})


def _same_numbers(first: Result, second: Result) -> bool:
    """Equal but for what wrote them."""
    return first == dataclasses.replace(second, provenance=first.provenance)


def _common_study(sets: Sequence[ResultSet]) -> dict[str, Any] | None:
    """The provenance of the study whose parts all sets are; None if they are of several or of none."""
    if not all(_is_study(part) for part in sets):
        return None
    own = (*_OF_PARTS, _SEARCHES)
    shared = [{key: value for key, value in part.provenance.items() if key not in own} for part in sets]
    traces: dict[str, Any] = {}
    for part in sets:
        for point, result in zip(part.provenance["points"], part, strict=True):
            traces.setdefault(point[0], result.provenance.get("trace_hash"))
            if traces[point[0]] != result.provenance.get("trace_hash"):
                return None
    if any(one != shared[0] for one in shared):
        return None
    cardinalities = {k: v for part in sets for k, v in part.provenance["cardinalities"].items()}
    selections = list(dict.fromkeys(part.provenance["selection"] for part in sets))
    selection = selections[0] if len(selections) == 1 else "full"
    searches = [part.provenance[_SEARCHES] for part in sets if _SEARCHES in part.provenance]
    found = {_SEARCHES: searches[0]} if searches else {}
    return shared[0] | found | {"selection": selection, "cardinalities": cardinalities}


def _is_study(part: ResultSet) -> bool:
    return all(key in part.provenance for key in _OF_PARTS) and len(part.provenance["points"]) == len(part)
