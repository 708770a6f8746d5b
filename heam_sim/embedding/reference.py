# SPDX-License-Identifier: MIT
"""Ground truth of pooling on integer-valued embeddings, for functional checks.

Every vector consists of small integers that follow from subtable, row and element by a hash, so no table is
ever stored. All sums and products wrap at 64 bits: they are exact in modular arithmetic, whatever their
order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding.hashing import GOLDEN, MIX_1, MIX_2, mix64
from heam_sim.embedding.tables import (
    ELEMENT_BYTES,
    EmbeddingScheme,
    Subtable,
    check_vector_bytes,
    composes_sums,
)
from heam_sim.errors import unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace

__all__ = ["LANES", "combined", "lanes_of", "pooled", "row_values", "weight_values"]

Int64Array = NDArray[np.int64]

LANES = 2  # integers that stand for one burst, unless rows are multiplied as matrices
_SCOPES = ("bag", "sample")
_BLOCK = 1 << 15  # lookups whose values are held at a time

_MASK = (1 << 64) - 1


def row_values(subtable_id: int, rows: Int64Array, bursts: int, lanes: int = LANES) -> Int64Array:
    """Return the integer-valued row vectors of a subtable.

    The value of an element depends on its position ``burst * lanes + lane`` in the row alone, so bursts of
    twice the size with twice the lanes hold the same elements.

    Parameters
    ----------
    subtable_id
        :attr:`heam_sim.embedding.Subtable.id`.
    rows
        1-D array of row numbers.
    bursts
        Bursts of a row.
    lanes
        Integers per burst.

    Returns
    -------
    numpy.ndarray
        int64 of shape (len(rows), bursts, lanes), values 1 to 7.

    Raises
    ------
    ConfigError
        If a number is negative, or `bursts` or `lanes` is below 1.
    """
    table = whole_number("subtable_id", subtable_id, minimum=0)
    elements = whole_number("bursts", bursts, minimum=1) * whole_number("lanes", lanes, minimum=1)
    seeds = mix64(
        np.asarray(rows).astype(np.uint64) * np.uint64(GOLDEN) + np.uint64((table + 1) * MIX_2 & _MASK)
    )
    steps = np.arange(1, elements + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    hashed = (seeds[:, np.newaxis] + steps) * np.uint64(MIX_1)
    hashed ^= hashed >> np.uint64(32)
    hashed *= np.uint64(MIX_2)
    # The top 32 bits, scaled to 0..6: no division, and no bias that matters here.
    values: Int64Array = ((hashed >> np.uint64(32)) * np.uint64(7) >> np.uint64(32)).astype(np.int64) + 1
    return values.reshape(len(seeds), bursts, lanes)


def weight_values(weights: NDArray[np.float32]) -> Int64Array:
    """Return small integers, 1 to 7, that stand for the weights of lookups in the ground truth.

    They follow from the bits of the float32 values by a hash: equal weights have equal integers, so that a
    weight that is lost or belongs to another lookup shows.
    """
    bits = np.ascontiguousarray(weights, dtype=np.float32).view(np.uint32).astype(np.uint64)
    hashed = mix64(bits + np.uint64(GOLDEN))
    values: Int64Array = ((hashed >> np.uint64(32)) * np.uint64(7) >> np.uint64(32)).astype(np.int64) + 1
    return values


def lanes_of(scheme: EmbeddingScheme, burst_bytes: int) -> int:
    """Return how many integers stand for one burst.

    Matrix products need every element of a row; for all that is done element by element two are enough.
    """
    return max(1, burst_bytes // ELEMENT_BYTES) if scheme.compose == "gemm" else LANES


def combined(
    scheme: EmbeddingScheme,
    parts: Sequence[Subtable],
    values: Sequence[Int64Array],
    vector_bytes: int,
    burst_bytes: int,
) -> Int64Array:
    """Compose the rows of lookups into their vectors, or the sums of bags into pooled ones.

    Parameters
    ----------
    scheme
        How they are composed.
    parts
        The subtable of every operand.
    values
        int64 (lookups, bursts of a row, lanes) of every operand.
    vector_bytes, burst_bytes
        Sizes in bytes.

    Returns
    -------
    numpy.ndarray
        int64 (lookups, bursts of a vector, lanes).
    """
    if len(parts) == 1:
        return values[0]
    bursts, lanes = -(-vector_bytes // burst_bytes), values[0].shape[2]
    if scheme.compose == "gemm":
        cores = {
            part.role: one.reshape(len(one), one.shape[1] * one.shape[2])
            for part, one in zip(parts, values, strict=True)
        }
        product: Int64Array = scheme.contract(cores, vector_bytes)  # type: ignore[attr-defined]
        return product.reshape(-1, bursts, lanes)
    result = np.zeros((len(values[0]), bursts, lanes), np.int64)
    if scheme.compose == "multiply":
        result += 1
    for part, one in zip(parts, values, strict=True):
        if scheme.compose == "multiply":
            result *= one
        else:
            first = part.segment_bytes // burst_bytes
            result[:, first : first + one.shape[1]] += one
    return result


def pooled(
    trace: LookupTrace,
    scheme: EmbeddingScheme,
    vector_bytes: int,
    burst_bytes: int,
    scope: str,
    lanes: int = 0,
) -> Int64Array:
    """Return what every gather-and-reduce (GnR) of a trace must give.

    Parameters
    ----------
    trace
        The lookups.
    scheme
        The parts of a lookup are composed, and multiplied with its weight if the trace has any, before
        pooling; or every part is multiplied with the weight and pooled, and the sums are composed.
    vector_bytes
        Size of a pooled vector in bytes.
    burst_bytes
        Size of a burst in bytes; a vector has ``ceil(vector_bytes / burst_bytes)``.
    scope
        ``"bag"``: one GnR per sample and table, ``gnr = sample * tables + table``. ``"sample"``: one per
        sample.
    lanes
        Integers per burst; 0: as :func:`lanes_of` says.

    Returns
    -------
    numpy.ndarray
        int64 of shape (gnrs, bursts, lanes), wrapping at 64 bits. Empty bags are zero.

    Raises
    ------
    ConfigError
        If an option is not what it can be.
    """
    if scope not in _SCOPES:
        raise unknown_name("pooling scope", scope, _SCOPES, where="scope")
    bursts = -(-check_vector_bytes(vector_bytes) // whole_number("burst_bytes", burst_bytes, minimum=1))
    lanes = whole_number("lanes", lanes, minimum=0) or lanes_of(scheme, burst_bytes)
    subtables = scheme.subtables(trace.cardinalities, vector_bytes)
    shape = (trace.samples, bursts, lanes)
    result = np.zeros(
        (trace.samples, trace.tables, bursts, lanes) if scope == "bag" else shape, dtype=np.int64
    )
    # Blocks of lookups keep the memory bounded; rows of cores are many times a vector.
    widest = max(-(-part.row_bytes // burst_bytes) * lanes for part in subtables)
    block = max(1, _BLOCK // max(1, widest // 64))
    for table in range(trace.tables):
        for start, stop in _sample_blocks(trace.offsets[table], block):
            sums = _block_sums(
                trace, scheme, subtables, table, slice(start, stop), vector_bytes, burst_bytes, lanes
            )
            if scope == "bag":
                result[start:stop, table] = sums
            else:
                result[start:stop] += sums
    return result.reshape(-1, bursts, lanes)


def _sample_blocks(offsets: Int64Array, block: int) -> Iterator[tuple[int, int]]:
    samples = len(offsets) - 1
    start = 0
    while start < samples:
        stop = int(np.searchsorted(offsets, offsets[start] + block, side="right")) - 1
        stop = min(max(stop, start + 1), start + block, samples)  # at least one bag, however long
        yield start, stop
        start = stop


def _block_sums(
    trace: LookupTrace,
    scheme: EmbeddingScheme,
    subtables: tuple[Subtable, ...],
    table: int,
    samples: slice,
    vector_bytes: int,
    burst_bytes: int,
    lanes: int,
) -> Int64Array:
    cuts = trace.offsets[table][samples.start : samples.stop + 1]
    indices = trace.indices[table][cuts[0] : cuts[-1]]
    operands = scheme.operands(table, indices, subtables)
    parts = [subtables[operand.subtable_id] for operand in operands]
    values = [
        row_values(part.id, operand.rows, -(-part.row_bytes // burst_bytes), lanes)
        for part, operand in zip(parts, operands, strict=True)
    ]
    weights = np.ones((1, 1, 1), np.int64)
    if trace.weights is not None:
        weights = weight_values(trace.weights[table][cuts[0] : cuts[-1]])[:, None, None]
    if composes_sums(scheme):
        sums = [_bag_sums(one * weights, cuts) for one in values]
        return combined(scheme, parts, sums, vector_bytes, burst_bytes)
    return _bag_sums(combined(scheme, parts, values, vector_bytes, burst_bytes) * weights, cuts)


def _bag_sums(vectors: Int64Array, cuts: Int64Array) -> Int64Array:
    # Differences of running sums: exact modulo 2**64, and right for empty bags, which np.add.reduceat is not.
    running = np.zeros((len(vectors) + 1, *vectors.shape[1:]), dtype=np.int64)
    np.cumsum(vectors, axis=0, out=running[1:])
    sums: Int64Array = running[cuts[1:] - cuts[0]] - running[cuts[:-1] - cuts[0]]
    return sums
