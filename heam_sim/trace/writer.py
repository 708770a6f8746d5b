# SPDX-License-Identifier: MIT
"""Trace files written in pieces, so that no trace has to fit the memory (format: ``docs/formats.md``)."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from heam_sim._version import __version__
from heam_sim.errors import ConfigError, OutputError, TraceError
from heam_sim.numbers import whole_number
from heam_sim.trace import checks
from heam_sim.trace.columns import BagLengths, Column, stored_code
from heam_sim.trace.digest import ContentDigest
from heam_sim.trace.store import FILETYPE, FORMAT_VERSION, as_path, reason
from heam_sim.trace.temporary import remove_leftovers, temporary_beside

if TYPE_CHECKING:
    from heam_sim.trace.lookup_trace import LookupTrace

__all__ = ["TraceWriter", "write_trace"]

_LARGEST_CHUNK = 1 << 16  # elements: 64 kB to 512 kB before compression, which stays in the cache
_SMALLEST_CHUNK = 1 << 12
_BUFFERED = 1 << 24  # elements that wait for their chunk to fill, over all tables
_UNKNOWN_ROWS = 1 << 8  # rows that the stored width is chosen for until larger indices widen it
_INT64_MAX = int(np.iinfo(np.int64).max)

Lengths = NDArray[Any] | int | None


class TraceWriter:
    """Write a trace file sample chunk by sample chunk, in bounded memory.

    Everything goes to a temporary file in the folder of `path`. :meth:`finish` reads it back, computes the
    content hash and renames the file in one step; a ``with`` block does so at its end. After an exception in
    the block, or :meth:`abort`, nothing is left. Temporary files of writers that were killed are removed by
    the next writer in the same folder.

    Parameters
    ----------
    path
        The file to make or replace.
    tables
        Number of tables, at least 1.
    cardinalities
        Rows of every table, shape (tables,); ``None``: given to :meth:`finish`, or the largest index + 1.
    provenance
        Where the lookups come from; plain JSON types. :meth:`finish` can add to it.
    weighted
        Whether every chunk comes with weights.

    Raises
    ------
    ConfigError
        If an argument is not what it can be.
    OutputError
        If the folder is missing or unwritable.

    Examples
    --------
    >>> with TraceWriter("trace.h5", tables=2, cardinalities=[10, 5]) as writer:  # doctest: +SKIP
    ...     writer.append([[3, 9], [0, 4]])  # one-hot
    ...     writer.append([[1, 2, 3], [4]], lengths=[[2, 1], [1, 0]])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tables: int,
        cardinalities: object = None,
        provenance: Mapping[str, Any] | None = None,
        weighted: bool = False,
    ) -> None:
        self.path = as_path(path)
        self.tables = whole_number("tables", tables, minimum=1)
        self.provenance = checks.plain_provenance(provenance)
        self.samples = 0
        self._rows = None if cardinalities is None else self._checked_rows(cardinalities)
        self._largest = [-1] * self.tables
        self._weighted = weighted
        self._temporary: Path | None = None
        with self._output():
            if not self.path.name:
                raise IsADirectoryError("it names no file")
            remove_leftovers(self.path.parent)
            self._temporary = temporary_beside(self.path)
            # Format 1.10 of HDF5: small headers with check sums, readable by every HDF5 since 2016.
            # Chunks are written and read back whole, so none is kept.
            self._file = h5py.File(str(self._temporary), "w-", libver=("v110", "v110"), rdcc_nbytes=0)
            self._create_columns()

    def _create_columns(self) -> None:
        share = 1 << max(0, (_BUFFERED // self.tables).bit_length() - 1)
        chunk = min(_LARGEST_CHUNK, max(_SMALLEST_CHUNK, share))
        root = self._file.create_group("tables")
        groups = [root.create_group(f"{table:05d}") for table in range(self.tables)]
        rows = self._rows if self._rows is not None else [_UNKNOWN_ROWS] * self.tables
        self._indices = [
            Column(group, "indices", stored_code(int(count) - 1), chunk)
            for group, count in zip(groups, rows, strict=True)
        ]
        self._bags = [BagLengths(group, chunk) for group in groups]
        self._weights = [Column(group, "weights", "<f4", chunk) for group in groups] if self._weighted else []

    @property
    def lookups(self) -> int:
        """Lookups appended so far, over all tables."""
        return sum(len(column) for column in self._indices)

    def append(
        self,
        indices: Sequence[Any],
        lengths: Sequence[Lengths] | Lengths = None,
        *,
        weights: Sequence[Any] | None = None,
    ) -> None:
        """Add the next samples. If an argument is wrong, nothing is added.

        Parameters
        ----------
        indices
            One 1-D integer array per table: the lookups of the new samples, bag after bag.
        lengths
            Lookups per bag: one array of shape (new samples,) or one number (all bags alike) per table, or a
            number for all tables; ``None`` (also for one table) is 1: one-hot.
        weights
            One array per table, shaped like its indices, if the writer is weighted.

        Raises
        ------
        TraceError
            If an array is malformed, an index lies outside its table, lengths do not add up to the indices,
            or tables have different numbers of samples; the message names table and position.
        ConfigError
            If the writer is finished.
        OutputError
            If the file cannot be written.
        """
        if self._temporary is None:
            raise ConfigError(f"{self.path}: the writer is closed; open a new one to write more.")
        rows = self._checked_indices(indices)
        bags, samples = self._checked_lengths(lengths, rows)
        factors = self._checked_weights(weights, rows)
        for table, array in enumerate(rows):
            if len(array):
                self._largest[table] = max(self._largest[table], int(array.max()))
        with self._output():
            for table in range(self.tables):
                self._indices[table].append(rows[table])
                self._bags[table].append(bags[table], samples)
            for column, values in zip(self._weights, factors, strict=True):
                column.append(values)
            self.samples += samples

    def append_trace(self, trace: LookupTrace) -> None:
        """Add all samples of a trace in memory; its provenance and cardinalities do not enter.

        Parameters
        ----------
        trace
            With as many tables.

        Raises
        ------
        TraceError
            If an index lies outside its table, or only one of trace and writer has weights.
        """
        sizes = {id(cuts): checks.bag_size(cuts) for cuts in trace.offsets}
        lengths: list[Lengths] = []
        for cuts in trace.offsets:
            size = sizes[id(cuts)]
            lengths.append(np.diff(cuts) if size is None else size)
        if trace.samples and not trace.lookups:
            lengths = [np.zeros(trace.samples, np.int64)] * trace.tables  # nothing else tells the samples
        self.append(trace.indices, lengths, weights=trace.weights)

    def finish(
        self,
        *,
        cardinalities: object = None,
        provenance: Mapping[str, Any] | None = None,
        content_hash: str | None = None,
    ) -> str:
        """Complete the file and give it its name.

        Parameters
        ----------
        cardinalities
            Rows of every table, where they were not known before.
        provenance
            Added to the writer's provenance.
        content_hash
            The hash, if the caller knows it already; else it is computed from the file.

        Returns
        -------
        str
            The content hash.

        Raises
        ------
        TraceError
            If an index is not below its table's cardinality.
        ConfigError
            If an argument is not what it can be, or the writer is closed.
        OutputError
            If the file cannot be written. After any error nothing is left.
        """
        if self._temporary is None:
            raise ConfigError(f"{self.path}: the writer is closed; open a new one to write more.")
        try:
            rows = self._final_rows(cardinalities)
            self.provenance = checks.plain_provenance({**self.provenance, **(provenance or {})})
            with self._output():
                for column in (*self._indices, *self._weights):
                    column.close()
                for bags in self._bags:
                    bags.close()
                name = self._hash(rows) if content_hash is None else content_hash
                self._write_root(rows, name)
                self._file.close()
                self._temporary.replace(self.path)
                self._temporary = None
        except BaseException:
            self.abort()
            raise
        return name

    def abort(self) -> None:
        """Remove the temporary file; does nothing after :meth:`finish`."""
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with suppress(OSError, RuntimeError, ValueError, AttributeError):
                self._file.close()
            with suppress(OSError, ValueError):
                temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._temporary is not None:
            self.finish()

    @contextmanager
    def _output(self) -> Iterator[None]:
        """Turn what HDF5 and the system raise into an OutputError; whatever it was, leave nothing."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            self.abort()
            raise OutputError(
                f"{self.path}: the trace cannot be written ({reason(error)}); choose a writable folder that "
                "exists."
            ) from error
        except BaseException:
            self.abort()
            raise

    def _checked_rows(self, cardinalities: object) -> NDArray[np.int64]:
        return checks.cardinality_array(cardinalities, [np.zeros(0, np.int64)] * self.tables)

    def _final_rows(self, cardinalities: object) -> NDArray[np.int64]:
        if cardinalities is None and self._rows is not None:
            return self._rows
        if cardinalities is None:
            return np.array([max(1, min(last, _INT64_MAX - 1) + 1) for last in self._largest], dtype=np.int64)
        rows = self._checked_rows(cardinalities)
        for table, last in enumerate(self._largest):
            # The position is not kept; the whole column would have to be read again to name it.
            if last >= rows[table]:
                raise TraceError(
                    f"{self.path}: table {table} has the index {last}, not below its cardinality "
                    f"{rows[table]}; raise cardinalities[{table}] or hash the ids."
                )
        return rows

    def _checked_indices(self, indices: Sequence[Any]) -> list[NDArray[Any]]:
        if len(indices) != self.tables:
            raise TraceError(
                f"indices has {len(indices)} arrays for {self.tables} tables; pass one per table."
            )
        found = [_integers(values, f"indices of table {table}") for table, values in enumerate(indices)]
        for table, array in enumerate(found):
            rows = _INT64_MAX if self._rows is None else int(self._rows[table])
            if len(array) and (int(array.min()) < 0 or int(array.max()) >= rows):
                checks.check_range(table, checks.as_index_array(array, f"indices of table {table}"), rows)
        return found

    def _checked_lengths(
        self, lengths: Sequence[Lengths] | Lengths, rows: Sequence[NDArray[Any]]
    ) -> tuple[list[NDArray[Any] | int], int]:
        alike = lengths is None or isinstance(lengths, (int, np.integer))
        each: list[Any] = [lengths] * self.tables if alike else list(lengths)  # type: ignore[arg-type]
        if len(each) != self.tables:
            raise TraceError(f"lengths has {len(each)} entries for {self.tables} tables; pass one per table.")
        bags: list[NDArray[Any] | int] = []
        counts: list[int | None] = []
        for table, (given, array) in enumerate(zip(each, rows, strict=True)):
            bag, count = _table_bags(table, 1 if given is None else given, array)
            bags.append(bag)
            counts.append(count)
        known = [(table, count) for table, count in enumerate(counts) if count is not None]
        if not known:
            raise TraceError(
                "lengths: all bags are empty, so that the number of samples is open; give arrays."
            )
        first, samples = known[0]
        for table, count in known:
            if count != samples:
                raise TraceError(
                    f"table {table} has {count} samples but table {first} has {samples}; give every table "
                    "one bag per sample (empty bags are fine)."
                )
        return bags, samples

    def _checked_weights(
        self, weights: Sequence[Any] | None, rows: Sequence[NDArray[Any]]
    ) -> Sequence[NDArray[np.float32]]:
        if (weights is not None) != self._weighted:
            raise TraceError(
                "weights: some samples of the trace would have weights and others none; give them for all "
                "(weighted=True) or for none."
            )
        return [] if weights is None else checks.weight_arrays(weights, rows)

    def _hash(self, rows: NDArray[np.int64]) -> str:
        # Tables follow each other in the hash but are interleaved in time, so it is taken from the file; it
        # also proves that the file can be read before it replaces another.
        digest = ContentDigest(self.tables, self.samples)
        for table, column in enumerate(self._indices):
            bags = self._bags[table]
            digest.table(int(rows[table]), len(column), bags.size)
            for cuts in bags.offsets() if bags.size is None else ():
                digest.offsets(cuts)
            for part in column.parts():
                digest.indices(part)
        if self._weighted:
            digest.start_weights()
            for column in self._weights:
                for part in column.parts():
                    digest.weights(part)
        return digest.hexdigest()

    def _write_root(self, rows: NDArray[np.int64], content_hash: str) -> None:
        attributes = self._file.attrs
        attributes["filetype"] = FILETYPE
        attributes["format_version"] = np.array(FORMAT_VERSION, dtype="<i4")
        attributes["software_version"] = __version__
        attributes["created_utc"] = datetime.now(UTC).isoformat(timespec="seconds")
        attributes["uuid"] = str(uuid.uuid4())
        attributes["provenance"] = json.dumps(self.provenance, sort_keys=True)
        attributes["content_hash"] = content_hash
        attributes["samples"] = np.int64(self.samples)
        self._file.create_dataset("cardinalities", data=rows.astype("<i8"), track_times=False)


def write_trace(trace: LookupTrace, path: str | os.PathLike[str]) -> None:
    """Write `trace` to `path`, replacing what is there in one step.

    Raises
    ------
    OutputError
        If the folder is missing or unwritable, or the disk is full.
    """
    with TraceWriter(
        path,
        tables=trace.tables,
        cardinalities=trace.cardinalities,
        provenance=trace.provenance,
        weighted=trace.weights is not None,
    ) as writer:
        writer.append_trace(trace)
        writer.finish(content_hash=trace.content_hash)


def _integers(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        return values  # no copy: it is not kept
    return checks.as_index_array(values, what)


def _table_bags(table: int, given: Any, rows: NDArray[Any]) -> tuple[NDArray[Any] | int, int | None]:
    """Return the lengths and the number of samples, which empty bags of one size leave open."""
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        size = int(given)
        if size < 0 or (size == 0 and len(rows)) or (size and len(rows) % size):
            raise TraceError(f"table {table}: {len(rows)} indices cannot be cut into bags of {size}.")
        return size, len(rows) // size if size else None
    lengths = _integers(given, f"lengths of table {table}")
    if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > len(rows)):
        position = int(np.argmax((lengths < 0) | (lengths > len(rows))))
        raise TraceError(
            f"lengths of table {table}, position {position}: {int(lengths[position])} is no length of a bag "
            f"among {len(rows)} indices."
        )
    if int(lengths.sum(dtype=np.int64)) != len(rows):
        raise TraceError(
            f"lengths of table {table} add up to {int(lengths.sum(dtype=np.int64))} but there are "
            f"{len(rows)} indices; give every index to one bag."
        )
    return lengths, len(lengths)
