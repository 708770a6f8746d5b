# SPDX-License-Identifier: MIT
"""Lookup traces in HDF5 files; the format is described in ``docs/formats.md``."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heam_sim._version import __version__
from heam_sim.errors import ConfigError, OutputError, TraceError
from heam_sim.trace import checks

if TYPE_CHECKING:
    from heam_sim.trace.lookup_trace import LookupTrace

__all__ = ["FILETYPE", "FORMAT_VERSION", "StoredTrace", "read_trace", "write_trace"]

FILETYPE = "heam_sim/lookup-trace"
FORMAT_VERSION = (1, 1)  # 1.1: weights

_CHUNK = 1 << 18  # elements: 256 kB to 2 MB before compression
_GZIP_LEVEL = 4
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
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


def write_trace(trace: LookupTrace, path: str | os.PathLike[str]) -> None:
    """Write `trace` to `path`, replacing what is there in one step.

    Raises
    ------
    OutputError
        If the folder is missing or unwritable, or the disk is full.
    """
    target = _as_path(path)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp") if target.name else target
    done = False
    try:
        if not target.name:
            raise IsADirectoryError("it names no file")
        # Format 1.10 of HDF5: small headers with check sums, readable by every HDF5 since 2016.
        with h5py.File(str(temporary), "w-", libver=("v110", "v110")) as file:
            _write_root(file, trace)
            tables = file.create_group("tables")
            for table in range(trace.tables):
                group = tables.create_group(f"{table:05d}")
                _write_table(group, trace.indices[table], trace.offsets[table])
                if trace.weights is not None:
                    _write_array(group, "weights", trace.weights[table], "<f4")
        temporary.replace(target)
        done = True
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(
            f"{target}: the trace cannot be written ({_reason(error)}); choose a writable folder that exists."
        ) from error
    finally:
        if not done:
            with suppress(OSError, ValueError):
                temporary.unlink(missing_ok=True)


def read_trace(path: str | os.PathLike[str]) -> StoredTrace:
    """Read the parts of a trace file.

    Raises
    ------
    TraceError
        If the file is missing, no HDF5 file, truncated, foreign, of another major version or damaged.
    """
    source = _as_path(path)
    with _reading(source):
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
        with h5py.File(str(source), "r") as file:
            _check_header(file, source)
            return _read_parts(file, source)


def _has_signature(source: Path) -> bool:
    with source.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def _write_root(file: h5py.File, trace: LookupTrace) -> None:
    file.attrs["filetype"] = FILETYPE
    file.attrs["format_version"] = np.array(FORMAT_VERSION, dtype="<i4")
    file.attrs["software_version"] = __version__
    file.attrs["created_utc"] = datetime.now(UTC).isoformat(timespec="seconds")
    file.attrs["uuid"] = str(uuid.uuid4())
    file.attrs["provenance"] = json.dumps(trace.provenance, sort_keys=True)
    file.attrs["content_hash"] = trace.content_hash
    file.attrs["samples"] = np.int64(trace.samples)
    file.create_dataset("cardinalities", data=trace.cardinalities.astype("<i8"), track_times=False)


def _write_table(group: h5py.Group, indices: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    _write_integers(group, "indices", indices)
    size = checks.bag_size(offsets)
    if size is None:
        _write_integers(group, "bag_lengths", np.diff(offsets))
    else:
        group.attrs["bag_size"] = np.int64(size)


def _write_integers(group: h5py.Group, name: str, values: NDArray[np.int64]) -> None:
    largest = int(values.max()) if len(values) else 0
    stored = next(code for code in ("<u1", "<u2", "<u4", "<u8") if largest <= int(np.iinfo(code).max))
    _write_array(group, name, values, stored)


def _write_array(group: h5py.Group, name: str, values: NDArray[Any], stored: str) -> None:
    if not len(values):
        group.create_dataset(name, shape=(0,), dtype=stored, track_times=False)
        return
    target = group.create_dataset(
        name,
        shape=values.shape,
        dtype=stored,
        chunks=(min(_CHUNK, len(values)),),
        shuffle=True,
        compression="gzip",
        compression_opts=_GZIP_LEVEL,
        track_times=False,
    )
    for start in range(0, len(values), _CHUNK):
        target[start : start + _CHUNK] = values[start : start + _CHUNK].astype(stored)


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


def _read_parts(file: h5py.File, source: Path) -> StoredTrace:
    provenance = json.loads(_text(file, "provenance"))
    if not isinstance(provenance, dict):
        raise ValueError("provenance is no JSON object")
    samples = int(file.attrs["samples"])
    if samples < 0:
        raise ValueError("samples is negative")
    cardinalities = _integers(file, "cardinalities")
    tables = file["tables"]
    if len(tables) != len(cardinalities):
        raise ValueError(f"{len(cardinalities)} cardinalities for {len(tables)} tables")
    indices, offsets = [], []
    shared: dict[int, NDArray[np.int64]] = {}
    for table in range(len(cardinalities)):
        group = tables[f"{table:05d}"]
        indices.append(_integers(group, "indices"))
        offsets.append(_read_offsets(group, samples, len(indices[-1]), shared))
    weights = tuple(_weights(tables[f"{table:05d}"]) for table in range(len(cardinalities)))
    weighted = [one is not None for one in weights]
    if any(weighted) and not all(weighted):
        raise ValueError("some tables have weights and others none")
    return StoredTrace(
        tuple(indices),
        tuple(offsets),
        cardinalities,
        provenance,
        _text(file, "content_hash"),
        tuple(one for one in weights if one is not None) if all(weighted) else None,
    )


def _weights(group: h5py.Group) -> NDArray[np.float32] | None:
    if "weights" not in group:
        return None
    dataset = group["weights"]
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind != "f":
        raise ValueError(f"weights of {group.name} is no 1-D float dataset")
    return np.asarray(dataset[()], dtype=np.float32)


def _read_offsets(
    group: h5py.Group, samples: int, lookups: int, shared: dict[int, NDArray[np.int64]]
) -> NDArray[np.int64]:
    if "bag_size" in group.attrs:
        size = int(group.attrs["bag_size"])
        if size < 0 or size * samples != lookups:
            raise ValueError(
                f"{samples} bags of {size} lookups are not the {lookups} stored ones in {group.name}"
            )
        if size not in shared:
            shared[size] = _frozen(np.arange(samples + 1, dtype=np.int64) * size)
        return shared[size]
    lengths = _integers(group, "bag_lengths")
    if len(lengths) != samples:
        raise ValueError(f"{len(lengths)} bag lengths for {samples} samples in {group.name}")
    if samples and (int(lengths.min()) < 0 or int(lengths.max()) > lookups):
        raise ValueError(f"a bag of {group.name} is longer than its table's lookups")
    offsets = np.zeros(samples + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return _frozen(offsets)


def _integers(group: h5py.Group, name: str) -> NDArray[np.int64]:
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "iu":
        raise ValueError(f"{name} of {group.name} is no 1-D integer dataset")
    values = dataset[()]
    if values.dtype == np.uint64 and len(values) and int(values.max()) > int(np.iinfo(np.int64).max):
        raise ValueError(f"{name} of {group.name} holds values above 63 bits")
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
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except TraceError:
        raise
    except PermissionError as error:
        raise TraceError(f"{source}: may not be read ({_reason(error)}); change its permissions.") from error
    except _READ_ERRORS as error:
        raise TraceError(
            f"{source}: truncated or damaged ({_reason(error)}); copy it again or make the trace anew."
        ) from error


def _as_path(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise ConfigError(f"path must be a file name, not {type(path).__name__}.") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
