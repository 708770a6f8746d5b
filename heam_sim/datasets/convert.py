# SPDX-License-Identifier: MIT
"""Datasets to traces: into the memory, or straight into trace files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.pipeline import Batch, DatasetReader, Watch, cut_batch
from heam_sim.datasets.registry import open_dataset
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace, TraceWriter

__all__ = ["ConvertReport", "convert_dataset", "read_dataset"]


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did.

    Parameters
    ----------
    files
        The trace files, in the order of the split.
    hashes
        Their content hashes.
    rows, samples, lookups
        What was read and written, over all files.
    skipped
        Malformed rows (and unreadable rests of files) that were left out.
    messages
        What was wrong with the first few of them.
    """

    files: tuple[Path, ...]
    hashes: tuple[str, ...]
    rows: int
    samples: int
    lookups: int
    skipped: int
    messages: tuple[str, ...]


def read_dataset(
    name: str,
    path: str | os.PathLike[str],
    options: ReadOptions | None = None,
    *,
    samples: int | None = None,
    cardinalities: str | None = None,
) -> LookupTrace:
    """Read a dataset as a lookup trace in memory.

    Parameters
    ----------
    name
        One of :func:`heam_sim.datasets.known_datasets`.
    path
        The file, plain or packed, or the folder of its files; nothing is ever downloaded.
    options
        What is read, and how.
    samples, cardinalities
        Replace those of `options` where given.

    Returns
    -------
    LookupTrace
        All that the options choose, in the memory.

    Raises
    ------
    ConfigError
        If the name or an option is unknown.
    DatasetError
        If the file is missing, empty, of another format or malformed; file, line and column are named.
    """
    reader = open_dataset(name, path, _replaced(options, samples, cardinalities))
    parts: list[list[NDArray[Any]]] = [[] for _ in range(reader.tables)]
    lengths: list[list[NDArray[np.int64] | int]] = [[] for _ in range(reader.tables)]
    for batch in reader.batches():
        for table in range(reader.tables):
            parts[table].append(batch.indices[table])
            lengths[table].append(batch.lengths[table])
    sizes, provenance = reader.finish()
    shared: dict[int, NDArray[np.int64]] = {}
    offsets = [
        _offsets(lengths[table], parts[table], reader.samples, shared) for table in range(reader.tables)
    ]
    indices = [_taken(parts, table) for table in range(reader.tables)]
    return LookupTrace.from_arrays(indices, offsets, cardinalities=sizes, provenance=provenance)


def _replaced(options: ReadOptions | None, samples: int | None, cardinalities: str | None) -> ReadOptions:
    changes: dict[str, Any] = {} if samples is None else {"samples": samples}
    if cardinalities is not None:
        changes["cardinalities"] = cardinalities
    return replace(options or ReadOptions(), **changes)


def _taken(parts: list[list[NDArray[Any]]], table: int) -> NDArray[np.int64]:
    """Return a table's indices, giving up its parts to keep the peak low."""
    pieces, parts[table] = parts[table], []
    indices = np.concatenate([np.zeros(0, np.int32), *pieces]).astype(np.int64, copy=False)
    indices.flags.writeable = False
    return indices


def _offsets(
    lengths: list[NDArray[np.int64] | int],
    parts: list[NDArray[Any]],
    samples: int,
    shared: dict[int, NDArray[np.int64]],
) -> NDArray[np.int64]:
    sizes = {length for length in lengths if isinstance(length, int)}
    if len(sizes) <= 1 and all(isinstance(length, int) for length in lengths):
        size = sizes.pop() if sizes else 1
        if size not in shared:
            shared[size] = np.arange(samples + 1, dtype=np.int64) * size
            shared[size].flags.writeable = False
        return shared[size]
    every = [
        np.full(len(part) // length, length, np.int64) if isinstance(length, int) else length
        for length, part in zip(lengths, parts, strict=True)
    ]
    offsets = np.zeros(samples + 1, dtype=np.int64)
    np.cumsum(np.concatenate(every), out=offsets[1:])
    offsets.flags.writeable = False
    return offsets


def convert_dataset(
    name: str,
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: ReadOptions | None = None,
    *,
    split: Sequence[tuple[str, int | None]] | None = None,
    watch: Watch | None = None,
) -> ConvertReport:
    """Read a dataset into a trace file, in bounded memory.

    Parameters
    ----------
    name, path
        As for :func:`read_dataset`.
    output
        The trace file to make or replace. It is there whole or not at all.
    options
        As for :func:`read_dataset`.
    split
        Parts by rows: names and numbers of samples, one after the other; ``None`` for the last part's number
        takes the rest. Part ``p`` goes to ``output`` with ``.p`` in front of the suffix; all share ids and
        table sizes.
    watch
        Told bytes read, bytes in all and rows read, now and then.

    Returns
    -------
    ConvertReport
        What was read and written.

    Raises
    ------
    ConfigError, DatasetError
        As for :func:`read_dataset`.
    OutputError
        If a file cannot be written.
    """
    reader = open_dataset(name, path, options or ReadOptions(), watch)
    parts = _checked_split(Path(output), split)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(TraceWriter(file, tables=reader.tables, cardinalities=reader.known_rows))
            for _, file, _ in parts
        ]
        _distribute(reader, writers, [count for _, _, count in parts])
        sizes, provenance = reader.finish()
        lookups = sum(writer.lookups for writer in writers)
        hashes, first = [], 0
        for (part, _, _), writer in zip(parts, writers, strict=True):
            place = {"part": part, "first_sample": first, "samples": writer.samples}
            first += writer.samples
            note = {**provenance, "split": place} if part else provenance
            hashes.append(writer.finish(cardinalities=sizes, provenance=note))
    return ConvertReport(
        files=tuple(file for _, file, _ in parts),
        hashes=tuple(hashes),
        rows=reader.rows,
        samples=reader.samples,
        lookups=lookups,
        skipped=reader.faults.count,
        messages=tuple(reader.faults.messages),
    )


def _checked_split(
    output: Path, split: Sequence[tuple[str, int | None]] | None
) -> list[tuple[str, Path, int | None]]:
    if split is None:
        return [("", output, None)]
    parts: list[tuple[str, Path, int | None]] = []
    for place, (part, count) in enumerate(split):
        if not isinstance(part, str) or not part.isidentifier() or part in {name for name, _, _ in parts}:
            raise ConfigError(f"split: {part!r} is no new name of a part; use letters and digits.")
        if count is not None:
            count = whole_number(f"split of {part}", count, minimum=1)
        elif place < len(split) - 1:
            raise ConfigError(f"split: only the last part takes the rest, not {part!r}.")
        parts.append((part, output.with_name(f"{output.stem}.{part}{output.suffix}"), count))
    if not parts:
        raise ConfigError("split: names no part; leave it out for one file.")
    return parts


def _distribute(reader: DatasetReader, writers: list[TraceWriter], counts: list[int | None]) -> None:
    """Append the samples to one part after the other."""
    place, room = 0, counts[0]
    for batch in reader.batches():
        start, samples = 0, _samples(batch)
        while start < samples and place < len(writers):
            stop = samples if room is None else min(samples, start + room)
            piece = batch if (start, stop) == (0, samples) else cut_batch(batch, start, stop)
            writers[place].append(piece.indices, piece.lengths)
            room = None if room is None else room - (stop - start)
            start = stop
            if room == 0:
                place += 1
                room = counts[place] if place < len(writers) else None
        if place == len(writers):
            break


def _samples(batch: Batch) -> int:
    length = batch.lengths[0]
    return len(batch.indices[0]) // length if isinstance(length, int) else len(length)
