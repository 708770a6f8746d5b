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


_UNNAMED = "the paper's baseline is not named in its abstract"
_HEAM = "HEAM (arXiv 2402.04032)"
CLAIMS = (
    Claim(_HEAM, "speed-up", "6.2x (6.3x in v1-v2)", "the baseline", "heam", "host-dimm", f"{_UNNAMED}; a host with DIMMs only"),
    Claim(_HEAM, "speed-up", "6.2x (6.3x in v1-v2)", "the baseline", "heam", "host-hbm-dimm", f"{_UNNAMED}; a host on the same HBM+DIMM memory"),
    Claim(_HEAM, "speed-up", "6.2x (6.3x in v1-v2)", "the baseline", "heam", "recnmp", f"{_UNNAMED}; RecNMP without its cache"),
    Claim(_HEAM, "energy saved", "58.9 %", "the baseline", "heam", "host-dimm", f"{_UNNAMED}; memory, PEs and host adds, not the host's cores"),
    Claim(_HEAM, "energy saved", "58.9 %", "the baseline", "heam", "host-hbm-dimm", f"{_UNNAMED}; same memory"),
    Claim(_HEAM, "energy saved", "58.9 %", "the baseline", "heam", "recnmp", f"{_UNNAMED}; RecNMP without its cache"),
    Claim(
        "RecNMP (ISCA 2020)", "speed-up", "up to 9.8x memory latency, 4.2x throughput", "optimised host, DDR4-2400", "recnmp", "host-dimm",
        "no RankCache, DDR4-3200 with 2 ranks a channel instead of 8, one-hot Criteo instead of pooled production traces",
    ),
    Claim(
        "RecNMP (ISCA 2020)", "energy saved", "45.8 %", "optimised host, DDR4-2400", "recnmp", "host-dimm",
        "no RankCache, DDR4-3200 with 2 ranks a channel instead of 8, one-hot Criteo instead of pooled production traces",
    ),
    Claim("ProactivePIM (arXiv 2402.04032 v4-v5)", "speed-up", "4.8x", "prior works"),
    Claim("ProactivePIM (IEEE Access 14)", "speed-up", "2.22x with QR, 2.15x with TT-Rec", "its baseline architecture"),
    Claim("SPACE (ISCA 2021)", "speed-up", "3.2x", "DIMM-based NMP"),
    Claim("SPACE (ISCA 2021)", "energy saved", "56 %", "DIMM-based NMP"),
    Claim("TRiM (MICRO 2021)", "speed-up", "up to 7.7x; 3.9x", "host baseline; best rank-level NDP"),
    Claim("TRiM (MICRO 2021)", "energy saved", "55 %; 50 %", "host baseline; best rank-level NDP"),
    Claim("TensorDIMM (MICRO 2019)", "speed-up", "6.2-17.6x", "conventional recommender systems"),
)  # fmt: skip


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
    embedding, size = values.idxmax()
    return f"{embedding}, {size} B"


def claims_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Put every headline beside the comparison of this run that corresponds most closely.

    Parameters
    ----------
    summary
        Table of the study, with the columns ``variant``, ``scope``, ``system``, ``embedding``, ``vector_bytes``,
        ``samples_per_second`` and ``energy_per_sample_pJ``.

    Returns
    -------
    pandas.DataFrame
        ``paper, quantity, published, published_against, our_comparison, measured`` (geometric mean over the configurations),
        ``least, most, most_at, caveat``.
    """
    rows = []
    for claim in CLAIMS:
        head = {
            "paper": claim.paper,
            "quantity": claim.quantity,
            "published": claim.value,
            "published_against": claim.against,
        }
        if not claim.system:
            rows.append(
                {
                    **head,
                    "our_comparison": "",
                    "measured": "not measured",
                    "caveat": "the system is not in this version",
                }
            )
            continue
        for (variant, scope), part in summary.groupby(["variant", "scope"], sort=False):
            if claim.system != "recnmp":  # HEAM's claims are about compressed tables
                part = part[part["embedding"] != "full"]
            values = _ratios(part, claim)
            if values.empty:
                continue
            sizes = sorted({size for _, size in values.index})
            embeddings = ", ".join(dict.fromkeys(str(name) for name, _ in values.index))
            rows.append(
                {
                    **head,
                    "our_comparison": f"{claim.system} against {claim.baseline}, same embedding ({embeddings}), "
                    f"vectors of {sizes[0]} to {sizes[-1]} B, scope {scope}, {variant}",
                    "measured": _format(claim, _middle(claim, values)),
                    "least": _format(claim, float(values.min())),
                    "most": _format(claim, float(values.max())),
                    "most_at": _best(values),
                    "caveat": claim.caveat,
                }
            )
    return pd.DataFrame(rows)
