# SPDX-License-Identifier: MIT
"""FBGEMM's table-batched embedding inputs: indices and offsets of all tables in two arrays."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, DatasetError, TraceError
from heam_sim.numbers import whole_number
from heam_sim.results.atomic import write_atomically
from heam_sim.trace import LookupTrace

__all__ = ["read_fbgemm", "write_fbgemm"]

_SUFFIXES = (".npz", ".pt")
_WEIGHTS = "per_sample_weights"


def write_fbgemm(trace: LookupTrace, path: str | os.PathLike[str]) -> None:
    """Write ``indices`` and ``offsets`` as FBGEMM's table-batched embeddings take them.

    Table after table, and in it bag after bag: bag ``b`` of table ``t`` among ``B`` samples is
    ``indices[offsets[t * B + b]:offsets[t * B + b + 1]]``. Beside them ``cardinalities`` (int64 per table)
    and, where lookups have weights, ``per_sample_weights`` (float32).

    Parameters
    ----------
    trace
        The trace.
    path
        ``*.npz`` (arrays), or ``*.pt`` (a dictionary of tensors; needs torch).

    Raises
    ------
    ConfigError
        If the suffix is another one, or torch is missing.
    OutputError
        If the file cannot be written.
    """
    file = _checked_path(path)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(rows) for rows in trace.indices])])
    arrays: dict[str, NDArray[Any]] = {
        "indices": np.concatenate(trace.indices),
        "offsets": np.concatenate(
            [cuts[:-1] + start for cuts, start in zip(trace.offsets, starts[:-1], strict=True)]
            + [starts[-1:]]
        ),
        "cardinalities": trace.cardinalities,
    }
    if trace.weights is not None:
        arrays[_WEIGHTS] = np.concatenate(trace.weights)
    write = partial(_save_npz, arrays) if file.suffix == ".npz" else partial(_save_torch, _torch(), arrays)
    write_atomically(file, write)


def read_fbgemm(
    path: str | os.PathLike[str], *, tables: int | None = None, cardinalities: object = None
) -> LookupTrace:
    """Read ``indices`` and ``offsets`` in FBGEMM's order.

    Parameters
    ----------
    path
        ``*.npz`` or ``*.pt`` as :func:`write_fbgemm` writes them; a ``.pt`` may also hold a tuple ``(indices,
        offsets)``, with the weights as third if there are any.
    tables
        Number of tables; needed where the file has no ``cardinalities``.
    cardinalities
        Rows of every table; by default those of the file, or the largest index + 1.

    Returns
    -------
    LookupTrace
        In the memory, with weights if the file has them.

    Raises
    ------
    ConfigError
        If an argument is not what it can be, or torch is missing.
    DatasetError
        If the file is missing, foreign or its arrays contradict each other.
    """
    file = _checked_path(path)
    if not file.is_file():
        raise DatasetError(f"{file}: no such file; check the path.")
    arrays = _read_npz(file) if file.suffix == ".npz" else _read_torch(file)
    for name in ("indices", "offsets"):
        if name not in arrays or arrays[name].ndim != 1 or arrays[name].dtype.kind not in "iu":
            raise DatasetError(f"{file}: has no 1-D integer array {name!r}; it needs indices and offsets.")
    rows = arrays.get("cardinalities") if cardinalities is None else cardinalities
    if tables is None:
        if "cardinalities" not in arrays:
            raise ConfigError(f"{file}: tables: the file does not say how many tables it has; give it.")
        tables = len(arrays["cardinalities"])
    return _trace(file, arrays, whole_number("tables", tables, minimum=1), rows)


def _trace(file: Path, arrays: Mapping[str, NDArray[Any]], tables: int, rows: object) -> LookupTrace:
    indices, offsets, weights = arrays["indices"], arrays["offsets"], arrays.get(_WEIGHTS)
    samples, rest = divmod(len(offsets) - 1, tables)
    if rest or not len(offsets):
        raise DatasetError(
            f"{file}: {len(offsets)} offsets are not tables x samples + 1 with {tables} tables; check tables."
        )
    ends = offsets[:: max(samples, 1)] if samples else np.zeros(tables + 1, np.int64)
    if weights is not None and weights.shape != indices.shape:
        raise DatasetError(f"{file}: {weights.size} weights for {len(indices)} indices; store one per index.")
    ordered = not (np.diff(offsets.astype(np.int64)) < 0).any()
    if int(offsets[0]) != 0 or int(offsets[-1]) != len(indices) or not ordered:
        raise DatasetError(
            f"{file}: offsets must begin with 0, never decrease and end at the {len(indices)} indices; the "
            "file is damaged."
        )
    parts = [slice(int(ends[table]), int(ends[table + 1])) for table in range(tables)]
    try:
        return LookupTrace.from_arrays(
            [indices[part] for part in parts],
            [
                offsets[table * samples : (table + 1) * samples + 1].astype(np.int64) - int(ends[table])
                for table in range(tables)
            ],
            cardinalities=rows,
            provenance={"source": "file", "format": "fbgemm", "file": file.name},
            weights=None if weights is None else [weights[part] for part in parts],
        )
    except TraceError as error:
        raise DatasetError(f"{file}: {error}") from None


def _save_npz(arrays: Mapping[str, Any], part: Path) -> None:
    np.savez_compressed(part, **arrays)


def _save_torch(torch: Any, arrays: Mapping[str, NDArray[Any]], part: Path) -> None:
    # torch shares memory with numpy and would warn of read-only arrays.
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, part)


def _read_npz(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DatasetError(f"{file}: is no readable .npz file ({error}).") from None


def _read_torch(file: Path) -> dict[str, NDArray[Any]]:
    torch = _torch()
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(loaded, dict):
            loaded = dict(zip(("indices", "offsets", _WEIGHTS), loaded, strict=False))
        return {str(name): np.asarray(tensor) for name, tensor in loaded.items() if tensor is not None}
    except Exception as error:  # noqa: BLE001 - a foreign file can make torch and pickle raise anything
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{file}: cannot be read as indices and offsets ({reason}).") from None


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ConfigError("torch is needed for .pt files: install heam-sim[torch], or use .npz.") from None
    return torch


def _checked_path(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.suffix not in _SUFFIXES:
        raise ConfigError(f"{file}: the suffix must be {' or '.join(_SUFFIXES)}.")
    return file
