# SPDX-License-Identifier: MIT
"""What is read of a dataset, how values become ids, and what happens to bad rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.words import mixed
from heam_sim.errors import ConfigError, DatasetError, unknown_name
from heam_sim.numbers import real_number, whole_number

__all__ = ["Faults", "ReadOptions", "RowFilter"]

MAX_SEED = 2**64 - 1
MAX_TABLE_ROWS = 2**62
_SHOWN_FAULTS = 5
_IDS = ("auto", "dictionary", "hash", "published")
_BAGS = ("auto", "history", "one-hot")
_CARDINALITIES = ("auto", "published", "observed")
_ON_ERROR = ("raise", "skip")


@dataclass(frozen=True)
class ReadOptions:
    """How a dataset is read. All defaults together read everything, exactly.

    Parameters
    ----------
    samples
        Stop after so many samples (rows; users where histories are bags); ``None`` takes all.
    rows
        First row (from 0) and the row before which reading ends (``None``: the last); headers and files'
        borders do not count.
    share, seed
        Share of the rows (users) to keep, above 0 and up to 1, drawn row by row from ``seed`` (0 to 2**64 -
        1).
    ids
        ``"dictionary"``: numbers in order of first appearance; ``"hash"``: the value modulo the table's rows
        (for text a hash of it), as DLRM does; ``"published"``: the dataset's own integers; ``"auto"``:
        published where the dataset is arrays of ids, else by dictionary.
    hash_rows
        Rows of the tables for ``"hash"``: one number for all, or one per table; ``None``: the published ones.
    max_distinct
        Distinct values that the dictionaries of all columns may hold together.
    cardinalities
        ``"published"``: the sizes of the whole dataset; ``"observed"``: what the rows read need; ``"auto"``:
        published where all columns fit, else observed.
    bags
        ``"history"``: one sample per user, whose items are a bag in order of time; ``"one-hot"``: one sample
        per row; ``"auto"``: histories where the dataset has users.
    max_history
        The latest so many items of a user are kept.
    multi_hot
        Makes one-hot rows bags, as MLPerf's DLRM benchmark does: lookups per bag, one number or one per
        table. The first lookup is the row's own; it fixes the others, which are spread evenly over the table
        (``seed``).
    on_error
        ``"raise"``: the first malformed row is an error; ``"skip"``: malformed rows are left out and counted.
    columns
        For tables without a known layout: table name to column name (or column number from 0, for CSV without
        a header). A mapping with one entry at least.
    user, time
        Names of the columns that make histories, in the same way.

    Raises
    ------
    ConfigError
        If an option is not what it can be.
    """

    samples: int | None = None
    rows: tuple[int, int | None] = (0, None)
    share: float = 1.0
    seed: int = 1
    ids: str = "auto"
    hash_rows: int | Sequence[int] | None = None
    max_distinct: int = 50_000_000
    cardinalities: str = "auto"
    bags: str = "auto"
    max_history: int = 100
    multi_hot: int | Sequence[int] | None = None
    on_error: str = "raise"
    columns: Mapping[str, str] | None = None
    user: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("ids", _IDS),
            ("bags", _BAGS),
            ("cardinalities", _CARDINALITIES),
            ("on_error", _ON_ERROR),
        ):
            value = getattr(self, name)
            if value not in known:
                raise unknown_name("mode", value, known, where=name)
        if self.samples is not None:
            whole_number("samples", self.samples, minimum=0)
        whole_number("seed", self.seed, minimum=0, maximum=MAX_SEED)
        whole_number("max_distinct", self.max_distinct, minimum=1, maximum=2**30)
        whole_number("max_history", self.max_history, minimum=1, maximum=2**20)
        self._check_rows()
        real_number("share", self.share, above=0, maximum=1)
        if self.columns is not None and (not isinstance(self.columns, Mapping) or not self.columns):
            raise ConfigError("columns must map at least one table's name to a column's name.")

    def _check_rows(self) -> None:
        if not isinstance(self.rows, tuple) or len(self.rows) != 2:
            raise ConfigError(f"rows must be a pair (first, end), not {self.rows!r}; (0, None) reads all.")
        first = whole_number("rows[0]", self.rows[0], minimum=0)
        if self.rows[1] is not None:
            whole_number("rows[1]", self.rows[1], minimum=first)

    def hashed_rows(self, published: Sequence[int], tables: int) -> NDArray[np.int64]:
        """Return the rows of every table for hashed ids.

        Raises
        ------
        ConfigError
            If they are neither given nor published, or not one number per table.
        """
        given: Any = self.hash_rows
        if given is None:
            if not published:
                raise ConfigError("hash_rows is missing; say how many rows the hashed tables have.")
            given = published
        values = [given] * tables if isinstance(given, (int, np.integer)) else list(given)
        if len(values) != tables:
            raise ConfigError(f"hash_rows has {len(values)} entries for {tables} tables; give one per table.")
        checked = [
            whole_number(f"hash_rows[{table}]", value, minimum=1, maximum=MAX_TABLE_ROWS)
            for table, value in enumerate(values)
        ]
        return np.array(checked, dtype=np.int64)

    def summary(self) -> dict[str, object]:
        """Return the options that choose rows, in plain types, for the provenance."""
        chosen: dict[str, object] = {}
        if self.rows != (0, None):
            chosen["rows_range"] = list(self.rows)
        if self.share < 1:
            chosen["share"], chosen["seed"] = self.share, self.seed
        if self.samples is not None:
            chosen["samples_limit"] = self.samples
        return chosen


@dataclass(frozen=True)
class RowFilter:
    """Which rows of a stream are read.

    Parameters
    ----------
    first, end
        Range of rows; ``end`` is ``None`` for no end.
    share, seed
        Share of the rows to keep; the choice depends on a row's number and the seed alone.
    """

    first: int = 0
    end: int | None = None
    share: float = 1.0
    seed: int = 1

    def is_over(self, row: int) -> bool:
        """Whether no row from `row` on is read."""
        return self.end is not None and row >= self.end

    def select(self, row: int, count: int) -> NDArray[np.int64] | None:
        """Return which of the `count` rows from `row` on are read, by their place; ``None`` means all."""
        low = max(0, self.first - row)
        high = count if self.end is None else min(count, self.end - row)
        if low == 0 and high == count and self.share >= 1:
            return None
        places = np.arange(low, max(low, high), dtype=np.int64)
        return places if self.share >= 1 else places[self.chosen(places + row)]

    def chosen(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows, by their numbers, belong to the share."""
        start = mixed(np.array([self.seed], dtype=np.uint64))
        draws = mixed(numbers.astype(np.uint64) ^ start) >> np.uint64(11)
        result: NDArray[np.bool_] = draws < np.uint64(round(self.share * 2**53))
        return result


@dataclass
class Faults:
    """Malformed rows: the first one is raised, or all are counted.

    Parameters
    ----------
    skip
        Count instead of raising.
    shown
        Messages that are kept.
    """

    skip: bool = False
    shown: int = _SHOWN_FAULTS
    count: int = 0
    messages: list[str] = field(default_factory=list)

    def add(self, message: str, count: int = 1) -> None:
        """Raise a DatasetError with the message, or count it and keep the first few."""
        if not self.skip:
            raise DatasetError(message)
        self.count += count
        if len(self.messages) < self.shown:
            self.messages.append(message)
