# SPDX-License-Identifier: MIT
"""The content hash of a trace, fed piece by piece; ``docs/formats.md`` defines it."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ContentDigest"]


class ContentDigest:
    """Hash over the tables of a trace, one after the other.

    Call :meth:`table`, then :meth:`offsets` (only where bags differ) and :meth:`indices`, with as many pieces
    as there are, for every table in order; then :meth:`start_weights` and :meth:`weights` if there are any.

    Parameters
    ----------
    tables, samples
        Size of the trace.
    """

    def __init__(self, tables: int, samples: int) -> None:
        self._digest = hashlib.blake2b(digest_size=32, person=b"heam_sim/trace/1")
        self._digest.update(struct.pack("<QQ", tables, samples))

    def table(self, cardinality: int, lookups: int, bag_size: int | None) -> None:
        """Begin a table; ``bag_size`` is ``None`` where bags differ or there is none."""
        self._digest.update(struct.pack("<qQ", cardinality, lookups))
        # Bags of one size are by far the most common: hashing the size alone halves the work.
        self._digest.update(b"R" if bag_size is None else b"U" + struct.pack("<Q", bag_size))

    def offsets(self, part: NDArray[np.int64]) -> None:
        """Add the next offsets of the table."""
        self._add(part, "<i8")

    def indices(self, part: NDArray[np.int64]) -> None:
        """Add the next indices of the table."""
        self._add(part, "<i8")

    def start_weights(self) -> None:
        """Say that all tables have weights, and that these follow."""
        self._digest.update(b"W")

    def weights(self, part: NDArray[np.float32]) -> None:
        """Add the next weights."""
        self._add(part, "<f4")

    def _add(self, part: NDArray[Any], code: str) -> None:
        if len(part):
            self._digest.update(np.ascontiguousarray(part, dtype=code).data.cast("B"))

    def hexdigest(self) -> str:
        """Return the hash of what has been added."""
        return self._digest.hexdigest()
