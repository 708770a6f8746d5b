# SPDX-License-Identifier: MIT
"""The functional check: execute the issued commands on integer embeddings, compare with an embedding bag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from heam_sim.check.chains import Weights, compose, compose_cores, compose_sums
from heam_sim.check.events import need_fields
from heam_sim.check.flow import FILL, Access, Flow, drain
from heam_sim.check.flow import report as tell
from heam_sim.check.homes import AddressMap, Homes
from heam_sim.check.operands import Values, count_operands, weights_of
from heam_sim.check.report import Findings, Report, Violation
from heam_sim.check.reuse import CacheRules, reuse
from heam_sim.embedding import EmbeddingScheme, Subtable, composes_sums, reference, sum_bytes
from heam_sim.errors import CheckError
from heam_sim.trace import LookupTrace

__all__ = ["FunctionalReport", "Mismatch", "check_functional"]

IntArray = npt.NDArray[np.int64]
NAMES = (
    "RD",
    "LLC_HIT",
    "PIM_RD",
    "PIM_LUT",
    "PIM_MOV",
    "PIM_RDRES",
    "PE_HIT",
    "MERGED",
    "PIM_XMOV",
    "PIM_WRIMM",
)


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A GnR's granule whose sum is wrong: ``expected`` and ``got`` hold one integer per lane.

    Attributes
    ----------
    gnr
        Number of the GnR.
    tables
        Tables whose rows it adds.
    granule
        Number of the burst in the vector.
    expected
        What the sum must be.
    got
        What the commands made.
    """

    gnr: int
    tables: str
    granule: int
    expected: tuple[int, ...]
    got: tuple[int, ...]

    def __str__(self) -> str:
        sums = f"expected {self.expected}, got {self.got}"
        return f"GnR {self.gnr} ({self.tables}), granule {self.granule}: {sums}"


@dataclass(frozen=True, kw_only=True)
class FunctionalReport(Report):
    """Outcome of a functional check.

    Attributes
    ----------
    gnrs
        GnRs that were compared.
    granule_bytes
        Size of the granules that values are kept for: the smallest burst of the run.
    reads
        Commands by name: ``RD``, ``LLC_HIT``, ``PIM_RD``, ``PIM_LUT``, ``PIM_MOV``, ``PIM_RDRES``,
        ``PE_HIT``, ``MERGED``, ``PIM_XMOV``, ``PIM_WRIMM``.
    mismatches
        Wrong (GnR, granule) sums.
    first_mismatch
        The first of them in GnR order, or ``None``.
    """

    gnrs: int
    granule_bytes: int
    reads: dict[str, int]
    mismatches: int
    first_mismatch: Mismatch | None


@dataclass(frozen=True, eq=False)
class _Run:
    """The log's columns as int64, and the geometry of the vectors."""

    column: dict[str, IntArray]
    kind: IntArray  # index into NAMES, -1 for all others
    per_burst: IntArray  # granules of a burst, per channel
    granules: int
    granule_bytes: int
    subtables: tuple[Subtable, ...]
    findings: Findings

    def rows(self, *names: str) -> IntArray:
        """Log rows that hold these commands."""
        return np.flatnonzero(np.isin(self.kind, [NAMES.index(name) for name in names]))

    def place(self, rows: IntArray) -> IntArray:
        """``channel * 65536 + unit`` of log rows."""
        return self.column["channel"][rows] << 16 | self.column["unit"][rows]

    def spread(self, first: IntArray, count: IntArray, end: IntArray | int) -> tuple[IntArray, IntArray]:
        """One (element, granule) pair for ``count`` granules from ``first`` on, cut at ``end``."""
        count = np.maximum(np.minimum(count, end - first), 0)
        element = np.repeat(np.arange(len(first), dtype=np.int64), count)
        ordinal = np.arange(len(element), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
        return element, first[element] + ordinal


def _burst_table(bursts: Mapping[int, int] | Sequence[int]) -> dict[int, int]:
    table = dict(bursts) if isinstance(bursts, Mapping) else dict(enumerate(bursts))
    if not table or min(table.values()) < 1:
        raise CheckError("burst_bytes_of_channel names no channel or no positive size; give bytes per burst.")
    smallest = min(table.values())
    odd = [channel for channel, size in table.items() if size % smallest]
    if odd:
        raise CheckError(
            f"burst_bytes_of_channel: channel {odd[0]} has no multiple of the smallest, {smallest} bytes."
        )
    return {int(channel): int(size) for channel, size in table.items()}


def _prepare(
    log: npt.NDArray[Any],
    names: Sequence[str],
    bursts: dict[int, int],
    subtables: tuple[Subtable, ...],
    limit: int,
) -> _Run:
    need_fields(log, ("clock", "channel", "command", "bank", "row", "column", "tag", "slot", "unit", "role"))
    column = {name: log[name].astype(np.int64) for name in log.dtype.names or ()}
    code = np.array([NAMES.index(str(n)) if str(n) in NAMES else -1 for n in names] or [-1], dtype=np.int64)
    if len(log) and int(column["command"].max()) >= len(code):
        raise CheckError(
            "the log holds command numbers beyond command_names; pass the command_names of the same run."
        )
    smallest = min(bursts.values())
    per_burst = np.zeros(max([*bursts, int(column["channel"].max()) if len(log) else 0]) + 1, dtype=np.int64)
    for channel, size in bursts.items():
        per_burst[channel] = size // smallest
    kind = code[column["command"]]
    used = np.unique(column["channel"][kind >= 0])
    if (per_burst[used] == 0).any():
        channel = int(used[per_burst[used] == 0][0])
        raise CheckError(
            f"burst_bytes_of_channel does not name channel {channel}, which the log uses; add it."
        )
    granules = -(-sum_bytes(subtables) // smallest)
    return _Run(column, kind, per_burst, granules, smallest, subtables, Findings(limit))


def _memory_reads(
    run: _Run, homes: Homes, values: Values, rules: CacheRules | None
) -> tuple[Access, IntArray]:
    """Operands from memory, a cache or another's read, by granules, and the granules' numbers in rows."""
    rows = run.rows("RD", "LLC_HIT", "PIM_RD", "PE_HIT", "MERGED")
    c = run.column
    home = AddressMap.of(homes).find(c["channel"][rows], c["bank"][rows], c["row"][rows], c["column"][rows])
    lost = rows[home < 0]
    tell(
        run.findings, "address", lost, c["clock"],
        lambda i: f"channel {c['channel'][lost[i]]}, bank {c['bank'][lost[i]]}, row {c['row'][lost[i]]}, "
        f"column {c['column'][lost[i]]} holds no row of a table",
    )  # fmt: skip
    rows, home = rows[home >= 0], home[home >= 0]
    per_burst = run.per_burst[c["channel"][rows]]
    number = values.number(homes.subtable_id[home], homes.row[home])
    first = homes.burst[home] * per_burst
    count = _granules_taken(run, rows, home, number, first, per_burst, rules)
    summed = c["role"][rows] != FILL
    rows, number, first, count = rows[summed], number[summed], first[summed], count[summed]
    element, granule = run.spread(first, count, values.size[number])
    local = ~np.isin(run.kind[rows], [NAMES.index("RD"), NAMES.index("LLC_HIT")])
    place = np.where(local, run.place(rows), -1)
    return _access(run, rows[element], place[element], number[element], granule, values)


def _granules_taken(
    run: _Run,
    rows: IntArray,
    home: IntArray,
    number: IntArray,
    first: IntArray,
    per_burst: IntArray,
    rules: CacheRules | None,
) -> IntArray:
    """Granules that every command brings: a burst, or the part of a row that its PE has."""
    count, kind, c = per_burst.copy(), run.kind[rows], run.column
    taking = np.flatnonzero((kind == NAMES.index("PE_HIT")) | (kind == NAMES.index("MERGED")))
    if not len(taking):
        return count
    reading = np.flatnonzero(kind == NAMES.index("PIM_RD"))
    mine = rows[reading]
    # What is read as one lies in one DRAM row; a row in pieces is several operands.
    keys = (
        c["role"][mine] == FILL,
        *(c[name][mine] for name in ("slot", "tag", "row", "bank")),
        run.place(mine),
    )
    operand = np.zeros(len(mine), dtype=np.int64)
    order = np.lexsort(keys)
    new = np.zeros(len(mine), dtype=np.bool_)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    operand[order] = np.cumsum(new)
    is_hit = kind[taking] == NAMES.index("PE_HIT")
    found = reuse(
        (mine, run.place(mine), number[reading], first[reading], per_burst[reading], operand, home[reading]),
        (rows[taking], run.place(rows[taking]), number[taking], first[taking], home[taking]),
        is_hit,
        rules,
    )
    count[taking] = found.granules
    for which, text in (
        (found.unread, "takes a row that this PE has not read before"),
        (found.stale, "takes a row that must have left the cache"),
    ):
        at = rows[taking][which]
        tell(
            run.findings, "cache", at, c["clock"],
            lambda i, at=at, text=text: f"unit {c['unit'][at[i]]} of channel {c['channel'][at[i]]} {text}",  # type: ignore[misc]
        )  # fmt: skip
    return count


def _lut_reads(run: _Run, lut: tuple[IntArray, IntArray], values: Values) -> tuple[Access, IntArray]:
    """Operands served by LUTs: a PIM_LUT yields the whole row."""
    rows = run.rows("PIM_LUT")
    entry = run.column["row"][rows]
    lost = rows[entry >= len(lut[0])]
    tell(
        run.findings,
        "LUT",
        lost,
        run.column["clock"],
        lambda i: f"LUT row {run.column['row'][lost[i]]} was never filled",
    )
    rows, entry = rows[entry < len(lut[0])], entry[entry < len(lut[0])]
    number = values.number(lut[0][entry], lut[1][entry])
    size = values.size[number]
    element, granule = run.spread(np.zeros(len(rows), dtype=np.int64), size, size)
    return _access(run, rows[element], run.place(rows)[element], number[element], granule, values)


def _access(
    run: _Run, rows: IntArray, place: IntArray, number: IntArray, granule: IntArray, values: Values
) -> tuple[Access, IntArray]:
    c = run.column
    segments = [part.segment_bytes // run.granule_bytes for part in run.subtables]
    segment = _per_subtable(segments, 0, values.subtable)
    return Access(
        place,
        c["tag"][rows],
        granule + segment[values.subtable[number]],
        rows,
        values.at(number, granule),
        c["slot"][rows],
        c["role"][rows],
        number,
    ), granule


def _drains(run: _Run, name: str, lanes: int) -> Flow:
    """The commands that move results on; ``column`` is the burst number of the partial."""
    rows = run.rows(name)
    per_burst = run.per_burst[run.column["channel"][rows]]
    element, granule = run.spread(run.column["column"][rows] * per_burst, per_burst, run.granules)
    outside = rows[run.column["column"][rows] * per_burst >= run.granules]
    tell(
        run.findings,
        "burst",
        outside,
        run.column["clock"],
        lambda i: f"{name} names a burst beyond the vector's end",
    )
    rows = rows[element]
    return Flow(
        run.place(rows), run.column["tag"][rows], granule, rows, np.zeros((len(rows), lanes), dtype=np.int64)
    )


def _per_subtable(known: Sequence[int], other: int, used: IntArray) -> IntArray:
    """One number per subtable, also for those that the homes name and the embedding does not have."""
    size = max(len(known), int(used.max(initial=-1)) + 1)
    result = np.full(size, other, dtype=np.int64)
    result[: len(known)] = known
    return result


def _composed(
    run: _Run, access: Access, values: Values, embedding: EmbeddingScheme, weights: Weights, vector_bytes: int
) -> Flow:
    """What the lookups' rows become before they are added."""
    clock = run.column["clock"]
    is_core = _per_subtable([int(part.covers_bytes > 0) for part in run.subtables], 0, values.subtable)
    core = is_core[values.subtable[access.number]] > 0
    added = compose(access.only(~core), weights, clock, run.findings)
    if not is_core.any():
        return added
    return added.plus(
        compose_cores(
            access.only(core), values, embedding, run.subtables, weights, vector_bytes, clock, run.findings
        )
    )


def _lookups_of(run: _Run, moment: IntArray) -> IntArray:
    """Places in the host that stand for the lookups of log rows, one for each: -2, -3, ..."""
    _, number = np.unique(run.column["tag"][moment] << 32 | run.column["slot"][moment], return_inverse=True)
    return np.asarray(-2 - number, dtype=np.int64)


def _for_immediates(run: _Run, access: Access) -> tuple[Access, Flow]:
    """Give what the host reads of every lookup a place of its own; also the PIM_WRIMMs, at these places."""
    sent = _drains(run, "PIM_WRIMM", access.value.shape[1])
    host = access.place < 0
    place = _lookups_of(run, np.concatenate((access.moment[host], sent.moment)))
    everywhere = access.place.copy()
    everywhere[host] = place[: int(host.sum())]
    return replace(access, place=everywhere), sent.at(place[int(host.sum()) :])


def _sent(run: _Run, added: Flow, sends: Flow) -> Flow:
    """What is added, after the immediates have come to their PEs."""
    on_host = added.place < 0
    sent = drain(added.take(on_host), sends, run.granules, "PIM_WRIMM", run.column["clock"], run.findings)
    return added.take(~on_host).plus(sent.at(run.place(sent.moment)))


def _at_stack(run: _Run, waiting: Flow, place: IntArray, lanes: int) -> Flow:
    """Results of channels after their way to the stack node: what waits there, and at the other channels.

    ``place``: int64 (65536,), of the stack node of every channel, -1 without one.
    """
    inside = place[waiting.place >> 16] >= 0
    moves = _drains(run, "PIM_XMOV", lanes)
    moved = drain(waiting.take(inside), moves, run.granules, "PIM_XMOV", run.column["clock"], run.findings)
    return moved.at(place[moved.place >> 16]).plus(waiting.take(~inside))


def _execute(
    run: _Run, added: Flow, merges: dict[int, bool], default: bool, stacks: Mapping[int, int], gnrs: int
) -> IntArray:
    """Follow every value to the host. Returns int64 (gnrs, granules, lanes)."""
    clock, lanes = run.column["clock"], added.value.shape[1]
    local = added.take(added.place >= 0)
    table = np.full(65536, default, dtype=np.bool_)
    for channel, merge in merges.items():
        table[channel] = merge
    merging = table[local.place >> 16]
    moves = _drains(run, "PIM_MOV", lanes)
    moved = drain(local.take(merging), moves, run.granules, "PIM_MOV", clock, run.findings)
    results = _drains(run, "PIM_RDRES", lanes)
    # A merge node is the channel's one; a result of a unit keeps its unit.
    at_node = np.where(table[results.place >> 16], results.place | 65535, results.place)
    waiting = moved.at(moved.place | 65535).plus(local.take(~merging))
    node = np.full(65536, -1, dtype=np.int64)
    for channel, number in stacks.items():
        node[channel] = (65536 + number) << 16
    waiting = _at_stack(run, waiting, node, lanes)
    at_node = np.where(node[results.place >> 16] >= 0, node[results.place >> 16], at_node)
    arrived = drain(waiting, results.at(at_node), run.granules, "PIM_RDRES", clock, run.findings)
    host = np.zeros((gnrs, run.granules, lanes), dtype=np.int64)
    for flow in (added.take(added.place < 0), arrived):
        inside = flow.tag < gnrs
        np.add.at(host, (flow.tag[inside], flow.granule[inside]), flow.value[inside])
    return host


def _table_of(gnr: int, scope: str, trace: LookupTrace) -> str:
    if scope == "bag":
        return f"sample {gnr // trace.tables}, table {gnr % trace.tables}"
    return f"sample {gnr}, tables 0 to {trace.tables - 1}"


def _compare(
    run: _Run, host: IntArray, truth: IntArray, scope: str, trace: LookupTrace
) -> tuple[int, Mismatch | None]:
    wrong = np.argwhere((host != truth).any(axis=2))
    if len(wrong) == 0:
        return 0, None
    mismatches = [
        Mismatch(
            gnr=int(gnr),
            tables=_table_of(int(gnr), scope, trace),
            granule=int(granule),
            expected=tuple(int(v) for v in truth[gnr, granule]),
            got=tuple(int(v) for v in host[gnr, granule]),
        )
        for gnr, granule in wrong[: run.findings.limit]
    ]
    run.findings.counts["sum"] = len(wrong)
    for one in mismatches:
        run.findings.violations.append(
            Violation(
                rule="sum",
                row="sum",
                first_index=-1,
                second_index=-1,
                first_clock=-1,
                second_clock=-1,
                message=f"sum: {one}",
            )
        )
    return len(wrong), mismatches[0] if mismatches else None


def _lut_arrays(
    lut_rows: Mapping[int, tuple[int, int]] | Sequence[tuple[int, int]] | None,
) -> tuple[IntArray, IntArray]:
    """LUT contents as two arrays: subtable and row of each LUT row."""
    if lut_rows is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if isinstance(lut_rows, Mapping):
        if sorted(lut_rows) != list(range(len(lut_rows))):
            raise CheckError(
                "lut_rows does not name the LUT rows 0, 1, 2, ... without a gap; name each filled row once."
            )
        lut_rows = [lut_rows[i] for i in range(len(lut_rows))]
    table = np.asarray(lut_rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def _sums_of_pairs(
    rows: IntArray,
    *,
    pairs: tuple[IntArray, IntArray],
    trace: LookupTrace,
    embedding: EmbeddingScheme,
    vector_bytes: int,
    granule_bytes: int,
) -> IntArray:
    """What some pairs sum up to, (rows, granules, lanes): that of a trace with a sample for each of them."""
    indices, offsets = [], []
    for table in range(trace.tables):
        mine = pairs[0][rows] == table
        indices.append(pairs[1][rows][mine])
        offsets.append(np.concatenate(([0], np.cumsum(mine.sum(axis=1)))))
    sums = LookupTrace.from_arrays(indices, offsets, cardinalities=trace.cardinalities)
    return reference.pooled(sums, embedding, vector_bytes, granule_bytes, "sample")


def check_functional(
    log: npt.NDArray[Any],
    command_names: Sequence[str],
    *,
    trace: LookupTrace,
    embedding: EmbeddingScheme,
    vector_bytes: int,
    scope: str,
    burst_bytes_of_channel: Mapping[int, int] | Sequence[int],
    locate: Homes,
    lut_rows: Mapping[int, tuple[int, int]] | Sequence[tuple[int, int]] | None = None,
    merge: bool | Mapping[int, bool] = True,
    stacks: Mapping[int, int] | None = None,
    immediates: bool = False,
    pairs: tuple[IntArray, IntArray] | None = None,
    cache: CacheRules | None = None,
    exactly_once: bool = True,
    limit: int = 100,
) -> FunctionalReport:
    """Execute a command log on integer embeddings and compare every sum with the ground truth.

    Rows are found by their physical addresses alone. Operands of role LOAD, MUL and MAC with one GnR, slot
    and burst are multiplied where they meet (in the host, or in one unit); the cores of a tensor train are
    multiplied when all of them are there, whole; the rest is added. Where sums are composed, the host
    multiplies those of a bag's parts in the end. A weighted trace's vectors are multiplied with small
    integers that stand for the weights. PIM_MOV empties a unit's partial into the channel's merge node,
    PIM_XMOV a channel's result into its stack's node, PIM_RDRES empties the merge node (or the unit, or the
    stack's node) into the host; each burst exactly once.

    Parameters
    ----------
    log
        Structured array of ``LOG_DTYPE``, in order of issue, of a run that has drained.
    command_names
        Names behind the log's command numbers.
    trace
        The simulated part of the trace: GnR 0 of the log is its first.
    embedding
        The scheme of the run.
    vector_bytes
        Size of a pooled vector. Rows smaller than a burst must have a burst of their own.
    scope
        ``"bag"`` or ``"sample"``.
    burst_bytes_of_channel
        Bytes per burst of every channel over all tiers.
    locate
        Every place where a touched row may live, as the placement declares it.
    lut_rows
        (subtable, row) of each LUT row, the same in all LUTs.
    merge
        Whether units hand their partials to a merge node; per channel, or one answer for all.
    stacks
        Number of the stack of every channel that has a stack node.
    immediates
        Whether the host sends what it makes of each lookup's rows to a PE by PIM_WRIMM: then nothing of them
        may stay behind in the host.
    pairs
        Table and index of both lookups of every pair, int64 (pairs, 2). Their sums are the rows of a subtable
        in `locate` whose number is the first behind the embedding's.
    cache
        What the PEs' caches can hold; ``None``: there are none.
    exactly_once
        Also demand that each GnR reads precisely its operands, each once: more than equal sums.
    limit
        Violations spelled out per rule; all are counted.

    Returns
    -------
    FunctionalReport
        Sums that differ and rules that are broken; ``report.ok`` when there are none.

    Raises
    ------
    CheckError
        Two rows live in one place, or the arguments do not describe the log.
    ConfigError
        Unknown scope or invalid vector size.
    """
    bursts = _burst_table(burst_bytes_of_channel)
    granule_bytes = min(bursts.values())
    subtables = embedding.subtables(trace.cardinalities, vector_bytes)
    run = _prepare(log, command_names, bursts, subtables, limit)
    truth = reference.pooled(trace, embedding, vector_bytes, granule_bytes, scope)
    lut = _lut_arrays(lut_rows)
    given = {}
    if pairs is not None:
        given[len(subtables)] = partial(
            _sums_of_pairs,
            pairs=pairs,
            trace=trace,
            embedding=embedding,
            vector_bytes=vector_bytes,
            granule_bytes=granule_bytes,
        )
    values = Values.of(
        np.concatenate((locate.subtable_id, lut[0])),
        np.concatenate((locate.row, lut[1])),
        _per_subtable(
            [-(-part.row_bytes // granule_bytes) for part in subtables], run.granules, locate.subtable_id
        ),
        reference.lanes_of(embedding, granule_bytes),
        given,
    )
    memory, memory_granules = _memory_reads(run, locate, values, cache)
    from_lut, lut_granules = _lut_reads(run, lut, values)
    access = memory.joined(from_lut)
    foreign = np.unique(access.moment[access.tag >= len(truth)])
    tell(
        run.findings,
        "tag",
        foreign,
        run.column["clock"],
        lambda i: f"GnR {run.column['tag'][foreign[i]]} does not exist",
    )
    if exactly_once:
        granule = np.concatenate((memory_granules, lut_granules))
        count_operands(
            access.tag,
            access.number,
            granule,
            values,
            trace,
            embedding,
            vector_bytes,
            scope,
            run.findings,
            pairs,
        )
    merges, default = (dict(merge), True) if isinstance(merge, Mapping) else ({}, bool(merge))
    sends = None
    if immediates:
        access, sends = _for_immediates(run, access)
    added = _composed(run, access, values, embedding, weights_of(trace, scope), vector_bytes)
    added = added if sends is None else _sent(run, added, sends)
    host = _execute(run, added, merges, default, stacks or {}, len(truth))
    if composes_sums(embedding):
        host = compose_sums(host, subtables, trace.tables, truth.shape[1], granule_bytes)
    mismatches, first = _compare(run, host, truth, scope, trace)
    report = run.findings.report(int((run.kind >= 0).sum()))
    return FunctionalReport(
        violations=report.violations,
        counts=report.counts,
        commands=report.commands,
        gnrs=len(truth),
        granule_bytes=granule_bytes,
        reads={name: int((run.kind == i).sum()) for i, name in enumerate(NAMES)},
        mismatches=mismatches,
        first_mismatch=first,
    )
