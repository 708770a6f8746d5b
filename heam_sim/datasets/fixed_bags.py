# SPDX-License-Identifier: MIT
"""Synthetic multi-hot bags that a lookup's own row fixes, as in MLPerf's DLRM-DCNv2 benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.words import mixed
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number

__all__ = ["FixedBags"]

_LONGEST = 2**20


class FixedBags:
    """Give every row of a table further rows of that table, always the same ones.

    MLPerf makes its multi-hot Criteo Terabyte so: a table of random rows per feature, spread evenly, from
    which a lookup's first index takes the others. Here a hash takes the place of the table of random rows, so
    that no memory is needed; the drawn rows therefore differ from MLPerf's, their distribution does not.

    Parameters
    ----------
    sizes
        Lookups per bag, the first included; one number or one per table.
    rows
        int64, shape (tables,): rows of every table.
    seed
        Fixes the draws.

    Raises
    ------
    ConfigError
        If the sizes are not what they can be.
    """

    def __init__(self, sizes: int | Sequence[int], rows: NDArray[np.int64], seed: int) -> None:
        given: list[Any] = [sizes] * len(rows) if isinstance(sizes, (int, np.integer)) else list(sizes)
        if len(given) != len(rows):
            raise ConfigError(
                f"multi_hot has {len(given)} entries for {len(rows)} tables; give one per table."
            )
        self.sizes = [
            whole_number(f"multi_hot[{table}]", size, minimum=1, maximum=_LONGEST)
            for table, size in enumerate(given)
        ]
        self._rows = rows
        self._seed = seed

    def expand(self, table: int, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Return the bags of one-hot lookups, shape (len(ids) * size,), bag after bag."""
        bags = np.empty((len(ids), self.sizes[table]), dtype=np.int64)
        bags[:, 0] = ids
        keys = ids.astype(np.uint64)
        start = mixed(np.array([self._seed], dtype=np.uint64))
        for place in range(1, self.sizes[table]):
            stream = mixed(start ^ np.uint64((table << 32) | place))
            bags[:, place] = (mixed(keys ^ stream) % np.uint64(self._rows[table])).view(np.int64)
        return bags.reshape(-1)

    def summary(self) -> dict[str, object]:
        """Return what was done, in plain types, for the provenance."""
        return {
            "pooling": self.sizes,
            "seed": self._seed,
            "drawn": "evenly from the whole table, fixed by the first lookup (MLPerf DLRM-DCNv2)",
        }
