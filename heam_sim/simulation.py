# SPDX-License-Identifier: MIT
"""One simulation: trace in, result out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
    group_reads,
    tier_totals,
)
from heam_sim.arrivals import Arrivals
from heam_sim.bounds import Demand, ceilings
from heam_sim.check import log_ending, write_log
from heam_sim.dram import Spec
from heam_sim.embedding import EmbeddingScheme, composes_sums
from heam_sim.errors import CeilingError
from heam_sim.lowering import Lowered, Scope, Work
from heam_sim.numbers import whole_number
from heam_sim.planning import Plan, plan
from heam_sim.quantiles import quantiles
from heam_sim.results import Result
from heam_sim.systems import System
from heam_sim.trace import LookupTrace, TraceFile
from heam_sim.verification import verify

__all__ = ["Run", "record", "scheduled", "simulate"]

# Long enough to keep Python out of the loop, short enough for Ctrl-C to be felt at once.
_STEPS = 1 << 18
# Items that the core is given at a time: few enough for its copy to stay in the processor's cache.
_FED_ITEMS = 1 << 16
# Finished GnRs that are taken out at a time: few enough for the processor's cache.
_TAKEN = 1 << 14

Progress = Callable[[int], None]


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


def _portions(lowered: Lowered) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.uint64], slice]]:
    """Cut work arrays into bags of about so many items together; also which bags these are."""
    gnrs = lowered.offsets.size - 1
    count = max(1, min(gnrs, int(lowered.offsets[-1]) // _FED_ITEMS))
    for number in range(count):
        bags = slice(gnrs * number // count, gnrs * (number + 1) // count)
        offsets = lowered.offsets[bags.start : bags.stop + 1]
        mine = slice(int(offsets[0]), int(offsets[-1]))
        items = {name: values[mine] for name, values in lowered.items.items()}
        yield items, offsets - offsets[0], bags


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
    gnrs = planned.simulated.samples * planned.gnrs_per_sample
    in_ns, finished, done = np.empty(gnrs), np.empty(gnrs, np.int64), 0
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
        arrivals = planned.gnr_arrivals(chunks[number][0], stop)
        for items, offsets, bags in _portions(lowered):
            core.feed(
                items,
                offsets,
                last=number == len(chunks) - 1 and bags.stop == lowered.offsets.size - 1,
                arrivals=None if arrivals is None else arrivals[bags],
            )
            while core.run(_STEPS) not in (STATE_NEED_INPUT, STATE_DONE):
                pass
        while (times := core.take_latencies(_TAKEN)).size:
            some = slice(done, done + times.size)
            np.subtract(times["finish"], times["arrival"], out=in_ns[some], dtype=np.uint64, casting="unsafe")
            finished[some] = times["gnr"]
            done += times.size
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
    in_ns *= tick_ns
    ticks = planned.arrival_ticks
    waited = None if ticks is None else (sample_ends - ticks).astype(np.float64) * tick_ns
    return Run(
        time_ns=core.time * tick_ns,
        channels=[core.channel_counters(channel) for channel in range(len(owners))],
        bounds=[_bounds(core.bounds(c), planned.specs[owner]) for c, owner in enumerate(owners)],
        spent=_spent(core, planned, owners),
        host=core.host_counters(),
        latencies_ns=in_ns,
        gnrs=planned.gnrs_in_order(finished),
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
    p50, p95, p99 = quantiles(found, (0.50, 0.95, 0.99))
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
