# SPDX-License-Identifier: MIT
"""Reading a dataset: files to keys, keys to ids, rows to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.delimited import Chunk
from heam_sim.datasets.fixed_bags import FixedBags
from heam_sim.datasets.histories import HistoryBuffer
from heam_sim.datasets.ids import IdAssigner
from heam_sim.datasets.opened import History, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.errors import ConfigError, DatasetError

__all__ = ["Batch", "DatasetReader", "Watch"]

_BATCH_ROWS = 1 << 14

Watch = Callable[[int, int, int], None]  # told bytes read, bytes in all and rows read


@dataclass(frozen=True)
class Batch:
    """Samples: per table the row numbers, and the lengths of the bags (an array, or one for all)."""

    indices: list[NDArray[Any]]
    lengths: list[NDArray[np.int64] | int]


class DatasetReader:
    """One pass over a dataset.

    Parameters
    ----------
    name
        Name of the dataset.
    opened
        Its columns.
    files
        Its files.
    published
        Rows of its tables in the whole dataset; empty where unknown.
    options
        What is read, and how.
    watch
        Told how far reading has come.

    Raises
    ------
    ConfigError
        If the options do not fit the dataset.
    """

    def __init__(
        self,
        name: str,
        opened: Opened,
        files: Sequence[Path],
        published: Sequence[int],
        options: ReadOptions,
        watch: Watch | None = None,
    ) -> None:
        self._name = name
        self._opened = opened
        self._files = files
        if options.ids == "auto":
            options = replace(options, ids=opened.default_ids)
        self._options = options
        self._watch = watch
        self.where = str(files[0] if len(files) == 1 else files[0].parent)
        self._assign = IdAssigner(opened.columns, published, options, self.where)
        self._history = self._chosen_history()
        self._bags = self._fixed_bags(published)
        self.faults = Faults(skip=options.on_error == "skip")
        self.rows = 0
        self.samples = 0
        self._seen = 0
        self._short = 0
        self._bytes = 0
        self._bytes_in_all = sum(file.stat().st_size for file in files)

    @property
    def tables(self) -> int:
        """Number of tables."""
        return len(self._opened.columns)

    @property
    def known_rows(self) -> NDArray[np.int64] | None:
        """Rows of every table, shape (tables,), where they are known before reading."""
        return self._assign.rows

    def batches(self) -> Iterator[Batch]:
        """Yield all samples.

        Raises
        ------
        DatasetError
            If a file is unreadable or malformed, nothing was read, or there are too many distinct values.
        """
        limit = self._options.samples
        batches = self._one_hot() if self._history is None else self._histories(self._history)
        for batch, count in batches:
            if limit is not None and self.samples + count > limit:
                count = limit - self.samples
                batch = cut_batch(batch, 0, count)
            self.samples += count
            if count:
                yield batch
            if self.samples == limit:
                break
        if self.rows == 0 and limit != 0:
            raise self._nothing()

    def finish(self) -> tuple[list[int], dict[str, object]]:
        """Return the rows of every table and the provenance, after the last batch.

        Raises
        ------
        DatasetError
            If published sizes were asked for and do not hold all values.
        """
        sizes, origin = self._assign.sizes()
        if self._opened.rows is not None and self.known_rows is None:
            sizes = [max(pair) for pair in zip(sizes, self._opened.rows(), strict=True)]
        provenance: dict[str, object] = {
            "source": "file",
            "dataset": self._name,
            "file": self._files[0].name if len(self._files) == 1 else [file.name for file in self._files],
            "rows": self.rows,
            "rows_with_lost_trailing_fields": self._short,
            "cardinalities": origin,
            "tables": [column.name for column in self._opened.columns],
            **self._opened.note,
            **self._assign.summary(),
            **self._options.summary(),
        }
        if self.faults.skip:
            provenance["skipped"] = self.faults.count
        if self._history is not None:
            provenance["bags"] = {"history_of": "user", "longest": self._options.max_history}
        if self._bags is not None:
            provenance["multi_hot"] = self._bags.summary()
        return sizes, provenance

    def _chosen_history(self) -> History | None:
        if self._options.bags == "history" and self._opened.history is None:
            raise ConfigError(
                f"bags='history': the rows of {self._name} name no user; use bags='one-hot' or name one."
            )
        return None if self._options.bags == "one-hot" else self._opened.history

    def _fixed_bags(self, published: Sequence[int]) -> FixedBags | None:
        sizes = self._options.multi_hot
        if sizes is None:
            return None
        if self._history is not None:
            raise ConfigError("multi_hot: these bags are histories already; use bags='one-hot' with it.")
        rows = self.known_rows
        if rows is None:
            if self._options.cardinalities != "published":
                raise ConfigError(
                    "multi_hot draws from whole tables, whose rows must be known: use ids='hash' or "
                    "cardinalities='published'."
                )
            rows = np.array(published, dtype=np.int64)
        return FixedBags(sizes, rows, self._options.seed)

    def _filter(self) -> RowFilter:
        first, end = self._options.rows
        limit, share = self._options.samples, self._options.share
        if self._history is not None:
            return RowFilter(first, end, 1.0, self._options.seed)  # users are drawn instead
        if limit is not None and share >= 1 and not self.faults.skip:
            end = first + limit if end is None else min(end, first + limit)
        return RowFilter(first, end, share, self._options.seed)

    def _chunks(self) -> Iterator[Chunk]:
        for chunk in self._opened.chunks(self._filter(), self.faults, self._assign.texts, self._count_bytes):
            self._seen = chunk.row + chunk.rows
            self._short += chunk.short
            if chunk.samples:
                self.rows += chunk.samples
                yield chunk
            if self._watch is not None:
                self._watch(self._bytes, self._bytes_in_all, self.rows)

    def _count_bytes(self, count: int) -> None:
        self._bytes += count

    def _one_hot(self) -> Iterator[tuple[Batch, int]]:
        for chunk in _coalesced(self._chunks()):
            indices = [self._assign.ids(table, chunk.keys[table]) for table in range(self.tables)]
            lengths: list[NDArray[np.int64] | int] = [1] * self.tables
            if chunk.lengths is not None:
                lengths = [1 if cuts is None else cuts for cuts in chunk.lengths]
            if self._bags is not None:
                if any(not isinstance(length, int) for length in lengths):
                    raise ConfigError("multi_hot: the dataset's rows have bags of their own.")
                indices = [self._bags.expand(table, ids) for table, ids in enumerate(indices)]
                lengths = list(self._bags.sizes)
            yield Batch(indices, lengths), chunk.samples

    def _histories(self, history: History) -> Iterator[tuple[Batch, int]]:
        items = [table for table in range(self.tables) if table != history.user]
        chooser = RowFilter(share=self._options.share, seed=self._options.seed)
        with HistoryBuffer(len(items), self._options.max_history) as buffer:
            for chunk in self._chunks():
                users, keys = self._taken_users(chunk, history, chooser)
                times = (
                    np.zeros(len(users), np.int64)
                    if history.time is None
                    else keys[history.time].view(np.int64)
                )
                ids = [self._assign.ids(table, keys[table]).astype(np.int64) for table in items]
                buffer.add(users, times, ids)
            for users, lengths, bags in buffer.histories():
                columns = iter(bags)
                indices = [users if table == history.user else next(columns) for table in range(self.tables)]
                counts = [1 if table == history.user else lengths for table in range(self.tables)]
                yield Batch(indices, counts), len(users)

    def _taken_users(
        self, chunk: Chunk, history: History, chooser: RowFilter
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.uint64], ...]]:
        """Return users and keys of the rows whose users are wanted."""
        users = self._assign.ids(history.user, chunk.keys[history.user]).astype(np.int64)
        taken = np.ones(len(users), dtype=np.bool_)
        if chooser.share < 1:
            taken &= chooser.chosen(users)
        if taken.all():
            return users, chunk.keys
        return users[taken], tuple(keys[taken] for keys in chunk.keys)

    def _nothing(self) -> DatasetError:
        if self.faults.count:
            return DatasetError(
                f"{self.where}: no row could be read; {self.faults.count} were malformed, the first: "
                f"{self.faults.messages[0]}"
            )
        if self._seen:
            return DatasetError(f"{self.where}: none of its {self._seen} rows was chosen; choose others.")
        return DatasetError(f"{self.where}: the file is empty; give rows of {self._name}.")


def _coalesced(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Put small chunks together: dictionaries work faster on longer arrays."""
    waiting: list[Chunk] = []
    samples = 0
    for chunk in chunks:
        waiting.append(chunk)
        samples += chunk.samples
        if samples >= _BATCH_ROWS:
            yield _joined(waiting)
            waiting, samples = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    keys = tuple(np.concatenate(parts) for parts in zip(*(chunk.keys for chunk in chunks), strict=True))
    lengths = None
    if chunks[0].lengths is not None:
        every = zip(*(chunk.lengths or () for chunk in chunks), strict=True)
        lengths = tuple(
            None if parts[0] is None else np.concatenate([part for part in parts if part is not None])
            for parts in every
        )
    return Chunk(keys, chunks[0].row, sum(chunk.rows for chunk in chunks), lengths=lengths)


def cut_batch(batch: Batch, start: int, stop: int) -> Batch:
    """Return the samples `start` to ``stop - 1`` of a batch."""
    indices: list[NDArray[Any]] = []
    lengths: list[NDArray[np.int64] | int] = []
    for ids, length in zip(batch.indices, batch.lengths, strict=True):
        if isinstance(length, int):
            indices.append(ids[start * length : stop * length])
            lengths.append(length)
        else:
            first = int(length[:start].sum())
            indices.append(ids[first : first + int(length[start:stop].sum())])
            lengths.append(length[start:stop])
    return Batch(indices, lengths)
