# SPDX-License-Identifier: MIT
"""Tensor-train embeddings (TT-Rec, Yin et al., arXiv 2101.11714): three cores, composed by small products.

The row number is split into three digits and the dimension into three factors. Row ``i1`` of core G1 is an
``n1 x r`` matrix, row ``i2`` of G2 an ``r x n2 x r`` tensor and row ``i3`` of G3 an ``r x n3`` matrix; their
chain product is the vector of ``n1 x n2 x n3`` elements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.schemes import ceil_root
from heam_sim.embedding.tables import (
    ELEMENT_BYTES,
    Operand,
    Subtable,
    check_cardinalities,
    check_indices,
    check_threshold,
    check_vector_bytes,
    operands_of,
    part_of,
    parts_of,
    quotient_and_rest,
    whole_table,
)
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number

__all__ = ["TT"]

Int64Array = NDArray[np.int64]
CORES = ("G1", "G2", "G3")


@dataclass(frozen=True)
class TT:
    """Tensor-train embeddings with three cores.

    With ``m`` the smallest number whose cube reaches the table's rows, index ``i`` reads row ``i mod m`` of
    G3, ``(i // m) mod m`` of G2 and what is left of G1. The core with the most bytes is the main one: the
    others are brought to where its row is.

    Parameters
    ----------
    rank
        r, from 1 to 1024.
    shape
        ``(n1, n2, n3)``, whose product is the dimension (`vector_bytes` / 4); ``None``: three powers of two
        as equal as can be, the smaller first, e.g. 2 x 4 x 4 for 32.
    threshold
        Tables of at most this many rows stay whole.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """

    rank: int = 16
    shape: tuple[int, int, int] | None = None
    threshold: int = 0
    compose: ClassVar[str] = "gemm"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", whole_number("rank", self.rank, minimum=1, maximum=1024))
        object.__setattr__(self, "threshold", check_threshold(self.threshold))
        if self.shape is None:
            return
        if not isinstance(self.shape, Sequence) or isinstance(self.shape, str) or len(self.shape) != 3:
            raise ConfigError(f"shape must be three numbers such as (2, 4, 4), not {self.shape!r}.")
        factors = tuple(whole_number("shape", factor, minimum=1, maximum=1 << 16) for factor in self.shape)
        object.__setattr__(self, "shape", factors)

    @property
    def label(self) -> str:
        """``"tt:16"``, with shape (or ``auto``) and threshold behind it unless those are the defaults."""
        shape = "x".join(str(factor) for factor in self.shape) if self.shape else "auto"
        if self.threshold:
            return f"tt:{self.rank}:{shape}:{self.threshold}"
        return f"tt:{self.rank}:{shape}" if self.shape else f"tt:{self.rank}"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {
            "scheme": "tt",
            "rank": self.rank,
            "shape": list(self.shape) if self.shape else None,
            "threshold": self.threshold,
        }

    def factors(self, vector_bytes: int) -> tuple[int, int, int]:
        """Return ``(n1, n2, n3)`` for a vector of so many bytes.

        Parameters
        ----------
        vector_bytes
            Size of a pooled vector.

        Returns
        -------
        tuple of int
            Their product is the number of elements.

        Raises
        ------
        ConfigError
            If the given shape does not make such a vector.
        """
        elements = check_vector_bytes(vector_bytes) // ELEMENT_BYTES
        if self.shape is None:
            bits = elements.bit_length() - 1
            one, two = 1 << bits // 3, 1 << (bits - bits // 3) // 2
            return one, two, elements // one // two
        if math.prod(self.shape) != elements:
            raise ConfigError(
                f"shape {'x'.join(str(n) for n in self.shape)} makes {math.prod(self.shape)} elements, but "
                f"vector_bytes = {vector_bytes} holds {elements}; change one of them."
            )
        return self.shape

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return the cores of every table, the main one last, or the whole table where it stays whole.

        Parameters
        ----------
        cardinalities
            Rows of every table.
        vector_bytes
            Size of a pooled vector; rows of cores have sizes of their own.

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid, or the shape does not make the vector.
        """
        sizes, rank = self.factors(vector_bytes), self.rank
        elements = {"G1": sizes[0] * rank, "G2": rank * sizes[1] * rank, "G3": rank * sizes[2]}
        result: list[Subtable] = []
        for table, rows in enumerate(check_cardinalities(cardinalities)):
            if rows <= self.threshold:
                result.append(whole_table(len(result), table, rows, vector_bytes))
                continue
            digit = ceil_root(rows, 3)
            counts = {"G1": -(-rows // digit**2), "G2": min(digit, -(-rows // digit)), "G3": digit}
            main = max(CORES, key=lambda role: (counts[role] * elements[role], role))
            order = [role for role in CORES if role != main] + [main]
            work = _products(order, sizes, rank)
            for role in order:
                result.append(
                    Subtable(
                        len(result),
                        f"table{table}.{role}",
                        table,
                        role,
                        counts[role],
                        elements[role] * ELEMENT_BYTES,
                        small=role != main,
                        covers_bytes=vector_bytes,
                        macs=work[role],
                    )
                )
        return tuple(result)

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what the lookups of one table read: small cores, then the main one.

        Parameters
        ----------
        table
            Number of the table, from 0.
        indices
            int64 array, shape (lookups,).
        subtables
            As :meth:`subtables` makes them.

        Returns
        -------
        tuple of Operand
            In program order; rows are int64 arrays like `indices`.

        Raises
        ------
        ConfigError
            If `subtables` has no such table, or `indices` are no int64 array.
        """
        parts = parts_of(table, subtables)
        rows = check_indices(indices)
        if "W" in parts:
            return operands_of(table, parts, {"W": rows})
        digit = part_of(parts, "G3", table).rows
        left, last = quotient_and_rest(rows, digit)
        first, middle = quotient_and_rest(left, digit)
        digits = {"G3": last, "G2": middle, "G1": first}
        return operands_of(table, parts, digits)

    def contract(self, cores: Mapping[str, Int64Array], vector_bytes: int) -> Int64Array:
        """Return the chain products of rows of the cores, in 64-bit integers that wrap.

        Parameters
        ----------
        cores
            int64 (lookups, elements of a row) for G1, G2 and G3; elements beyond the row are ignored.
        vector_bytes
            Size of a pooled vector.

        Returns
        -------
        numpy.ndarray
            int64 (lookups, elements of the vector).
        """
        (one, two, three), rank = self.factors(vector_bytes), self.rank
        count = len(cores["G1"])
        first = cores["G1"][:, : one * rank].reshape(count, one, rank)
        second = cores["G2"][:, : rank * two * rank].reshape(count, rank, two * rank)
        third = cores["G3"][:, : rank * three].reshape(count, rank, three)
        left = np.matmul(first, second).reshape(count, one * two, rank)
        product: Int64Array = np.matmul(left, third).reshape(count, one * two * three)
        return product


def _products(order: Sequence[str], sizes: Sequence[int], rank: int) -> dict[str, int]:
    """Multiply-adds that the arrival of each core sets off: it is joined with its neighbours there."""
    have: list[tuple[int, int]] = []  # runs of adjacent cores that are already multiplied: first, last
    work: dict[str, int] = {}
    for role in order:
        at = CORES.index(role)
        before = next((run for run in have if run[1] == at - 1), None)
        after = next((run for run in have if run[0] == at + 1), None)
        costs = [0]
        if before and after:
            left_first = _gemm(before, (at, at), sizes, rank) + _gemm((before[0], at), after, sizes, rank)
            right_first = _gemm((at, at), after, sizes, rank) + _gemm(before, (at, after[1]), sizes, rank)
            costs = [left_first, right_first]
        elif before or after:
            costs = [_gemm(before, (at, at), sizes, rank) if before else _gemm((at, at), after, sizes, rank)]
        work[role] = min(costs)
        have = [run for run in have if run not in (before, after)]
        have.append((before[0] if before else at, after[1] if after else at))
    return work


def _gemm(
    left: tuple[int, int] | None, right: tuple[int, int] | None, sizes: Sequence[int], rank: int
) -> int:
    """Multiply-adds of a product of two adjacent runs of cores."""
    assert left is not None and right is not None
    rows = math.prod(sizes[left[0] : left[1] + 1]) * (1 if left[0] == 0 else rank)
    columns = math.prod(sizes[right[0] : right[1] + 1]) * (1 if right[1] == len(CORES) - 1 else rank)
    return rows * rank * columns
