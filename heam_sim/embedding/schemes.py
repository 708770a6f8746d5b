# SPDX-License-Identifier: MIT
"""Full tables and quotient-remainder (QR) compositional embeddings.

QR follows Shi et al., "Compositional embeddings using complementary partitions" (arXiv 1909.02107): index
``i`` reads row ``i // c`` of a quotient table and row ``i mod c`` of a remainder table. Integer arithmetic
throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.trace.checks import whole_number

__all__ = ["QR", "EmbeddingScheme", "Full", "Operand", "Subtable", "check_vector_bytes"]

Int64Array = NDArray[np.int64]
Compose = Literal["multiply", "add"]
COMPOSE_NAMES = ("multiply", "add")
_INT64_MAX = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Subtable:
    """One physical table of row vectors.

    Parameters
    ----------
    id
        Dense number over all subtables of a model, in table order; R comes before the Q of its table.
    name
        For people, e.g. ``"table3.Q"``.
    table
        The trace's table that it belongs to.
    role
        ``"W"`` whole table, ``"Q"`` quotients, ``"R"`` remainders.
    rows
        Number of rows.
    row_bytes
        Size of one row in bytes.
    """

    id: int
    name: str
    table: int
    role: Literal["W", "Q", "R"]
    rows: int
    row_bytes: int


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
        """How a lookup's rows become its vector: ``"multiply"``, ``"add"``, or ``None`` for a single row."""

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return the physical tables of a model."""

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what the lookups of one table read, in program order."""


@dataclass(frozen=True)
class Full:
    """Uncompressed embeddings: index ``i`` reads row ``i`` of its table."""

    compose: ClassVar[None] = None

    @property
    def label(self) -> str:
        """``"full"``."""
        return "full"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {"scheme": "full"}

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return one whole table (role ``"W"``) per table.

        Parameters
        ----------
        cardinalities
            Rows of every table.
        vector_bytes
            Size of a pooled vector, which is that of a row.

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        row_bytes = check_vector_bytes(vector_bytes)
        rows = _check_cardinalities(cardinalities)
        return tuple(
            Subtable(table, f"table{table}.W", table, "W", count, row_bytes)
            for table, count in enumerate(rows)
        )

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return the single operand of every lookup.

        Raises
        ------
        ConfigError
            If `subtables` has no such table, or `indices` are no int64 array.
        """
        parts = _roles(table, subtables)
        return (Operand(_part(parts, "W", table).id, _check_indices(indices)),)


@dataclass(frozen=True)
class QR:
    """Quotient-remainder embeddings, composed for every lookup.

    With ``c = collisions``, index ``i`` of a table with ``n`` rows reads row ``i mod c`` of R (``min(c, n)``
    rows) and row ``i // c`` of Q (``ceil(n / c)`` rows). ``c = 1`` leaves Q as large as the table and R with
    one row; ``c >= n`` leaves Q with one row and R as large as the table.

    Parameters
    ----------
    collisions
        Indices that share a quotient row, at least 1.
    compose
        ``"multiply"`` or ``"add"``: element by element.
    threshold
        Tables of at most this many rows stay whole. 0 compresses all, as HEAM does; DLRM's flag has the
        default 200.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """

    collisions: int
    compose: Compose = "multiply"
    threshold: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "collisions", whole_number("collisions", self.collisions, minimum=1, maximum=_INT64_MAX)
        )
        object.__setattr__(
            self, "threshold", whole_number("threshold", self.threshold, minimum=0, maximum=_INT64_MAX)
        )
        if self.compose not in COMPOSE_NAMES:
            raise unknown_name("composition", self.compose, COMPOSE_NAMES, where="compose")

    @property
    def label(self) -> str:
        """``"qr:4:multiply"``, with the threshold behind it unless that is 0."""
        tail = f":{self.threshold}" if self.threshold else ""
        return f"qr:{self.collisions}:{self.compose}{tail}"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {
            "scheme": "qr",
            "collisions": self.collisions,
            "compose": self.compose,
            "threshold": self.threshold,
        }

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return R and Q of every table, or the whole table where it has at most `threshold` rows.

        Parameters
        ----------
        cardinalities
            Rows of every table.
        vector_bytes
            Size of a pooled vector; both compositions keep it, so a row of either part is as large.

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        row_bytes = check_vector_bytes(vector_bytes)
        result: list[Subtable] = []
        for table, rows in enumerate(_check_cardinalities(cardinalities)):
            if rows <= self.threshold:
                result.append(Subtable(len(result), f"table{table}.W", table, "W", rows, row_bytes))
                continue
            result.append(
                Subtable(len(result), f"table{table}.R", table, "R", min(self.collisions, rows), row_bytes)
            )
            result.append(
                Subtable(len(result), f"table{table}.Q", table, "Q", -(-rows // self.collisions), row_bytes)
            )
        return tuple(result)

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what the lookups of one table read: R, then Q; or the whole table's row alone.

        Parameters
        ----------
        table
            Number of the table.
        indices
            int64 array of the lookups' indices.
        subtables
            What :meth:`subtables` returned.

        Raises
        ------
        ConfigError
            If `subtables` has no such table, or `indices` are no int64 array.
        """
        parts = _roles(table, subtables)
        rows = _check_indices(indices)
        if "W" in parts:
            return (Operand(parts["W"].id, rows),)
        remainder, quotient = _part(parts, "R", table), _part(parts, "Q", table)
        return (Operand(remainder.id, rows % self.collisions), Operand(quotient.id, rows // self.collisions))


def check_vector_bytes(vector_bytes: object) -> int:
    """Return `vector_bytes` if it is a power of two of at least 16.

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


def _check_cardinalities(cardinalities: Sequence[int] | Int64Array) -> list[int]:
    rows = [
        whole_number(f"cardinalities[{table}]", count, minimum=1) for table, count in enumerate(cardinalities)
    ]
    if not rows:
        raise ConfigError("cardinalities is empty; a model has at least one table.")
    return rows


def _check_indices(indices: object) -> Int64Array:
    if not isinstance(indices, np.ndarray) or indices.dtype != np.int64 or indices.ndim != 1:
        raise ConfigError("indices must be a 1-D int64 array, as LookupTrace.indices holds them.")
    return indices


def _roles(table: int, subtables: Sequence[Subtable]) -> dict[str, Subtable]:
    return {subtable.role: subtable for subtable in subtables if subtable.table == table}


def _part(parts: dict[str, Subtable], role: str, table: int) -> Subtable:
    if role not in parts:
        raise ConfigError(
            f"subtables has no part {role} of table {table}; pass what subtables() of the same scheme "
            "returned."
        )
    return parts[role]
