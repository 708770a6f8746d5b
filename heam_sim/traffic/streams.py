# SPDX-License-Identifier: MIT
"""Request streams in chunks: text of Ramulator, DRAMsim3 and DRAMSys, npz, HDF5, plain or gzipped."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from heam_sim.errors import DatasetError, unknown_name
from heam_sim.results.atomic import write_atomically
from heam_sim.traffic.text import read_text

__all__ = ["Requests", "read_requests", "write_request_chunks", "write_request_text", "write_requests"]

_CHUNK = 1 << 18
_STORED = 1 << 16
_FILETYPE = "heam_sim/requests"
_ARRAYS = {"address": np.uint64, "is_write": np.uint8}


@dataclass(frozen=True)
class Requests:
    """Some requests: byte addresses (uint64) and write flags (uint8), both of shape (requests,).

    Attributes
    ----------
    address
        In bytes.
    is_write
        1: a write, 0: a read.
    """

    address: NDArray[np.uint64]
    is_write: NDArray[np.uint8]


def read_requests(path: str | Path, *, chunk: int = _CHUNK) -> Iterator[Requests]:
    """Stream the requests in a file; of no format is more than a chunk in memory.

    Parameters
    ----------
    path
        - ``*.npz`` with the arrays ``address`` and ``is_write``;
        - ``*.h5`` as :func:`write_requests` makes it;
        - either of them gzipped (``*.npz.gz``, ``*.h5.gz``): unpacked to a temporary file first;
        - text, plain or gzipped, a request per line: ``LD 0x12340`` / ``ST 4096`` (Ramulator), ``0x12340
          READ 17`` / ``12340 WRITE 17`` (DRAMsim3: hexadecimal with or without 0x) or ``17: read 0x12340``
          (DRAMSys ``.stl``). Cycles are not used: the stream is replayed as fast as it goes.
    chunk
        Most requests at a time.

    Yields
    ------
    Requests
        In file order.

    Raises
    ------
    DatasetError
        The file is missing, foreign or malformed; the message names the file, and of text the line.
    """
    file = Path(path)
    if not file.is_file():
        raise DatasetError(f"{file}: no such request file; check the path.")
    packed = file.suffix == ".gz"
    reader = _BINARY.get(Path(file.stem).suffix if packed else file.suffix)
    if reader is not None and packed:
        with _unpacked(file) as copy:
            yield from reader(copy, chunk, file)
    elif reader is not None:
        yield from reader(file, chunk, file)
    else:
        for address, is_write in read_text(file):
            for start in range(0, address.size, chunk):
                yield Requests(address[start : start + chunk], is_write[start : start + chunk])


@contextmanager
def _unpacked(file: Path) -> Iterator[Path]:
    """Keep what a gzipped file holds in a temporary one: these formats are not read from front to back."""
    with tempfile.TemporaryDirectory(prefix="heam-requests-") as folder:
        copy = Path(folder) / file.stem
        try:
            with gzip.open(file) as packed, copy.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f"{file}: cannot be unpacked to {folder} ({error}).") from None
        yield copy


def _check_form(file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) != 1 or dtype.kind not in "iub":
        raise DatasetError(
            f"{file}: {name} is no one-dimensional integer array (it is {dtype} of {len(shape)} dimensions); "
            f"store integers."
        )


def _check_sizes(file: Path, address: int, is_write: int) -> None:
    if address != is_write:
        raise DatasetError(f"{file}: address has {address} entries, is_write {is_write}; store as many.")


def _checked(file: Path, address: NDArray[Any], is_write: NDArray[Any], first: int = 0) -> Requests:
    for name, array in (("address", address), ("is_write", is_write)):
        _check_form(file, name, array.shape, array.dtype)
    _check_sizes(file, address.size, is_write.size)
    if address.dtype.kind == "i" and address.size and int(address.min()) < 0:
        raise DatasetError(
            f"{file}: request {first + int(address.argmin())} has a negative address; addresses start at 0."
        )
    if address.dtype == np.uint64 and address.size and int(address.max()) >= 1 << 63:
        raise DatasetError(f"{file}: request {first + int(address.argmax())} lies beyond 2^63 - 1.")
    return Requests(address.astype(np.uint64), (is_write != 0).astype(np.uint8))


def _npy_header(file: Path, name: str, stream: IO[bytes]) -> tuple[int, np.dtype[Any]]:
    """Read the beginning of an array in an .npz file; returns its length and dtype."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    _check_form(file, name, shape, dtype)
    return shape[0], dtype


def _npy_part(stream: IO[bytes], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    data = stream.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise EOFError("an array ends too early")
    return np.frombuffer(data, dtype)


def _read_npz(at: Path, chunk: int, file: Path) -> Iterator[Requests]:
    """Read what lies at `at`; errors speak of `file`."""
    try:
        with (
            zipfile.ZipFile(at) as stored,
            stored.open("address.npy") as addresses,
            stored.open("is_write.npy") as flags,
        ):
            size, address_dtype = _npy_header(file, "address", addresses)
            other, flag_dtype = _npy_header(file, "is_write", flags)
            _check_sizes(file, size, other)
            for start in range(0, size, chunk):
                count = min(chunk, size - start)
                address = _npy_part(addresses, count, address_dtype)
                yield _checked(file, address, _npy_part(flags, count, flag_dtype), start)
    except KeyError:
        raise DatasetError(f"{file}: needs the arrays address and is_write, and lacks one.") from None
    except DatasetError:
        raise
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{file}: is no readable .npz file ({error}).") from None


def _read_hdf5(at: Path, chunk: int, file: Path) -> Iterator[Requests]:
    """Read what lies at `at`; errors speak of `file`."""
    try:
        with h5py.File(str(at), "r") as stored:
            if stored.attrs.get("filetype") != _FILETYPE:
                raise DatasetError(
                    f"{file}: is no request file of heam_sim (filetype {_FILETYPE!r} is missing)."
                )
            arrays = {name: stored[name] for name in _ARRAYS}
            for name, array in arrays.items():
                if not isinstance(array, h5py.Dataset):
                    raise DatasetError(f"{file}: {name} is no array; make the file with write_requests.")
                _check_form(file, name, array.shape, array.dtype)
            _check_sizes(file, arrays["address"].size, arrays["is_write"].size)
            for start in range(0, arrays["address"].size, chunk):
                part = slice(start, start + chunk)
                yield _checked(file, arrays["address"][part], arrays["is_write"][part], start)
    except (OSError, KeyError, RuntimeError) as error:
        raise DatasetError(f"{file}: is damaged or no HDF5 file ({error}).") from None


_BINARY = {".npz": _read_npz, ".h5": _read_hdf5, ".hdf5": _read_hdf5}


def write_requests(path: str | Path, address: NDArray[np.uint64], is_write: NDArray[np.uint8]) -> None:
    """Store a stream as HDF5, to be replayed in chunks.

    Parameters
    ----------
    path
        ``*.h5``; written to a temporary name and renamed.
    address, is_write
        Integer arrays of shape (requests,).
    """
    write_request_chunks(path, [_checked(Path(path), np.asarray(address), np.asarray(is_write))])


def write_request_chunks(path: str | Path, chunks: Iterable[Requests]) -> None:
    """Store a stream that comes in chunks (see :func:`write_requests`); memory does not grow with its length.

    Parameters
    ----------
    path
        ``*.h5``; written to a temporary name and renamed.
    chunks
        The stream. Large chunks (100,000 requests and more) are stored fastest.

    Raises
    ------
    DatasetError
        A chunk's arrays are no integers, differ in length or hold a negative address.
    """

    def write(part: Path) -> None:
        with h5py.File(str(part), "w") as stored:
            stored.attrs["filetype"] = _FILETYPE
            stored.attrs["format_version"] = [1, 0]
            arrays = {
                name: stored.create_dataset(
                    name,
                    shape=(0,),
                    maxshape=(None,),
                    chunks=(_STORED,),
                    dtype=dtype,
                    shuffle=True,
                    compression="gzip",
                    compression_opts=1,
                )
                for name, dtype in _ARRAYS.items()
            }
            size = 0
            for chunk in chunks:
                checked = _checked(Path(path), np.asarray(chunk.address), np.asarray(chunk.is_write), size)
                end = size + checked.address.size
                for name, array in arrays.items():
                    array.resize((end,))
                    array[size:end] = getattr(checked, name)
                size = end

    write_atomically(Path(path), write)


_FORMS = ("ramulator", "dramsim3", "stl")


def write_request_text(path: str | os.PathLike[str], pieces: Iterable[Requests], *, form: str) -> None:
    """Write a stream as text for another simulator, one request per cycle where the form has cycles.

    Parameters
    ----------
    path
        Written to a temporary name and renamed; gzip-compressed where it ends with ``.gz``.
    pieces
        The requests.
    form
        ``"ramulator"`` (``LD 0x40``), ``"dramsim3"`` (``0x40 READ 17``) or ``"stl"`` (``17: read 0x40``,
        DRAMSys).

    Raises
    ------
    ConfigError
        If the form is unknown.
    OutputError
        If the file cannot be written.
    """
    if form not in _FORMS:
        raise unknown_name("form", form, _FORMS)
    target = Path(path)

    def write(part: Path) -> None:
        with gzip.open(part, "wt") if target.suffix == ".gz" else part.open("w", encoding="ascii") as stream:
            cycle = 0
            for piece in pieces:
                requests = zip(piece.address.tolist(), piece.is_write.tolist(), strict=True)
                stream.write(_lines(form, requests, cycle))
                cycle += len(piece.address)

    write_atomically(target, write)


def _lines(form: str, requests: Iterable[tuple[int, int]], cycle: int) -> str:
    if form == "ramulator":
        lines = [f"{'ST' if write else 'LD'} {address:#x}\n" for address, write in requests]
    elif form == "dramsim3":
        lines = [
            f"{address:#x} {'WRITE' if write else 'READ'} {number}\n"
            for number, (address, write) in enumerate(requests, cycle)
        ]
    else:
        lines = [
            f"{number}:\t{'write' if write else 'read'}\t{address:#x}\n"
            for number, (address, write) in enumerate(requests, cycle)
        ]
    return "".join(lines)
