# SPDX-License-Identifier: MIT
"""Validation shared by traces, datasets and embeddings: every message names the place and the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, TraceError

__all__ = [
    "as_index_array",
    "bag_size",
    "cardinality_array",
    "check_bags",
    "check_range",
    "plain_provenance",
    "weight_arrays",
]

Int64Array = NDArray[np.int64]
_INT64_MAX = int(np.iinfo(np.int64).max)


def as_index_array(values: object, what: str) -> Int64Array:
    """Convert a sequence of integers to a contiguous read-only int64 array of one dimension.

    A writable array is copied, because the caller could change it afterwards; a read-only int64 array is
    kept.

    Raises
    ------
    TraceError
        If the values are not one-dimensional integers that fit 64 signed bits; `what` starts the message.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise TraceError(
            f"{what} is no integer array ({error}); pass one 1-D integer array per table."
        ) from None
    if array.size == 0 and array.ndim == 1 and not isinstance(values, np.ndarray):
        array = np.zeros(0, dtype=np.int64)  # numpy calls an empty list float64
    if array.ndim != 1:
        raise TraceError(f"{what} has {array.ndim} dimensions; pass one 1-D integer array per table.")
    if array.dtype.kind not in "iu":
        raise TraceError(
            f"{what} holds {array.dtype.name} values; convert them to integers (astype(np.int64)) where they "
            "are row numbers."
        )
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size:
        position = int(np.argmax(array))
        if int(array[position]) > _INT64_MAX:
            raise TraceError(
                f"{what}, position {position}: {int(array[position])} does not fit 64 signed bits; hash the "
                "ids into the table's rows."
            )
    if (
        array.dtype == np.int64
        and type(array) is np.ndarray
        and array.flags.c_contiguous
        and not array.flags.writeable
    ):
        return array
    result: Int64Array = np.array(array, dtype=np.int64, order="C", copy=True, subok=False)
    result.flags.writeable = False
    return result


def check_bags(table: int, offsets: Int64Array, lookups: int) -> None:
    """Check that `offsets` cuts `lookups` indices of a table into bags.

    Raises
    ------
    TraceError
        If the offsets are empty, negative, decreasing, or do not run from 0 to `lookups`.
    """
    where = f"offsets of table {table}"
    if len(offsets) == 0:
        raise TraceError(f"{where} are empty; give samples + 1 entries, [0] for no sample at all.")
    if int(offsets[0]) != 0:
        raise TraceError(f"{where}, position 0: the first offset is {int(offsets[0])}; it must be 0.")
    steps_down = offsets[1:] < offsets[:-1]
    if bool(steps_down.any()):
        position = int(np.argmax(steps_down)) + 1
        raise TraceError(
            f"{where}, position {position}: {int(offsets[position])} comes after "
            f"{int(offsets[position - 1])}; "
            "offsets must be non-negative and never decrease."
        )
    if int(offsets[-1]) != lookups:
        raise TraceError(
            f"{where}, position {len(offsets) - 1}: the last offset is {int(offsets[-1])} but the table has "
            f"{lookups} indices; "
            "give samples + 1 offsets of which the last is the number of indices."
        )


def check_range(table: int, indices: Int64Array, cardinality: int) -> None:
    """Check that all indices of a table lie in ``[0, cardinality)``.

    Raises
    ------
    TraceError
        Naming the first index that does not.
    """
    if not len(indices):
        return
    if int(indices.min()) < 0:
        position = int(np.argmax(indices < 0))
        raise TraceError(
            f"indices of table {table}, position {position}: {int(indices[position])} is negative; "
            "number the rows from 0."
        )
    if int(indices.max()) >= cardinality:
        position = int(np.argmax(indices >= cardinality))
        raise TraceError(
            f"indices of table {table}, position {position}: {int(indices[position])} is not below the "
            "table's cardinality "
            f"{cardinality}; raise cardinalities[{table}] or hash the ids."
        )


def cardinality_array(cardinalities: object, indices: Iterable[Int64Array]) -> Int64Array:
    """Return the rows of every table as a read-only int64 array.

    Parameters
    ----------
    cardinalities
        One integer per table, or ``None`` for the largest index + 1 (1 where a table has no lookup).
    indices
        One array per table.

    Raises
    ------
    ConfigError
        If `cardinalities` is not one positive integer per table.
    """
    arrays = tuple(indices)
    if cardinalities is None:
        # Negative indices are reported by check_range; the minimum of 1 only keeps the array legal until
        # then.
        seen = [min(max(int(array.max()), 0), _INT64_MAX - 1) + 1 if len(array) else 1 for array in arrays]
        result = np.array(seen, dtype=np.int64)
        result.flags.writeable = False
        return result
    try:
        result = as_index_array(cardinalities, "cardinalities")
    except TraceError as error:
        raise ConfigError(str(error)) from None
    if len(result) != len(arrays):
        raise ConfigError(
            f"cardinalities has {len(result)} entries for {len(arrays)} tables; give one per table."
        )
    if int(result.min()) < 1:
        table = int(np.argmax(result < 1))
        raise ConfigError(f"cardinalities[{table}] is {int(result[table])}; a table has at least one row.")
    return result


def weight_arrays(weights: object, indices: Sequence[Int64Array]) -> tuple[NDArray[np.float32], ...]:
    """Return one read-only float32 array of weights per table.

    Parameters
    ----------
    weights
        One sequence of numbers per table.
    indices
        The indices that they belong to.

    Raises
    ------
    TraceError
        If they are not one finite number per lookup.
    """
    try:
        arrays = [np.asarray(one) for one in weights]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise TraceError(f"weights are no arrays ({error}); pass one 1-D array per table.") from None
    if len(arrays) != len(indices):
        raise TraceError(f"weights has {len(arrays)} arrays for {len(indices)} tables; pass one per table.")
    found = []
    for table, (array, rows) in enumerate(zip(arrays, indices, strict=True)):
        where = f"weights of table {table}"
        if array.shape != rows.shape or (array.dtype.kind not in "iuf" and array.size):
            raise TraceError(
                f"{where} have shape {array.shape} and hold {array.dtype.name}; give {len(rows)} numbers, "
                "one per index."
            )
        with np.errstate(over="ignore"):
            factors = np.array(array, dtype=np.float32)
        if not bool(np.isfinite(factors).all()):
            position = int(np.argmin(np.isfinite(factors)))
            raise TraceError(f"{where}, position {position}: {array[position]} is no finite float32.")
        factors.flags.writeable = False
        found.append(factors)
    return tuple(found)


def bag_size(offsets: Int64Array) -> int | None:
    """Return the number of lookups that all bags have in common, or ``None`` (also without any bag)."""
    samples = len(offsets) - 1
    if samples < 1:
        return None
    size = int(offsets[1])
    if size * samples != int(offsets[-1]) or bool((np.diff(offsets) != size).any()):
        return None
    return size


def plain_provenance(provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a deep copy of `provenance` in plain JSON types, so that it is the same after a round trip.

    Raises
    ------
    ConfigError
        If it is no mapping or holds something that JSON has not.
    """
    if provenance is None:
        return {}
    if not isinstance(provenance, Mapping):
        raise ConfigError(f"provenance must be a dict, not {type(provenance).__name__}.")
    try:
        copy = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"provenance cannot be written as JSON ({error}); use plain strings, numbers and lists."
        ) from None
    assert isinstance(copy, dict)
    return copy
