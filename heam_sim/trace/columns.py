# SPDX-License-Identifier: MIT
"""Growing arrays in an HDF5 file: compressed here, chunk by chunk, readable by every HDF5.

The chunks are what HDF5's own shuffle and gzip filters would make, but zlib only looks for runs of a byte
where that loses nothing against its full search: row numbers of skewed tables have next to no longer
repetitions, and the search for them takes half of the time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["BagLengths", "Column", "stored_code"]

_LEVEL = 4
_MEMORY_LEVEL = 9  # zlib's largest work space
_WORTH = 0.9  # the full search must save a tenth of a column's first chunk


def stored_code(largest: int) -> str:
    """Return the fewest unsigned bytes that hold `largest`, as a numpy type code."""
    return next(code for code in ("<u1", "<u2", "<u4", "<u8") if largest <= int(np.iinfo(code).max))


class Column:
    """One array that grows at its end.

    Parameters
    ----------
    group, name
        Where the dataset will be; it is made with the first full chunk or by :meth:`close`.
    code
        Numpy type code of the stored elements; unsigned integers are widened when a value needs it.
    chunk
        Elements of a chunk, at least 1.
    """

    def __init__(self, group: h5py.Group, name: str, code: str, chunk: int) -> None:
        self.group = group
        self.name = name
        self.dtype = np.dtype(code)
        self.chunk = chunk
        self._strategy: int | None = None
        self._dataset: h5py.Dataset | None = None
        self._stored = 0  # elements in the file
        self._pending: NDArray[Any] = np.empty(0, self.dtype)
        self._filled = 0

    def __len__(self) -> int:
        return self._stored + self._filled

    def append(self, values: NDArray[Any]) -> None:
        """Add values; integers are neither negative nor above 63 bits."""
        if self.dtype.kind == "u" and len(values):
            largest = int(values.max())
            if largest > int(np.iinfo(self.dtype).max):
                self._widen(stored_code(largest))
        done = 0
        while done < len(values):
            self._make_room(len(values) - done)
            part = values[done : done + len(self._pending) - self._filled]
            self._pending[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            done += len(part)
            if self._filled == self.chunk:
                self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._dataset is None:
            self._dataset = self._create(len(self), fixed=True)
        if self._filled:
            self._flush()

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield what is stored, chunk by chunk; call :meth:`close` first."""
        assert self._dataset is not None
        for start in range(0, self._stored, self.chunk):
            yield self._dataset[start : start + self.chunk]

    def _make_room(self, wanted: int) -> None:
        # Small traces have hundreds of tables with few lookups: buffers grow with what they hold.
        if self._filled == len(self._pending):
            size = min(self.chunk, max(2 * len(self._pending), self._filled + wanted))
            grown = np.empty(size, self.dtype)
            grown[: self._filled] = self._pending[: self._filled]
            self._pending = grown

    def _create(self, length: int, *, fixed: bool) -> h5py.Dataset:
        if not length:
            return self.group.create_dataset(self.name, shape=(0,), dtype=self.dtype, track_times=False)
        self.chunk = min(self.chunk, length) if fixed else self.chunk
        return self.group.create_dataset(
            self.name,
            shape=(length,) if fixed else (0,),
            maxshape=None if fixed else (None,),
            dtype=self.dtype,
            chunks=(self.chunk,),
            shuffle=True,
            compression="gzip",
            compression_opts=_LEVEL,
            track_times=False,
        )

    def _flush(self) -> None:
        if self._dataset is None:
            self._dataset = self._create(self._filled, fixed=False)
        block = self._pending[: self._filled]
        if self._filled < self.chunk:  # the end of a chunk beyond the array is stored too
            block = np.concatenate([block, np.zeros(self.chunk - self._filled, self.dtype)])
        if self._dataset.shape[0] < self._stored + self._filled:
            self._dataset.resize((self._stored + self._filled,))
        chunk = self._compressed(block)
        self._dataset.id.write_direct_chunk((self._stored,), chunk)  # type: ignore[attr-defined]
        self._stored += self._filled
        self._filled = 0

    def _compressed(self, block: NDArray[Any]) -> bytes:
        planes = np.ascontiguousarray(block.view(np.uint8).reshape(-1, self.dtype.itemsize).T)
        if self._strategy is not None:
            return _deflate(planes, self._strategy)
        runs, full = _deflate(planes, zlib.Z_RLE), _deflate(planes, zlib.Z_DEFAULT_STRATEGY)
        self._strategy = zlib.Z_DEFAULT_STRATEGY if len(full) < _WORTH * len(runs) else zlib.Z_RLE
        return runs if self._strategy == zlib.Z_RLE else full

    def _widen(self, code: str) -> None:
        narrow, self.dtype = self._dataset, np.dtype(code)
        kept, filled = self._pending[: self._filled].astype(code), self._filled
        self._dataset, self._strategy, length, self._stored = None, None, self._stored, 0
        if narrow is not None:
            self.group.move(self.name, f"{self.name}.narrow")
            for start in range(0, length, self.chunk):
                self._pending = narrow[start : start + self.chunk].astype(code)
                self._filled = self.chunk
                self._flush()
            del self.group[f"{self.name}.narrow"]
        self._pending, self._filled = kept, filled


class BagLengths:
    """The lengths of a table's bags: one number while all are alike, a column from the first that differs.

    Parameters
    ----------
    group
        Group of the table.
    chunk
        Elements of a chunk of the column.
    """

    def __init__(self, group: h5py.Group, chunk: int) -> None:
        self._group = group
        self._chunk = chunk
        self.samples = 0
        self.size: int | None = None  # of all bags so far, while they are alike
        self.column: Column | None = None

    def append(self, lengths: NDArray[Any] | int, samples: int) -> None:
        """Add bags: an array of lengths, or one length for `samples` bags."""
        if samples == 0:
            return
        first = int(lengths) if isinstance(lengths, int) else int(lengths[0])
        alike = isinstance(lengths, int) or bool((lengths == first).all())
        if self.column is None and alike and self.size in (None, first):
            self.size = first
        else:
            if self.column is None:
                self.column = Column(self._group, "bag_lengths", "<u1", self._chunk)
                self._repeat(self.size, self.samples)
                self.size = None
            if isinstance(lengths, int):
                self._repeat(lengths, samples)
            else:
                self.column.append(lengths)
        self.samples += samples

    def _repeat(self, size: int | None, count: int) -> None:
        assert self.column is not None
        for start in range(0, count, self._chunk):
            self.column.append(np.full(min(self._chunk, count - start), size or 0, dtype=np.int64))

    def close(self) -> None:
        """Write the attribute or the rest of the column."""
        if self.column is None and self.size is None:
            self.column = Column(self._group, "bag_lengths", "<u1", self._chunk)  # there is no bag
        if self.column is not None:
            self.column.close()
        else:
            self._group.attrs["bag_size"] = np.int64(self.size or 0)

    def offsets(self) -> Iterator[NDArray[np.int64]]:
        """Yield the samples + 1 offsets in pieces, where bags differ; call :meth:`close` first."""
        assert self.column is not None
        last = 0
        yield np.zeros(1, np.int64)
        for part in self.column.parts():
            cuts = last + np.cumsum(part.astype(np.int64))
            last = int(cuts[-1])
            yield cuts


def _deflate(planes: NDArray[np.uint8], strategy: int) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY_LEVEL, strategy)
    return packer.compress(planes.data) + packer.flush()
