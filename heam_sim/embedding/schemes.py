# SPDX-License-Identifier: MIT
"""Full tables, hashing, quotient-remainder (QR) and k complementary partitions, in integer arithmetic.

QR and partitions follow Shi et al., "Compositional embeddings using complementary partitions" (arXiv
1909.02107): an index reads one row of every partition, and no two indices read the same tuple of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.tables import (
    INT64_MAX,
    Operand,
    Subtable,
    check_cardinalities,
    check_indices,
    check_threshold,
    check_vector_bytes,
    composes_sums,
    one_of,
    operands_of,
    part_of,
    parts_of,
    quotient_and_rest,
    whole_table,
)
from heam_sim.errors import ConfigError
from heam_sim.numbers import real_number, whole_number

__all__ = ["QR", "Full", "Hashing", "Partitions", "ceil_root"]

Int64Array = NDArray[np.int64]
QRCompose = Literal["multiply", "add", "concatenate"]
Compose = Literal["multiply", "add"]
_ORDER = {False: "", True: ":pool-first"}


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
        rows = check_cardinalities(cardinalities)
        return tuple(whole_table(table, table, count, row_bytes) for table, count in enumerate(rows))

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return the single operand of every lookup.

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
        return (Operand(part_of(parts_of(table, subtables), "W", table).id, check_indices(indices)),)


@dataclass(frozen=True)
class Hashing:
    """The hashing trick: index ``i`` of a table reads row ``i mod m``.

    Give either `size` or `ratio`.

    Parameters
    ----------
    size
        Rows ``m`` of every table (fewer where the table itself has fewer); 0: by `ratio`.
    ratio
        Share of each table's rows that is kept, above 0 and at most 1, rounded up; 0: by `size`.

    Raises
    ------
    ConfigError
        If not exactly one of them is given, or it is not what it can be.
    """

    size: int = 0
    ratio: float = 0.0
    compose: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_number("size", self.size, minimum=0, maximum=INT64_MAX))
        object.__setattr__(self, "ratio", real_number("ratio", self.ratio, minimum=0, maximum=1))
        if (self.size > 0) == (self.ratio > 0):
            raise ConfigError("hashing needs either a size (rows) or a ratio (share of the rows); give one.")

    @property
    def label(self) -> str:
        """``"hash:1000"`` or ``"hash:0.25"``."""
        return f"hash:{self.size or self.ratio}"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {"scheme": "hash", "size": self.size, "ratio": self.ratio}

    def _kept(self, rows: int) -> int:
        return min(rows, self.size) if self.size else max(1, math.ceil(Fraction(repr(self.ratio)) * rows))

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return one hashed table (role ``"W"``) per table.

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

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        row_bytes = check_vector_bytes(vector_bytes)
        rows = check_cardinalities(cardinalities)
        return tuple(
            whole_table(table, table, self._kept(count), row_bytes) for table, count in enumerate(rows)
        )

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return the single operand of every lookup.

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
        whole = part_of(parts_of(table, subtables), "W", table)
        return (Operand(whole.id, quotient_and_rest(check_indices(indices), whole.rows)[1]),)


@dataclass(frozen=True)
class QR:
    """Quotient-remainder embeddings, composed for every lookup unless pooled first.

    With ``c = collisions``, index ``i`` of a table with ``n`` rows reads row ``i mod c`` of R (``min(c, n)``
    rows) and row ``i // c`` of Q (``ceil(n / c)`` rows). ``c = 1`` leaves Q as large as the table and R with
    one row; ``c >= n`` leaves Q with one row and R as large as the table.

    Parameters
    ----------
    collisions
        Indices that share a quotient row, at least 1.
    compose
        ``"multiply"`` or ``"add"``: element by element. ``"concatenate"``: rows of half the vector, Q gives
        its first half and R the second.
    threshold
        Tables of at most this many rows stay whole. 0 compresses all, as HEAM does; DLRM's flag has the
        default 200.
    pool_first
        A bag's Q rows are pooled, and its R rows, and the two sums composed once (DLRM's ``QREmbeddingBag``;
        weights go to both). With ``"multiply"`` this is another model; the other compositions stay as they
        are.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """

    collisions: int
    compose: QRCompose = "multiply"
    threshold: int = 0
    pool_first: bool = False

    def __post_init__(self) -> None:
        _check_flag("pool_first", self.pool_first)
        object.__setattr__(
            self, "collisions", whole_number("collisions", self.collisions, minimum=1, maximum=INT64_MAX)
        )
        object.__setattr__(self, "threshold", check_threshold(self.threshold))
        one_of(self.compose, ("multiply", "add", "concatenate"))

    @property
    def label(self) -> str:
        """``"qr:4:multiply"``, with threshold and ``pool-first`` behind it unless those are the defaults."""
        tail = f":{self.threshold}" if self.threshold else ""
        return f"qr:{self.collisions}:{self.compose}{tail}{_ORDER[self.pool_first]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {
            "scheme": "qr",
            "collisions": self.collisions,
            "compose": self.compose,
            "threshold": self.threshold,
            "pool_first": self.pool_first,
        }

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return R and Q of every table, or the whole table where it has at most `threshold` rows.

        Parameters
        ----------
        cardinalities
            Rows of every table.
        vector_bytes
            Size of a pooled vector; rows are as large, or half as large where they are concatenated.

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        size = check_vector_bytes(vector_bytes)
        half = size // 2 if self.compose == "concatenate" else 0
        # Behind Q's half of a vector, or behind the sum of the Q rows.
        behind = half or (size if composes_sums(self) else 0)
        result: list[Subtable] = []
        for table, rows in enumerate(check_cardinalities(cardinalities)):
            if rows <= self.threshold:
                result.append(whole_table(len(result), table, rows, size))
                continue
            sizes = {"R": min(self.collisions, rows), "Q": -(-rows // self.collisions)}
            for role, count in sizes.items():
                result.append(
                    Subtable(
                        len(result),
                        f"table{table}.{role}",
                        table,
                        role,
                        count,
                        half or size,
                        small=role == "R",
                        segment_bytes=behind if role == "R" else 0,
                    )
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
        parts = parts_of(table, subtables)
        rows = check_indices(indices)
        if "W" in parts:
            return operands_of(table, parts, {"W": rows})
        quotient, rest = quotient_and_rest(rows, self.collisions)
        return operands_of(table, parts, {"R": rest, "Q": quotient})


@dataclass(frozen=True)
class Partitions:
    """k complementary partitions: a mixed-radix split of the index, one digit per partition.

    Index ``i`` reads row ``i mod m`` of P0, ``(i // m) mod m`` of P1, ..., and the quotient that is left,
    ``i // m**(k - 1)``, of the last partition. The digits give the index back, so no two indices read the
    same tuple. Partitions of one row remain where a table is too small for k digits.

    Parameters
    ----------
    parts
        k, from 2 to 8.
    compose
        ``"multiply"`` or ``"add"``: element by element.
    radix
        m, the rows of every partition but the last; 0: the smallest m with ``m**k >= n``, so that all
        partitions of a table are about equally long.
    threshold
        Tables of at most this many rows stay whole.
    pool_first
        As for :class:`QR`: every partition's rows are pooled, and the sums composed once.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """

    parts: int = 3
    compose: Compose = "multiply"
    radix: int = 0
    threshold: int = 0
    pool_first: bool = False

    def __post_init__(self) -> None:
        _check_flag("pool_first", self.pool_first)
        object.__setattr__(self, "parts", whole_number("parts", self.parts, minimum=2, maximum=8))
        object.__setattr__(self, "radix", whole_number("radix", self.radix, minimum=0, maximum=INT64_MAX))
        object.__setattr__(self, "threshold", check_threshold(self.threshold))
        one_of(self.compose, ("multiply", "add"))

    @property
    def label(self) -> str:
        """``"partitions:3:multiply"``, with what else is not the default behind it."""
        tail = f":{self.radix}:{self.threshold}" if self.threshold else f":{self.radix}" if self.radix else ""
        return f"partitions:{self.parts}:{self.compose}{tail}{_ORDER[self.pool_first]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {
            "scheme": "partitions",
            "parts": self.parts,
            "compose": self.compose,
            "radix": self.radix,
            "threshold": self.threshold,
            "pool_first": self.pool_first,
        }

    def _digits(self, rows: int) -> list[int]:
        """Rows of every partition of a table."""
        radix = self.radix or ceil_root(rows, self.parts)
        counts, left = [], rows
        for _ in range(self.parts - 1):
            counts.append(min(radix, left))
            left = -(-left // radix)
        return [*counts, left]

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return the partitions of every table, or the whole table where it has at most `threshold` rows.

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

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        size = check_vector_bytes(vector_bytes)
        result: list[Subtable] = []
        for table, rows in enumerate(check_cardinalities(cardinalities)):
            if rows <= self.threshold:
                result.append(whole_table(len(result), table, rows, size))
                continue
            for digit, count in enumerate(self._digits(rows)):
                role, last = f"P{digit}", digit == self.parts - 1
                segment = digit * size if composes_sums(self) else 0
                name = f"table{table}.{role}"
                result.append(
                    Subtable(
                        len(result), name, table, role, count, size, small=not last, segment_bytes=segment
                    )
                )
        return tuple(result)

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what the lookups of one table read: P0, P1, ..., or the whole table's row alone.

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
        left = check_indices(indices)
        if "W" in parts:
            return operands_of(table, parts, {"W": left})
        # Where fewer rows than the radix are left, the digit is what is left and the quotient 0.
        radix = self.radix or max(part_of(parts, "P0", table).rows, 1)
        rows: dict[str, Int64Array] = {}
        for digit in range(self.parts - 1):
            left, rows[f"P{digit}"] = quotient_and_rest(left, radix)
        rows[f"P{self.parts - 1}"] = left
        return operands_of(table, parts, rows)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {value!r}.")


def ceil_root(number: int, degree: int) -> int:
    """Return the smallest integer m with ``m**degree >= number``, exactly."""
    root: int = round(float(number) ** (1 / degree))
    while root**degree < number:
        root += 1
    while root > 1 and (root - 1) ** degree >= number:
        root -= 1
    return root
