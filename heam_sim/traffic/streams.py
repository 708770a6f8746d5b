# SPDX-License-Identifier: MIT
"""Request streams in chunks: text of Ramulator, DRAMsim3 and DRAMSys (plain or gzipped), npz, HDF5."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import h5py
import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import DatasetError, unknown_name
from heam_sim.results.atomic import write_atomically

__all__ = ["Requests", "read_requests", "write_request_text", "write_requests"]

_CHUNK = 1 << 20
_FILETYPE = "heam_sim/requests"
_KINDS = {"LD": 0, "ST": 1, "READ": 0, "WRITE": 1}


@dataclass(frozen=True)
class Requests:
    """Some requests: byte addresses (uint64) and write flags (uint8), both of shape (requests,)."""

    address: NDArray[np.uint64]
    is_write: NDArray[np.uint8]


def read_requests(path: str | Path, *, chunk: int = _CHUNK) -> Iterator[Requests]:
    """Stream the requests in a file.

    Parameters
    ----------
    path
        - ``*.npz`` with the arrays ``address`` and ``is_write``;
        - ``*.h5`` as :func:`write_requests` makes it;
        - text, plain or ``*.gz``, a request per line: ``LD 0x12340`` / ``ST 4096`` (Ramulator) or ``0x12340
        READ 17`` /
          ``0x12340 WRITE 17`` (DRAMsim3) or ``17: read 0x12340`` (DRAMSys ``.stl``). Cycles are not used: the
          stream is replayed as fast as it goes.
    chunk
        Requests at a time.

    Yields
    ------
    Requests
        In file order.

    Raises
    ------
    DatasetError
        The file is missing, foreign or malformed; the message names file and line.
    """
    file = Path(path)
    if not file.is_file():
        raise DatasetError(f"{file}: no such request file; check the path.")
    if file.suffix == ".npz":
        yield from _read_npz(file, chunk)
    elif file.suffix in (".h5", ".hdf5"):
        yield from _read_hdf5(file, chunk)
    else:
        yield from _read_text(file, chunk)


def _checked(file: Path, address: NDArray[np.generic], is_write: NDArray[np.generic]) -> Requests:
    for name, array in (("address", address), ("is_write", is_write)):
        if array.ndim != 1 or array.dtype.kind not in "iub":
            raise DatasetError(
                f"{file}: {name} is no one-dimensional integer array (it is {array.dtype}); store integers."
            )
    if address.shape != is_write.shape:
        raise DatasetError(
            f"{file}: address has {address.size} entries, is_write {is_write.size}; store as many."
        )
    if address.dtype.kind == "i" and address.size and int(address.min()) < 0:
        raise DatasetError(
            f"{file}: request {int(address.argmin())} has a negative address; addresses start at 0."
        )
    return Requests(address.astype(np.uint64), (is_write != 0).astype(np.uint8))


def _read_npz(file: Path, chunk: int) -> Iterator[Requests]:
    try:
        with np.load(file) as stored:
            whole = _checked(file, stored["address"], stored["is_write"])
    except KeyError as error:
        raise DatasetError(
            f"{file}: has no array {error.args[0]!r}; it needs address and is_write."
        ) from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{file}: is no readable .npz file ({error}).") from None
    for start in range(0, whole.address.size, chunk):
        yield Requests(whole.address[start : start + chunk], whole.is_write[start : start + chunk])


def _read_hdf5(file: Path, chunk: int) -> Iterator[Requests]:
    try:
        with h5py.File(str(file), "r") as stored:
            if stored.attrs.get("filetype") != _FILETYPE:
                raise DatasetError(
                    f"{file}: is no request file of heam_sim (filetype {_FILETYPE!r} is missing)."
                )
            size = stored["address"].shape[0]
            for start in range(0, size, chunk):
                part = slice(start, start + chunk)
                yield _checked(file, stored["address"][part], stored["is_write"][part])
    except (OSError, KeyError, RuntimeError) as error:
        raise DatasetError(f"{file}: is damaged or no HDF5 file ({error}).") from None


def _read_text(file: Path, chunk: int) -> Iterator[Requests]:
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
            yield from _parse_lines(file, stream, chunk)
    except (OSError, EOFError) as error:
        raise DatasetError(f"{file}: cannot be read to its end ({error}).") from None


def _parse_lines(file: Path, stream: IO[bytes] | gzip.GzipFile, chunk: int) -> Iterator[Requests]:
    address: list[int] = []
    is_write: list[int] = []
    seen = False
    for number, line in enumerate(stream, 1):
        words = line.decode("ascii", errors="replace").split()
        if not words:
            continue
        seen = True
        kind, text = _kind_and_address(words)
        if kind not in _KINDS:
            raise DatasetError(
                f"{file}:{number}: {' '.join(words)[:40]!r} is neither 'LD address', 'ST address', "
                "'address READ|WRITE cycle' nor 'cycle: read|write address'."
            )
        address.append(_number(file, number, text))
        is_write.append(_KINDS[kind])
        if len(address) == chunk:
            yield Requests(np.array(address, np.uint64), np.array(is_write, np.uint8))
            address, is_write = [], []
    if not seen:
        raise DatasetError(f"{file}: is empty; it needs a request per line.")
    if address:
        yield Requests(np.array(address, np.uint64), np.array(is_write, np.uint8))


def _kind_and_address(words: list[str]) -> tuple[str, str]:
    """Tell the orders of words of Ramulator, DRAMsim3 and DRAMSys apart."""
    if words[0] in _KINDS and len(words) == 2:
        return words[0], words[1]
    if len(words) == 3 and words[0].endswith(":") and words[1] in ("read", "write"):
        return words[1].upper(), words[2]  # DRAMSys
    return (words[1] if len(words) == 3 else ""), words[0]


def _number(file: Path, line: int, text: str) -> int:
    try:
        value = int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        raise DatasetError(
            f"{file}:{line}: {text[:40]!r} is no address; write decimal or 0x... digits."
        ) from None
    if not 0 <= value < 1 << 63:
        raise DatasetError(f"{file}:{line}: address {text[:40]} lies outside 0 to 2^63 - 1.")
    return value


def write_requests(path: str | Path, address: NDArray[np.uint64], is_write: NDArray[np.uint8]) -> None:
    """Store a stream as HDF5, to be replayed in chunks.

    Parameters
    ----------
    path
        ``*.h5``; written to a temporary name and renamed.
    address, is_write
        Integer arrays of shape (requests,).
    """
    checked = _checked(Path(path), np.asarray(address), np.asarray(is_write))

    def write(part: Path) -> None:
        with h5py.File(str(part), "w") as stored:
            stored.attrs["filetype"] = _FILETYPE
            stored.attrs["format_version"] = [1, 0]
            for name, array in (("address", checked.address), ("is_write", checked.is_write)):
                stored.create_dataset(
                    name, data=array, chunks=True, shuffle=True, compression="gzip", compression_opts=1
                )

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
