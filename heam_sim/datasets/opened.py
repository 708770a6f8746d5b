# SPDX-License-Identifier: MIT
"""What a format's module hands to the pipeline: named columns of keys, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heam_sim.datasets.delimited import Chunk, Layout, TextKeys, read_delimited
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import Progress

__all__ = ["Column", "DatasetInfo", "History", "Opened", "opened_text"]

Chunks = Callable[[RowFilter, Faults, TextKeys, Progress | None], Iterator[Chunk]]


@dataclass(frozen=True)
class Column:
    """A column that becomes a table.

    Parameters
    ----------
    name
        Name of the table.
    kind
        ``"hex"``, ``"integer"`` or ``"text"``: what its keys are.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class History:
    """How rows become histories: which columns stay one value per user, and which become bags.

    Parameters
    ----------
    user
        Number of the column of users, which is a table too or comes behind the tables.
    time
        Number of the key column to order by; ``None``: the order of the rows.
    """

    user: int
    time: int | None


@dataclass(frozen=True)
class Opened:
    """A dataset whose files have been found and recognised.

    Parameters
    ----------
    columns
        The tables. Chunks have their keys in this order; further keys (time) follow.
    chunks
        Reads them.
    history
        ``None`` where rows have no users.
    note
        What the provenance says about the files.
    default_ids
        How ids are made unless the options say so.
    rows
        Rows that the tables have at least, known when all chunks have been read; ``None``: what the ids need.
    """

    columns: tuple[Column, ...]
    chunks: Chunks
    history: History | None = None
    note: Mapping[str, Any] = field(default_factory=dict)
    default_ids: str = "dictionary"
    rows: Callable[[], Sequence[int]] | None = None


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
        Names of the categorical columns; each becomes a table. Empty where the files decide.
    cardinalities
        Published number of distinct values of every column; empty where there is none.
    source
        Where the numbers come from.
    open
        Recognises files: ``open(files, options)``.
    files
        What the files are called in a folder, with wildcards, best first.
    """

    name: str
    description: str
    columns: tuple[str, ...]
    cardinalities: tuple[int, ...]
    source: str
    open: Callable[[list[Path], ReadOptions], Opened]
    files: tuple[str, ...]


def opened_text(
    files: list[Path],
    layout: Layout,
    *,
    history: History | None = None,
    note: Mapping[str, Any] | None = None,
) -> Opened:
    """Return delimited text files as columns; a last field named like no table may be the time."""

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        return read_delimited(files, layout, rows, faults, texts, progress)

    tables = layout.fields if history is None or history.time is None else layout.fields[: history.time]
    return Opened(tuple(Column(item.name, item.kind) for item in tables), chunks, history, note or {})
