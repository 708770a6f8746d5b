# SPDX-License-Identifier: MIT
"""One simulation: trace in, result out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heam_sim._core import (
    BOUND_NAMES,
    LOG_DTYPE,
    PSEUDO_COMMANDS,
    STATE_DONE,
    STATE_NEED_INPUT,
    ChannelParameters,
    HostParameters,
    SpecHandle,
    reasons,
)
from heam_sim._core import (
    System as CoreSystem,
)
from heam_sim._version import __version__
from heam_sim.accounting import (
    account_energy,
    account_power,
    channel_rows,
    energy_weights,
    group_reads,
    tier_totals,
)
from heam_sim.arrivals import PREFIX, Arrivals, as_arrivals, split_overrides
from heam_sim.bounds import Demand, ceilings
from heam_sim.check import log_ending, write_log
from heam_sim.dram import Spec
from heam_sim.dram.loader import own_file, standard_text
from heam_sim.embedding import EmbeddingScheme, Full, composes_sums, sum_bytes
from heam_sim.embedding.parse import parse_embedding
from heam_sim.energy.power import power_text
from heam_sim.errors import CeilingError, ConfigError, unknown_name
from heam_sim.lowering import Lowered, Work, bags_in_order, lower, with_prefetch
from heam_sim.lowering.lower import Scope
from heam_sim.numbers import real_number, whole_number
from heam_sim.placement import ModelPlacement, TierLayout, place_model
from heam_sim.results import Result
from heam_sim.systems import System, Tier, load_system
from heam_sim.trace import LookupTrace, TraceFile
from heam_sim.verification import verify

__all__ = ["Plan", "Run", "plan", "record", "resolved_config", "scheduled", "simulate"]

# Long enough to keep Python out of the loop, short enough for Ctrl-C to be felt at once.
_STEPS = 1 << 18
# Bursts of a sum that the engine's PEs can keep.
_LONGEST_SUM = 64
# How far apart the walks lie that say what the time went to: many GnRs long, short enough for the memory.
_WALK_PS = 20_000_000
# Lookups lowered at a time: bounds memory, whatever the length of the trace. Fewer would stay in the
# processor's cache better, but every table costs time in every chunk.
_CHUNK_LOOKUPS = 1 << 17

Progress = Callable[[int], None]


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
        samples = self.simulated.samples
        per_sample = max(1, self.simulated.lookups // max(samples, 1))
        step = max(1, _CHUNK_LOOKUPS // per_sample)
        # Neither a packet nor a window of the dispatcher must be cut.
        whole = self.packet_samples
        if self.placement.spread.rows.size:
            window = self.system.dispatch_window
            whole = math.lcm(whole, window // math.gcd(window, self.gnrs_per_sample))
        step = -(-step // whole) * whole
        return [(start, min(start + step, samples)) for start in range(0, samples, step)]

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
            self.simulated.samples_slice(start, stop),
            scheme=self.scheme,
            placement=self.placement,
            scope=self.scope,
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
        number = admitted.astype(np.int64)
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


@dataclass(frozen=True)
class Run:
    """What the engine gave back; `latencies_ns` and `gnrs` in the order in which GnRs finished.

    `bank_reads` has the column reads of every bank, an array per channel; `sample_latencies_ns`, of every
    sample, is there in an open loop only.
    """

    time_ns: float
    channels: list[dict[str, int]]
    bounds: list[dict[str, int]]
    spent: dict[tuple[str, str], tuple[int, int]]
    host: dict[str, int]
    latencies_ns: NDArray[np.float64]
    gnrs: NDArray[np.int64]
    log: NDArray[Any]
    command_names: tuple[str, ...]
    demand: Demand
    cold_lookups: int
    lut_reads: int
    replica_reads: int
    spread_reads: int
    carried: int
    pair_reads: int
    shared: int
    work: Work
    bank_reads: list[NDArray[np.uint64]]
    sample_latencies_ns: NDArray[np.float64] | None = None


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


def scheduled(planned: Plan, *, threads: int = 1) -> Plan:
    """Say when samples come; for a load the same plan is simulated in a closed loop before.

    Ticks are the first that are not before the times.
    """
    if planned.arrivals is None:
        return planned
    rate = None
    if planned.arrivals.load is not None:
        closed = _execute(planned, planned.parameters(), with_log=False, threads=threads, progress=None)
        rate = planned.simulated.samples / closed.time_ns * 1e9 if closed.time_ns > 0 else None
    times = planned.arrivals.times_ns(planned.simulated.samples, rate)
    ticks = np.ceil(times / planned.tick_ns).astype(np.uint64)
    return replace(planned, arrival_ticks=ticks, closed_loop_per_second=rate)


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


def simulate(
    trace: LookupTrace | TraceFile,
    *,
    system: str | Path | System = "heam",
    embedding: EmbeddingScheme | str | None = None,
    vector_bytes: int = 256,
    scope: Scope = "bag",
    profile: float = 0.2,
    overrides: Mapping[str, Any] | None = None,
    arrivals: Arrivals | float | ArrayLike | None = None,
    check: bool = False,
    commands: str | Path | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Simulate one system on one trace.

    Parameters
    ----------
    trace
        The lookups; of a :class:`~heam_sim.trace.TraceFile` only the profile part and one chunk are in
        the memory at a time (with ``check`` all are).
    system
        Name of an architecture (:func:`heam_sim.systems.known_systems`), a description file, or a
        :class:`~heam_sim.systems.System`.
    embedding
        A scheme of :mod:`heam_sim.embedding` (default ``Full()``), or text such as ``"qr:4"``.
    vector_bytes
        Size of a pooled vector in bytes, a power of two.
    scope
        What is pooled into one vector: ``"bag"`` (the lookups of a sample in one table, as in DLRM) or
        ``"sample"`` (those of all
        tables, as in the HEAM authors' traces).
    profile
        Share of the samples, from the start, that decides placement and is not timed.
    overrides
        Parameters to change, by dotted keys, e.g. ``{"host.llc_bytes": 0, "hbm.pim.lut_bytes": 65536}``; not
        of a system that is given as an object.
    arrivals
        When samples come (open loop): :class:`~heam_sim.arrivals.PoissonArrivals`,
        :class:`~heam_sim.arrivals.RegularArrivals`, a number (samples per second, at equal distances), or
        one time in ns per simulated sample. The host starts none of a sample's GnRs before, and latencies
        count from there. None: it always has work, up to its window (closed loop). Also as overrides
        ``arrivals.per_second`` or ``arrivals.load``, ``arrivals.process``, ``arrivals.seed``.
    check
        Keep the command log and run the protocol check and the functional check on it (slower, more memory).
    commands
        Store the command log in this file (``.npz`` or ``.csv``, docs/formats.md).
    threads
        With 2 or more a second thread prepares the next piece of the trace while the engine runs one; the
        result is the same.
    progress
        Called with the number of samples handed to the engine so far.

    Returns
    -------
    Result
        Times in ns, energies in pJ.

    Raises
    ------
    ConfigError
        A parameter is not what it can be.
    CapacityError
        The model does not fit into its memory.
    CheckError
        A check found a violation, or the run came out faster than a ceiling allows.
    """
    whole_number("threads", threads, minimum=1)
    if commands is not None:
        log_ending(commands)  # a long run should not end with a name that cannot be
    planned = plan(
        trace,
        system=system,
        embedding=embedding,
        vector_bytes=vector_bytes,
        scope=scope,
        profile=profile,
        overrides=overrides,
        arrivals=arrivals,
    )
    planned = scheduled(planned, threads=threads)
    parameters = planned.parameters()
    kept = check or commands is not None
    run = _execute(planned, parameters, with_log=kept, threads=threads, progress=progress)
    limits = ceilings(planned.placement, run.demand, parameters, last_arrival_ns=planned.last_arrival_ns)
    _hold_against(limits, run.time_ns, planned)
    if commands is not None:
        write_log(commands, run.log, run.command_names)
    if check:
        verify(planned, run)
    return _result(planned, run, limits)


def record(
    trace: LookupTrace | TraceFile, *, threads: int = 1, progress: Progress | None = None, **options: Any
) -> tuple[Plan, Run]:
    """Simulate with the command log kept, and return what was decided and what the engine gave back.

    Parameters
    ----------
    trace, threads, progress
        As for :func:`simulate`.
    options
        Those of :func:`plan`.
    """
    planned = scheduled(plan(trace, **options), threads=threads)
    run = _execute(planned, planned.parameters(), with_log=True, threads=threads, progress=progress)
    return planned, run


def _hold_against(limits: list[dict[str, Any]], time_ns: float, planned: Plan) -> None:
    for row in limits:
        # Both are sums of the same integers; only their last bits may differ.
        if row["enforced"] and time_ns < row["time_ns"] * (1 - 1e-9):
            raise CeilingError(
                f"{planned.system.name}: {time_ns:.1f} ns is faster than {row['resource']} of "
                f"{row['tier']} allows ({row['time_ns']:.1f} ns,"
                f" {row['formula']}); this is a bug of heam_sim, please report it."
            )


def _pieces(planned: Plan, chunks: list[tuple[int, int]], threads: int) -> Iterator[tuple[int, Lowered]]:
    """Lower piece after piece, and say which sample each ends before."""
    if threads == 1 or len(chunks) == 1:
        for start, stop in chunks:
            yield stop, planned.lowered(start, stop)
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(planned.lowered, *chunks[0])
        for number, (_, stop) in enumerate(chunks, start=1):
            lowered = coming.result()
            if number < len(chunks):
                coming = pool.submit(planned.lowered, *chunks[number])
            yield stop, lowered


def _execute(
    planned: Plan,
    parameters: Mapping[str, ChannelParameters],
    *,
    with_log: bool,
    threads: int = 1,
    progress: Progress | None,
) -> Run:
    handles = {name: SpecHandle(spec) for name, spec in planned.specs.items()}
    owners = [name for name, layout in planned.placement.layouts.items() for _ in range(layout.tier.channels)]
    core = CoreSystem(
        planned.host_parameters(),
        channels=[parameters[name] for name in owners],
        specs=[handles[name] for name in owners],
        with_log=with_log,
    )
    demand = Demand(len(owners), max(layout.units for layout in planned.placement.layouts.values()))
    names, tables = _log_names(handles, owners)
    logs: list[NDArray[Any]] = []
    latencies: list[NDArray[np.uint64]] = []
    finished: list[NDArray[np.uint64]] = []
    totals = np.zeros(7, np.int64)
    work = Work()
    chunks = planned.chunks() or [(0, 0)]
    # When each sample is done; nobody asks for it in a closed loop.
    sample_ends = np.zeros(0 if planned.arrival_ticks is None else planned.simulated.samples, np.uint64)
    for number, (stop, lowered) in enumerate(_pieces(planned, chunks, threads)):
        demand.add(lowered, planned.placement)
        totals += (
            lowered.cold_lookups,
            lowered.lut_reads,
            lowered.replica_reads,
            lowered.spread_reads,
            lowered.carried,
            lowered.pair_reads,
            lowered.shared,
        )
        work += lowered.work
        core.feed(
            lowered.items,
            lowered.offsets,
            last=number == len(chunks) - 1,
            arrivals=planned.gnr_arrivals(chunks[number][0], stop),
        )
        while core.run(_STEPS) not in (STATE_NEED_INPUT, STATE_DONE):
            pass
        times = core.take_latencies()
        latencies.append(times["finish"] - times["arrival"])
        finished.append(times["gnr"])
        if planned.arrival_ticks is not None:
            samples = planned.gnrs_in_order(times["gnr"]) // planned.gnrs_per_sample
            np.maximum.at(sample_ends, samples, times["finish"])
        if with_log:
            log = _renumber(core.take_log(), tables)
            if planned.packet_samples > 1:
                log["tag"] = planned.gnrs_in_order(log["tag"])
            logs.append(log)
        if progress is not None:
            progress(stop)
    tick_ns = planned.tick_ns
    ticks = planned.arrival_ticks
    waited = None if ticks is None else (sample_ends - ticks).astype(np.float64) * tick_ns
    return Run(
        time_ns=core.time * tick_ns,
        channels=[core.channel_counters(channel) for channel in range(len(owners))],
        bounds=[_bounds(core.bounds(c), planned.specs[owner]) for c, owner in enumerate(owners)],
        spent=_spent(core, planned, owners),
        host=core.host_counters(),
        latencies_ns=np.concatenate(latencies).astype(np.float64) * tick_ns,
        gnrs=planned.gnrs_in_order(np.concatenate(finished)),
        log=np.concatenate(logs) if logs else np.empty(0, LOG_DTYPE),
        command_names=names,
        demand=demand,
        cold_lookups=int(totals[0]),
        lut_reads=int(totals[1]),
        replica_reads=int(totals[2]),
        spread_reads=int(totals[3]),
        carried=int(totals[4]),
        pair_reads=int(totals[5]),
        shared=int(totals[6]),
        work=work,
        bank_reads=[core.bank_reads(channel) for channel in range(len(owners))],
        sample_latencies_ns=waited,
    )


def _log_names(
    handles: Mapping[str, SpecHandle], owners: list[str]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """One list of command names for the run, and each channel's numbers in it."""
    issued = dict.fromkeys(name for handle in handles.values() for name in handle.command_names)
    names = (*issued, *PSEUDO_COMMANDS.values())
    tables = np.zeros((len(owners), 256), np.uint8)
    for channel, owner in enumerate(owners):
        for number, name in enumerate(handles[owner].command_names):
            tables[channel, number] = names.index(name)
        for number, name in PSEUDO_COMMANDS.items():
            tables[channel, number] = names.index(name)
    return names, tables


def _bounds(counts: NDArray[np.uint64], spec: Spec) -> dict[str, int]:
    """How many commands each resource (or arrival, slot, path ...) set the time of."""
    return _by_resource(counts, [name for _, name in sorted(BOUND_NAMES.items(), reverse=True)], spec)


def _spent(core: CoreSystem, planned: Plan, owners: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Ticks by tier (or host) and by what they went to, together the time of the run, and how often."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    others = list(reasons())
    for place, owner in enumerate([*owners, "host"]):
        spec = planned.specs.get(owner) if place < len(owners) else None
        ticks, waits = (_by_resource(counts, others, spec) for counts in core.spent(place))
        for resource, count in waits.items():
            before = found.get((owner, resource), (0, 0))
            found[owner, resource] = (before[0] + ticks.get(resource, 0), before[1] + count)
    return found


def _by_resource(counts: NDArray[np.uint64], others: list[str], spec: Spec | None) -> dict[str, int]:
    """Sum what belongs to the rows of each resource; the last counts belong to no row."""
    found: dict[str, int] = {}
    rows = counts.size - len(others)
    for number, count in enumerate(counts.tolist()):
        if spec is not None and number < rows:
            resource = spec.constraints[number].resource
        else:
            resource = others[number - rows]
        found[resource] = found.get(resource, 0) + int(count)
    return {name: count for name, count in found.items() if count}


def _renumber(log: NDArray[Any], tables: NDArray[np.uint8]) -> NDArray[Any]:
    log["command"] = tables[log["channel"], log["command"]]
    return log


def _result(planned: Plan, run: Run, limits: list[dict[str, Any]]) -> Result:
    totals = tier_totals(planned, run)
    energy = account_energy(planned, run, totals)
    power = account_power(planned, run, totals, energy)
    return Result(
        system=planned.system.name,
        embedding=planned.scheme.label,
        vector_bytes=planned.vector_bytes,
        scope=planned.scope,
        samples=planned.simulated.samples,
        gnrs=run.host["gnrs"],
        lookups=planned.simulated.lookups,
        time_ns=run.time_ns,
        latency_ns=_percentiles(run.latencies_ns),
        counters=totals,
        channel_counters=channel_rows(planned, run),
        bank_reads=group_reads(planned, run),
        arrivals=_offered(planned, run),
        host={
            **run.host,
            "cold_lookups": run.cold_lookups,
            "lut_reads": run.lut_reads,
            "replica_reads": run.replica_reads,
            "spread_reads": run.spread_reads,
            "pair_reads": run.pair_reads,
            # Only where instructions are per lookup.
            **({"shared_instructions": run.shared} if run.shared else {}),
        },
        energy=energy,
        power=power,
        ceilings=[row for row in limits if row["enforced"]],
        time_parts=_time_parts(planned, run),
        config=planned.config(),
        provenance={
            "trace_hash": planned.trace_hash,
            "trace": dict(planned.trace_provenance),
            "software_version": __version__,
            "estimates": [row for row in limits if not row["enforced"]],
        },
        notes=(*_notes(planned, run), *_over_budget(power)),
    )


def _percentiles(latencies_ns: NDArray[np.float64]) -> dict[str, float]:
    found = latencies_ns if latencies_ns.size else np.zeros(1)
    p50, p95, p99 = (float(value) for value in np.percentile(found, (50, 95, 99)))
    return {"mean": float(found.mean()), "p50": p50, "p95": p95, "p99": p99}


def _offered(planned: Plan, run: Run) -> dict[str, Any]:
    """The load of an open loop and the latencies of samples under it."""
    if planned.arrivals is None or run.sample_latencies_ns is None:
        return {}
    return {
        "samples_per_second": planned.arrivals.rate(planned.closed_loop_per_second),
        "load": planned.arrivals.load,
        "closed_loop_samples_per_second": planned.closed_loop_per_second,
        "last_arrival_ns": planned.last_arrival_ns,
        "sample_latency_ns": _percentiles(run.sample_latencies_ns),
    }


def _over_budget(power: list[dict[str, Any]]) -> list[str]:
    return [
        f"peak power of {row['tier']}, {row['peak_power_W']:.3g} W, is above its budget of "
        f"{row['budget_W']:g} W"
        for row in power
        if row["over_budget"]
    ]


def _time_parts(planned: Plan, run: Run) -> list[dict[str, Any]]:
    """What the time went to, the largest part first."""
    tick_ns = planned.tick_ns
    parts = sorted(run.spent.items(), key=lambda item: -item[1][0])
    return [
        {"tier": tier, "resource": resource.replace("_", " "), "time_ns": ticks * tick_ns, "waits": waits}
        for (tier, resource), (ticks, waits) in parts
    ]


def _notes(planned: Plan, run: Run) -> tuple[str, ...]:
    notes = []
    placement = planned.placement
    for name, layout in placement.layouts.items():
        if layout.tier.capacity_scale != 1:
            notes.append(f"capacity of {name} scaled by {layout.tier.capacity_scale}")
    if placement.hot_layout is not None:
        cold = run.cold_lookups / max(planned.simulated.lookups, 1)
        notes.append(
            f"hot rows take {placement.hot.share:.3f} of the profile's accesses; {cold:.3f} of the "
            f"lookups are cold"
        )
    if placement.spread.rows.size:
        notes.append(
            f"{placement.spread.rows.size} rows, which take {placement.spread.share:.3f} of the profile's "
            f"accesses, have a copy at every PE; {run.spread_reads} operands went to the least loaded one"
        )
    if planned.system.placement.pair_share > 0:
        served = 2 * run.pair_reads / max(planned.simulated.lookups, 1)
        why = "; none for weighted lookups" if planned.simulated.weighted else ""
        why = "; none where bags are pooled first" if composes_sums(planned.scheme) else why
        notes.append(f"{placement.pairs.count} sums of pairs serve {served:.3f} of the lookups{why}")
    if run.replica_reads:
        notes.append(
            f"{run.replica_reads} small operands (R, partitions, cores) read from replicas in banks "
            f"({placement.small_rows - placement.lut_rows} rows outside the LUTs)"
        )
    return tuple(notes)
