# SPDX-License-Identifier: MIT
"""Lookups as the byte addresses that they read, and back.

The tables lie one after the other from address 0, a row takes `vector_bytes`, and a lookup reads its row
burst by burst. Address files know neither tables nor samples, so reading them back needs the sizes again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, DatasetError
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace, TraceFile
from heam_sim.trace.checks import cardinality_array
from heam_sim.traffic import Requests, read_requests, write_request_text

__all__ = ["export_requests", "import_requests"]

_PIECE = 1 << 17  # lookups at a time
_MOST = 1 << 62


def export_requests(
    trace: LookupTrace | TraceFile,
    path: str | os.PathLike[str],
    *,
    form: str = "ramulator",
    vector_bytes: int = 256,
    burst_bytes: int = 64,
) -> None:
    """Write the reads that the lookups of a trace make, sample after sample, table after table.

    Parameters
    ----------
    trace
        The lookups; of a file only a piece is in the memory at a time.
    path
        Text, gzip-compressed where it ends with ``.gz``.
    form
        ``"ramulator"``, ``"dramsim3"`` or ``"stl"`` (DRAMSys).
    vector_bytes, burst_bytes
        Size of a row and of a request, powers of two.

    Raises
    ------
    ConfigError
        If an argument is not what it can be.
    OutputError
        If the file cannot be written.
    """
    burst_bytes, vector_bytes = _sizes(burst_bytes, vector_bytes)
    bases = _bases(trace.cardinalities, vector_bytes)
    write_request_text(path, _requests(trace, bases, vector_bytes, burst_bytes), form=form)


def import_requests(
    path: str | os.PathLike[str],
    *,
    cardinalities: object,
    vector_bytes: int = 256,
    burst_bytes: int = 64,
    pooling: int | None = None,
) -> LookupTrace:
    """Read an address file back as lookups.

    Parameters
    ----------
    path
        A file that :func:`heam_sim.traffic.read_requests` reads.
    cardinalities
        Rows of every table.
    vector_bytes, burst_bytes
        As they were when the file was written.
    pooling
        Lookups of every bag. ``None``: a sample ends where the next lookup goes to an earlier table (right
        unless bags may be empty or there is one table), and for one table every lookup is a sample.

    Returns
    -------
    LookupTrace
        In the memory.

    Raises
    ------
    ConfigError
        If an argument is not what it can be.
    DatasetError
        If the file is malformed, writes, reads a row in part or beyond the tables, or does not end with a
        sample.
    """
    burst_bytes, vector_bytes = _sizes(burst_bytes, vector_bytes)
    try:
        tables = len(cardinalities)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(f"cardinalities must be one number per table, not {cardinalities!r}.") from None
    sizes = cardinality_array(cardinalities, [np.zeros(0, np.int64)] * tables)
    bases = _bases(sizes, vector_bytes)
    whole = _lookups(path, vector_bytes, burst_bytes)
    outside = np.flatnonzero(whole >= bases[-1])
    if len(outside):
        raise DatasetError(
            f"{path}: lookup {int(outside[0])} reads address {int(whole[outside[0]])}, beyond the tables' "
            f"{int(bases[-1])} bytes; check cardinalities and vector_bytes."
        )
    table = np.searchsorted(bases, whole, side="right") - 1
    row = (whole - bases[table]) // vector_bytes
    sample = _samples(path, table, tables, pooling)
    samples = int(sample[-1]) + 1 if len(sample) else 0
    indices, offsets = [], []
    for number in range(tables):
        mine = table == number
        indices.append(row[mine])
        lengths = np.bincount(sample[mine], minlength=samples)
        offsets.append(np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
    return LookupTrace.from_arrays(
        indices,
        offsets,
        cardinalities=sizes,
        provenance={
            "source": "file",
            "format": "requests",
            "file": os.path.basename(os.fspath(path)),  # noqa: PTH119
            "vector_bytes": vector_bytes,
        },
    )


def _requests(
    trace: LookupTrace | TraceFile, bases: NDArray[np.int64], vector_bytes: int, burst_bytes: int
) -> Iterator[Requests]:
    bursts = np.arange(0, vector_bytes, burst_bytes, dtype=np.int64)
    step = max(1, _PIECE * trace.samples // max(1, trace.lookups))
    for start in range(0, trace.samples, step):
        part = trace.samples_slice(start, min(start + step, trace.samples))
        sample = np.concatenate([np.repeat(np.arange(part.samples), np.diff(cuts)) for cuts in part.offsets])
        address = np.concatenate(
            [base + rows * vector_bytes for base, rows in zip(bases[:-1], part.indices, strict=True)]
        )
        ordered = address[np.argsort(sample, kind="stable")]
        reads = (ordered[:, np.newaxis] + bursts).reshape(-1)
        yield Requests(reads.astype(np.uint64), np.zeros(len(reads), np.uint8))


def _lookups(path: str | os.PathLike[str], vector_bytes: int, burst_bytes: int) -> NDArray[np.int64]:
    parts: list[NDArray[np.int64]] = []
    for requests in read_requests(os.fspath(path)):
        if requests.is_write.any():
            raise DatasetError(
                f"{path}: request {int(requests.is_write.argmax())} writes; lookups only read."
            )
        parts.append(requests.address.astype(np.int64))
    address = np.concatenate([np.zeros(0, np.int64), *parts])
    bursts = vector_bytes // burst_bytes
    rows = address[: len(address) // bursts * bursts].reshape(-1, bursts)
    wanted = rows[:, :1] // vector_bytes * vector_bytes + np.arange(0, vector_bytes, burst_bytes)
    wrong = np.flatnonzero((rows != wanted).any(axis=1))
    if len(wrong) or rows.size != len(address):
        place = int(wrong[0]) * bursts if len(wrong) else rows.size
        raise DatasetError(
            f"{path}: request {place} does not begin a whole row of {bursts} bursts of {burst_bytes} bytes; "
            "check vector_bytes and burst_bytes."
        )
    return rows[:, 0].copy()


def _samples(
    path: str | os.PathLike[str], table: NDArray[np.int64], tables: int, pooling: int | None
) -> NDArray[np.int64]:
    if pooling is None and tables > 1:
        found: NDArray[np.int64] = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(table) < 0)])
        return found[: len(table)]
    size = whole_number("pooling", 1 if pooling is None else pooling, minimum=1)
    each = size * tables
    wanted = np.repeat(np.arange(tables), size)
    samples, rest = divmod(len(table), each)
    if rest or (table.reshape(samples, each) != wanted).any():
        raise DatasetError(
            f"{path}: {len(table)} lookups are not samples of {size} lookups in each of {tables} tables; "
            "check pooling."
        )
    return np.arange(len(table), dtype=np.int64) // each


def _sizes(burst_bytes: int, vector_bytes: int) -> tuple[int, int]:
    found = []
    for name, value in (("burst_bytes", burst_bytes), ("vector_bytes", vector_bytes)):
        if whole_number(name, value, minimum=1, maximum=1 << 20).bit_count() != 1:
            raise ConfigError(f"{name}: {value} is no power of two.")
        found.append(int(value))
    if found[0] > found[1]:
        raise ConfigError(f"burst_bytes: {found[0]} is more than a row of {found[1]} bytes.")
    return found[0], found[1]


def _bases(cardinalities: Sequence[int] | NDArray[np.int64], vector_bytes: int) -> NDArray[np.int64]:
    """Return where every table begins, and where the last one ends."""
    total = sum(int(rows) for rows in cardinalities) * vector_bytes
    if total > _MOST:
        raise ConfigError(f"cardinalities: {total} bytes of tables do not fit 62-bit addresses.")
    sizes = np.array([int(rows) * vector_bytes for rows in cardinalities], dtype=np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
