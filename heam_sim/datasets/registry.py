# SPDX-License-Identifier: MIT
"""The datasets that are known by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from heam_sim.datasets import criteo_kaggle
from heam_sim.errors import unknown_name
from heam_sim.trace import LookupTrace

__all__ = ["DatasetInfo", "dataset_info", "known_datasets", "read_dataset"]


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset: its shape, and how its files are read.

    Parameters
    ----------
    name
        Name by which it is asked for.
    description
        One line.
    columns
        Names of the categorical columns; each becomes a table.
    cardinalities
        Published number of distinct values of every column.
    source
        Where the numbers come from.
    read
        The reader: ``read(path, samples=..., cardinalities=...)``.
    """

    name: str
    description: str
    columns: tuple[str, ...]
    cardinalities: tuple[int, ...]
    source: str
    read: Callable[..., LookupTrace]


_DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {
        criteo_kaggle.NAME: DatasetInfo(
            name=criteo_kaggle.NAME,
            description="Criteo Kaggle display advertising challenge: 26 one-hot categorical columns",
            columns=criteo_kaggle.COLUMNS,
            cardinalities=criteo_kaggle.CARDINALITIES,
            source="distinct values per column of the challenge's train.txt, as published for DLRM",
            read=criteo_kaggle.read_criteo_kaggle,
        ),
    }
)


def known_datasets() -> tuple[str, ...]:
    """Return the names of all datasets, sorted."""
    return tuple(sorted(_DATASETS))


def dataset_info(name: str) -> DatasetInfo:
    """Return what is known about a dataset.

    Raises
    ------
    ConfigError
        If there is no dataset of that name.
    """
    if not isinstance(name, str) or name not in _DATASETS:
        raise unknown_name("dataset", name, known_datasets())
    return _DATASETS[name]


def read_dataset(
    name: str, path: str | os.PathLike[str], *, samples: int | None = None, cardinalities: str = "auto"
) -> LookupTrace:
    """Read a dataset file as a lookup trace.

    Parameters
    ----------
    name
        One of :func:`known_datasets`.
    path
        The file; nothing is ever downloaded.
    samples
        Stop after so many rows; ``None`` reads all.
    cardinalities
        ``"published"``: the dataset's published sizes; ``"observed"``: the distinct values seen; ``"auto"``:
        published where all columns fit, else observed. The provenance says which.

    Raises
    ------
    ConfigError
        If the name or an option is unknown.
    DatasetError
        If the file is missing, empty, of another format or malformed; file, line and column are named.
    """
    return dataset_info(name).read(path, samples=samples, cardinalities=cardinalities)
