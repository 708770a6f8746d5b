# SPDX-License-Identifier: MIT
"""Tables of the study for one question each, cut out of its summary; figures draw them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from heam_sim.experiments.design import DEFAULT, Variant
from heam_sim.experiments.measures import bandwidth_rows
from heam_sim.experiments.points import Point
from heam_sim.experiments.tune import described_value
from heam_sim.plotting import walk_table
from heam_sim.results import Result

__all__ = [
    "ablation_table",
    "at_point",
    "compression_table",
    "imbalance_table",
    "main_table",
    "memories_table",
    "roofline_table",
    "sensitivity_table",
    "time_table",
    "waterfall_table",
]

#: HEAM from a memory without PEs to the whole; names of variants, and of the steps.
STEPS: Mapping[tuple[str, str], str] = {
    ("host-hbm-dimm", DEFAULT): "no PEs",
    ("heam", "base die"): "base die",
    ("heam", "base die + LUT"): "base die + LUT",
    ("heam", "bank groups"): "bank groups",
    ("heam", "bank groups + LUT, no adder"): "bank groups + LUT",
    ("heam", DEFAULT): "bank groups + LUT + adder (HEAM)",
    ("heam", "no cold tier"): "HEAM, no cold tier",
}
#: The way from memory alone to HEAM, where each step adds one thing.
WAY: Mapping[tuple[str, str], str] = {
    ("host-dimm", DEFAULT): "host-dimm",
    ("host-hbm-dimm", DEFAULT): "hot rows in HBM",
    ("heam", "base die"): "PEs in the base die",
    ("heam", "base die + LUT"): "LUT beside the PEs",
    ("heam", "bank groups + LUT, no adder"): "PEs in the bank groups",
    ("heam", DEFAULT): "adder over them (HEAM)",
}
#: Factors that have a table of their own.
_MEMORIES = ("HBM", "DIMM")
_OF_RUN = ("system", "embedding", "vector_bytes", "scope")
_COMMON = ["trace", "scope", "system", "embedding", "vector_bytes", "variant"]
_RATES = ["lookups_per_second", "samples_per_second", "energy_per_sample_pJ"]
_ACCESSES = ["bank_vectors_per_lookup", "column_reads_per_lookup", "activates_per_lookup"]
_HITS = ["row_hit_rate", "llc_hit_rate", "lut_share", "pe_cache_hit_rate", "cold_share"]


def main_table(summary: pd.DataFrame, point: Point) -> pd.DataFrame:
    """Accesses to banks and hit rates of all systems at a base point, with full tables and its embedding."""
    rows = at_point(summary, point)
    wanted = rows["embedding"].isin(("full", point.embedding)) & (rows["variant"] == DEFAULT)
    return rows.loc[wanted, [*_COMMON, *_ACCESSES, *_HITS]].reset_index(drop=True)


def time_table(results: Iterable[Result]) -> pd.DataFrame:
    """What the time of runs went to.

    One row per run, tier (or ``"host"``) and resource: ``time_ns``, ``share`` of the run's time, ``waits``.
    """
    rows = [
        {
            **{name: getattr(result, name) for name in _OF_RUN},
            **part,
            "share": part["time_ns"] / result.time_ns,
        }
        for result in results
        for part in result.time_parts
    ]
    return pd.DataFrame(rows, columns=[*_OF_RUN, "tier", "resource", "time_ns", "waits", "share"])


def at_point(summary: pd.DataFrame, point: Point, *, vector: bool = True) -> pd.DataFrame:
    """The rows with a base point's trace, scope and (but for ``vector=False``) vector size."""
    same = (summary["trace"] == point.trace) & (summary["scope"] == point.scope)
    if vector:
        same &= summary["vector_bytes"] == point.vector_bytes
    return summary[same]


def ablation_table(summary: pd.DataFrame, point: Point) -> pd.DataFrame:
    """HEAM tier by tier: speed-up and energy saved over host-dimm at all vector sizes of a base point."""
    rows = at_point(summary, point, vector=False)
    rows = rows[rows["embedding"] == point.embedding]
    pieces = []
    for (system, variant), step in STEPS.items():
        part = rows[(rows["system"] == system) & (rows["variant"] == variant)]
        pieces.append(part.assign(step=step).sort_values("vector_bytes"))
    if all(rows["variant"] == DEFAULT):
        pieces = [rows.iloc[:0].assign(step="")]
    columns = ["step", *_COMMON, "speedup_over_host_dimm", "energy_saved_over_host_dimm", *_RATES, *_ACCESSES]
    return pd.concat(pieces, ignore_index=True)[columns]


def waterfall_table(summary: pd.DataFrame, point: Point) -> pd.DataFrame:
    """The way from host-dimm to HEAM at a base point (:func:`heam_sim.plotting.walk_table`)."""
    rows = at_point(summary, point)
    rows = rows[rows["embedding"] == point.embedding].set_index(["system", "variant"])
    found = {key: rows.loc[[key]].iloc[0] for key in WAY if key in rows.index}
    columns = ["step", "system", "embedding", "vector_bytes", "variant", *_RATES]
    if len(found) < len(WAY):
        return pd.DataFrame(columns=columns)
    steps = [{**row, "step": WAY[key], "system": key[0], "variant": key[1]} for key, row in found.items()]
    return walk_table(pd.DataFrame(steps)[columns])


def imbalance_table(results: Iterable[Result]) -> pd.DataFrame:
    """Column reads of every bank group (:attr:`heam_sim.results.Result.bank_reads`), a row each.

    ``group`` counts those of a channel (rank by rank), ``level`` names what they are, ``reads_over_mean`` is
    over the mean of the tier, ``most_over_mean`` that of the tier's busiest one. Tiers without a read have
    no rows.
    """
    rows = []
    for result in results:
        for tier, found in result.bank_reads.items():
            reads = np.array(found["reads"], dtype=float)
            if not reads.any():
                continue
            share = reads / reads.mean()
            rows += [
                {
                    **{name: getattr(result, name) for name in _OF_RUN},
                    "tier": tier,
                    "level": found["level"],
                    "channel": channel,
                    "group": group,
                    "column_reads": int(reads[channel, group]),
                    "reads_over_mean": share[channel, group],
                    "most_over_mean": share.max(),
                }
                for channel, group in np.ndindex(*reads.shape)
            ]
    return pd.DataFrame(rows)


def sensitivity_table(summary: pd.DataFrame, point: Point, variants: Mapping[str, Variant]) -> pd.DataFrame:
    """Curves around a base point: ``factor``, ``setting`` (text, in order) and the results with it changed.

    Factors are the vector size, the collisions of QR, the lookups per bag, and every variant named ``factor =
    setting``; the published setting is in each of the last. A factor that was also varied with another
    compression than the base point's has curves of its own for it.
    """
    base = summary["variant"] == DEFAULT
    same = {name: summary[name] == getattr(point, name) for name in ("trace", "vector_bytes", "embedding")}
    usual = same["embedding"] | (summary["embedding"] == "full")
    here = same["trace"] & (summary["scope"] == point.scope)
    bags = summary[base & same["vector_bytes"] & usual]
    bags = bags.assign(_bag=bags["lookups"] / bags["samples"]).sort_values("_bag", kind="stable")
    pieces = [
        _curve(summary[base & here & usual], "vector", "vector_bytes"),
        _curve(summary[base & here & same["vector_bytes"] & _qr(summary)], "c", "collisions"),
        _curve(bags, "lookups per bag", "trace"),
    ]
    at_point = summary[here & same["vector_bytes"]]
    names = at_point.loc[at_point["variant"].str.contains(" = ", regex=False), "variant"]
    for factor in dict.fromkeys(name.partition(" = ")[0] for name in names):
        if factor not in _MEMORIES:
            pieces += _varied(at_point, factor, point, variants)
    columns = ["factor", "setting", *_COMMON, "speedup_over_host_dimm", *_RATES, *_ACCESSES, *_HITS]
    return pd.concat(pieces, ignore_index=True)[columns]


def _varied(
    rows: pd.DataFrame, factor: str, point: Point, variants: Mapping[str, Variant]
) -> Iterator[pd.DataFrame]:
    """The curves of one factor: the base point's embeddings together, every other one alone."""
    varied = rows["variant"].str.startswith(f"{factor} = ")
    settings = {name: name.partition(" = ")[2] for name in rows.loc[varied, "variant"]}
    settings[DEFAULT] = _published_setting(rows.loc[varied].iloc[0], variants)
    order = sorted(settings, key=lambda name: _number(settings[name]))
    usual = ("full", point.embedding)
    for embedding in dict.fromkeys(
        usual[0] if name in usual else name for name in rows.loc[varied, "embedding"]
    ):
        wanted = rows["embedding"].isin(usual if embedding in usual else (embedding,))
        systems = rows.loc[varied & wanted, "system"]
        part = rows[wanted & rows["system"].isin(systems) & rows["variant"].isin(settings)]
        part = part.sort_values("variant", key=lambda names: names.map(order.index), kind="stable")
        title = factor if embedding in usual else f"{factor}, {embedding}"
        yield part.assign(factor=title, setting=part["variant"].map(settings))


def _published_setting(row: pd.Series, variants: Mapping[str, Variant]) -> str:
    """What a system's description says about that which a variant changes, written as the variant's name."""
    variant = str(row["variant"])
    key = next(iter(variants[variant].set))
    value = described_value(str(row["system"]), key)
    unit = variant.partition(" = ")[2].partition(" ")[2]
    if value == 0:
        return "none"
    return f"{value // 1024} {unit}" if unit == "KiB" else f"{value:g}"


def _number(setting: str) -> float:
    """For sorting; what is not bounded comes last."""
    return float("inf") if setting == "none" else float(setting.partition(" ")[0])


def _qr(summary: pd.DataFrame) -> pd.Series:
    return summary["embedding"].str.startswith("qr:") & summary["embedding"].str.endswith(":multiply")


def _curve(rows: pd.DataFrame, factor: str, column: str) -> pd.DataFrame:
    numbers = rows[column].dtype.kind in "if"
    rows = rows.sort_values(column, kind="stable") if numbers else rows
    settings = rows[column].map(lambda value: f"{value:g}" if numbers else str(value))
    return rows.assign(factor=factor, setting=settings)


def compression_table(summary: pd.DataFrame, point: Point) -> pd.DataFrame:
    """Memory of the model against time, energy and accesses to banks, for every scheme at a base point.

    ``scheme`` is the family (``qr``, ``partitions``, ``hash``, ``tt``, ``full``), ``memory_share`` the
    model's bytes over those of full tables. Only systems that ran more than one family.
    """
    rows = at_point(summary, point)
    rows = rows[rows["variant"] == DEFAULT]
    rows = rows.assign(scheme=rows["embedding"].str.split(":").str[0])
    full = rows.loc[rows["scheme"] == "full", "model_bytes"]
    rows = rows.assign(memory_share=rows["model_bytes"] / (full.iloc[0] if len(full) else float("nan")))
    rows = rows.assign(time_ns_per_sample=1e9 / rows["samples_per_second"])
    families = rows.groupby("system")["scheme"].transform("nunique")
    rows = rows[families > 2].sort_values(["system", "scheme", "memory_share"], kind="stable")
    columns = [*_COMMON, "scheme", "model_bytes", "memory_share", "time_ns_per_sample", *_RATES, *_ACCESSES]
    return rows[columns].reset_index(drop=True)


def memories_table(summary: pd.DataFrame, point: Point) -> pd.DataFrame:
    """Speed-up over host-dimm on the same memories, for every memory at a base point with its embedding."""
    rows = at_point(summary, point)
    named = rows["variant"].str.split(" = ").str[0].isin(_MEMORIES)
    rows = rows[(named | (rows["variant"] == DEFAULT)) & (rows["embedding"] == point.embedding)]
    columns = [*_COMMON, "speedup_over_host_dimm", *_RATES]
    if rows["variant"].nunique() < 2:
        rows = rows.iloc[:0]
    return rows[columns].reset_index(drop=True)


def roofline_table(results: Iterable[Result]) -> pd.DataFrame:
    """Bandwidth of every level of every run's memories, peak and used (:func:`bandwidth_rows`)."""
    rows: list[dict[str, Any]] = []
    for result in results:
        head = {"system": result.system, "lookups_per_second": result.lookups_per_second}
        rows += [{**head, **row} for row in bandwidth_rows(result)]
    return pd.DataFrame(rows)
