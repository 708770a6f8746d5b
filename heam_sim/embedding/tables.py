# SPDX-License-Identifier: MIT
"""What embedding schemes are made of: subtables, operands, and the checks that all schemes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number

__all__ = [
    "ELEMENT_BYTES",
    "INT64_MAX",
    "EmbeddingScheme",
    "Operand",
    "Subtable",
    "check_cardinalities",
    "check_indices",
    "check_threshold",
    "check_vector_bytes",
    "composes_sums",
    "one_of",
    "operands_of",
    "part_of",
    "parts_of",
    "quotient_and_rest",
    "rows_meet",
    "sum_bytes",
    "whole_table",
]

Int64Array = NDArray[np.int64]
INT64_MAX = int(np.iinfo(np.int64).max)
ELEMENT_BYTES = 4  # FP32


@dataclass(frozen=True)
class Subtable:
    """One physical table of rows.

    Parameters
    ----------
    id
        Dense number over all subtables of a model, in table order; those of a table in program order, its
        main one last.
    name
        For people, e.g. ``"table3.Q"``.
    table
        The trace's table that it belongs to.
    role
        ``"W"`` whole table, ``"Q"`` quotients, ``"R"`` remainders, ``"P0"``, ``"P1"``, ... partitions,
        ``"G1"``, ``"G2"``, ``"G3"`` cores of a tensor train.
    rows
        Number of rows.
    row_bytes
        Size of one row in bytes.
    small
        Whether its rows go where the main row of their lookup is. A lookup has one main row, the last in
        program order; every row before it is a small one.
    segment_bytes
        First byte of what a bag is pooled into (its *sum*) that a row is part of.
    covers_bytes
        Bytes of the sum that a row is part of; 0: as many as it has itself.
    macs
        Multiply-adds that bringing in a row costs; 0: one pass over its elements.
    """

    id: int
    name: str
    table: int
    role: str
    rows: int
    row_bytes: int
    small: bool = False
    segment_bytes: int = 0
    covers_bytes: int = 0
    macs: int = 0


@dataclass(frozen=True, eq=False)
class Operand:
    """The rows of one subtable that a sequence of lookups reads.

    Parameters
    ----------
    subtable_id
        :attr:`Subtable.id`.
    rows
        int64 array, one row number per lookup.
    """

    subtable_id: int
    rows: Int64Array


class EmbeddingScheme(Protocol):
    """What every embedding scheme offers."""

    @property
    def label(self) -> str:
        """Short name that :func:`heam_sim.embedding.parse_embedding` understands."""

    @property
    def compose(self) -> str | None:
        """How a lookup's rows become its vector.

        ``"multiply"`` or ``"add"`` element by element, ``"concatenate"``, ``"gemm"`` (a chain of small matrix
        products), or ``None`` for a single row.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return the physical tables of a model.

        Parameters
        ----------
        cardinalities
            Rows of every table, shape (tables,).
        vector_bytes
            Size of a pooled vector, a power of two.

        Returns
        -------
        tuple of Subtable
            Ids are dense in program order, the main one of a table last.
        """

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what the lookups of one table read, in program order, the main row last.

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
        """


def rows_meet(scheme: EmbeddingScheme) -> bool:
    """Whether the rows of a lookup are multiplied with each other, so that they must meet in one place.

    Parameters
    ----------
    scheme
        Any scheme.

    Returns
    -------
    bool
        True for products and chains of matrix products.
    """
    return scheme.compose in ("multiply", "gemm") and not composes_sums(scheme)


def composes_sums(scheme: EmbeddingScheme) -> bool:
    """Whether bags are pooled part by part, and the sums multiplied with each other at the end.

    Parts that are only added or put side by side give the same either way.

    Parameters
    ----------
    scheme
        Any scheme.

    Returns
    -------
    bool
        False for schemes without products.
    """
    return scheme.compose == "multiply" and bool(getattr(scheme, "pool_first", False))


def sum_bytes(subtables: Sequence[Subtable]) -> int:
    """Bytes of what a bag is pooled into: a vector, or with composed sums one for each part.

    Parameters
    ----------
    subtables
        Of all tables, as a scheme makes them.

    Returns
    -------
    int
        Bytes.
    """
    return max(part.segment_bytes + (part.covers_bytes or part.row_bytes) for part in subtables)


def check_vector_bytes(vector_bytes: object) -> int:
    """Return `vector_bytes` if it is a power of two of at least 16.

    Parameters
    ----------
    vector_bytes
        Size of a vector in bytes.

    Returns
    -------
    int
        The same, in bytes.

    Raises
    ------
    ConfigError
        If it is not.
    """
    size = whole_number("vector_bytes", vector_bytes, minimum=16)
    if size & (size - 1):
        raise ConfigError(
            f"vector_bytes must be a power of two of at least 16 (such as 64, 128, 256 or 512), not {size}."
        )
    return size


def check_cardinalities(cardinalities: Sequence[int] | Int64Array) -> list[int]:
    """Return the rows of every table as positive integers, or raise ConfigError."""
    rows = [
        whole_number(f"cardinalities[{table}]", count, minimum=1) for table, count in enumerate(cardinalities)
    ]
    if not rows:
        raise ConfigError("cardinalities is empty; a model has at least one table.")
    return rows


def check_indices(indices: object) -> Int64Array:
    """Return a 1-D int64 array as it is, or raise ConfigError."""
    if not isinstance(indices, np.ndarray) or indices.dtype != np.int64 or indices.ndim != 1:
        raise ConfigError("indices must be a 1-D int64 array, as LookupTrace.indices holds them.")
    return indices


def quotient_and_rest(rows: Int64Array, size: int) -> tuple[Int64Array, Int64Array]:
    """Return ``rows // size`` and ``rows % size``; numpy's own remainders take several times as long."""
    quotient = rows // size
    rest = quotient * -size
    rest += rows
    return quotient, rest


def check_threshold(value: object) -> int:
    """Return the largest number of rows that leaves a table whole, or raise ConfigError."""
    return whole_number("threshold", value, minimum=0, maximum=INT64_MAX)


def one_of(value: object, choices: Sequence[str]) -> str:
    """Return a composition if it is among the choices, or raise ConfigError with the nearest."""
    if not isinstance(value, str) or value not in choices:
        raise unknown_name("composition", value, choices, where="compose")
    return value


def whole_table(number: int, table: int, rows: int, vector_bytes: int) -> Subtable:
    """Return the subtable of a table that stays in one piece."""
    return Subtable(number, f"table{table}.W", table, "W", rows, vector_bytes)


def parts_of(table: int, subtables: Sequence[Subtable]) -> dict[str, Subtable]:
    """Return the subtables of a table by role, in program order."""
    return {subtable.role: subtable for subtable in subtables if subtable.table == table}


def part_of(parts: dict[str, Subtable], role: str, table: int) -> Subtable:
    """Return one part, or raise ConfigError if the subtables are those of another scheme."""
    if role not in parts:
        raise ConfigError(
            f"subtables has no part {role} of table {table}; pass what subtables() of the same scheme "
            "returned."
        )
    return parts[role]


def operands_of(table: int, parts: dict[str, Subtable], rows: dict[str, Int64Array]) -> tuple[Operand, ...]:
    """Return the operands of some lookups in program order, from the row numbers by role."""
    order = sorted((part_of(parts, role, table).id, role) for role in rows)
    return tuple(Operand(number, rows[role]) for number, role in order)
