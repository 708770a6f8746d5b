# SPDX-License-Identifier: MIT
"""What a simulation decides before it runs: where rows live, what the core is told, when samples come."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import ChannelParameters, HostParameters
from heam_sim.accounting import energy_weights
from heam_sim.arrivals import PREFIX, Arrivals, as_arrivals, split_overrides
from heam_sim.dram import Spec
from heam_sim.dram.loader import own_file, standard_text
from heam_sim.embedding import EmbeddingScheme, Full, composes_sums, sum_bytes
from heam_sim.embedding.parse import parse_embedding
from heam_sim.energy.power import power_text
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.lowering import LookupReader, Lowered, Scope, bags_in_order, lower, with_prefetch
from heam_sim.numbers import real_number
from heam_sim.placement import ModelPlacement, TierLayout, place_model
from heam_sim.systems import System, Tier, load_system
from heam_sim.trace import LookupTrace, TraceFile

__all__ = ["Plan", "plan", "resolved_config"]

# Bursts of a sum that the engine's PEs can keep.
_LONGEST_SUM = 64
# How far apart the walks lie that say what the time went to: many GnRs long, short enough for the memory.
_WALK_PS = 20_000_000
# Lookups lowered at a time: bounds memory, whatever the length of the trace. Fewer would stay in the
# processor's cache better, but every table costs time in every chunk, and so does Python after the engine.
_CHUNK_LOOKUPS = 1 << 17


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before anything is simulated."""

    system: System
    specs: Mapping[str, Spec]
    scheme: EmbeddingScheme
    placement: ModelPlacement
    simulated: LookupTrace | TraceFile
    vector_bytes: int
    scope: Scope
    profile: float
    trace_hash: str
    trace_provenance: Mapping[str, Any]
    tick_ps: Fraction
    arrivals: Arrivals | None = None
    # When samples come: uint64 (samples,), in ticks; None before :func:`scheduled`, and in a closed loop.
    arrival_ticks: NDArray[np.uint64] | None = None
    closed_loop_per_second: float | None = None

    def parameters(self) -> dict[str, ChannelParameters]:
        """Return the channel parameters by tier."""
        return {
            name: self._tier_parameters(layout, number)
            for number, (name, layout) in enumerate(self.placement.layouts.items())
        }

    def _tier_parameters(self, layout: TierLayout, number: int) -> ChannelParameters:
        tier, spec, pim = layout.tier, layout.spec, layout.tier.pim
        period = self._ticks(spec.tCK_ps, f"tier {tier.name}")
        energy, window = energy_weights(layout)
        if pim is None:
            return ChannelParameters(
                kind="plain",
                period=period,
                energy=energy,
                energy_window=window,
                **tier.controller.parameters(spec),
            )
        level = pim.unit_level if pim.unit_level in spec.levels else "channel"
        loaded = self.placement.lut_bytes
        return ChannelParameters(
            kind="pim",
            period=period,
            energy=energy,
            energy_window=window,
            refresh=tier.controller.refresh,
            unit_level=spec.levels.index(level),
            merge=bool(pim.merge_level),
            queue_depth=pim.queue_depth,
            batch_tags=pim.batch_tags,
            instruction_buffer=pim.instruction_buffer,
            instruction_cycles=pim.path_cycles(weighted=self.simulated.weighted),
            second_stage_cycles=pim.second_stage_cycles(weighted=self.simulated.weighted),
            host_driven=pim.delivery == "host-driven",
            path_uses_dq=pim.path_uses_dq and pim.delivery != "host-driven",
            decode_cycles=pim.decode_cycles,
            alu_cycles=-(-spec.burst_bytes // pim.alu_bytes_per_cycle),
            alu_latency=pim.alu_latency_cycles,
            merge_cycles=-(-spec.burst_bytes // pim.merge_bytes_per_cycle),
            mov_latency=pim.latency(pim.mov_latency, spec),
            res_latency=pim.latency(pim.res_latency, spec),
            port_bytes_per_cycle=pim.lut_bytes_per_cycle,
            lut_load=-(-loaded // spec.burst_bytes),
            cache_sets=self.placement.cache.sets,
            cache_ways=self.placement.cache.ways,
            merge_identical=pim.merge_identical,
            result_bursts=self._sum_bursts(spec),
            imm_latency=spec.timing["nCWL"] if pim.immediates else 0,
            **self._stack_parameters(layout, number),
        )

    def _stack_parameters(self, layout: TierLayout, number: int) -> dict[str, Any]:
        """Of the adder over a tier's channels: the tier is one stack."""
        spec, pim = layout.spec, layout.tier.pim
        if pim is None or pim.stack_bytes_per_cycle == 0:
            return {}
        return {
            "stack": number + 1,
            "stack_tags": pim.stack_tags,
            "stack_cycles": -(-spec.burst_bytes // pim.stack_bytes_per_cycle),
            "xmov_cycles": pim.xmov_cycles,
            "xmov_latency": pim.latency(pim.xmov_latency, spec),
        }

    def _sum_bursts(self, spec: Spec) -> int:
        """Bursts of what a bag is pooled into."""
        bursts = -(-sum_bytes(self.placement.subtables) // spec.burst_bytes)
        if bursts > _LONGEST_SUM:
            raise ConfigError(
                f"vector_bytes: a bag of {self.scheme.label} is pooled into {bursts} bursts of {spec.name}, "
                f"but a PE's sum has at most {_LONGEST_SUM}; use shorter vectors or fewer parts."
            )
        return bursts

    def _ticks(self, period_ps: Fraction, what: str) -> int:
        ticks = int(period_ps / self.tick_ps)
        if ticks >= 1 << 31:
            raise ConfigError(
                f"{what}: a clock period of {period_ps} ps is too far from the others; bring them closer."
            )
        return ticks

    def host_parameters(self) -> HostParameters:
        """Return the host's parameters."""
        host = self.system.host
        return HostParameters(
            period=self._ticks(Fraction(host.clock_ps), "host.clock_ps"),
            issue_per_cycle=host.issue_per_cycle,
            outstanding=host.outstanding_bursts,
            add_bytes_per_cycle=host.add_bytes_per_cycle,
            line_bytes=host.line_bytes,
            llc_sets=host.llc_sets,
            llc_ways=host.llc_ways if host.llc_sets else 0,
            window=host.window_gnrs,
            batch=host.batch_gnrs,
            ledger_ticks=min(max(int(_WALK_PS / self.tick_ps), 1), 2**32 - 1),
        )

    def chunks(self) -> list[tuple[int, int]]:
        """Return pieces of the simulated samples, each of about as many lookups as fit a chunk."""
        samples, step = self.simulated.samples, self._samples_of_a_chunk
        return [(start, min(start + step, samples)) for start in range(0, samples, step)]

    @property
    def _samples_of_a_chunk(self) -> int:
        per_sample = max(1, self.simulated.lookups // max(self.simulated.samples, 1))
        # Neither a packet nor a window of the dispatcher must be cut.
        whole = self.packet_samples
        if self.placement.spread.rows.size:
            window = self.system.dispatch_window
            whole = math.lcm(whole, window // math.gcd(window, self.gnrs_per_sample))
        return -(-max(1, _CHUNK_LOOKUPS // per_sample) // whole) * whole

    @cached_property
    def _reader(self) -> LookupReader:
        together = self._samples_of_a_chunk
        return LookupReader(self.simulated, self.scheme, self.placement, self.scope, together)

    def lowered(self, start: int, stop: int) -> Lowered:
        """Lower some samples."""
        work = self._lower(start, stop)
        layout = self.placement.pim_layout
        if layout is None or layout.tier.pim is None or not layout.tier.pim.prefetch:
            return work
        # The last GnR brings in what the first one behind it needs.
        more = stop < self.simulated.samples
        return with_prefetch(work, self._lower(stop, stop + 1) if more else None)

    def _lower(self, start: int, stop: int) -> Lowered:
        return lower(
            self._reader.piece(start, stop),
            scheme=self.scheme,
            placement=self.placement,
            first_gnr=start * self.gnrs_per_sample,
        )

    @property
    def gnrs_per_sample(self) -> int:
        """GnRs that a sample makes."""
        return self.simulated.tables if self.scope == "bag" else 1

    @property
    def packet_samples(self) -> int:
        """Samples whose GnRs are sent table by table."""
        return self.system.placement.packet_samples if self.scope == "bag" else 1

    def gnrs_in_order(self, admitted: NDArray[Any]) -> NDArray[np.int64]:
        """Return which GnRs were admitted as the given ones, counted from 0."""
        number = admitted.astype(np.int64, copy=False)
        if self.packet_samples == 1:
            return number
        return bags_in_order(
            number,
            samples=self.simulated.samples,
            tables=self.simulated.tables,
            packet_samples=self.packet_samples,
        )

    def gnr_arrivals(self, start: int, stop: int) -> NDArray[np.uint64] | None:
        """Return when the GnRs of some samples come, in the order in which they are sent, in ticks."""
        if self.arrival_ticks is None:
            return None
        per_sample = self.gnrs_per_sample
        sent = self.gnrs_in_order(np.arange(start * per_sample, stop * per_sample))
        return self.arrival_ticks[sent // per_sample]

    @property
    def last_arrival_ns(self) -> float | None:
        """When the last sample comes; None in a closed loop."""
        if self.arrival_ticks is None:
            return None
        return float(self.arrival_ticks[-1]) * self.tick_ns if self.arrival_ticks.size else 0.0

    @property
    def tick_ns(self) -> float:
        """The common tick of all clocks in ns."""
        return float(self.tick_ps) / 1000

    def whole(self) -> LookupTrace:
        """Return the simulated part in the memory."""
        return self.simulated.read() if isinstance(self.simulated, TraceFile) else self.simulated

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration: with the trace, enough to repeat the run."""
        return _config(
            self.system,
            self.specs,
            self.scheme,
            vector_bytes=self.vector_bytes,
            scope=self.scope,
            profile=self.profile,
            arrivals=self.arrivals,
        )


def plan(
    trace: LookupTrace | TraceFile,
    *,
    system: str | Path | System = "heam",
    embedding: EmbeddingScheme | str | None = None,
    vector_bytes: int = 256,
    scope: Scope = "bag",
    profile: float = 0.2,
    overrides: Mapping[str, Any] | None = None,
    arrivals: Any = None,
) -> Plan:
    """Decide everything that a simulation needs; parameters as in :func:`simulate`."""
    if not isinstance(trace, (LookupTrace, TraceFile)):
        raise ConfigError(
            f"trace: needs a LookupTrace or TraceFile, not {type(trace).__name__}; see LookupTrace."
        )
    comes, overrides = _arrivals(arrivals, overrides)
    described, specs, scheme = _resolve(
        system, embedding, scope=scope, profile=profile, overrides=overrides, arrivals=comes
    )
    subtables = scheme.subtables(trace.cardinalities, vector_bytes)
    profiled, simulated = trace.split(profile)
    placement = place_model(
        described,
        specs,
        scheme=scheme,
        subtables=subtables,
        profile=profiled,
        vector_bytes=vector_bytes,
        scope=scope,
    )
    return Plan(
        system=described,
        specs=specs,
        scheme=scheme,
        placement=placement,
        simulated=simulated,
        vector_bytes=vector_bytes,
        scope=scope,
        profile=profile,
        trace_hash=trace.content_hash,
        trace_provenance=trace.provenance,
        tick_ps=described.tick_ps(specs),
        arrivals=comes,
    )


def _arrivals(
    given: Any, overrides: Mapping[str, Any] | None
) -> tuple[Arrivals | None, Mapping[str, Any] | None]:
    """Arrivals by keyword or by dotted keys, and the overrides of the system."""
    found, rest = split_overrides(overrides)
    if found is not None and given is not None:
        raise ConfigError(f"arrivals: given twice, also as overrides {PREFIX}*; give them once.")
    return found or as_arrivals(given), rest


def resolved_config(
    *,
    system: str | Path | System = "heam",
    embedding: EmbeddingScheme | str | None = None,
    vector_bytes: int = 256,
    scope: Scope = "bag",
    profile: float = 0.2,
    overrides: Mapping[str, Any] | None = None,
    arrivals: Any = None,
) -> dict[str, Any]:
    """Return what :class:`~heam_sim.results.Result` will hold as ``config``, without a trace.

    Two runs with equal configurations on equal traces give equal results, whatever they were called;
    parameters as in :func:`simulate`.
    """
    comes, overrides = _arrivals(arrivals, overrides)
    described, specs, scheme = _resolve(
        system, embedding, scope=scope, profile=profile, overrides=overrides, arrivals=comes
    )
    return _config(
        described, specs, scheme, vector_bytes=vector_bytes, scope=scope, profile=profile, arrivals=comes
    )


def _resolve(
    system: str | Path | System,
    embedding: EmbeddingScheme | str | None,
    *,
    scope: Scope,
    profile: float,
    overrides: Mapping[str, Any] | None,
    arrivals: Arrivals | None,
) -> tuple[System, dict[str, Spec], EmbeddingScheme]:
    if scope not in ("bag", "sample"):
        raise unknown_name("pooling scope", scope, ("bag", "sample"), where="scope")
    real_number("profile", profile, minimum=0, below=1)
    if isinstance(system, System) and overrides:
        raise ConfigError(
            f"overrides: {', '.join(map(str, overrides))} cannot change a system that is given as an object; "
            "give its name, or load_system(name, overrides=...)."
        )
    described = system if isinstance(system, System) else load_system(system, overrides=overrides)
    for tier in described.tiers:
        if arrivals is not None and tier.pim is not None and tier.pim.prefetch:
            raise ConfigError(
                f"arrivals: {tier.name}.pim.prefetch brings in what the next GnR needs, which may not have "
                f"come yet; set {tier.name}.pim.prefetch = false."
            )
    scheme = _scheme(embedding)
    if composes_sums(scheme) and scope == "sample":
        raise ConfigError(
            f"embedding: {scheme.label} composes the sums of a bag, but scope 'sample' pools all tables "
            "into one vector before; use scope 'bag'."
        )
    specs = {tier.name: tier.spec() for tier in described.tiers}
    for tier in described.tiers:
        _check_latencies(tier, specs[tier.name])
    return described, specs, scheme


def _check_latencies(tier: Tier, spec: Spec) -> None:
    """Refuse results that would meet immediates on the data bus."""
    pim = tier.pim
    if pim is not None and pim.immediates and pim.latency(pim.res_latency, spec) != spec.timing["nCL"]:
        raise ConfigError(
            f"tier {tier.name}: pim.res_latency is {pim.res_latency!r}, but immediates share the data bus "
            "with results, and its turn-round is that of writes and reads; leave it at 'nCL'."
        )


def _config(
    system: System,
    specs: Mapping[str, Spec],
    scheme: EmbeddingScheme,
    *,
    vector_bytes: int,
    scope: Scope,
    profile: float,
    arrivals: Arrivals | None,
) -> dict[str, Any]:
    config = {
        "system": system.to_dict(),
        "embedding": scheme.to_dict(),
        "vector_bytes": vector_bytes,
        "scope": scope,
        "profile": profile,
        "memories": {name: {"name": spec.name, "timing": dict(spec.timing)} for name, spec in specs.items()},
        # A closed loop is what there is without a word.
        **({} if arrivals is None else {"arrivals": arrivals.to_dict()}),
    }
    own = _own_files(system)
    return {**config, "files": own} if own else config


def _own_files(system: System) -> dict[str, str]:
    """Digests of memories and power files that do not come with heam_sim, whose names alone say nothing."""
    found: dict[str, str] = {}
    for tier in system.tiers:
        if (memory := own_file(tier.memory)) is not None:
            found[str(memory)] = hashlib.sha256(standard_text(tier.memory).encode()).hexdigest()
        if tier.power.endswith(".toml"):
            found[tier.power] = hashlib.sha256(power_text(tier.power).encode()).hexdigest()
    return found


def _scheme(embedding: EmbeddingScheme | str | None) -> EmbeddingScheme:
    if embedding is None:
        return Full()
    if isinstance(embedding, str):
        return parse_embedding(embedding)
    if not all(hasattr(embedding, name) for name in ("label", "compose", "subtables", "operands")):
        raise ConfigError(
            f"embedding: needs a scheme such as QR(4) or text such as 'qr:4', not {type(embedding).__name__}."
        )
    return embedding
