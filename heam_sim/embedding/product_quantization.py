# SPDX-License-Identifier: MIT
"""Product quantisation: a scanned vector is the sum of one table entry per subspace, named by its code.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011, section
III: with asymmetric distances a query has a table of distances to the centroids of every subspace, and the
distance to a vector is the sum of the entries that the vector's code names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.hashing import GOLDEN, mix64
from heam_sim.embedding.tables import (
    Operand,
    Subtable,
    check_cardinalities,
    check_indices,
    check_vector_bytes,
    operands_of,
    parts_of,
)
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number

__all__ = ["CODE_ROW_BYTES", "PQ"]

Int64Array = NDArray[np.int64]
#: Codes are packed into rows of a host line, which is a burst of DDR4 and DDR5.
CODE_ROW_BYTES = 64


@dataclass(frozen=True)
class PQ:
    """A scan with product-quantised vectors, for a batch of queries.

    A table of the trace is a set of vectors, and an index a vector. A lookup reads the row that has the
    vector's code (role ``"C"``, the main row: codes lie packed in rows of 64 bytes, so neighbours share one)
    and one row of every subspace's table (``"T0"``, ``"T1"``, ..., the small rows). A row of a table has an
    FP32 entry for every query of the batch: `vector_bytes` / 4 queries, whose distances to the vector are
    the sum. What the row of codes adds to it stands for a term of the vector.

    Codes are data; here every centroid number is a hash of vector and subspace, all equally likely.

    Parameters
    ----------
    subspaces
        m, 2 to 64.
    centroids
        Of every subspace, 2 to 65536; a code has ``m * ceil(log2(centroids))`` bits, 512 at most.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """

    subspaces: int = 8
    centroids: int = 256
    compose: ClassVar[str] = "add"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "subspaces", whole_number("subspaces", self.subspaces, minimum=2, maximum=64)
        )
        object.__setattr__(
            self, "centroids", whole_number("centroids", self.centroids, minimum=2, maximum=1 << 16)
        )
        if self.code_bytes > CODE_ROW_BYTES:
            raise ConfigError(
                f"subspaces: {self.subspaces} numbers of {self.centroids} centroids are a code of "
                f"{self.code_bytes} bytes, more than the {CODE_ROW_BYTES} of a row; use fewer."
            )

    @property
    def label(self) -> str:
        """``"pq:8"``, or ``"pq:16:16"`` with other than 256 centroids."""
        return f"pq:{self.subspaces}" + (f":{self.centroids}" if self.centroids != 256 else "")

    @property
    def code_bytes(self) -> int:
        """Bytes of a vector's code."""
        return -(-self.subspaces * (self.centroids - 1).bit_length() // 8)

    @property
    def codes_per_row(self) -> int:
        """Vectors whose codes share a row."""
        return CODE_ROW_BYTES // self.code_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme in plain JSON types."""
        return {"scheme": "pq", "subspaces": self.subspaces, "centroids": self.centroids}

    def subtables(self, cardinalities: Sequence[int] | Int64Array, vector_bytes: int) -> tuple[Subtable, ...]:
        """Return the tables of every subspace and the codes, for every set of vectors.

        Parameters
        ----------
        cardinalities
            Vectors of every set.
        vector_bytes
            Four times the queries of a batch.

        Raises
        ------
        ConfigError
            If a cardinality or `vector_bytes` is invalid.
        """
        size = check_vector_bytes(vector_bytes)
        result: list[Subtable] = []
        for table, vectors in enumerate(check_cardinalities(cardinalities)):
            for number in range(self.subspaces):
                role = f"T{number}"
                result.append(
                    Subtable(
                        len(result), f"table{table}.{role}", table, role, self.centroids, size, small=True
                    )
                )
            rows = -(-vectors // self.codes_per_row)
            codes = min(CODE_ROW_BYTES, size)
            result.append(Subtable(len(result), f"table{table}.C", table, "C", rows, codes))
        return tuple(result)

    def operands(self, table: int, indices: Int64Array, subtables: Sequence[Subtable]) -> tuple[Operand, ...]:
        """Return what vectors read: an entry of every table, then the row with the code.

        Raises
        ------
        ConfigError
            If `subtables` has no such table, or `indices` are no int64 array.
        """
        vectors = check_indices(indices)
        rows = {f"T{number}": self.code(vectors, number) for number in range(self.subspaces)}
        rows["C"] = vectors // self.codes_per_row
        return operands_of(table, parts_of(table, subtables), rows)

    def code(self, vectors: Int64Array, subspace: int) -> Int64Array:
        """Return the centroid numbers of some vectors in a subspace, int64, the shape of `vectors`."""
        step = np.uint64((subspace + 1) * GOLDEN & (1 << 64) - 1)
        words = mix64(mix64(vectors.astype(np.uint64)) + step) >> np.uint64(32)
        numbers: Int64Array = (words * np.uint64(self.centroids) >> np.uint64(32)).astype(np.int64)
        return numbers
