# SPDX-License-Identifier: MIT
"""A stored trace that is read in pieces, so that it need not fit the memory."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, TraceError
from heam_sim.html import html_table
from heam_sim.numbers import real_number, whole_number
from heam_sim.trace import store
from heam_sim.trace.digest import ContentDigest
from heam_sim.trace.facts import trace_facts
from heam_sim.trace.lookup_trace import LookupTrace
from heam_sim.trace.writer import TraceWriter

__all__ = ["TraceFile", "extend_trace"]

_PIECE = 1 << 18  # lookups, or bag lengths, read at a time


class TraceFile:
    """A trace file, or a range of its samples, opened for reading.

    It answers like a :class:`LookupTrace` where that needs no lookup, and gives the lookups as traces of a
    range of samples. The content hash is what the file says; :meth:`verify` compares it with the lookups.

    Parameters
    ----------
    path
        A file that :meth:`LookupTrace.save` or :class:`TraceWriter` wrote.

    Raises
    ------
    TraceError
        If the file is missing, no HDF5 file, truncated, foreign or of another major version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = store.as_path(path)
        self._file = store.open_trace(self.path)
        try:
            with store.reading(self.path):
                header = store.read_header(self._file)
                self._columns = [store.integer_dataset(group, "indices") for group in header.groups]
                self._weights = store.weight_datasets(header.groups)
                self._bags = [
                    _Bags(group, header.samples, int(column.shape[0]))
                    for group, column in zip(header.groups, self._columns, strict=True)
                ]
        except BaseException:
            self._file.close()
            raise
        self.cardinalities = header.cardinalities
        self.provenance = header.provenance
        self.content_hash = header.content_hash
        self._all_samples = header.samples
        self._start, self._stop = 0, header.samples

    @property
    def tables(self) -> int:
        """Number of tables."""
        return len(self._columns)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self._stop - self._start

    @property
    def weighted(self) -> bool:
        """Whether lookups have weights."""
        return bool(self._weights)

    @property
    def lookups(self) -> int:
        """Number of lookups over all tables."""
        with store.reading(self.path):
            return sum(bags.position(self._stop) - bags.position(self._start) for bags in self._bags)

    def samples_slice(self, start: int, stop: int) -> LookupTrace:
        """Read the samples ``start`` to ``stop - 1``.

        Parameters
        ----------
        start
            First sample.
        stop
            The one behind the last.

        Returns
        -------
        LookupTrace
            In the memory.

        Raises
        ------
        ConfigError
            Unless ``0 <= start <= stop <= samples``.
        TraceError
            If this part of the file is damaged.
        """
        stop = whole_number("stop", stop, minimum=0, maximum=self.samples)
        start = whole_number("start", start, minimum=0, maximum=stop)
        first, last = self._start + start, self._start + stop
        indices, offsets, weights = [], [], []
        shared: dict[int, NDArray[np.int64]] = {}
        with store.reading(self.path):
            for table, bags in enumerate(self._bags):
                begin = bags.position(first)
                cuts = bags.offsets(first, last, shared)
                part = slice(begin, begin + int(cuts[-1]))
                column = self._columns[table]
                indices.append(store.as_int64(column[part], str(column.name)))
                offsets.append(cuts)
                if self._weights:
                    weights.append(self._weights[table][part])
        try:
            return LookupTrace.from_arrays(
                indices,
                offsets,
                cardinalities=self.cardinalities,
                provenance={**self.provenance, "samples_slice": [first, last]},
                weights=weights or None,
            )
        except (TraceError, ConfigError) as error:
            raise TraceError(f"{self.path}: damaged trace: {error}") from None

    def table_indices(self, table: int) -> NDArray[np.int64]:
        """Read all lookups of one table, bag after bag; shape (lookups of the table,).

        Parameters
        ----------
        table
            Number of the table, from 0.

        Returns
        -------
        int64 array
            Shape (lookups of the table,).
        """
        with store.reading(self.path):
            bags, column = self._bags[table], self._columns[table]
            part = slice(bags.position(self._start), bags.position(self._stop))
            return store.as_int64(column[part], str(column.name))

    def table_lengths(self, table: int) -> NDArray[np.int64]:
        """Read the lengths of one table's bags; shape (samples,).

        Parameters
        ----------
        table
            Number of the table, from 0.

        Returns
        -------
        int64 array
            Shape (samples,).
        """
        with store.reading(self.path):
            return np.diff(self._bags[table].offsets(self._start, self._stop, {}))

    def chunks(self, lookups: int = _PIECE) -> Iterator[LookupTrace]:
        """Yield all samples in order, in traces of about so many lookups.

        Parameters
        ----------
        lookups
            At least 1; a piece has at least one sample.

        Yields
        ------
        LookupTrace
            In the memory.

        Raises
        ------
        TraceError
            If the file is damaged.
        """
        wanted = whole_number("lookups", lookups, minimum=1)
        step = max(1, wanted * self.samples // max(1, self.lookups))
        for start in range(0, self.samples, step):
            yield self.samples_slice(start, min(start + step, self.samples))

    def split(self, profile: float) -> tuple[LookupTrace, TraceFile]:
        """Cut into a profile part, which is read, and a part that stays in the file.

        Parameters
        ----------
        profile
            Share of the samples, 0 to 1; the first ``floor(profile * samples)`` samples are the profile part.
        """
        cut = math.floor(real_number("profile", profile, minimum=0, maximum=1) * self.samples)
        rest = object.__new__(TraceFile)
        rest.__dict__.update(self.__dict__)
        rest._start = self._start + cut
        return self.samples_slice(0, cut), rest

    def read(self) -> LookupTrace:
        """Read all samples into the memory."""
        return self.samples_slice(0, self.samples)

    def verify(self) -> None:
        """Compare the stored content hash with the lookups of the whole file.

        Raises
        ------
        TraceError
            If they differ or the file is damaged.
        """
        with store.reading(self.path):
            digest = ContentDigest(self.tables, self._all_samples)
            for rows, column, bags in zip(self.cardinalities, self._columns, self._bags, strict=True):
                bags.add_to(digest, int(rows))
                for part in _parts(column):
                    digest.indices(store.as_int64(part, str(column.name)))
            if self._weights:
                digest.start_weights()
            for column in self._weights:
                for part in _parts(column):
                    digest.weights(part)
        if digest.hexdigest() != self.content_hash:
            raise TraceError(
                f"{self.path}: the lookups do not match the stored content hash; the file is damaged, make "
                "the trace anew."
            )

    def close(self) -> None:
        """Close the file; ranges split off can no longer be read."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TraceFile({str(self.path)!r}, tables={self.tables}, samples={self.samples})"

    def _repr_html_(self) -> str:
        return html_table(
            f"Trace file {self.path}", [*trace_facts(self), ("content hash", self.content_hash)]
        )


class _Bags:
    """Where the bags of a table begin; lengths that differ are summed up once, piece by piece."""

    def __init__(self, group: h5py.Group, samples: int, lookups: int) -> None:
        self._group = group
        self._samples = samples
        self._lookups = lookups
        self._size = store.stored_bag_size(group, samples, lookups)
        self._lengths = None if self._size is not None else store.integer_dataset(group, "bag_lengths")
        self._starts: NDArray[np.int64] | None = None  # of every _PIECE-th bag
        self._next = (0, 0)  # where the last range read ended: a sample and its lookup
        if self._lengths is not None and self._lengths.shape[0] != samples:
            raise ValueError(f"{self._lengths.shape[0]} bag lengths for {samples} samples in {group.name}")

    def position(self, sample: int) -> int:
        """Return the lookup that a sample's bag begins with."""
        if self._size is not None:
            return self._size * sample
        if sample == self._next[0]:
            return self._next[1]
        starts = self._coarse()
        piece, inside = divmod(sample, _PIECE)
        return int(starts[piece]) + (int(self._read(sample - inside, sample).sum()) if inside else 0)

    def offsets(self, start: int, stop: int, shared: dict[int, NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the offsets of some bags, from 0; tables with bags of one size share an array."""
        if self._size is None:
            cuts = np.zeros(stop - start + 1, dtype=np.int64)
            np.cumsum(self._read(start, stop), out=cuts[1:])
            self._next = (stop, self.position(start) + int(cuts[-1]))
        elif self._size in shared:
            return shared[self._size]
        else:
            cuts = np.arange(stop - start + 1, dtype=np.int64) * self._size
            shared[self._size] = cuts
        cuts.flags.writeable = False
        return cuts

    def add_to(self, digest: ContentDigest, rows: int) -> None:
        """Add the table's shape to a content hash."""
        digest.table(rows, self._lookups, self._size)
        if self._size is None:
            last = 0
            digest.offsets(np.zeros(1, np.int64))
            for start in range(0, self._samples, _PIECE):
                cuts = last + np.cumsum(self._read(start, min(start + _PIECE, self._samples)))
                last = int(cuts[-1])
                digest.offsets(cuts)

    def _coarse(self) -> NDArray[np.int64]:
        if self._starts is None:
            sums = [0]
            for start in range(0, self._samples, _PIECE):
                sums.append(sums[-1] + int(self._read(start, min(start + _PIECE, self._samples)).sum()))
            if sums[-1] != self._lookups:
                raise ValueError(
                    f"bags of {sums[-1]} lookups are not the {self._lookups} stored ones in "
                    f"{self._group.name}"
                )
            self._starts = np.array(sums, dtype=np.int64)
        return self._starts

    def _read(self, start: int, stop: int) -> NDArray[np.int64]:
        assert self._lengths is not None
        lengths = store.as_int64(self._lengths[start:stop], str(self._lengths.name))
        store.check_lengths(self._group, lengths, stop - start, self._lookups)
        return lengths


def _parts(column: h5py.Dataset) -> Iterator[NDArray[Any]]:
    for start in range(0, column.shape[0], _PIECE):
        yield column[start : start + _PIECE]


def extend_trace(path: str | os.PathLike[str], pieces: Iterable[LookupTrace], *, note: object = None) -> str:
    """Add samples to a stored trace: a new file with the old samples and the new ones takes its place.

    Parameters
    ----------
    path
        The trace file; it stays as it is until the new one is complete.
    pieces
        Traces with as many tables; their cardinalities do not enter.
    note
        Goes to the provenance with the range of samples added, under ``appended``; plain JSON types.

    Returns
    -------
    str
        The content hash of the longer trace.

    Raises
    ------
    TraceError
        If the file is no trace, or a piece does not fit it.
    OutputError
        If the new file cannot be written.
    """
    with TraceFile(path) as old:
        added = old.provenance.get("appended", [])
        with TraceWriter(
            path,
            tables=old.tables,
            cardinalities=old.cardinalities,
            provenance=old.provenance,
            weighted=old.weighted,
        ) as writer:
            for piece in itertools.chain(old.chunks(), pieces):
                writer.append_trace(piece)
            added = [*added, {"samples": [old.samples, writer.samples], "note": note}]
            return writer.finish(provenance={"appended": added})
