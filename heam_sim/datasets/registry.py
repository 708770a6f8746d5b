# SPDX-License-Identifier: MIT
"""The datasets that are known by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from heam_sim.datasets import arrays, arrow_tables, criteo, csv_tables, edge_lists, interactions, reviews
from heam_sim.datasets.opened import DatasetInfo, Opened
from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.pipeline import DatasetReader, Watch
from heam_sim.datasets.registered import find_registered, registered_names, reserve
from heam_sim.datasets.textblocks import data_files
from heam_sim.errors import unknown_name

__all__ = ["DatasetInfo", "dataset_info", "known_datasets", "open_dataset"]


def _movielens(size: str, users: int, items: int, *, read: bool = False) -> DatasetInfo:
    known = "users and rated films of the published file"
    if not read:
        known = f"assumed: {known}, recalled and not counted in it"
    return DatasetInfo(
        name=f"movielens-{size.lower()}",
        description=f"MovieLens {size}: users' histories of rated films as bags",
        columns=("user", "item"),
        cardinalities=(users, items) if users else (),
        source=known if users else "grows with every release",
        open=interactions.open_movielens,
        files=interactions.MOVIELENS_FILES,
    )


def _shapeless(
    name: str,
    description: str,
    open_files: Callable[[list[Path], ReadOptions], Opened],
    files: tuple[str, ...],
) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        description=description,
        columns=(),
        cardinalities=(),
        source="the files decide",
        open=open_files,
        files=files,
    )


_ALL = (
    DatasetInfo(
        name="criteo-kaggle",
        description="Criteo Kaggle display advertising challenge: 26 one-hot categorical columns",
        columns=criteo.COLUMNS,
        cardinalities=criteo.KAGGLE_CARDINALITIES,
        source="distinct values per column of the challenge's train.txt, as published for DLRM",
        open=criteo.open_criteo,
        files=criteo.KAGGLE_FILES,
    ),
    DatasetInfo(
        name="criteo-terabyte",
        description="Criteo Terabyte click logs (folder of day files): 26 one-hot categorical columns",
        columns=criteo.COLUMNS,
        cardinalities=criteo.TERABYTE_CARDINALITIES,
        source="distinct values per column of day_0 to day_23, as published for DLRM",
        open=criteo.open_criteo,
        files=criteo.TERABYTE_FILES,
    ),
    DatasetInfo(
        name="avazu",
        description="Avazu click-through challenge: 21 one-hot categorical columns",
        columns=interactions.AVAZU_COLUMNS,
        cardinalities=interactions.AVAZU_CARDINALITIES,
        source="distinct values per column of the challenge's training file",
        open=interactions.open_avazu,
        files=interactions.AVAZU_FILES,
    ),
    _movielens("100K", 943, 1682, read=True),
    _movielens("1M", 6040, 3706),
    _movielens("20M", 138_493, 26_744),
    _movielens("25M", 162_541, 59_047),
    _movielens("latest", 0, 0),
    DatasetInfo(
        name="taobao",
        description="Taobao UserBehavior: users' histories of items and categories as bags",
        columns=("user", "item", "category"),
        cardinalities=(987_994, 4_162_024, 9_439),
        source="users, items and categories of UserBehavior.csv, as published with it",
        open=interactions.open_taobao,
        files=interactions.TAOBAO_FILES,
    ),
    _shapeless(
        "amazon",
        "Amazon reviews (JSON lines) or ratings (CSV): users' histories as bags",
        reviews.open_amazon,
        ("*.json*", "*.csv*"),
    ),
    _shapeless(
        "meta-dlrm",
        "Meta's dlrm_datasets (embedding_bag, .pt.gz): multi-hot tables; needs torch",
        arrays.open_meta,
        ("*.pt*",),
    ),
    _shapeless(
        "csv",
        "any CSV file, with a map from tables to columns; needs pyarrow",
        csv_tables.open_csv,
        ("*.csv*", "*.tsv*"),
    ),
    _shapeless(
        "parquet",
        "any Parquet file, with a map from tables to columns; needs pyarrow",
        arrow_tables.open_parquet,
        ("*.parquet",),
    ),
    _shapeless(
        "npz",
        "numpy arrays: X_cat as DLRM preprocesses it, or indices and offsets per table",
        arrays.open_npz,
        ("*.npz",),
    ),
    _shapeless(
        "edges",
        "graphs as edge lists (text, CSV, .npz): the neighbours of a vertex as its bag",
        edge_lists.open_edges,
        edge_lists.EDGE_FILES,
    ),
)
_DATASETS: Mapping[str, DatasetInfo] = MappingProxyType({info.name: info for info in _ALL})
reserve(_DATASETS)


def known_datasets() -> tuple[str, ...]:
    """Return the names of all datasets, sorted, with those that are registered.

    Returns
    -------
    tuple of str
        For :func:`read_dataset`.
    """
    return tuple(sorted({*_DATASETS, *registered_names()}))


def dataset_info(name: str) -> DatasetInfo:
    """Return what is known about a dataset.

    Parameters
    ----------
    name
        One of :func:`known_datasets`, or the path of a Python file that registers one (``FILE.py``, of
        several ``FILE.py:NAME``; :func:`register_dataset`).

    Returns
    -------
    DatasetInfo
        Its columns, published sizes and files.

    Raises
    ------
    ConfigError
        If there is no dataset of that name.
    """
    if isinstance(name, str):
        found = _DATASETS.get(name) or find_registered(name)
        if found is not None:
            return found
    raise unknown_name("dataset", name, known_datasets())


def open_dataset(
    name: str, path: str | os.PathLike[str], options: ReadOptions, watch: Watch | None = None
) -> DatasetReader:
    """Find a dataset's files and return what reads them.

    Raises
    ------
    ConfigError
        If the name or an option is unknown, or options do not fit the dataset.
    DatasetError
        If files are missing or of another format.
    """
    info = dataset_info(name)
    files = data_files(path, info.files)
    opened = info.open(files, options)
    return DatasetReader(info.name, opened, files, info.cardinalities, options, watch)
