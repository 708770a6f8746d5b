# SPDX-License-Identifier: MIT
"""What one simulation returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heam_sim.energy.report import COMPONENTS, EnergyReport
from heam_sim.errors import ConfigError
from heam_sim.html import html_table
from heam_sim.numbers import real_number, whole_number
from heam_sim.results.drawing import plot_results
from heam_sim.results.facts import result_facts, result_title
from heam_sim.results.plain import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["JSON_FIELDS", "LATENCY_KEYS", "Result"]

LATENCY_KEYS = ("mean", "p50", "p95", "p99")
_TEXT = ("system", "embedding", "scope")
_COUNTS = ("vector_bytes", "samples", "gnrs", "lookups")
JSON_FIELDS = (
    "latency_ns",
    "counters",
    "channel_counters",
    "host",
    "power",
    "ceilings",
    "time_parts",
    "bank_reads",
    "arrivals",
    "config",
    "provenance",
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """One system, one embedding, one vector size, simulated.

    Parameters
    ----------
    system, embedding
        Name of the system, label of the embedding.
    vector_bytes
        Size of a pooled vector in bytes.
    scope
        What is pooled: ``"bag"`` or ``"sample"``.
    samples, gnrs, lookups
        Work that was timed.
    time_ns
        From the start to the last finished GnR.
    latency_ns
        Latency of a GnR: ``mean``, ``p50``, ``p95``, ``p99``, in ns, from when the host starts it (closed
        loop) or its sample comes (open loop).
    counters
        Tier to counter name to integer.
    energy
        Energy by tier and component; its time is ``time_ns``.
    channel_counters
        One mapping per channel (rows of a table).
    host
        Counters of the host.
    power
        Per tier (:class:`heam_sim.energy.TierPower`) ``tier``, ``average_power_W``, ``peak_power_W`` (in any
        microsecond, at most), ``peak_rank_power_W``, ``peak_device_power_W``, ``budget_W``, ``over_budget``;
        and of its LUTs and caches ``sram_mm2`` with ``sram_low_mm2`` and ``sram_high_mm2``, and
        ``sram_of_element_in_device_mm2``.
    ceilings
        Closed-form limits, ``{"resource": name, "time_ns": least time it allows}`` each.
    time_parts
        What the time went to, ``{"tier": name or "host", "resource": name, "time_ns": part, "waits": count}``
        each, the largest first; the parts sum to ``time_ns`` (docs/engine.md, "What the time went to").
    bank_reads
        Per tier ``level`` (``"bank_group"``, or the second one of a memory without bank groups) and
        ``reads``, column reads (RD and PIM_RD) as a list per channel of one number per node of that level.
    arrivals
        Of an open loop ``samples_per_second`` (offered), ``load`` (over ``closed_loop_samples_per_second``,
        both ``None`` if the rate was given), ``last_arrival_ns``, and ``sample_latency_ns``, from a sample's
        arrival to its last result, as `latency_ns`. Empty in a closed loop.
    config
        Resolved configuration: with the trace, enough to repeat the run.
    provenance
        At least ``trace_hash`` and ``software_version``; of a simulation also ``trace``, what the trace says
        of where its lookups come from.
    notes
        What a reader must know, e.g. a scaled capacity.

    Raises
    ------
    heam_sim.errors.ConfigError
        A field is of the wrong kind, negative, or not storable.
    """

    system: str
    embedding: str
    vector_bytes: int
    scope: str
    samples: int
    gnrs: int
    lookups: int
    time_ns: float
    latency_ns: Mapping[str, float]
    counters: Mapping[str, Mapping[str, int]]
    energy: EnergyReport
    channel_counters: Sequence[Mapping[str, Any]] = ()
    host: Mapping[str, Any] = field(default_factory=dict)
    power: Sequence[Mapping[str, Any]] = ()
    ceilings: Sequence[Mapping[str, Any]] = ()
    time_parts: Sequence[Mapping[str, Any]] = ()
    bank_reads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arrivals: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*_COUNTS, "time_ns", *JSON_FIELDS):
            object.__setattr__(self, name, plain(getattr(self, name), where=name))
        object.__setattr__(self, "notes", tuple(self.notes))
        for name in _TEXT:
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ConfigError(f"result: {name} is {getattr(self, name)!r}; give a name.")
        for name in _COUNTS:
            whole_number(f"result: {name}", getattr(self, name), minimum=0)
        real_number("result: time_ns", self.time_ns, minimum=0)
        missing = [key for key in LATENCY_KEYS if key not in self.latency_ns]
        if missing:
            raise ConfigError(f"result: latency_ns lacks {missing[0]!r}; give {', '.join(LATENCY_KEYS)}.")
        for row in self.ceilings:
            if not {"resource", "time_ns"} <= row.keys():
                raise ConfigError(f"result: ceiling {row!r} is incomplete; give resource and time_ns.")
        for row in self.time_parts:
            if not {"tier", "resource", "time_ns"} <= row.keys():
                raise ConfigError(
                    f"result: part of the time {row!r} is incomplete; give tier, resource and time_ns."
                )

    def __repr__(self) -> str:
        return (
            f"<Result {self.system}, {self.embedding}, {self.vector_bytes} B, scope {self.scope}: "
            f"{self.samples} samples in {self.time_ns:.6g} ns, {self.energy_pJ:.4g} pJ>"
        )

    def _repr_html_(self) -> str:
        return html_table(result_title(self), result_facts(self), ("", "value", "unit"))

    @property
    def lookups_per_second(self) -> float:
        """Lookups per second; NaN for a run that took no time."""
        return self._rate(self.lookups)

    @property
    def samples_per_second(self) -> float:
        """Samples per second; NaN for a run that took no time."""
        return self._rate(self.samples)

    @property
    def gnrs_per_second(self) -> float:
        """GnRs per second; NaN for a run that took no time."""
        return self._rate(self.gnrs)

    @property
    def energy_pJ(self) -> float:
        """Total energy in pJ, nominal."""
        return self.energy.total_pJ.value

    @property
    def average_power_W(self) -> float:
        """Average power in W, nominal."""
        return self.energy.average_power_W.value

    @property
    def peak_power_W(self) -> dict[str, float]:
        """Peak power of every tier in W, nominal (:class:`heam_sim.energy.TierPower`)."""
        return {str(row["tier"]): float(row["peak_power_W"]) for row in self.power}

    @property
    def time_per_sample_ns(self) -> float:
        """Time over samples in ns; NaN without samples."""
        return self._per_sample(self.time_ns)

    @property
    def energy_per_sample_pJ(self) -> float:
        """Energy of a sample in pJ, nominal; NaN without samples."""
        return self._per_sample(self.energy_pJ)

    @property
    def bound(self) -> str:
        """Resource with the highest closed-form ceiling, empty if no ceilings were given."""
        return str(self._tightest()["resource"]) if self.ceilings else ""

    @property
    def bound_by(self) -> str:
        """Tier and resource to which most of the time went, e.g. ``"hbm: bank"``, or ``"unknown"``."""
        largest = max(self.time_parts, key=lambda row: float(row["time_ns"]), default=None)
        return "unknown" if largest is None else f"{largest['tier']}: {largest['resource']}"

    @property
    def bound_by_share(self) -> float:
        """Share of the time that went to :attr:`bound_by`; NaN if not known."""
        if not self.time_parts or self.time_ns <= 0:
            return math.nan
        return max(float(row["time_ns"]) for row in self.time_parts) / self.time_ns

    @property
    def achieved_fraction(self) -> float:
        """Least possible time over measured time; NaN without ceilings or time."""
        if not self.ceilings or self.time_ns <= 0:
            return math.nan
        return float(self._tightest()["time_ns"]) / self.time_ns

    def to_frame(self) -> pd.DataFrame:
        """The result as one row, with the unit at the end of each column's name.

        Energy columns: ``energy_pJ`` with ``energy_low_pJ`` and ``energy_high_pJ``, the same per sample, and
        ``energy_<component>_pJ`` for every component, summed over tiers; ``peak_power_W`` and
        ``sram_mm2`` are sums over tiers too, and NaN for results that do not have them.
        """
        import pandas as pd

        return pd.DataFrame([self._row()])

    def to_dict(self) -> dict[str, Any]:
        """Every field in plain Python objects: ``energy`` a list of parts, ``summary`` the table's row."""
        fields = {name: getattr(self, name) for name in (*_TEXT, *_COUNTS, "time_ns", *JSON_FIELDS)}
        parts = [
            {
                "tier": tier,
                "component": name,
                "low_pJ": part.low,
                "energy_pJ": part.value,
                "high_pJ": part.high,
            }
            for (tier, name), part in self.energy.components_pJ.items()
        ]
        return {**fields, "notes": list(self.notes), "energy": parts, "summary": self._row()}

    def plot(self, figure: str = "time-parts", **options: Any) -> Figure:
        """Draw a figure of this result alone.

        Parameters
        ----------
        figure
            ``"time-parts"``, ``"energy"`` or ``"roofline"`` (all: ``heam-sim plot --help``).
        **options
            Of the figure, as ``columns=1`` of ``"energy"``.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself in a notebook.

        Raises
        ------
        heam_sim.errors.ConfigError
            An unknown figure or option, or one that this result does not allow.
        """
        return plot_results([self], figure, **options)

    def _row(self) -> dict[str, Any]:
        total = self.energy.total_pJ
        embedding = self.config.get("embedding")
        details = embedding if isinstance(embedding, dict) else {}
        row: dict[str, Any] = {name: getattr(self, name) for name in ("system", "embedding")}
        row["collisions"] = details.get("collisions", math.nan)
        row |= {name: getattr(self, name) for name in ("vector_bytes", "scope", "samples", "gnrs", "lookups")}
        row["time_ns"] = self.time_ns
        row["lookups_per_second"] = self.lookups_per_second
        row["samples_per_second"] = self.samples_per_second
        row["gnrs_per_second"] = self.gnrs_per_second
        row |= {f"latency_{key}_ns": self.latency_ns[key] for key in LATENCY_KEYS}
        row |= self._open_loop()
        row |= {"bound": self.bound, "achieved_fraction": self.achieved_fraction}
        row |= {"bound_by": self.bound_by, "bound_by_share": self.bound_by_share}
        row |= {"energy_pJ": total.value, "energy_low_pJ": total.low, "energy_high_pJ": total.high}
        row["average_power_W"] = self.average_power_W
        row["peak_power_W"] = sum(self.peak_power_W.values()) if self.power else math.nan
        row["over_budget"] = any(tier["over_budget"] for tier in self.power)
        row["sram_mm2"] = sum(tier["sram_mm2"] for tier in self.power) if self.power else math.nan
        row["energy_per_sample_pJ"] = self._per_sample(total.value)
        row["energy_per_sample_low_pJ"] = self._per_sample(total.low)
        row["energy_per_sample_high_pJ"] = self._per_sample(total.high)
        parts = self.energy.by_component()
        row |= {f"energy_{name}_pJ": parts[name].value for name in COMPONENTS}
        row["notes"] = "; ".join(self.notes)
        return row

    def _open_loop(self) -> dict[str, Any]:
        """Columns of an open loop; NaN in a closed one."""
        offered = {key: self.arrivals.get(key) for key in ("samples_per_second", "load")}
        found = {f"offered_{key}": math.nan if value is None else value for key, value in offered.items()}
        latency = self.arrivals.get("sample_latency_ns", {})
        return found | {f"sample_latency_{key}_ns": latency.get(key, math.nan) for key in LATENCY_KEYS}

    def _tightest(self) -> Mapping[str, Any]:
        return max(self.ceilings, key=lambda row: float(row["time_ns"]))

    def _rate(self, number: int) -> float:
        return number / self.time_ns * 1e9 if self.time_ns > 0 else math.nan

    def _per_sample(self, whole: float) -> float:
        return whole / self.samples if self.samples else math.nan
