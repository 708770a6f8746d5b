# SPDX-License-Identifier: MIT
"""The lookup trace in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, TraceError
from heam_sim.html import html_table
from heam_sim.numbers import real_number, whole_number
from heam_sim.trace import checks, store
from heam_sim.trace.digest import ContentDigest
from heam_sim.trace.facts import trace_facts
from heam_sim.trace.writer import write_trace

__all__ = ["LookupTrace"]

Int64Array = NDArray[np.int64]
WeightArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LookupTrace:
    """Which rows of which tables every sample looks up.

    Sample ``s`` of table ``t`` is the bag ``indices[t][offsets[t][s]:offsets[t][s + 1]]``; it may be empty.
    All arrays are read-only. The constructor checks everything; :meth:`from_arrays` adds the defaults.

    Parameters
    ----------
    indices
        One int64 array of shape (lookups of the table,) per table.
    offsets
        One int64 array of shape (samples + 1,) per table: first 0, never decreasing, last
        ``len(indices[t])``.
    cardinalities
        int64 array of shape (tables,): rows of every table.
    provenance
        Where the trace comes from; plain JSON types. No part of the content.
    weights
        One float32 array per table, shaped like its indices: what a lookup's vector is multiplied by before
        it is added. ``None``: nothing is multiplied.

    Raises
    ------
    TraceError
        If an array is malformed; the message names table and position.
    ConfigError
        If `cardinalities` or `provenance` is not what it can be.
    """

    indices: tuple[Int64Array, ...]
    offsets: tuple[Int64Array, ...]
    cardinalities: Int64Array
    provenance: dict[str, Any] = field(default_factory=dict)
    weights: tuple[WeightArray, ...] | None = None

    def __post_init__(self) -> None:
        indices = _table_arrays(self.indices, "indices")
        if not indices:
            raise TraceError(
                "indices is empty: a trace has at least one table; pass one integer array per table."
            )
        offsets = _table_arrays(self.offsets, "offsets")
        if len(offsets) != len(indices):
            raise TraceError(
                f"offsets has {len(offsets)} arrays for {len(indices)} tables; pass one per table."
            )
        cardinalities = checks.cardinality_array(self.cardinalities, indices)
        checked: dict[int, int] = {}
        for table, (rows, cuts) in enumerate(zip(indices, offsets, strict=True)):
            checks.check_range(table, rows, int(cardinalities[table]))
            if checked.get(id(cuts)) != len(rows):  # tables may share one array of offsets
                checks.check_bags(table, cuts, len(rows))
                checked[id(cuts)] = len(rows)
            if len(cuts) != len(offsets[0]):
                raise TraceError(
                    f"table {table} has {len(cuts) - 1} samples but table 0 has {len(offsets[0]) - 1}; "
                    "give every table one bag per sample (empty bags are fine)."
                )
        weights = None if self.weights is None else checks.weight_arrays(self.weights, indices)
        self._fill(indices, offsets, cardinalities, checks.plain_provenance(self.provenance), weights)

    def _fill(
        self,
        indices: tuple[Int64Array, ...],
        offsets: tuple[Int64Array, ...],
        cardinalities: Int64Array,
        provenance: dict[str, Any],
        weights: tuple[WeightArray, ...] | None,
    ) -> None:
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "cardinalities", cardinalities)
        object.__setattr__(self, "provenance", provenance)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_arrays(
        cls,
        indices: Iterable[object],
        offsets: Iterable[object] | None = None,
        *,
        cardinalities: object = None,
        provenance: Mapping[str, Any] | None = None,
        weights: Iterable[object] | None = None,
    ) -> LookupTrace:
        """Build a trace from any embedding-bag data.

        Parameters
        ----------
        indices
            One 1-D sequence of integers (any integer dtype) per table.
        offsets
            One 1-D sequence of samples + 1 integers per table; ``None`` means one-hot: one lookup per sample.
        cardinalities
            Rows of every table, shape (tables,); by default the largest index + 1.
        provenance
            Where the data come from; plain JSON types.
        weights
            One 1-D sequence of finite numbers per table, as long as its indices (kept as float32), or
            ``None``.

        Returns
        -------
        LookupTrace
            With copies of all writable arrays.

        Raises
        ------
        TraceError
            If an array is malformed: not integers, not 1-D, out of range, decreasing or negative offsets,
            offsets that do not end at the number of indices, samples that differ between tables, no table,
            weights that are not one finite number per lookup.
        ConfigError
            If `cardinalities` or `provenance` is not what it can be.
        """
        rows = _table_arrays(indices, "indices")
        cuts = _one_hot_offsets(rows) if offsets is None else _table_arrays(offsets, "offsets")
        return cls(
            rows,
            cuts,
            checks.cardinality_array(cardinalities, rows) if rows else np.zeros(0, np.int64),
            checks.plain_provenance(provenance),
            None if weights is None else checks.weight_arrays(weights, rows),
        )

    @property
    def tables(self) -> int:
        """Number of tables."""
        return len(self.indices)

    @property
    def samples(self) -> int:
        """Number of samples: bags per table."""
        return len(self.offsets[0]) - 1

    @property
    def weighted(self) -> bool:
        """Whether lookups have weights."""
        return self.weights is not None

    @property
    def lookups(self) -> int:
        """Number of lookups over all tables."""
        return sum(len(rows) for rows in self.indices)

    @cached_property
    def content_hash(self) -> str:
        """Hash of the lookups (hex, blake2b of 32 bytes), independent of provenance and storage."""
        digest = ContentDigest(self.tables, self.samples)
        sizes: dict[int, int | None] = {}
        for rows, cuts, cardinality in zip(self.indices, self.offsets, self.cardinalities, strict=True):
            if id(cuts) not in sizes:
                sizes[id(cuts)] = checks.bag_size(cuts)
            digest.table(int(cardinality), len(rows), sizes[id(cuts)])
            if sizes[id(cuts)] is None:
                digest.offsets(cuts)
            digest.indices(rows)
        if self.weights is not None:
            digest.start_weights()
            for factors in self.weights:
                digest.weights(factors)
        return digest.hexdigest()

    def samples_slice(self, start: int, stop: int) -> LookupTrace:
        """Return the samples ``start`` to ``stop - 1`` of all tables, without copying indices.

        Parameters
        ----------
        start
            First sample.
        stop
            The one behind the last.

        Returns
        -------
        LookupTrace
            Views of the same arrays.

        Raises
        ------
        ConfigError
            Unless ``0 <= start <= stop <= samples``.
        """
        stop = whole_number("stop", stop, minimum=0, maximum=self.samples)
        start = whole_number("start", start, minimum=0, maximum=stop)
        moved: dict[int, Int64Array] = {}
        for cuts in self.offsets:
            if id(cuts) not in moved:
                part = cuts[start : stop + 1] - cuts[start]
                part.flags.writeable = False
                moved[id(cuts)] = part
        indices = tuple(
            rows[cuts[start] : cuts[stop]] for rows, cuts in zip(self.indices, self.offsets, strict=True)
        )
        offsets = tuple(moved[id(cuts)] for cuts in self.offsets)
        weights = self.weights and tuple(
            factors[cuts[start] : cuts[stop]]
            for factors, cuts in zip(self.weights, self.offsets, strict=True)
        )
        first = int(self.provenance.get("samples_slice", [0])[0]) if _is_sliced(self.provenance) else 0
        provenance = checks.plain_provenance(
            {**self.provenance, "samples_slice": [first + start, first + stop]}
        )
        part_trace = object.__new__(LookupTrace)  # already validated as a part of this trace
        part_trace._fill(indices, offsets, self.cardinalities, provenance, weights)
        return part_trace

    def split(self, profile: float) -> tuple[LookupTrace, LookupTrace]:
        """Cut the trace into a profile part and a part to simulate.

        Parameters
        ----------
        profile
            Share of the samples, 0 to 1; the first ``floor(profile * samples)`` samples are the profile part.

        Raises
        ------
        ConfigError
            If `profile` is no number from 0 to 1.
        """
        cut = math.floor(real_number("profile", profile, minimum=0, maximum=1) * self.samples)
        return self.samples_slice(0, cut), self.samples_slice(cut, self.samples)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trace to an HDF5 file: under a temporary name first, so that no half file is ever left.

        Parameters
        ----------
        path
            The file to make or replace.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        write_trace(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LookupTrace:
        """Read a trace that :meth:`save` wrote, and verify its content hash.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        LookupTrace
            Equal to what was saved.

        Raises
        ------
        TraceError
            If the file is missing, no HDF5 file, truncated, foreign, of another major version or damaged.
        """
        parts = store.read_trace(path)
        try:
            trace = cls.from_arrays(
                parts.indices,
                parts.offsets,
                cardinalities=parts.cardinalities,
                provenance=parts.provenance,
                weights=parts.weights,
            )
        except (TraceError, ConfigError) as error:
            raise TraceError(f"{path}: damaged trace: {error}") from None
        if trace.content_hash != parts.content_hash:
            raise TraceError(
                f"{path}: the lookups do not match the stored content hash; the file is damaged, make the "
                "trace anew."
            )
        return trace

    def __eq__(self, other: object) -> bool:
        """Traces are equal when lookups, bags, cardinalities and weights are; provenance does not count."""
        if not isinstance(other, LookupTrace):
            return NotImplemented
        return self is other or self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        return f"LookupTrace(tables={self.tables}, samples={self.samples}, lookups={self.lookups})"

    def _repr_html_(self) -> str:
        return html_table("Lookup trace", trace_facts(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        arrays: tuple[NDArray[Any], ...] = (*self.indices, *self.offsets, self.cardinalities)
        for array in (*arrays, *(self.weights or ())):
            array.flags.writeable = False  # numpy forgets the flag in a pickle


def _table_arrays(arrays: object, name: str) -> tuple[Int64Array, ...]:
    try:
        items: tuple[object, ...] = tuple(arrays)  # type: ignore[arg-type]
    except TypeError:
        raise TraceError(
            f"{name} must be a sequence with one integer array per table, not {type(arrays).__name__}."
        ) from None
    kept: dict[int, Int64Array] = {}
    for table, item in enumerate(items):
        if id(item) not in kept:
            kept[id(item)] = checks.as_index_array(item, f"{name} of table {table}")
    return tuple(kept[id(item)] for item in items)


def _one_hot_offsets(rows: tuple[Int64Array, ...]) -> tuple[Int64Array, ...]:
    shared: dict[int, Int64Array] = {}
    for array in rows:
        if len(array) not in shared:
            cuts = np.arange(len(array) + 1, dtype=np.int64)
            cuts.flags.writeable = False
            shared[len(array)] = cuts
    return tuple(shared[len(array)] for array in rows)


def _is_sliced(provenance: dict[str, Any]) -> bool:
    cut = provenance.get("samples_slice")
    return isinstance(cut, list) and len(cut) == 2 and all(isinstance(end, int) for end in cut)
