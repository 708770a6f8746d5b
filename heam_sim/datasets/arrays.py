# SPDX-License-Identifier: MIT
"""Datasets that are arrays already: ``.npz``, and Meta's dlrm_datasets (``.pt``, through torch)."""

from __future__ import annotations

import tempfile
import tokenize
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.delimited import EMPTY, Chunk, TextKeys
from heam_sim.datasets.opened import Column, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import UNREADABLE, Progress, needs_extra, open_packed
from heam_sim.errors import DatasetError, TraceError
from heam_sim.trace.checks import check_bags

__all__ = ["BROKEN_ARCHIVE", "broken_archive", "open_meta", "open_npz", "selected_chunk"]

_Blocks = Iterator[tuple[list[NDArray[Any]], list[NDArray[np.int64] | None]]]

_BATCH_ROWS = 1 << 14
_COPY_BYTES = 1 << 24
_MOST_TABLES = 1 << 16


def open_npz(files: list[Path], options: ReadOptions) -> Opened:
    """Return the tables of ``.npz`` files.

    Either ``X_cat`` (or ``indices``), a matrix of shape (rows, tables), as DLRM's own preprocessing writes
    it; or per table ``indices_0``, ``offsets_0`` and so on, where offsets have rows + 1 entries.
    """
    del options  # all of them are the pipeline's
    names = _members(files[0])
    matrix = next((name for name in ("X_cat", "indices") if name in names), None)
    tables = sum(1 for name in names if name.startswith("indices_"))
    if matrix is None and not tables:
        raise DatasetError(
            f"{files[0]}: holds {', '.join(sorted(names)[:6]) or 'nothing'}; give a matrix X_cat, or arrays "
            "indices_0, offsets_0, indices_1, ..."
        )

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row = 0
        for source in files:
            if rows.is_over(row):
                return
            read = _matrix_chunks(source, matrix) if matrix else _bag_chunks(source, tables)
            for keys, lengths in read:
                chunk = selected_chunk(source, keys, lengths, rows, row, faults)
                row += chunk.rows
                yield chunk
            if progress is not None:
                progress(source.stat().st_size)

    width = _matrix_width(files[0], matrix) if matrix else tables
    columns = tuple(Column(f"C{table + 1}", "integer") for table in range(width))
    return Opened(columns, chunks, default_ids="published")


def open_meta(files: list[Path], options: ReadOptions) -> Opened:
    """Return the tables of Meta's dlrm_datasets: ``.pt`` or ``.pt.gz``, one after the other in the memory.

    A file holds indices (table after table, bag after bag), offsets and lengths (tables, samples). Its ids
    are hashed already and are kept.
    """
    del options  # all of them are the pipeline's
    held = {files[0]: _load_torch(files[0])}  # torch has no other way to tell the number of tables
    width = held[files[0]][1].shape[0]
    if not width:
        raise DatasetError(f"{files[0]}: lengths have no table; give a file of Meta's dlrm_datasets.")

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row = 0
        for source in files:
            if rows.is_over(row):
                return
            indices, lengths = held.pop(source) if source in held else _load_torch(source)
            tables, samples = lengths.shape
            if tables != width:
                raise DatasetError(
                    f"{source}: has {tables} tables, {files[0].name} has {width}; give files with the same."
                )
            cuts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths.reshape(-1))])
            step = max(1, _BATCH_ROWS // max(1, int(lengths.sum() // max(1, samples))))
            for start in range(0, samples, step):
                if rows.is_over(row):
                    return
                stop = min(start + step, samples)
                keys = [
                    indices[cuts[table * samples + start] : cuts[table * samples + stop]]
                    for table in range(tables)
                ]
                bags: list[NDArray[np.int64] | None] = [one[start:stop] for one in lengths]
                chunk = selected_chunk(source, keys, bags, rows, row, faults)
                row += chunk.rows
                yield chunk
            if progress is not None:
                progress(source.stat().st_size)

    columns = tuple(Column(f"T{table}", "integer") for table in range(width))
    return Opened(columns, chunks, default_ids="published")


def _load_torch(source: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices, and lengths of shape (tables, samples)."""
    try:
        import torch
    except ImportError:
        raise needs_extra(f"{source}: reading torch files", "torch", "torch") from None
    try:
        with tempfile.TemporaryFile() as seekable:  # torch jumps about in its files
            with open_packed(source, zip_is_data=True) as packed:
                while piece := packed.read(_COPY_BYTES):
                    seekable.write(piece)
            seekable.seek(0)
            loaded = torch.load(seekable, map_location="cpu", weights_only=True)
        indices, offsets, lengths = (np.asarray(one) for one in loaded)
    except DatasetError:
        raise
    except Exception as error:  # noqa: BLE001 - a foreign file can make torch and pickle raise anything
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{source}: cannot be read as indices, offsets and lengths ({reason}); give a file of Meta's "
            "dlrm_datasets."
        ) from None
    return _checked_bags(source, indices, offsets, lengths)


def _checked_bags(
    source: Path, indices: NDArray[Any], offsets: NDArray[Any], lengths: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    shapes = [(array.ndim, array.dtype.kind in "iu") for array in (indices, offsets, lengths)]
    if shapes != [(1, True), (1, True), (2, True)]:
        raise DatasetError(
            f"{source}: holds no integer arrays indices (1-D), offsets (1-D) and lengths (2-D); give a file "
            "of Meta's dlrm_datasets."
        )
    lengths = lengths.astype(np.int64)
    cuts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths.reshape(-1))])
    given = offsets.astype(np.int64)
    if len(given) == lengths.size:
        given = np.append(given, len(indices))  # some files leave the last one out
    if int(lengths.min(initial=0)) < 0 or not np.array_equal(cuts, given) or int(cuts[-1]) != len(indices):
        raise DatasetError(
            f"{source}: offsets, lengths and the {len(indices)} indices contradict each other; copy the file "
            "again."
        )
    return indices.astype(np.int64), lengths


def selected_chunk(
    source: Path,
    keys: list[NDArray[Any]],
    lengths: list[NDArray[np.int64] | None],
    rows: RowFilter,
    row: int,
    faults: Faults,
    *,
    unchecked: frozenset[int] = frozenset(),
) -> Chunk:
    """Return the wanted samples of a block; those with a negative id in a checked column are faults."""
    count = len(keys[0]) if lengths[0] is None else len(lengths[0])
    good = np.ones(count, dtype=np.bool_)
    chosen = rows.select(row, count)
    if chosen is not None:
        good[:] = False
        good[chosen] = True
    for table, (values, cuts) in enumerate(zip(keys, lengths, strict=True)):
        if table in unchecked:
            continue
        wrong = values < 0 if values.dtype.kind == "i" else values >= EMPTY
        owners = np.arange(count) if cuts is None else np.repeat(np.arange(count), cuts)
        for at in np.flatnonzero(wrong & good[owners]).tolist():
            place = int(owners[at])
            if good[place]:
                why = "is negative" if values.dtype.kind == "i" else "is above 2**63 - 1"
                faults.add(
                    f"{source}: row {row + place + 1}: the id {int(values[at])} of table {table} {why}."
                )
                good[place] = False
    if good.all():
        return Chunk(tuple(one.astype(np.uint64) for one in keys), row, count, lengths=_bags(lengths))
    kept = [
        one[good if cuts is None else np.repeat(good, cuts)] for one, cuts in zip(keys, lengths, strict=True)
    ]
    cut = [None if cuts is None else cuts[good] for cuts in lengths]
    return Chunk(tuple(one.astype(np.uint64) for one in kept), row, count, lengths=_bags(cut))


def _bags(lengths: list[NDArray[np.int64] | None]) -> tuple[NDArray[np.int64] | None, ...] | None:
    return tuple(lengths) if any(cuts is not None for cuts in lengths) else None


class _Array:
    """One array of an ``.npz`` file, read piece by piece."""

    def __init__(self, source: Path, archive: zipfile.ZipFile, name: str) -> None:
        self.source = source
        self._stream: IO[bytes] = archive.open(f"{name}.npy")
        version = np.lib.format.read_magic(self._stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        self.shape, fortran, self.dtype = read(self._stream)
        if self.dtype.kind not in "iu" or (fortran and len(self.shape) > 1):
            raise DatasetError(
                f"{source}: {name} is no array of integers in C order; save it with "
                "np.ascontiguousarray(...).astype(np.int64)."
            )
        self.width = int(np.prod(self.shape[1:], dtype=np.int64))

    def read(self, rows: int) -> NDArray[Any]:
        """Return the next rows, flat."""
        size = rows * self.width * self.dtype.itemsize
        data = self._stream.read(size)
        if len(data) != size:
            raise DatasetError(f"{self.source}: ends within an array; copy the file again.")
        return np.frombuffer(data, dtype=self.dtype)


# zipfile and numpy's parser of headers raise all of these on files that are none.
BROKEN_ARCHIVE = (
    *(*UNREADABLE, ValueError, KeyError, NotImplementedError, SyntaxError),
    *(zipfile.BadZipFile, tokenize.TokenError),
)


def broken_archive(source: Path, error: BaseException) -> DatasetError:
    return DatasetError(
        f"{source}: is no readable .npz file ({' '.join(str(error).split())[:200]}); copy it again."
    )


def _members(source: Path) -> set[str]:
    try:
        with zipfile.ZipFile(source) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except BROKEN_ARCHIVE as error:
        raise broken_archive(source, error) from None


def _matrix_width(source: Path, name: str) -> int:
    try:
        with zipfile.ZipFile(source) as archive:
            shape = _Array(source, archive, name).shape
    except DatasetError:
        raise
    except BROKEN_ARCHIVE as error:
        raise broken_archive(source, error) from None
    if len(shape) != 2 or not 0 < shape[1] <= _MOST_TABLES:
        raise DatasetError(
            f"{source}: {name} has the shape {shape}, not (rows, tables); what FBGEMM takes is "
            "read by: heam-sim trace from-fbgemm."
        )
    return int(shape[1])


def _matrix_chunks(source: Path, name: str) -> _Blocks:
    try:
        with zipfile.ZipFile(source) as archive:
            array = _Array(source, archive, name)
            for start in range(0, array.shape[0], _BATCH_ROWS):
                block = array.read(min(_BATCH_ROWS, array.shape[0] - start)).reshape(-1, array.width)
                yield (
                    [np.ascontiguousarray(block[:, table]) for table in range(array.width)],
                    [None] * array.width,
                )
    except DatasetError:
        raise
    except BROKEN_ARCHIVE as error:
        raise broken_archive(source, error) from None


def _bag_chunks(source: Path, tables: int) -> _Blocks:
    try:
        with zipfile.ZipFile(source) as archive:
            indices = [_Array(source, archive, f"indices_{table}") for table in range(tables)]
            cuts = [_offsets(source, archive, table, indices[table].shape) for table in range(tables)]
            samples = {len(one) - 1 for one in cuts}
            if len(samples) != 1:
                raise DatasetError(f"{source}: the tables have different numbers of rows; give all the same.")
            count = samples.pop()
            for start in range(0, count, _BATCH_ROWS):
                stop = min(start + _BATCH_ROWS, count)
                keys = [
                    array.read(int(one[stop] - one[start])) for array, one in zip(indices, cuts, strict=True)
                ]
                yield keys, [np.diff(one[start : stop + 1]) for one in cuts]
    except DatasetError:
        raise
    except BROKEN_ARCHIVE as error:
        raise broken_archive(source, error) from None


def _offsets(source: Path, archive: zipfile.ZipFile, table: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    array = _Array(source, archive, f"offsets_{table}")
    if len(shape) != 1 or len(array.shape) != 1 or array.shape[0] < 1:
        raise DatasetError(f"{source}: indices_{table} and offsets_{table} must be 1-D, offsets not empty.")
    cuts = array.read(array.shape[0]).astype(np.int64)
    try:
        check_bags(table, cuts, shape[0])
    except TraceError as error:
        raise DatasetError(f"{source}: {error}") from None
    return cuts
