# SPDX-License-Identifier: MIT
"""Users' histories as bags: rows sorted by user and time in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["HistoryBuffer"]

_USERS = 1 << 13  # users of a part: their rows are sorted together
_BUFFERED = 1 << 25  # numbers that wait in memory before they go to the disk
_BATCH_LOOKUPS = 1 << 20

_Rows = NDArray[np.int64]


class HistoryBuffer:
    """Collect rows (user, time, items) and give them back user by user, each in order of time.

    Rows wait in memory and then in a temporary file without a name, which vanishes with the process however
    that ends. Users are numbers that grow with their first appearance, so users that are near each other in
    number are read back together.

    Parameters
    ----------
    items
        Columns besides user and time.
    longest
        The latest so many rows of a user are kept.
    """

    def __init__(self, items: int, longest: int) -> None:
        self._width = items + 2
        self._longest = longest
        self._waiting: list[_Rows] = []
        self._waiting_rows = 0
        self._parts: dict[int, list[tuple[int, int]]] = {}  # places and rows in the file
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, users: _Rows, times: _Rows, items: list[_Rows]) -> None:
        """Add rows; all arrays int64 of one length, users at least 0."""
        if not len(users):
            return
        self._waiting.append(np.stack([users, times, *items], axis=1))
        self._waiting_rows += len(users)
        if self._waiting_rows * self._width > _BUFFERED:
            self._spill()

    def histories(self) -> Iterator[tuple[_Rows, NDArray[np.int64], list[_Rows]]]:
        """Yield users (shape (n,)), the lengths of their histories (n,) and the items, user after user."""
        if self._file is None:
            yield from self._cut(np.concatenate(self._waiting or [np.zeros((0, self._width), np.int64)]))
            return
        self._spill()
        for part in sorted(self._parts):
            pieces = [self._load(place, rows) for place, rows in self._parts[part]]
            yield from self._cut(np.concatenate(pieces))

    def _spill(self) -> None:
        if self._file is None:
            self._file = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - closed by __exit__
        if not self._waiting:
            return
        rows = np.concatenate(self._waiting)
        self._waiting, self._waiting_rows = [], 0
        parts = rows[:, 0] // _USERS
        rows = np.ascontiguousarray(rows[np.argsort(parts, kind="stable")])
        numbers, counts = np.unique(parts, return_counts=True)
        place = self._file.seek(0, 2)
        self._file.write(rows.data.cast("B"))
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            self._parts.setdefault(number, []).append((place, count))
            place += count * rows.strides[0]

    def _load(self, place: int, rows: int) -> _Rows:
        assert self._file is not None
        self._file.seek(place)
        found = np.frombuffer(self._file.read(rows * self._width * 8), dtype=np.int64)
        return found.reshape(rows, self._width)

    def _cut(self, rows: _Rows) -> Iterator[tuple[_Rows, NDArray[np.int64], list[_Rows]]]:
        """Sort rows by user, then time, then order of reading, and keep the latest of each user."""
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        first_rows = np.ones(len(rows), dtype=np.bool_)
        first_rows[1:] = rows[1:, 0] != rows[:-1, 0]
        starts = np.flatnonzero(first_rows)
        ends = np.append(starts[1:], len(rows))[: len(starts)]
        lengths = np.minimum(ends - starts, self._longest)
        kept = np.arange(len(rows)) >= np.repeat(ends - lengths, ends - starts)
        rows, users = rows[kept], rows[starts, 0]
        cuts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        first = 0
        while first < len(users):
            last = int(np.searchsorted(cuts, cuts[first] + _BATCH_LOOKUPS, side="right")) - 1
            last = min(max(last, first + 1), len(users))
            block = rows[cuts[first] : cuts[last]]
            items = [np.ascontiguousarray(block[:, column]) for column in range(2, self._width)]
            yield users[first:last], lengths[first:last], items
            first = last
