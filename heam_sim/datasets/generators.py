# SPDX-License-Identifier: MIT
"""Synthetic traces in the shape of published datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.permutation import permute
from heam_sim.datasets.registry import DatasetInfo, dataset_info
from heam_sim.datasets.zipf import ZipfSampler
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace
from heam_sim.trace.checks import whole_number

__all__ = ["DEFAULT_EXPONENT", "generate"]

DEFAULT_EXPONENT = 1.05  # HEAM authors' public trace generator draws Zipf ids with this exponent
MAX_EXPONENT = 16.0
MAX_SEED = 2**64 - 1
MAX_POOLING = 2**20

_RANKS, _SCATTER = 0, 1  # streams of one table


def generate(
    name: str,
    *,
    samples: int,
    seed: int = 1,
    pooling: int = 1,
    exponent: float | Sequence[float] = DEFAULT_EXPONENT,
) -> LookupTrace:
    """Generate a trace with the tables and cardinalities of a dataset and skewed random ids.

    Every table draws independently: rank ``k`` of ``n`` rows with probability proportional to ``k **
    -exponent``, and a keyed permutation per table scatters the ranks over the row numbers, as hashing does.
    The lookups have no order in time and no correlation between tables (assumed). The first ``m`` samples of
    a trace are the trace of ``m`` samples.

    Parameters
    ----------
    name
        One of :func:`heam_sim.datasets.known_datasets`.
    samples
        Number of samples, at least 0.
    seed
        0 to 2**64 - 1. The same seed gives the same trace.
    pooling
        Lookups per bag, the same in all bags and drawn like the first (assumed); 1 is one-hot.
    exponent
        Zipf exponent, 0 (uniform) to 16; one number or one per table. The default is that of the HEAM
        authors' generator.

    Returns
    -------
    LookupTrace
        The provenance holds all parameters.

    Raises
    ------
    ConfigError
        If the name or a parameter is not what it can be, or the trace does not fit the memory.
    """
    info = dataset_info(name)
    samples = whole_number("samples", samples, minimum=0)
    seed = whole_number("seed", seed, minimum=0, maximum=MAX_SEED)
    pooling = whole_number("pooling", pooling, minimum=1, maximum=MAX_POOLING)
    exponents = _exponents(exponent, len(info.cardinalities))
    try:
        indices = [
            _table(samples * pooling, rows, exponents[table], seed, table)
            for table, rows in enumerate(info.cardinalities)
        ]
        offsets = np.arange(samples + 1, dtype=np.int64) * pooling
    except (MemoryError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"samples={samples} with pooling={pooling} does not fit the memory ({error}); generate fewer."
        ) from None
    offsets.flags.writeable = False
    return LookupTrace.from_arrays(
        indices,
        [offsets] * len(indices),
        cardinalities=info.cardinalities,
        provenance=_provenance(info, samples, seed, pooling, exponents),
    )


def _table(lookups: int, rows: int, exponent: float, seed: int, table: int) -> NDArray[np.int64]:
    ranks = ZipfSampler(rows, exponent).ranks(seed, (table, _RANKS), lookups)
    ids = permute(ranks, rows, seed=seed, key=(table, _SCATTER))
    ids.flags.writeable = False
    return ids


def _exponents(exponent: object, tables: int) -> list[float]:
    several = isinstance(exponent, (list, tuple)) or (isinstance(exponent, np.ndarray) and exponent.ndim == 1)
    values: list[Any] = list(cast("Sequence[Any]", exponent)) if several else [exponent] * tables
    if len(values) != tables:
        raise ConfigError(
            f"exponent has {len(values)} values for {tables} tables; give one number, or one per table."
        )
    for value in values:
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 <= value <= MAX_EXPONENT:
            raise ConfigError(f"exponent must be a number from 0 to {MAX_EXPONENT:g}, not {value!r}.")
    return [float(value) for value in values]


def _provenance(
    info: DatasetInfo, samples: int, seed: int, pooling: int, exponents: list[float]
) -> dict[str, object]:
    return {
        "source": "generated",
        "dataset": info.name,
        "samples": samples,
        "seed": seed,
        "pooling": pooling,
        "exponent": exponents[0] if len(set(exponents)) == 1 else exponents,
        "cardinalities": info.source,
        "ids": "bounded Zipf ranks scattered by a keyed permutation; tables and samples independent "
        "(assumed)",
    }
