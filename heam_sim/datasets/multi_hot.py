# SPDX-License-Identifier: MIT
"""Multi-hot bags from one-hot traces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import BLOCK, uniforms
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace
from heam_sim.trace.checks import bag_size

__all__ = ["expand_multi_hot"]

_MAX_SEED = 2**64 - 1
_MAX_POOLING = 2**20


def expand_multi_hot(trace: LookupTrace, *, pooling: int, seed: int = 1) -> LookupTrace:
    """Turn a one-hot trace into one with `pooling` lookups per bag.

    The first lookup of every bag stays. The others are drawn, with replacement, from all lookups of the same
    table in this trace, so the skew of every table stays as it is. That a bag's lookups are independent is
    assumed; MLPerf's multi-hot Criteo keeps the first index in the same way but draws the others
    synthetically.

    Parameters
    ----------
    trace
        One lookup in every bag.
    pooling
        Lookups per bag afterwards, at least 1.
    seed
        0 to 2**64 - 1.

    Returns
    -------
    LookupTrace
        With the same cardinalities.

    Raises
    ------
    ConfigError
        If a bag has not exactly one lookup, the trace has weights, or a parameter is not what it can be.
    """
    pooling = whole_number("pooling", pooling, minimum=1, maximum=_MAX_POOLING)
    seed = whole_number("seed", seed, minimum=0, maximum=_MAX_SEED)
    if trace.weights is not None:
        raise ConfigError("trace: has weights, which added lookups would lack; expand it before weighting.")
    for table, cuts in enumerate(trace.offsets):
        if trace.samples and bag_size(cuts) != 1:
            raise ConfigError(
                f"trace: table {table} is not one-hot; expand_multi_hot needs exactly one lookup in every "
                "bag."
            )
    indices = [_expand(rows, pooling, seed, table) for table, rows in enumerate(trace.indices)]
    offsets = np.arange(trace.samples + 1, dtype=np.int64) * pooling
    offsets.flags.writeable = False
    return LookupTrace.from_arrays(
        indices,
        [offsets] * trace.tables,
        cardinalities=trace.cardinalities,
        provenance={
            **trace.provenance,
            "multi_hot": {
                "pooling": pooling,
                "seed": seed,
                "drawn": "from the table's own lookups, with replacement (assumed)",
            },
        },
    )


def _expand(rows: NDArray[np.int64], pooling: int, seed: int, table: int) -> NDArray[np.int64]:
    bags = np.empty((len(rows), pooling), dtype=np.int64)
    bags[:, 0] = rows
    extra = bags[:, 1:]
    block = max(1, BLOCK // pooling)
    for number, start in enumerate(range(0, len(rows) if pooling > 1 else 0, block)):
        part = extra[start : start + block]
        draws = uniforms(seed, (table, number), part.size).reshape(part.shape)
        part[...] = rows[(draws * len(rows)).astype(np.int64)]
    flat = bags.reshape(-1)
    flat.flags.writeable = False
    return flat
