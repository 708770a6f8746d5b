# SPDX-License-Identifier: MIT
"""Lookups of pieces of a trace, in program order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding import EmbeddingScheme
from heam_sim.lowering.packets import bags_in_order
from heam_sim.placement import ModelPlacement
from heam_sim.trace import LookupTrace, TraceFile

__all__ = ["LookupReader", "Lookups", "Scope", "gather"]

Scope = Literal["bag", "sample"]
_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Lookups:
    """Lookups in program order.

    Attributes
    ----------
    table, global_row
        int64 (operands of a lookup, lookups): subtables, and rows by their numbers over the model; the main
        operand last, -1 where a lookup has fewer.
    complete
        No lookup has fewer.
    slot
        uint32 (lookups,): place in the GnR; empty if all are the first.
    number
        int64 (lookups,): over the indices of all tables; empty if there are no pairs to look for.
    gnr_offsets
        int64 (GnRs + 1,).
    samples
        How many.
    weighted
        Whether lookups have weights.
    """

    table: _Int
    global_row: _Int
    complete: bool
    slot: NDArray[np.uint32]
    number: _Int
    gnr_offsets: _Int
    samples: int
    weighted: bool

    @property
    def count(self) -> int:
        """How many lookups there are."""
        return int(self.table.shape[1])

    def gnr(self) -> _Int:
        """Return the GnR of every lookup."""
        return np.repeat(np.arange(self.gnr_offsets.size - 1), np.diff(self.gnr_offsets))

    def piece(self, start: int, stop: int) -> Lookups:
        """Return the lookups of some samples, without copying."""
        if (start, stop) == (0, self.samples):
            return self
        per_sample = (self.gnr_offsets.size - 1) // self.samples
        offsets = self.gnr_offsets[start * per_sample : stop * per_sample + 1]
        mine = slice(offsets[0], offsets[-1])
        return Lookups(
            self.table[:, mine],
            self.global_row[:, mine],
            self.complete,
            self.slot[mine],
            self.number[mine],
            offsets - offsets[0],
            stop - start,
            self.weighted,
        )


class LookupReader:
    """Lookups of one piece of a trace after the other; what is read for one serves those that it holds.

    Every table costs time whenever it is read, for a single sample as for many.

    Parameters
    ----------
    trace
        What is simulated.
    scheme, placement, scope
        As for :func:`gather`.
    together
        Samples that are read at a time, at least; with packets, whole ones.
    """

    def __init__(
        self,
        trace: LookupTrace | TraceFile,
        scheme: EmbeddingScheme,
        placement: ModelPlacement,
        scope: Scope,
        together: int,
    ) -> None:
        self._trace, self._scheme, self._placement, self._scope = trace, scheme, placement, scope
        self._together = together
        self._start = 0
        self._held: Lookups | None = None

    def piece(self, start: int, stop: int) -> Lookups:
        """Return the lookups of the samples ``start`` to ``stop - 1``."""
        held = self._held
        if held is None or not self._start <= start <= stop <= self._start + held.samples:
            end = min(max(stop, start + self._together), self._trace.samples)
            self._held = None  # one block in the memory, not two
            held = gather(self._trace.samples_slice(start, end), self._scheme, self._placement, self._scope)
            self._start, self._held = start, held
        return held.piece(start - self._start, stop - self._start)


class _ProgramOrder:
    """Where the lookups of every table stand when bag follows bag: sample by sample, or packet by packet."""

    def __init__(self, trace: LookupTrace, scope: Scope, packet_samples: int) -> None:
        self.trace = trace
        lengths = {id(offsets): np.diff(offsets) for offsets in trace.offsets}  # tables may share an array
        self._of_tables = [lengths[id(offsets)] for offsets in trace.offsets]
        self.in_packets = scope == "bag" and packet_samples > 1
        # Where all samples are alike the lookups form a matrix with a row per sample: no need to scatter.
        self.alike = not self.in_packets and all(bool((one == one[:1]).all()) for one in lengths.values())
        if self.alike:
            row = np.cumsum([0, *(int(one[:1].sum()) for one in self._of_tables)])
            self.columns = row.tolist()
            self.starts = np.empty(trace.samples * trace.tables + 1, np.int64)
            self.starts[-1] = trace.samples * row[-1]
            np.add.outer(
                np.arange(trace.samples) * row[-1], row[:-1], out=self.starts[:-1].reshape(-1, trace.tables)
            )
            return
        self.lengths = np.stack(self._of_tables, axis=1)
        self.order: _Int | slice = slice(None)
        if self.in_packets:
            bags = np.arange(self.lengths.size)
            self.order = bags_in_order(
                bags, samples=trace.samples, tables=trace.tables, packet_samples=packet_samples
            )
        self.starts = np.zeros(self.lengths.size + 1, np.int64)
        np.cumsum(self.lengths.ravel()[self.order], out=self.starts[1:])

    def put(self, table: int, to: _Int, values: _Int | int) -> None:
        """Write what the lookups of a table are to have."""
        if self.alike:
            matrix = to.reshape(self.trace.samples, self.columns[-1])
            part = matrix[:, self.columns[table] : self.columns[table + 1]]
            part[:] = values if isinstance(values, int) else values.reshape(part.shape)
        else:
            to[self._positions(table)] = values

    def put_numbers(self, to: _Int, numbers: list[int]) -> None:
        """Write a number for all lookups of each table."""
        if self.alike:
            columns = np.repeat(np.array(numbers, np.int64), np.diff(self.columns))
            to.reshape(self.trace.samples, self.columns[-1])[:] = columns
            return
        for table, number in enumerate(numbers):
            self.put(table, to, number)

    def _positions(self, table: int) -> _Int:
        bag_starts: _Int = np.empty(self.lengths.size, np.int64)
        bag_starts[self.order] = self.starts[:-1]
        shift = bag_starts.reshape(self.lengths.shape)[:, table] - self.trace.offsets[table][:-1]
        places = np.repeat(shift, self.lengths[:, table])
        places += np.arange(places.size)
        return places


def gather(trace: LookupTrace, scheme: EmbeddingScheme, placement: ModelPlacement, scope: Scope) -> Lookups:
    """Put the lookups of (a piece of) a trace into program order.

    Parameters
    ----------
    trace
        The piece; with packets it must begin with one.
    scheme
        The embedding.
    placement
        Homes of all rows.
    scope
        ``"bag"``: a GnR per sample and table; ``"sample"``: per sample.
    """
    order = _ProgramOrder(trace, scope, placement.system.placement.packet_samples)
    read = [scheme.operands(t, trace.indices[t], placement.subtables) for t in range(trace.tables)]
    width = max(len(operands) for operands in read)
    complete = all(len(operands) == width for operands in read)
    first_row = placement.first_row.tolist()
    tables, rows = (np.empty((width, order.starts[-1]), np.int64) for _ in range(2))
    for place in range(width):
        at = [place - width + len(operands) for operands in read]
        order.put_numbers(
            tables[place], [ops[k].subtable_id if k >= 0 else -1 for ops, k in zip(read, at, strict=True)]
        )
        for table, (operands, k) in enumerate(zip(read, at, strict=True)):
            if k < 0:
                order.put(table, rows[place], -1)
            else:
                order.put(table, rows[place], operands[k].rows + first_row[operands[k].subtable_id])
    offsets = order.starts if scope == "bag" else order.starts[:: trace.tables].copy()
    return Lookups(
        tables,
        rows,
        complete,
        _slots(offsets),
        _numbers(trace, placement, order),
        offsets,
        trace.samples,
        trace.weights is not None,
    )


def _slots(offsets: _Int) -> NDArray[np.uint32]:
    """Ordinals in GnRs."""
    lengths = np.diff(offsets)
    if lengths.max(initial=0) <= 1:
        return np.empty(0, np.uint32)
    return (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)).astype(np.uint32)


def _numbers(trace: LookupTrace, placement: ModelPlacement, order: _ProgramOrder) -> _Int:
    """Lookups over all indices of all tables, where sums of pairs may serve them."""
    if not placement.pairs.count or trace.weights is not None:
        return np.empty(0, np.int64)
    number = np.empty(order.starts[-1], np.int64)
    for table, rows in enumerate(trace.indices):
        order.put(table, number, rows + placement.pairs.base[table])
    return number
