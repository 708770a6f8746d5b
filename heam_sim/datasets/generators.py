# SPDX-License-Identifier: MIT
"""Synthetic traces in the shape of published datasets and models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.distributions import Distribution, Zipf, parse_distribution
from heam_sim.datasets.permutation import Scatter
from heam_sim.datasets.shapes import Shape, custom_shape, shape_info
from heam_sim.datasets.zipf import BLOCK
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace, TraceWriter

__all__ = ["DEFAULT_EXPONENT", "MAX_SEED", "generate", "generate_file", "generate_tables"]

DEFAULT_EXPONENT = 1.05  # HEAM authors' public trace generator draws Zipf ids with this exponent
MAX_SEED = 2**64 - 1
MAX_POOLING = 2**20

_RANKS, _SCATTER = 0, 1  # streams of one table
_PIECE_LOOKUPS = 1 << 22

Pooling = int | Sequence[int] | None
Exponent = float | Sequence[float] | None
Wanted = Distribution | str | Sequence[Distribution | str] | None
Progress = Callable[[int], None]


def generate(
    name: str | Shape,
    *,
    samples: int,
    seed: int = 1,
    pooling: Pooling = None,
    exponent: Exponent = None,
    distribution: Wanted = None,
) -> LookupTrace:
    """Generate a trace with the tables and cardinalities of a dataset or model and skewed random ids.

    Every table draws independently: by default rank ``k`` of ``n`` rows with probability proportional to ``k
    ** -exponent``, and a keyed permutation per table scatters the ranks over the row numbers, as hashing
    does. Zipf, Pareto and hot-set lookups have no order in time, and no distribution has correlation between
    tables (assumed). The first ``m`` samples of a trace are the trace of ``m`` samples.

    Parameters
    ----------
    name
        One of :func:`heam_sim.datasets.known_shapes`, or a shape of one's own
        (:func:`heam_sim.datasets.custom_shape`).
    samples
        Number of samples, at least 0.
    seed
        0 to 2**64 - 1. The same seed gives the same trace.
    pooling
        Lookups per bag, the same in all bags of a table and drawn like the first (assumed); one number or one
        per table; by default the shape's own (1, one-hot, for datasets).
    exponent
        Zipf exponent, 0 (uniform) to 16; one number or one per table. By default that of the HEAM authors'
        generator.
    distribution
        Instead of `exponent`: a distribution or its text (:func:`heam_sim.datasets.parse_distribution`), or
        one per table.

    Returns
    -------
    LookupTrace
        The provenance holds all parameters.

    Raises
    ------
    ConfigError
        If the name or a parameter is not what it can be, or the trace does not fit the memory.
    """
    return _in_memory(
        _plan(
            name,
            samples=samples,
            seed=seed,
            pooling=pooling,
            exponent=exponent,
            distribution=distribution,
        )
    )


def generate_tables(
    cardinalities: object,
    *,
    samples: int,
    seed: int = 1,
    pooling: Pooling = 1,
    distribution: Wanted = None,
) -> LookupTrace:
    """Generate a trace for tables of any sizes; parameters and errors as in :func:`generate`.

    Parameters
    ----------
    cardinalities
        Rows of every table, shape (tables,).
    samples, seed, pooling, distribution
        See :func:`generate`.

    Returns
    -------
    LookupTrace
        In the memory.
    """
    return generate(
        custom_shape(cardinalities), samples=samples, seed=seed, pooling=pooling, distribution=distribution
    )


def generate_file(
    name: str | Shape,
    path: str | os.PathLike[str],
    *,
    samples: int,
    seed: int = 1,
    pooling: Pooling = None,
    exponent: Exponent = None,
    distribution: Wanted = None,
    progress: Progress | None = None,
) -> str:
    """Generate a trace into a file, in bounded memory; it is the trace that :func:`generate` makes.

    Parameters
    ----------
    name
        See :func:`generate`.
    path
        The trace file to make or replace.
    samples, seed, pooling, exponent, distribution
        See :func:`generate`.
    progress
        Called with the number of samples written so far.

    Returns
    -------
    str
        The content hash.

    Raises
    ------
    ConfigError
        See :func:`generate`.
    OutputError
        If the file cannot be written.
    """
    plan = _plan(
        name,
        samples=samples,
        seed=seed,
        pooling=pooling,
        exponent=exponent,
        distribution=distribution,
    )
    with TraceWriter(
        path,
        tables=len(plan.pooling),
        cardinalities=plan.shape.cardinalities,
        provenance=plan.provenance(),
    ) as writer:
        for piece in plan.pieces():
            writer.append(piece, plan.pooling)
            if progress is not None:
                progress(writer.samples)
        return writer.finish()


@dataclass(frozen=True)
class _Plan:
    """All that decides a generated trace."""

    shape: Shape
    samples: int
    seed: int
    pooling: tuple[int, ...]
    distributions: tuple[Distribution, ...]

    def pieces(self, step: int | None = None) -> Iterator[list[NDArray[np.int64]]]:
        """Yield the indices of the tables for some samples after the others."""
        streams, scatters = [], []
        for table, rows in enumerate(self.shape.cardinalities):
            total = self.samples * self.pooling[table]
            streams.append(self.distributions[table].stream(rows, self.seed, (table, _RANKS), total))
            scatters.append(Scatter(rows, seed=self.seed, key=(table, _SCATTER)))
        if step is None:  # whole blocks of every table, so that all pieces but the last end with one
            step = BLOCK * max(1, _PIECE_LOOKUPS // (BLOCK * sum(self.pooling)))
        for start in range(0, self.samples, step):
            count = min(step, self.samples - start)
            piece = [stream(count * pooling) for stream, pooling in zip(streams, self.pooling, strict=True)]
            for scatter, ranks in zip(scatters, piece, strict=True):
                scatter.in_place(ranks)
            yield piece

    def provenance(self) -> dict[str, Any]:
        """Return all parameters as plain JSON types."""
        labels = [one.label for one in self.distributions]
        zipf = [one.exponent for one in self.distributions if isinstance(one, Zipf)]
        found: dict[str, Any] = {
            "source": "generated",
            "dataset": self.shape.name,
            "samples": self.samples,
            "seed": self.seed,
            "pooling": _same(list(self.pooling)),
            "cardinalities": self.shape.source,
            "ids": "ranks scattered by a keyed permutation; tables and samples independent (assumed)",
        }
        if len(zipf) == len(labels):
            found["exponent"] = _same(zipf)
        else:
            found["distribution"] = _same(labels)
        return found


def _plan(
    name: str | Shape, *, samples: int, seed: int, pooling: Pooling, exponent: Exponent, distribution: Wanted
) -> _Plan:
    shape = name if isinstance(name, Shape) else shape_info(name)
    tables = len(shape.cardinalities)
    if exponent is not None and distribution is not None:
        raise ConfigError("exponent and distribution: give one of them; 'zipf:1.05' is a distribution.")
    chosen: list[Any]
    if distribution is not None:
        chosen = _per_table("distribution", distribution, tables)
    else:
        chosen = _per_table("exponent", DEFAULT_EXPONENT if exponent is None else exponent, tables)
        chosen = [Zipf(value) for value in chosen]
    bags = shape.pooling if pooling is None else _per_table("pooling", pooling, tables)
    return _Plan(
        shape,
        whole_number("samples", samples, minimum=0),
        whole_number("seed", seed, minimum=0, maximum=MAX_SEED),
        tuple(whole_number("pooling", size, minimum=1, maximum=MAX_POOLING) for size in bags),
        tuple(_distribution(one) for one in chosen),
    )


def _distribution(given: object) -> Distribution:
    if isinstance(given, str):
        return parse_distribution(given)
    if not hasattr(given, "stream") or not hasattr(given, "label"):
        raise ConfigError(f"distribution must be like Zipf(1.05) or 'zipf:1.05', not {given!r}.")
    return cast("Distribution", given)


def _in_memory(plan: _Plan) -> LookupTrace:
    shared: dict[int, NDArray[np.int64]] = {}
    try:
        for size in plan.pooling:
            if size not in shared:
                shared[size] = np.arange(plan.samples + 1, dtype=np.int64) * size
                shared[size].flags.writeable = False
        pieces = list(plan.pieces(max(1, plan.samples)))
    except (MemoryError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"samples={plan.samples} with pooling={_same(list(plan.pooling))} does not fit the memory "
            f"({error}); generate fewer, or into a file."
        ) from None
    indices = pieces[0] if pieces else [np.zeros(0, np.int64)] * len(plan.pooling)
    for array in indices:
        array.flags.writeable = False
    return LookupTrace.from_arrays(
        indices,
        [shared[size] for size in plan.pooling],
        cardinalities=plan.shape.cardinalities,
        provenance=plan.provenance(),
    )


def _per_table(name: str, given: object, tables: int) -> list[Any]:
    several = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    values: list[Any] = list(cast("Sequence[Any]", given)) if several else [given] * tables
    if len(values) != tables:
        raise ConfigError(f"{name} has {len(values)} values for {tables} tables; give one, or one per table.")
    return values


def _same(values: list[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else values
