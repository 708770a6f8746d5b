# SPDX-License-Identifier: MIT
"""The papers' headlines beside what this run measured, and why they differ. Nothing is tuned to meet them."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from heam_sim.experiments.comparisons import Comparison, Results
from heam_sim.experiments.design import DEFAULT, Variant
from heam_sim.experiments.measures import measures
from heam_sim.experiments.points import Point
from heam_sim.results import Result

__all__ = ["Claim", "Pairing", "claims_table", "comparisons_table", "known_claims"]

SPEED, ENERGY = "speed-up", "energy saved"
NOT_MEASURED = "not measured"
# What the sentence about a difference looks at first, if the study has it.
_USUAL_VECTOR = 128


@dataclass(frozen=True)
class Pairing:
    """A comparison of ours that corresponds to a claim.

    Attributes
    ----------
    system, baselines
        Names; the baseline ``"*"`` stands for every other system.
    embeddings
        Of the system.
    baseline_embedding
        Empty: the same.
    trace, variant
        Where it corresponds most closely.
    """

    system: str
    baselines: tuple[str, ...]
    embeddings: tuple[str, ...]
    baseline_embedding: str = ""
    trace: str = "one-hot"
    variant: str = DEFAULT

    def about(self, point: Point, variants: Mapping[str, Variant]) -> bool:
        """Whether a point is one of the system, with a scheme of the same kind, and complete."""
        schemes = {name.partition(":")[0] for name in self.embeddings}
        whole = point.variant not in variants or not variants[point.variant].ablation
        return point.system == self.system and point.embedding.partition(":")[0] in schemes and whole


@dataclass(frozen=True)
class Claim:
    """A published headline.

    Attributes
    ----------
    quantity
        ``"speed-up"`` or ``"energy saved"``.
    published, value
        As published, and the number (a factor, or a share) that has to be reached.
    against
        The paper's baseline, in its words.
    """

    paper: str
    quantity: str
    published: str
    value: float
    against: str
    compare: tuple[Pairing, ...]

    def of(self, comparison: Comparison) -> float:
        """Its quantity in a comparison."""
        return comparison.speedup if self.quantity == SPEED else 1 - comparison.energy.value

    def text(self, value: float) -> str:
        """Its quantity in words."""
        return f"{value:.2f}x" if self.quantity == SPEED else f"{100 * value:.1f} %"

    def mean(self, values: Iterable[float]) -> float:
        """Geometric mean of speed-ups; savings from the geometric mean of what is left."""
        found = np.array(list(values), dtype=float)
        ratios = found if self.quantity == SPEED else 1 - found
        mean = float(np.exp(np.log(ratios).mean()))
        return mean if self.quantity == SPEED else 1 - mean


@functools.cache
def known_claims() -> tuple[Claim, ...]:
    """Return the headlines, in the order of ``data/claims.toml``."""
    text = (resources.files("heam_sim.experiments") / "data" / "claims.toml").read_text(encoding="utf-8")
    return tuple(
        Claim(**{**row, "compare": tuple(_pairing(pairing) for pairing in row["compare"])})
        for row in tomllib.loads(text)["claim"]
    )


def _pairing(row: Mapping[str, Any]) -> Pairing:
    lists = {key: tuple(row[key]) for key in ("baselines", "embeddings")}
    return Pairing(**{**row, **lists})


def _all_comparisons(results: Results, pairing: Pairing) -> Iterator[Comparison]:
    """The system against its baselines wherever the study has both, under whatever assumptions."""
    for name in _baselines(results, pairing):
        for point in results.found:
            if not pairing.about(point, results.variants):
                continue
            found = results.compare(point, name, pairing.baseline_embedding or None)
            if found is not None:
                yield found


def _baselines(results: Results, pairing: Pairing) -> tuple[str, ...]:
    wanted = results.systems if "*" in pairing.baselines else pairing.baselines
    return tuple(name for name in wanted if name != pairing.system and name in results.systems)


def comparisons_table(results: Results) -> pd.DataFrame:
    """Return every comparison that a claim looks at, under all assumptions of the study, one per row.

    Parameters
    ----------
    results
        All comparisons of a study.

    Returns
    -------
    pandas.DataFrame
        ``system, baseline, trace, scope, embedding, baseline_embedding, vector_bytes, variant,
        baseline_variant, speedup, energy_saved``, its ``_low`` and ``_high``, ``energy_ranking_flips``, and
        ``reaches``: the headlines about this system whose value it reaches.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for claim in known_claims():
        for pairing in claim.compare:
            for one in _all_comparisons(results, pairing):
                row = rows.setdefault((one.point, one.baseline), _comparison_row(one))
                if claim.of(one) >= claim.value:
                    row["reaches"].append(f"{claim.paper.partition(' ')[0]} {claim.published}")
    table = pd.DataFrame(rows.values())
    if not table.empty:
        table["reaches"] = ["; ".join(dict.fromkeys(found)) for found in table["reaches"]]
    return table


def _comparison_row(one: Comparison) -> dict[str, Any]:
    point, other, ratio = one.point, one.baseline, one.energy
    return {
        "system": point.system,
        "baseline": other.system,
        "trace": point.trace,
        "scope": point.scope,
        "embedding": point.embedding,
        "baseline_embedding": other.embedding,
        "vector_bytes": point.vector_bytes,
        "variant": point.variant,
        "baseline_variant": other.variant,
        "speedup": one.speedup,
        "energy_saved": 1 - ratio.value,
        "energy_saved_low": 1 - ratio.high,
        "energy_saved_high": 1 - ratio.low,
        "energy_ranking_flips": ratio.flips,
        "reaches": [],
    }


def claims_table(results: Results) -> pd.DataFrame:
    """Put every headline beside the comparisons of this run that correspond most closely.

    Parameters
    ----------
    results
        All comparisons of a study.

    Returns
    -------
    pandas.DataFrame
        One row per headline and baseline: ``paper, quantity, published, published_against, our_comparison,
        trace, variant, embeddings, vector_bytes, measured`` (geometric mean over the vector sizes), ``least,
        most, most_at``; ``verdict`` (whether that mean reaches the headline, or only another comparison of
        the pair does, under what else the study varies); of energies ``energy_low``, ``energy_high`` and
        ``energy_ranking_flips``;
        ``reached`` (where any comparison of this pair does), ``closest`` (the one nearest to the headline),
        ``other_assumptions`` (the same comparison with one thing changed) and ``why`` (from counters and
        ceilings).
    """
    rows: list[dict[str, Any]] = []
    for claim in known_claims():
        found = [row for pairing in claim.compare for row in _claim_rows(results, claim, pairing)]
        rows += found or [_missing(claim, results)]
    return pd.DataFrame(rows).fillna("")


def _head(claim: Claim) -> dict[str, Any]:
    return {
        "paper": claim.paper,
        "quantity": claim.quantity,
        "published": claim.published,
        "published_against": claim.against,
    }


def _missing(claim: Claim, results: Results) -> dict[str, Any]:
    systems = {pairing.system for pairing in claim.compare}
    lacking = ", ".join(sorted(systems - set(results.systems)))
    why = f"{lacking} is not in this version" if lacking else "this selection of the study has no such points"
    return {**_head(claim), "measured": NOT_MEASURED, "verdict": NOT_MEASURED, "why": why}


def _claim_rows(results: Results, claim: Claim, pairing: Pairing) -> Iterator[dict[str, Any]]:
    every = list(_all_comparisons(results, pairing))
    for baseline in _baselines(results, pairing):
        all_of_pair = [one for one in every if one.baseline.system == baseline]
        main = [one for one in all_of_pair if _corresponds(one, pairing)]
        if main:
            yield {**_head(claim), **_measured(results, claim, pairing, main, all_of_pair)}


def _corresponds(one: Comparison, pairing: Pairing) -> bool:
    point = one.point
    return (
        point.trace == pairing.trace
        and point.variant == pairing.variant
        and point.embedding in pairing.embeddings
    )


def _measured(
    results: Results,
    claim: Claim,
    pairing: Pairing,
    main: list[Comparison],
    every: list[Comparison],
) -> dict[str, Any]:
    best = max(main, key=claim.of)
    values = [claim.of(one) for one in main]
    other = main[0].baseline
    with_what = "full tables" if pairing.baseline_embedding == "full" else "the same embedding"
    row: dict[str, Any] = {
        "our_comparison": f"{pairing.system} over {other.system} with {with_what}",
        "trace": pairing.trace,
        "variant": pairing.variant,
        "embeddings": ", ".join(dict.fromkeys(one.point.embedding for one in main)),
        "vector_bytes": ", ".join(str(one.point.vector_bytes) for one in _by_size(main)),
        "measured": claim.text(claim.mean(values)),
        "least": claim.text(min(values)),
        "most": claim.text(max(values)),
        "most_at": f"{best.point.vector_bytes} B",
        "verdict": _verdict(claim, claim.mean(values), every),
    }
    if claim.quantity == ENERGY:
        row["energy_low"] = claim.text(claim.mean(1 - one.energy.high for one in main))
        row["energy_high"] = claim.text(claim.mean(1 - one.energy.low for one in main))
        row["energy_ranking_flips"] = any(one.energy.flips for one in main)
    row["reached"] = _reached(claim, every)
    closest = min(every, key=lambda one: abs(_distance(claim, claim.of(one))))
    row["closest"] = f"{claim.text(claim.of(closest))} ({_where(closest)})"
    others = _other_assumptions(claim, pairing, every)
    row["other_assumptions"] = "; ".join(f"{name} {claim.text(value)}" for name, value in others.items())
    row["why"] = _why(results, claim, main, others)
    return row


def _verdict(claim: Claim, measured: float, every: list[Comparison]) -> str:
    if measured >= claim.value:
        return "reached"
    return "reached elsewhere" if any(claim.of(one) >= claim.value for one in every) else "not reached"


def _distance(claim: Claim, value: float) -> float:
    """Speed-ups are compared as factors, savings by what is left."""
    if claim.quantity == SPEED:
        return math.log(value / claim.value)
    return math.log((1 - value) / (1 - claim.value))


def _by_size(comparisons: Iterable[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda one: one.point.vector_bytes)


def _usual(main: list[Comparison]) -> Comparison:
    usual = [one for one in main if one.point.vector_bytes == _USUAL_VECTOR]
    return usual[0] if usual else main[0]


def _where(one: Comparison) -> str:
    point = one.point
    return f"{point.embedding}, {point.vector_bytes} B, {point.trace}, {point.variant}"


def _reached(claim: Claim, every: list[Comparison]) -> str:
    """In which comparisons of a pair the headline's value is reached."""
    found = [one for one in every if claim.of(one) >= claim.value]
    if not found:
        return f"nowhere in {len(every)} comparisons"
    most = max(found, key=claim.of)
    variants = ", ".join(dict.fromkeys(f"'{one.point.variant}'" for one in found))
    most_text = f"{claim.text(claim.of(most))} ({_where(most)})"
    return f"in {len(found)} of {len(every)} comparisons, under {variants}; at most {most_text}"


def _other_assumptions(claim: Claim, pairing: Pairing, every: list[Comparison]) -> dict[str, float]:
    """Geometric means over the sizes with another variant, and on other traces."""
    groups: dict[str, list[float]] = {}
    for one in every:
        point = one.point
        if point.embedding not in pairing.embeddings or _corresponds(one, pairing):
            continue
        if point.trace == pairing.trace:
            groups.setdefault(point.variant, []).append(claim.of(one))
        elif point.variant == pairing.variant:
            groups.setdefault(f"trace {point.trace}", []).append(claim.of(one))
    return {name: claim.mean(values) for name, values in groups.items()}


def _why(results: Results, claim: Claim, main: list[Comparison], others: Mapping[str, float]) -> str:
    """Say what the two wait for and what they read, and which assumption matters most."""
    one = _usual(main)
    ends = ((one.point, results.found[one.point]), (one.baseline, results.found[one.baseline]))
    parts = [f"{point.system} {_explained(result)}" for point, result in ends]
    said = f"At {one.point.vector_bytes} B {parts[0]}; {parts[1]}"
    if others:
        measured = claim.mean(claim.of(each) for each in main)
        name = min(others, key=lambda name: abs(_distance(claim, others[name])))
        if abs(_distance(claim, others[name])) < abs(_distance(claim, measured)):
            said += f"; of what the study varies, '{name}' brings it closest to the headline: "
            said += claim.text(others[name])
        else:
            said += "; nothing that the study varies brings it closer to the headline"
    return f"{said}."


def _explained(result: Result) -> str:
    found = measures(result)
    said = [f"reads {found['bank_vectors_per_lookup']:.2f} vectors per lookup from banks"]
    if found["llc_hit_rate"] > 0:
        said.append(f"finds {100 * found['llc_hit_rate']:.0f} % of the host's lines in its cache")
    if found["lut_share"] > 0:
        said.append(f"{100 * found['lut_share']:.0f} % of its PEs' operands in LUTs")
    if found["pe_cache_hit_rate"] > 0:
        said.append(f"{100 * found['pe_cache_hit_rate']:.0f} % of its PEs' operands in their caches")
    if found["cold_share"] > 0:
        said.append(f"leaves {100 * found['cold_share']:.0f} % of the lookups to the DIMMs")
    tightest = max(result.ceilings, key=lambda row: float(row["time_ns"]))
    limit = (
        f"needs {1 / result.achieved_fraction:.1f} times the least time that its tightest resource allows "
        f"({tightest['resource']}, {tightest['tier']})"
    )
    attributed = _attributed(result)
    tail = f", and waits most for {attributed}" if attributed else ""
    return f"{', '.join(said)} and {limit}{tail}"


def _attributed(result: Result) -> str:
    """What most of a run's time is charged to, where the result says so."""
    found = getattr(result, "bound_by", None)
    if isinstance(found, Mapping) and found:
        return str(max(found, key=lambda name: float(found[name])))
    return found if isinstance(found, str) else ""
