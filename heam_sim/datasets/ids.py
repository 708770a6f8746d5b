# SPDX-License-Identifier: MIT
"""From keys to row numbers: by a dictionary, by hashing, or as published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.delimited import EMPTY, TextKeys
from heam_sim.datasets.idmap import MAX_IDS, IdMap
from heam_sim.datasets.opened import Column
from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.words import mixed
from heam_sim.errors import ConfigError, DatasetError

__all__ = ["IdAssigner"]

_TEXTS = {
    "dictionary": "order of first appearance per column; the empty value is a value",
    "hash": "numbers modulo the table's rows (an empty value counts as 0), texts by their 64-bit hash modulo "
    "the table's rows",
    "published": "the dataset's own integers",
}

Keys = NDArray[np.uint64]
Ids = NDArray[Any]


class IdAssigner:
    """Give the keys of every column their row numbers.

    Parameters
    ----------
    columns
        The tables.
    published
        Rows of the tables in the whole dataset; empty where unknown.
    options
        ``ids``, ``hash_rows``, ``max_distinct`` and ``cardinalities`` count.
    where
        Names the dataset in messages.

    Raises
    ------
    ConfigError
        If the options do not fit the columns.
    """

    def __init__(
        self, columns: Sequence[Column], published: Sequence[int], options: ReadOptions, where: str
    ) -> None:
        self._columns = columns
        self._published = published
        self._options = options
        self._where = where
        self.texts = TextKeys(exact=options.ids == "dictionary")
        self._maps = [IdMap() for _ in columns] if options.ids == "dictionary" else []
        self._largest = [-1] * len(columns)
        self._rows = options.hashed_rows(published, len(columns)) if options.ids == "hash" else None
        if options.ids == "published":
            strange = next((column for column in columns if column.kind != "integer"), None)
            if strange is not None:
                raise ConfigError(
                    f"ids='published' needs whole numbers, and column {strange.name} holds "
                    f"{'hex digits' if strange.kind == 'hex' else 'texts'}; use 'dictionary' or 'hash'."
                )
        if options.cardinalities == "published" and not published:
            raise ConfigError("cardinalities='published': this dataset has no published ones; use 'auto'.")

    @property
    def rows(self) -> NDArray[np.int64] | None:
        """Rows of every table where they are known from the start, shape (tables,)."""
        return self._rows

    def ids(self, table: int, keys: Keys) -> Ids:
        """Return the row numbers of a table's keys, int32 or int64.

        Raises
        ------
        DatasetError
            If there are too many distinct values, or a value is no row number.
        """
        if self._rows is not None:
            return self._hashed(table, keys)
        if self._maps:
            found = self._maps[table].ids(keys)
            self._check_size()
            return found
        values = keys.view(np.int64)
        if len(values) and int(values.min()) < 0:
            raise DatasetError(
                f"{self._where}: column {self._columns[table].name} has an empty value, which is no row "
                "number; use ids='dictionary' or 'hash'."
            )
        if len(values):
            self._largest[table] = max(self._largest[table], int(values.max()))
            if self._largest[table] >= np.iinfo(np.int64).max:
                raise DatasetError(
                    f"{self._where}: column {self._columns[table].name} has the value "
                    f"{self._largest[table]}, for which no table is large enough; use ids='dictionary' or "
                    "'hash'."
                )
        return values

    def _hashed(self, table: int, keys: Keys) -> Ids:
        assert self._rows is not None
        rows = np.uint64(self._rows[table])
        if self._columns[table].kind == "text":
            return (mixed(keys) % rows).view(np.int64)
        return (np.where(keys == EMPTY, np.uint64(0), keys) % rows).view(np.int64)

    def _check_size(self) -> None:
        held = sum(len(ids) for ids in self._maps) + len(self.texts)
        limit = min(self._options.max_distinct, MAX_IDS)
        if held > limit:
            most = max(range(len(self._maps)), key=lambda table: len(self._maps[table]))
            raise DatasetError(
                f"{self._where}: more than {limit} distinct values (column {self._columns[most].name} has "
                f"{len(self._maps[most])}); raise max_distinct, or use ids='hash', which needs no dictionary."
            )

    def sizes(self) -> tuple[list[int], str]:
        """Return the rows of every table, and where they come from.

        Raises
        ------
        DatasetError
            If published sizes were asked for and do not hold all values.
        """
        if self._rows is not None:
            given = "published" if self._options.hash_rows is None else "given"
            return self._rows.tolist(), given
        needed = [max(1, len(ids)) for ids in self._maps] or [max(1, last + 1) for last in self._largest]
        wanted = self._options.cardinalities
        over = [table for table, count in enumerate(self._published) if needed[table] > count]
        if wanted == "observed" or not self._published or (wanted == "auto" and over):
            return needed, "observed"
        if over:
            table = over[0]
            kind = "distinct values" if self._maps else "as its largest id + 1"
            raise DatasetError(
                f"{self._where}: column {self._columns[table].name} has {needed[table]} {kind} but the "
                f"published cardinality is {self._published[table]}; read it with cardinalities='observed' "
                "or hash the values (ids='hash')."
            )
        return list(self._published), "published"

    def summary(self) -> dict[str, object]:
        """Return how ids were made, in plain types, for the provenance."""
        return {"ids": _TEXTS[self._options.ids]}
