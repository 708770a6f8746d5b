# SPDX-License-Identifier: MIT
"""Values of the touched table rows, and the count of who read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heam_sim.check.report import Findings
from heam_sim.embedding import EmbeddingScheme, Subtable, reference
from heam_sim.errors import CheckError
from heam_sim.trace import LookupTrace

__all__ = ["Values", "count_operands", "weights_of"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Values:
    """Touched rows numbered in order of (subtable, row), and their integer values, granule after granule.

    Attributes
    ----------
    subtable, row
        int64 (rows,): what each number stands for.
    size, first
        int64 (rows,): granules of a row, and where they begin in `table`.
    table
        int64 (granules of all rows, lanes).
    """

    subtable: IntArray
    row: IntArray
    size: IntArray
    first: IntArray
    table: IntArray

    @classmethod
    def of(
        cls,
        subtable: IntArray,
        row: IntArray,
        granules: IntArray,
        lanes: int,
        given: Mapping[int, Callable[[IntArray], IntArray]] | None = None,
    ) -> Values:
        """Number the different rows among the given ones; ``granules``: length of a subtable's rows.

        ``given``: values (rows, granules, lanes) of some rows of subtables without embeddings of their own.
        """
        order = np.lexsort((row, subtable))
        s, r = subtable[order], row[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (s[1:] != s[:-1]) | (r[1:] != r[:-1])
        s, r = s[new], r[new]
        size = granules[s]
        first = np.cumsum(size) - size
        table = np.zeros((int(size.sum()), lanes), dtype=np.int64)
        for one in np.unique(s).tolist():
            mine = np.flatnonzero(s == one)
            if given is not None and one in given:
                found = given[one](r[mine])
            else:
                found = reference.row_values(one, r[mine], int(granules[one]), lanes)
            table[first[mine[0]] : first[mine[-1]] + granules[one]] = found.reshape(-1, lanes)
        return cls(s, r, size, first, table)

    def number(self, subtable: IntArray, row: IntArray) -> IntArray:
        """Number of each (subtable, row); -1 where it is not among the touched ones."""
        result = np.full(len(subtable), -1, dtype=np.int64)
        for one in np.unique(subtable):
            which = np.flatnonzero(subtable == one)
            start, stop = np.searchsorted(self.subtable, (one, one + 1))
            if start == stop:
                continue
            part = self.row[start:stop]
            at = np.minimum(np.searchsorted(part, row[which]), len(part) - 1)
            hit = part[at] == row[which]
            result[which[hit]] = at[hit] + start
        return result

    def name(self, number: int) -> str:
        """Name a row for a message."""
        return f"row {int(self.row[number])} of subtable {int(self.subtable[number])}"

    def at(self, number: IntArray, granule: IntArray) -> IntArray:
        """Values (n, lanes) of granules of rows."""
        return np.asarray(self.table[self.first[number] + granule], dtype=np.int64)

    def rows_of(self, number: IntArray) -> IntArray:
        """Values (n, granules, lanes) of whole rows, padded with zeros up to the longest."""
        longest = int(self.size[number].max())
        granule = np.arange(longest)
        inside = granule < self.size[number][:, None]
        at = np.where(inside, self.first[number][:, None] + granule, 0)
        found: IntArray = np.where(inside[:, :, None], self.table[at], 0)
        return found


def weights_of(trace: LookupTrace, scope: str) -> Callable[[IntArray, IntArray], IntArray]:
    """Return a function that gives the integer weight of (GnR, slot): 0 for lookups that do not exist."""
    lengths = np.stack([np.diff(cuts) for cuts in trace.offsets], axis=1)
    per_gnr = lengths.ravel() if scope == "bag" else lengths.sum(axis=1)
    first = np.cumsum(per_gnr) - per_gnr
    flat = np.ones(int(per_gnr.sum()), dtype=np.int64)
    if trace.weights is not None:
        table = np.repeat(np.arange(trace.tables), [len(one) for one in trace.indices])
        sample = np.concatenate(
            [np.repeat(np.arange(trace.samples), np.diff(cuts)) for cuts in trace.offsets]
        )
        flat = reference.weight_values(np.concatenate(trace.weights))[np.lexsort((table, sample))]

    def weight(tag: IntArray, slot: IntArray) -> IntArray:
        known = tag < len(per_gnr)
        known[known] = slot[known] < per_gnr[tag[known]]
        result = np.zeros(len(tag), dtype=np.int64)
        result[known] = flat[first[tag[known]] + slot[known]]
        return result

    return weight


def _expected(
    values: Values, trace: LookupTrace, embedding: EmbeddingScheme, vector_bytes: int, scope: str
) -> tuple[IntArray, IntArray]:
    """(GnR, row number) of every operand of the trace."""
    subtables = embedding.subtables(trace.cardinalities, vector_bytes)
    gnrs, numbers = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for table in range(trace.tables):
        sample = np.repeat(np.arange(trace.samples, dtype=np.int64), np.diff(trace.offsets[table]))
        gnr = sample * trace.tables + table if scope == "bag" else sample
        for operand in embedding.operands(table, trace.indices[table], subtables):
            number = values.number(np.full(len(gnr), operand.subtable_id, dtype=np.int64), operand.rows)
            if (number < 0).any():
                row = int(operand.rows[int(np.argmax(number < 0))])
                raise CheckError(
                    f"homes: row {row} of subtable {operand.subtable_id} is looked up but has no home."
                )
            gnrs.append(gnr)
            numbers.append(number)
    return np.concatenate(gnrs), np.concatenate(numbers)


def _rows_of_pairs(
    gnr: IntArray,
    pair: IntArray,
    pairs: tuple[IntArray, IntArray],
    values: Values,
    embedding: EmbeddingScheme,
    subtables: Sequence[Subtable],
) -> tuple[IntArray, IntArray]:
    """(GnR, row number) of every operand that sums of pairs stand for; tables and indices (pairs, 2)."""
    gnrs, numbers = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    of, tables, indices = np.repeat(gnr, 2), pairs[0][pair].ravel(), pairs[1][pair].ravel()
    for table in np.unique(tables).tolist():
        mine = tables == table
        for operand in embedding.operands(table, indices[mine], subtables):
            number = values.number(np.full(len(operand.rows), operand.subtable_id), operand.rows)
            if (number < 0).any():
                row = int(operand.rows[int(np.argmax(number < 0))])
                raise CheckError(
                    f"homes: row {row} of subtable {operand.subtable_id} is in a pair but has no home."
                )
            gnrs.append(of[mine])
            numbers.append(number)
    return np.concatenate(gnrs), np.concatenate(numbers)


def _granules(gnr: IntArray, number: IntArray, values: Values) -> IntArray:
    """A key for every granule of rows that GnRs want or read."""
    size = values.size[number]
    ordinal = np.arange(int(size.sum()), dtype=np.int64) - np.repeat(np.cumsum(size) - size, size)
    return np.repeat(gnr * max(len(values.table), 1) + values.first[number], size) + ordinal


def count_operands(
    gnr: IntArray,
    number: IntArray,
    granule: IntArray,
    values: Values,
    trace: LookupTrace,
    embedding: EmbeddingScheme,
    vector_bytes: int,
    scope: str,
    findings: Findings,
    pairs: tuple[IntArray, IntArray] | None = None,
) -> None:
    """Every GnR must have read each granule of its operands as often as it looks them up, and nothing else.

    ``gnr``, ``number`` and ``granule`` describe every granule of a row that was read. ``pairs`` has table and
    index of both lookups of every pair, (pairs, 2): the sum of one, read whole, stands for the rows of both.
    """
    subtables = embedding.subtables(trace.cardinalities, vector_bytes)
    total = max(len(values.table), 1)
    wanted = _granules(*_expected(values, trace, embedding, vector_bytes, scope), values)
    got = gnr * total + values.first[number] + granule
    begun = np.flatnonzero((values.subtable[number] == len(subtables)) & (granule == 0))
    if pairs is not None and len(begun):
        rows = _rows_of_pairs(gnr[begun], values.row[number[begun]], pairs, values, embedding, subtables)
        got = np.concatenate((got, _granules(*rows, values)))
        wanted = np.concatenate((wanted, _granules(gnr[begun], number[begun], values)))
    keys, inverse = np.unique(np.concatenate((wanted, got)), return_inverse=True)
    wanted_count = np.bincount(inverse[: wanted.size], minlength=len(keys))
    got_count = np.bincount(inverse[wanted.size :], minlength=len(keys))
    wrong = np.flatnonzero(wanted_count != got_count)

    def message(i: int) -> str:
        tag, at = divmod(int(keys[wrong[i]]), total)
        which = int(np.searchsorted(values.first, at, side="right")) - 1
        return (
            f"operand: GnR {tag} reads granule {at - int(values.first[which])} of {values.name(which)} "
            f"{int(got_count[wrong[i]])} times instead of {int(wanted_count[wrong[i]])}"
        )

    none = np.full(len(wrong), -1, dtype=np.int64)
    findings.add("operand", "operand", (none, none), (none, none), message)
