# SPDX-License-Identifier: MIT
"""Scans of inverted lists as lookups: which vectors a batch of queries compares itself with, and when."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.distributions import MAX_EXPONENT
from heam_sim.datasets.graph import positions
from heam_sim.datasets.options import MAX_SEED
from heam_sim.datasets.zipf import uniforms
from heam_sim.errors import ConfigError
from heam_sim.numbers import real_number, whole_number
from heam_sim.trace import LookupTrace

__all__ = ["list_sizes", "scan_trace"]

_SIZES, _PROBES = 0, 1  # streams of a seed
_MOST_LISTS = 1 << 22
_MOST_SCANNED = 1 << 28

_Int = NDArray[np.int64]


def list_sizes(vectors: int, lists: int, *, imbalance: float = 1.0, seed: int = 1) -> _Int:
    """Return the lengths of inverted lists.

    Parameters
    ----------
    vectors, lists
        How many there are; at least one vector per list.
    imbalance
        ``lists * sum(sizes**2) / vectors**2``, FAISS's imbalance factor: 1 for equal lists. Sizes are
        lognormal (assumed), so the factor is met for many lists.
    seed
        0 to 2**64 - 1.

    Returns
    -------
    numpy.ndarray
        int64 (lists,), at least 1 each, that sum to `vectors`.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """
    count = whole_number("lists", lists, minimum=1, maximum=_MOST_LISTS)
    total = whole_number("vectors", vectors, minimum=count, maximum=2**62)
    real_number("imbalance", imbalance, minimum=1, maximum=1000)
    whole_number("seed", seed, minimum=0, maximum=MAX_SEED)
    pairs = uniforms(seed, (_SIZES,), 2 * count).reshape(2, count)
    normal = np.sqrt(-2 * np.log1p(-pairs[0])) * np.cos(2 * math.pi * pairs[1])  # Box and Muller, 1958
    shares = np.exp(math.sqrt(math.log(imbalance)) * normal)
    # One vector each; the others by the shares, rounded so that the running sums are.
    ends = np.floor(np.cumsum(shares) / shares.sum() * (total - count)).astype(np.int64)
    ends[-1] = total - count
    found: _Int = np.diff(ends, prepend=0) + 1
    return found


def scan_trace(
    vectors: int = 100_000_000,
    *,
    lists: int = 65_536,
    samples: int = 32_768,
    batches: int = 2,
    imbalance: float = 1.5,
    exponent: float = 0.0,
    seed: int = 1,
) -> LookupTrace:
    """Return a scan: one table of vectors, and a sample, one lookup, for every vector that is compared.

    Every batch of queries probes inverted lists, the nearest first, without repetition, and compares itself
    with all their vectors, one after the other as they lie, until ``samples / batches`` vectors have been
    visited (FAISS's ``max_codes``). What a list is probed for is the union over the batch.

    Parameters
    ----------
    vectors
        In the whole index; those of a list have neighbouring numbers.
    lists
        See :func:`list_sizes`.
    samples
        Vectors that all batches visit; a multiple of `batches`.
    batches
        One after the other. With ``profile = 1 - 1 / batches`` the last one is simulated, and the others
        tell what is hot.
    imbalance
        See :func:`list_sizes`.
    exponent
        A list of size s at popularity rank k is probed with probability proportional to ``s * k **
        -exponent``: at 0 queries are where vectors are (assumed), above it some regions are asked for more.
    seed
        0 to 2**64 - 1.

    Returns
    -------
    LookupTrace
        One table, one lookup per sample.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be, or a batch visits more vectors than there are.
    """
    sizes = list_sizes(vectors, lists, imbalance=imbalance, seed=seed)
    rounds = whole_number("batches", batches, minimum=1)
    total = whole_number("samples", samples, minimum=0, maximum=_MOST_SCANNED)
    if total % rounds:
        raise ConfigError(f"samples: {total} vectors are no equal share for each of {rounds} batches.")
    if total // rounds > vectors:
        raise ConfigError(f"samples: a batch visits {total // rounds} vectors, but there are {vectors}.")
    real_number("exponent", exponent, minimum=0, maximum=MAX_EXPONENT)
    starts = np.cumsum(sizes) - sizes
    # The numbers of lists are those of their popularity: sizes are drawn independently of them.
    likely = sizes * np.arange(1, lists + 1, dtype=np.float64) ** -float(exponent)
    visited, probes = [np.zeros(0, np.int64)], []
    for batch in range(rounds):
        # Exponential times in proportion to the odds: sorted, they are a draw without replacement.
        times = -np.log1p(-uniforms(seed, (_PROBES, batch), lists)) / likely
        probed = np.argsort(times, kind="stable")
        ends = np.cumsum(sizes[probed])
        needed = int(np.searchsorted(ends, total // rounds)) + 1 if total else 0
        found = positions(starts[probed[:needed]], sizes[probed[:needed]])[: total // rounds]
        visited.append(found)
        probes.append(needed)
    return LookupTrace.from_arrays(
        [np.concatenate(visited)],
        cardinalities=[vectors],
        provenance={
            "source": "generated",
            "workload": "scan of inverted lists",
            "vectors": vectors,
            "lists": lists,
            "samples": total,
            "batches": rounds,
            "imbalance": imbalance,
            "exponent": exponent,
            "seed": seed,
            "lists_probed": probes,
        },
    )
