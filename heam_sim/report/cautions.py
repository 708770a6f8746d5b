# SPDX-License-Identifier: MIT
"""What a reader must know before believing a number of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from heam_sim._version import __version__
from heam_sim.energy import energy_ratio
from heam_sim.errors import ConfigError
from heam_sim.experiments.figures import Material
from heam_sim.report.sources import traces_of
from heam_sim.results import Result, ResultSet

__all__ = ["cautions"]

# Above this only neighbours in the order of energy are held against each other.
_ALL_PAIRS = 60
_NAMED = 6


def cautions(
    results: ResultSet, material: Material, names: Sequence[str], assumed: int, failures: int
) -> list[str]:
    """Return sentences, the weightiest first.

    Parameters
    ----------
    results, material
        The set, and what figures are drawn from.
    names
        A short name of every result.
    assumed
        Number of entries in the table of assumptions.
    failures
        Points of the study without a result.
    """
    return [
        *_traces(results),
        *_selection(results, failures),
        *_energy(results, material, names),
        *_notes(results),
        *_versions(results),
        *(
            [f"The table of assumptions has {assumed} entries: what no publication stands behind."]
            if assumed
            else []
        ),
    ]


def _traces(results: ResultSet) -> Iterator[str]:
    traces = traces_of(list(results))
    generated = [one for one in traces if one["provenance"].get("source") == "generated"]
    if generated:
        shapes = ", ".join(dict.fromkeys(str(one["provenance"].get("dataset", "?")) for one in generated))
        yield (
            f"The lookups are generated (table sizes of {shapes}), not those of a real dataset: how popular "
            "rows are, and which are asked for together, is the generator's choice."
        )
    unknown = sum(not one["provenance"] for one in traces)
    if unknown:
        yield (
            f"{unknown} of {len(traces)} traces are known by hash only: the file does not say where their "
            "lookups come from."
        )


def _selection(results: ResultSet, failures: int) -> Iterator[str]:
    if results.provenance.get("selection") == "quick":
        yield (
            "This is the quick selection of the study: few samples and few points, to see that everything "
            "works. Numbers to be quoted come from the default or the full one."
        )
    if failures:
        yield f"Points of the study that failed and are not among these results: {failures}."


def _energy(results: ResultSet, material: Material, names: Sequence[str]) -> Iterator[str]:
    """Rankings by energy that the intervals of the sources leave open."""
    if "energy_ranking_flips" in material.frame.columns:
        rows = material.frame[material.frame["energy_ranking_flips"].astype(bool)]
        if len(rows):
            yield _flips(
                f"{len(rows)} of {len(material.frame)} results may take more or less energy than host-dimm",
                Counter(rows["system"].astype(str)),
            )
        return
    pairs = list(_open_pairs(list(results), names))
    if pairs:
        tail = f" and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
        yield (
            "The sources of energy numbers leave open which takes less energy per sample: "
            f"{'; '.join(pairs[:_NAMED])}{tail}."
        )


def _flips(said: str, systems: Counter[str]) -> str:
    named = ", ".join(f"{system} ({count})" for system, count in systems.items())
    return f"{said}, within the intervals that the sources leave: {named}."


def _open_pairs(results: list[Result], names: Sequence[str]) -> Iterator[str]:
    order = sorted(range(len(results)), key=lambda number: results[number].energy_per_sample_pJ)
    near = 1 if len(order) > _ALL_PAIRS else len(order)
    for place, first in enumerate(order):
        for second in order[place + 1 : place + 1 + near]:
            one, other = results[first], results[second]
            if _same_work(one, other) and _is_open(one, other):
                yield f"{names[first]} or {names[second]}"


def _same_work(one: Result, other: Result) -> bool:
    return all(
        getattr(one, key) == getattr(other, key) for key in ("vector_bytes", "scope", "samples", "lookups")
    ) and one.provenance.get("trace_hash") == other.provenance.get("trace_hash")


def _is_open(one: Result, other: Result) -> bool:
    try:
        return energy_ratio(one.energy, other.energy).flips
    except ConfigError:  # a run that took no energy has no rank
        return False


def _notes(results: ResultSet) -> Iterator[str]:
    """Notes that limit what a result says; the others are facts of the run."""
    scaled = Counter(note for one in results for note in one.notes if note.startswith("capacity"))
    for note, count in scaled.items():
        yield f"{note[0].upper()}{note[1:]} ({count} of {len(results)} results)."
    over = [one for one in results if any(row.get("over_budget") for row in one.power)]
    if over:
        systems = ", ".join(dict.fromkeys(one.system for one in over))
        yield f"{len(over)} results draw more power in some microsecond than their budget: {systems}."


def _versions(results: ResultSet) -> Iterator[str]:
    versions = dict.fromkeys(str(one.provenance.get("software_version", "unknown")) for one in results)
    if len(versions) > 1:
        yield f"The results are of different versions of the software: {', '.join(versions)}."
    elif versions and next(iter(versions)) != __version__:
        yield (
            f"The results are of version {next(iter(versions))}; sources and assumptions are those of "
            f"version {__version__}, which wrote this page."
        )
