# SPDX-License-Identifier: MIT
"""Shapes of models and datasets that traces can be generated in: tables, rows, lookups per bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from heam_sim.datasets.registry import dataset_info, known_datasets
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.trace.checks import cardinality_array

__all__ = ["CUSTOM", "Shape", "custom_shape", "known_shapes", "shape_info"]

CUSTOM = "custom"

_MLPERF_ROWS = (
    *(40000000, 39060, 17295, 7424, 20265, 3, 7122, 1543, 63, 40000000, 3067956, 405282, 10, 2209, 11938),
    *(155, 4, 976, 14, 40000000, 40000000, 40000000, 590152, 12973, 108, 36),
)
_MLPERF_POOLING = (3, 2, 1, 2, 6, 1, 1, 1, 1, 7, 3, 8, 1, 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1)
_DEEPRECSYS = "DeepRecSys (Gupta et al., ISCA 2020), model parameters"


@dataclass(frozen=True)
class Shape:
    """Tables to generate lookups for.

    Parameters
    ----------
    name
        Name by which it is asked for.
    cardinalities
        Rows of every table.
    pooling
        Lookups per bag of every table.
    source
        Where the numbers come from.
    """

    name: str
    cardinalities: tuple[int, ...]
    pooling: tuple[int, ...]
    source: str


_MODELS: Mapping[str, Shape] = MappingProxyType(
    {
        shape.name: shape
        for shape in (
            Shape(
                "mlperf-dlrm-v2",
                _MLPERF_ROWS,
                _MLPERF_POOLING,
                "MLPerf DLRM v2: Criteo Terabyte cut to 40,000,000 rows, the reference's multi-hot sizes",
            ),
            Shape("rm1", (4_000_000,) * 8, (80,) * 8, _DEEPRECSYS),
            Shape("rm2", (500_000,) * 32, (120,) * 32, _DEEPRECSYS),
            Shape("rm3", (2_000_000,) * 10, (20,) * 10, _DEEPRECSYS),
        )
    }
)


def custom_shape(cardinalities: object) -> Shape:
    """Return a shape of tables of any sizes, one-hot.

    Parameters
    ----------
    cardinalities
        Rows of every table, shape (tables,).

    Returns
    -------
    Shape
        With one lookup per bag.

    Raises
    ------
    ConfigError
        If they are no numbers from 1, or none at all.
    """
    try:
        tables = len(cardinalities)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(
            f"cardinalities must be one number per table, not {type(cardinalities).__name__}."
        ) from None
    if not tables:
        raise ConfigError("cardinalities: there is no table; give the rows of at least one.")
    rows = cardinality_array(cardinalities, [np.zeros(0, np.int64)] * tables)
    return Shape(CUSTOM, tuple(rows.tolist()), (1,) * tables, "given")


def known_shapes() -> tuple[str, ...]:
    """Return the names of all shapes, sorted.

    Returns
    -------
    tuple of str
        For :func:`generate`.
    """
    shaped = (name for name in known_datasets() if dataset_info(name).cardinalities)
    return tuple(sorted({*shaped, *_MODELS}))


def shape_info(name: str) -> Shape:
    """Return a shape; datasets are one-hot.

    Parameters
    ----------
    name
        One of :func:`known_shapes`.

    Returns
    -------
    Shape
        Rows of every table and lookups of every bag.

    Raises
    ------
    ConfigError
        If there is no shape of that name, or a dataset's sizes are not known.
    """
    if isinstance(name, str) and name in _MODELS:
        return _MODELS[name]
    if not isinstance(name, str) or name not in known_datasets():
        raise unknown_name("dataset", name, known_shapes())
    info = dataset_info(name)
    if not info.cardinalities:
        raise ConfigError(f"{name}: its tables have no published sizes to generate for; use another shape.")
    return Shape(info.name, info.cardinalities, (1,) * len(info.cardinalities), info.source)
