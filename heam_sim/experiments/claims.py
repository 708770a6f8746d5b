# SPDX-License-Identifier: MIT
"""The papers' headlines beside what this run measured. Nothing is tuned to meet them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Claim", "claims_table"]


@dataclass(frozen=True)
class Claim:
    """A published headline and the comparison of ours that corresponds to it.

    Attributes
    ----------
    quantity
        ``"speed-up"`` or ``"energy saved"``.
    value
        As published: a factor, or a share.
    against
        The paper's baseline, in its words.
    system, baseline
        Ours; empty if the system is not modelled yet.
    caveat
        Why the comparison is not the paper's.
    """

    paper: str
    quantity: str
    value: str
    against: str
    system: str = ""
    baseline: str = ""
    caveat: str = ""


_HEAM = "HEAM (arXiv 2402.04032)"
_HEAM_BASELINES = {
    "host-dimm": "a host with DIMMs only",
    "host-hbm-dimm": "a host on the same HBM and DIMMs",
    "recnmp": "RecNMP",
}
_RECNMP_CAVEAT = (
    "DDR4-3200 with 2 ranks a channel instead of 8, one-hot Criteo instead of pooled production traces"
)


def _heam_claims(quantity: str, value: str) -> tuple[Claim, ...]:
    """HEAM's abstract names no baseline: set the claim against each candidate."""
    return tuple(
        Claim(_HEAM, quantity, value, "the baseline", "heam", name, f"the paper names no baseline; {what}")
        for name, what in _HEAM_BASELINES.items()
    )


CLAIMS = (
    *_heam_claims("speed-up", "6.2x (6.3x in v1-v2)"),
    *_heam_claims("energy saved", "58.9 %"),
    Claim(
        "RecNMP (ISCA 2020)",
        "speed-up",
        "up to 9.8x memory latency, 4.2x throughput",
        "optimised host, DDR4-2400",
        "recnmp",
        "host-dimm",
        _RECNMP_CAVEAT,
    ),
    Claim(
        "RecNMP (ISCA 2020)",
        "energy saved",
        "45.8 %",
        "optimised host, DDR4-2400",
        "recnmp",
        "host-dimm",
        _RECNMP_CAVEAT,
    ),
    Claim("ProactivePIM (arXiv 2402.04032 v4-v5)", "speed-up", "4.8x", "prior works"),
    Claim("ProactivePIM (IEEE Access 14)", "speed-up", "2.22x with QR, 2.15x with TT-Rec", "its baseline"),
    Claim("SPACE (ISCA 2021)", "speed-up", "3.2x", "DIMM-based NMP"),
    Claim("SPACE (ISCA 2021)", "energy saved", "56 %", "DIMM-based NMP"),
    Claim("TRiM (MICRO 2021)", "speed-up", "up to 7.7x; 3.9x", "host baseline; best rank-level NDP"),
    Claim("TRiM (MICRO 2021)", "energy saved", "55 %; 50 %", "host baseline; best rank-level NDP"),
    Claim("TensorDIMM (MICRO 2019)", "speed-up", "6.2-17.6x", "conventional recommender systems"),
)


def _ratios(part: pd.DataFrame, claim: Claim) -> pd.Series:
    column = "samples_per_second" if claim.quantity == "speed-up" else "energy_per_sample_pJ"
    table = part.pivot_table(index=["embedding", "vector_bytes"], columns="system", values=column)
    if claim.system not in table or claim.baseline not in table:
        return pd.Series(dtype=float)
    ratio = table[claim.system] / table[claim.baseline]
    return (ratio if claim.quantity == "speed-up" else 1 - ratio).dropna()


def _format(claim: Claim, value: float) -> str:
    return f"{value:.2f}x" if claim.quantity == "speed-up" else f"{100 * value:.1f} %"


def _middle(claim: Claim, values: pd.Series) -> float:
    """Geometric mean of speed-ups; savings from the geometric mean of what is left."""
    ratios = values if claim.quantity == "speed-up" else 1 - values
    mean = float(np.exp(np.log(ratios.to_numpy(dtype=float)).mean()))
    return mean if claim.quantity == "speed-up" else 1 - mean


def _best(values: pd.Series) -> str:
    best = values.index[int(values.to_numpy().argmax())]
    return f"{best[0]}, {best[1]} B"


def claims_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Put every headline beside the comparisons of this run that correspond most closely.

    Parameters
    ----------
    summary
        Table of the study, with the columns ``variant``, ``scope``, ``system``, ``embedding``,
        ``vector_bytes``, ``samples_per_second`` and ``energy_per_sample_pJ``.

    Returns
    -------
    pandas.DataFrame
        ``paper, quantity, published, published_against, variant, scope, our_comparison, measured`` (geometric
        mean over the configurations), ``least, most, most_at, caveat``; one row per variant and scope.
    """
    rows: list[dict[str, str]] = []
    for claim in CLAIMS:
        found = [
            _compare(claim, part, str(variant), str(scope))
            for (variant, scope), part in summary.groupby(["variant", "scope"], sort=False)
        ]
        rows += [row for row in found if row] or [_missing(claim)]
    return pd.DataFrame(rows).fillna("")


def _head(claim: Claim) -> dict[str, str]:
    return {
        "paper": claim.paper,
        "quantity": claim.quantity,
        "published": claim.value,
        "published_against": claim.against,
    }


def _missing(claim: Claim) -> dict[str, str]:
    caveat = "this run has no such systems" if claim.system else "the system is not in this version"
    return {**_head(claim), "measured": "not measured", "caveat": caveat}


def _compare(claim: Claim, part: pd.DataFrame, variant: str, scope: str) -> dict[str, str]:
    """One claim against one variant and scope; empty if the systems are not there."""
    if claim.system != "recnmp":  # HEAM's claims are about compressed tables
        part = part[part["embedding"] != "full"]
    values = _ratios(part, claim)
    if values.empty:
        return {}
    sizes = sorted(set(values.index.get_level_values("vector_bytes")))
    embeddings = ", ".join(dict.fromkeys(values.index.get_level_values("embedding")))
    return {
        **_head(claim),
        "variant": variant,
        "scope": scope,
        "our_comparison": f"{claim.system} over {claim.baseline}, same embedding ({embeddings}), "
        f"vectors of {sizes[0]} to {sizes[-1]} B",
        "measured": _format(claim, _middle(claim, values)),
        "least": _format(claim, float(values.min())),
        "most": _format(claim, float(values.max())),
        "most_at": _best(values),
        "caveat": claim.caveat,
    }
