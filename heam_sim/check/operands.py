# SPDX-License-Identifier: MIT
"""Values of the touched table rows, and the count of who read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heam_sim.check.report import Findings
from heam_sim.embedding import EmbeddingScheme, reference
from heam_sim.errors import CheckError
from heam_sim.trace import LookupTrace

__all__ = ["Values", "count_operands"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Values:
    """Touched rows numbered in order of (subtable, row), and their integer values (rows, granules, lanes)."""

    subtables: IntArray
    starts: IntArray
    rows: IntArray
    table: IntArray

    @classmethod
    def of(cls, subtable: IntArray, row: IntArray, granules: int) -> Values:
        """Number the different rows among the given ones."""
        order = np.lexsort((row, subtable))
        s, r = subtable[order], row[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (s[1:] != s[:-1]) | (r[1:] != r[:-1])
        s, r = s[new], r[new]
        subtables, starts = np.unique(s, return_index=True)
        starts = np.append(starts, len(s)).astype(np.int64)
        table = np.zeros((len(s), granules, reference.LANES), dtype=np.int64)
        for i, one in enumerate(subtables):
            part = slice(int(starts[i]), int(starts[i + 1]))
            table[part] = reference.row_values(int(one), r[part], granules)
        return cls(subtables.astype(np.int64), starts, r, table)

    def number(self, subtable: IntArray, row: IntArray) -> IntArray:
        """Number of each (subtable, row); -1 where it is not among the touched ones."""
        result = np.full(len(subtable), -1, dtype=np.int64)
        for i, one in enumerate(self.subtables):
            which = np.flatnonzero(subtable == one)
            part = self.rows[self.starts[i] : self.starts[i + 1]]
            at = np.minimum(np.searchsorted(part, row[which]), len(part) - 1)
            hit = part[at] == row[which]
            result[which[hit]] = at[hit] + self.starts[i]
        return result

    def name(self, number: int) -> str:
        """Name a row for a message."""
        i = int(np.searchsorted(self.starts, number, side="right")) - 1
        return f"row {int(self.rows[number])} of subtable {int(self.subtables[i])}"

    def at(self, number: IntArray, granule: IntArray) -> IntArray:
        """Values (n, lanes) of granules of rows."""
        return np.asarray(self.table[number, granule], dtype=np.int64)


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


def count_operands(
    seen: IntArray,
    values: Values,
    trace: LookupTrace,
    embedding: EmbeddingScheme,
    vector_bytes: int,
    scope: str,
    granules: int,
    findings: Findings,
) -> None:
    """Every GnR must have read each granule of its operands as often as it looks them up, and nothing else.

    ``seen`` holds GnR, row number and granule of each granule read, (3, n).
    """
    gnr, number = _expected(values, trace, embedding, vector_bytes, scope)
    rows = max(len(values.rows), 1)
    wanted = (gnr * rows + number)[:, None] * granules + np.arange(granules, dtype=np.int64)
    got = (seen[0] * rows + seen[1]) * granules + seen[2]
    keys, inverse = np.unique(np.concatenate((wanted.ravel(), got)), return_inverse=True)
    wanted_count = np.bincount(inverse[: wanted.size], minlength=len(keys))
    got_count = np.bincount(inverse[wanted.size :], minlength=len(keys))
    wrong = np.flatnonzero(wanted_count != got_count)

    def message(i: int) -> str:
        key = int(keys[wrong[i]])
        one, granule = divmod(key, granules)
        tag, which = divmod(one, rows)
        return (
            f"operand: GnR {tag} reads granule {granule} of {values.name(which)} {int(got_count[wrong[i]])} "
            f"times instead of {int(wanted_count[wrong[i]])}"
        )

    none = np.full(len(wrong), -1, dtype=np.int64)
    findings.add("operand", "operand", (none, none), (none, none), message)
