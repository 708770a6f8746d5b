# SPDX-License-Identifier: MIT
"""Trace files read; :mod:`heam_sim.trace.writer` writes them, ``docs/formats.md`` describes the format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, TraceError

__all__ = [
    "FILETYPE",
    "FORMAT_VERSION",
    "Header",
    "StoredTrace",
    "as_int64",
    "as_path",
    "check_lengths",
    "integer_dataset",
    "open_trace",
    "read_header",
    "read_trace",
    "reading",
    "reason",
    "stored_bag_size",
    "weight_datasets",
    "whole_integers",
]

#: Root attribute ``filetype`` of a trace file.
FILETYPE = "heam_sim/lookup-trace"
#: Major and minor version of trace files that are written; 1.1 added weights.
FORMAT_VERSION = (1, 1)

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# HDF5 2.0 would keep 8 MB of every column, which adds up over hundreds of tables. A pass in pieces needs the
# chunk that it stands in: one of the largest that TraceWriter makes.
_CHUNK_CACHE = 1 << 19
_READ_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class StoredTrace:
    """What a trace file holds, not yet validated as a trace.

    Parameters
    ----------
    indices, offsets
        One int64 array per table.
    cardinalities
        int64 array of shape (tables,).
    provenance
        The stored JSON object.
    content_hash
        The hash that the lookups had when they were written.
    weights
        One float32 array per table, or ``None``.
    """

    indices: tuple[NDArray[np.int64], ...]
    offsets: tuple[NDArray[np.int64], ...]
    cardinalities: NDArray[np.int64]
    provenance: dict[str, Any]
    content_hash: str
    weights: tuple[NDArray[np.float32], ...] | None = None


def read_trace(path: str | os.PathLike[str]) -> StoredTrace:
    """Read the parts of a trace file.

    Raises
    ------
    TraceError
        If the file is missing, no HDF5 file, truncated, foreign, of another major version or damaged.
    """
    source = as_path(path)
    with open_trace(source) as file, reading(source):
        return _read_parts(file)


def open_trace(source: Path) -> h5py.File:
    """Open a trace file and check that it is one.

    Raises
    ------
    TraceError
        If the file is missing, no HDF5 file, truncated, foreign or of another major version.
    """
    with reading(source):
        if not source.exists():
            raise TraceError(f"{source}: no such trace file; check the path or generate the trace first.")
        if not source.is_file():
            raise TraceError(
                f"{source}: is not a file; give the path of a trace that LookupTrace.save wrote."
            )
        if not _has_signature(source):
            raise TraceError(
                f"{source}: is not an HDF5 file (or lost its beginning); give a trace that LookupTrace.save "
                "wrote."
            )
        file = h5py.File(str(source), "r", rdcc_nbytes=_CHUNK_CACHE)
        try:
            _check_header(file, source)
        except BaseException:
            file.close()
            raise
        return file


def _has_signature(source: Path) -> bool:
    with source.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def _check_header(file: h5py.File, source: Path) -> None:
    filetype = file.attrs.get("filetype")
    if not isinstance(filetype, str) or filetype != FILETYPE:
        found = f"its filetype is {filetype!r}" if filetype is not None else "it has no filetype"
        raise TraceError(
            f"{source}: is not a lookup trace ({found}); give a file that LookupTrace.save wrote."
        )
    version = np.asarray(file.attrs.get("format_version"))
    if version.shape != (2,) or version.dtype.kind not in "iu":
        raise TraceError(f"{source}: format_version is unreadable; the file is damaged, make the trace anew.")
    major = int(version[0])
    text = f"{major}.{int(version[1])}"
    if major > FORMAT_VERSION[0]:
        raise TraceError(
            f"{source}: has the newer trace format {text}; update heam_sim, which reads format "
            f"{FORMAT_VERSION[0]}.x."
        )
    if major < FORMAT_VERSION[0]:
        raise TraceError(
            f"{source}: has the older trace format {text}; make the trace anew, heam_sim reads format "
            f"{FORMAT_VERSION[0]}.x."
        )


@dataclass(frozen=True)
class Header:
    """What a trace file says about the whole trace.

    Parameters
    ----------
    samples
        Samples of all tables.
    cardinalities
        int64 array of shape (tables,).
    provenance
        The stored JSON object.
    content_hash
        The hash that the lookups had when they were written.
    groups
        The group of every table.
    """

    samples: int
    cardinalities: NDArray[np.int64]
    provenance: dict[str, Any]
    content_hash: str
    groups: tuple[h5py.Group, ...]


def read_header(file: h5py.File) -> Header:
    """Read what is not about single lookups; call it inside :func:`reading`."""
    provenance = json.loads(_text(file, "provenance"))
    if not isinstance(provenance, dict):
        raise ValueError("provenance is no JSON object")
    samples = int(file.attrs["samples"])
    if samples < 0:
        raise ValueError("samples is negative")
    cardinalities = whole_integers(file, "cardinalities")
    tables = file["tables"]
    if len(tables) != len(cardinalities):
        raise ValueError(f"{len(cardinalities)} cardinalities for {len(tables)} tables")
    groups = tuple(tables[f"{table:05d}"] for table in range(len(cardinalities)))
    return Header(samples, cardinalities, provenance, _text(file, "content_hash"), groups)


def _read_parts(file: h5py.File) -> StoredTrace:
    header = read_header(file)
    indices, offsets = [], []
    shared: dict[int, NDArray[np.int64]] = {}
    for group in header.groups:
        indices.append(whole_integers(group, "indices"))
        offsets.append(_read_offsets(group, header.samples, len(indices[-1]), shared))
    weights = [factors[()].astype(np.float32) for factors in weight_datasets(header.groups)]
    return StoredTrace(
        tuple(indices),
        tuple(offsets),
        header.cardinalities,
        header.provenance,
        header.content_hash,
        tuple(weights) if weights else None,
    )


def weight_datasets(groups: Sequence[h5py.Group]) -> list[h5py.Dataset]:
    """Return the weights of all tables, or an empty list where there are none."""
    found = [group["weights"] for group in groups if "weights" in group]
    if found and len(found) != len(groups):
        raise ValueError("some tables have weights and others none")
    for dataset in found:
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind != "f":
            raise ValueError(f"{dataset.name} is no 1-D float dataset")
    return found


def _read_offsets(
    group: h5py.Group, samples: int, lookups: int, shared: dict[int, NDArray[np.int64]]
) -> NDArray[np.int64]:
    size = stored_bag_size(group, samples, lookups)
    if size is not None:
        if size not in shared:
            shared[size] = _frozen(np.arange(samples + 1, dtype=np.int64) * size)
        return shared[size]
    lengths = whole_integers(group, "bag_lengths")
    check_lengths(group, lengths, samples, lookups)
    offsets = np.zeros(samples + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return _frozen(offsets)


def stored_bag_size(group: h5py.Group, samples: int, lookups: int) -> int | None:
    """Return the size that all bags of a table have, or ``None`` where their lengths are stored."""
    if "bag_size" not in group.attrs:
        return None
    size = int(group.attrs["bag_size"])
    if size < 0 or size * samples != lookups:
        raise ValueError(
            f"{samples} bags of {size} lookups are not the {lookups} stored ones in {group.name}"
        )
    return size


def check_lengths(group: h5py.Group, lengths: NDArray[np.int64], samples: int, lookups: int) -> None:
    """Check lengths of `samples` bags of a table."""
    if len(lengths) != samples:
        raise ValueError(f"{len(lengths)} bag lengths for {samples} samples in {group.name}")
    if samples and (int(lengths.min()) < 0 or int(lengths.max()) > lookups):
        raise ValueError(f"a bag of {group.name} is longer than its table's lookups")


def integer_dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a 1-D dataset of integers."""
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "iu":
        raise ValueError(f"{name} of {group.name} is no 1-D integer dataset")
    return dataset


def whole_integers(group: h5py.Group, name: str) -> NDArray[np.int64]:
    """Read a whole dataset of integers as int64."""
    return as_int64(integer_dataset(group, name)[()], f"{name} of {group.name}")


def as_int64(values: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Convert what was read, read-only."""
    if values.dtype == np.uint64 and len(values) and int(values.max()) > int(np.iinfo(np.int64).max):
        raise ValueError(f"{what} holds values above 63 bits")
    return _frozen(values.astype(np.int64))


def _frozen(array: NDArray[np.int64]) -> NDArray[np.int64]:
    array.flags.writeable = False
    return array


def _text(file: h5py.File, name: str) -> str:
    value = file.attrs[name]
    if not isinstance(value, str):
        raise ValueError(f"attribute {name} is no text")
    return value


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Turn what HDF5 raises on a bad file into a TraceError."""
    try:
        yield
    except TraceError:
        raise
    except PermissionError as error:
        raise TraceError(f"{source}: may not be read ({reason(error)}); change its permissions.") from error
    except _READ_ERRORS as error:
        raise TraceError(
            f"{source}: truncated or damaged ({reason(error)}); copy it again or make the trace anew."
        ) from error


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a path, or raise a ConfigError."""
    try:
        return Path(path)
    except TypeError:
        raise ConfigError(f"path must be a file name, not {type(path).__name__}.") from None


def reason(error: BaseException) -> str:
    """Return what an exception says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
