# SPDX-License-Identifier: MIT
"""Any Parquet file, with a map from tables to columns, and pyarrow's columns as keys (extra ``datasets``)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets import words
from heam_sim.datasets.delimited import EMPTY, Chunk, Keys, TextKeys, decode_field, shown
from heam_sim.datasets.interactions import named_columns
from heam_sim.datasets.opened import Column, History, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import UNREADABLE, Progress, needs_extra
from heam_sim.errors import ConfigError, DatasetError, unknown_name

__all__ = ["Wanted", "batch_chunk", "check_names", "import_arrow", "open_parquet", "wanted_columns"]

_BATCH_ROWS = 1 << 16
_KINDS = ("hex", "integer", "text")


@dataclass(frozen=True)
class Wanted:
    """A column that is read: its name in the file and what it holds (``""``: what the file says)."""

    name: str
    kind: str


Name = Callable[[int], str]  # file and line (or row) of a row of a batch


def import_arrow(what: str, part: str) -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and one of its parts."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module(f"pyarrow.{part}")
    except ImportError:
        raise needs_extra(what, "pyarrow", "datasets") from None


def wanted_columns(
    options: ReadOptions, what: str, default: str
) -> tuple[list[Column], list[Wanted], History | None]:
    """Return the tables, the columns to read for them (and for time), and how they make histories."""
    if options.columns is None:
        raise ConfigError(f"columns is missing; say which columns of the {what} become tables.")
    reads: list[Wanted] = []
    for table, spelled in options.columns.items():
        if not isinstance(table, str) or not isinstance(spelled, str):
            raise ConfigError("columns must map names of tables to names of columns, both texts.")
        name, colon, kind = spelled.rpartition(":")
        if not colon or kind not in _KINDS:
            name, kind = spelled, default
        reads.append(Wanted(name, kind))
    tables = list(options.columns)
    if options.user is None:
        if options.time is not None:
            raise ConfigError("time orders a user's history, but no user is named; name one.")
        return [Column(t, r.kind) for t, r in zip(tables, reads, strict=True)], reads, None
    if options.user not in tables:
        raise unknown_name("table", options.user, tables, where="user")
    columns = [Column(t, r.kind) for t, r in zip(tables, reads, strict=True)]
    if options.time is not None:
        reads.append(Wanted(options.time, "time"))
    return columns, reads, History(tables.index(options.user), None if options.time is None else len(tables))


def check_names(source: Path, reads: Sequence[Wanted], known: dict[str, int]) -> None:
    for item in reads:
        if item.name not in known:
            raise unknown_name("column", item.name, known, where=str(source))


def open_parquet(files: list[Path], options: ReadOptions) -> Opened:
    """Return columns of Parquet files: integers, texts, or lists of them, which are bags."""
    arrow, parquet = import_arrow(f"{files[0]}: reading Parquet", "parquet")
    columns, reads, history = wanted_columns(options, "Parquet file", "")
    with _reading(arrow, files[0], Faults()):
        schema = parquet.ParquetFile(files[0]).schema_arrow
    known = named_columns(files[0], schema.names)
    check_names(files[0], reads, known)
    types = [schema.field(known[item.name]).type for item in reads]
    kinds = [
        item.kind or _kind_of(arrow, files[0], item, kind) for item, kind in zip(reads, types, strict=True)
    ]
    reads = [Wanted(item.name, kind) for item, kind in zip(reads, kinds, strict=True)]
    names = list(dict.fromkeys(item.name for item in reads))
    if history is not None and any(map(arrow.types.is_nested, types)):
        raise ConfigError("user: rows with lists are bags already; leave the user out.")

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row = 0
        for source in files:
            if rows.is_over(row):
                return
            with _reading(arrow, source, faults):
                first = row
                file = parquet.ParquetFile(source)
                for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                    name = _row_names(source, row - first)
                    yield batch_chunk(arrow, batch, reads, rows, row, faults, texts, name)
                    row += batch.num_rows
            if progress is not None:
                progress(source.stat().st_size)

    columns = [Column(c.name, kind) for c, kind in zip(columns, kinds, strict=False)]
    return Opened(tuple(columns), chunks, history, {"columns": dict(options.columns or {})})


def _row_names(source: Path, before: int) -> Name:
    return lambda row: f"{source}: row {before + row + 1}"


def _kind_of(arrow: ModuleType, source: Path, item: Wanted, kind: Any) -> str:
    inner = kind.value_type if _is_list(arrow, kind) else kind
    if arrow.types.is_dictionary(inner):
        inner = inner.value_type
    if arrow.types.is_integer(inner):
        return "integer"
    if _is_text(arrow, inner):
        return "text"
    raise DatasetError(
        f"{source}: column {item.name} holds {kind}; name columns of integers, texts or lists of them."
    )


def _is_list(arrow: ModuleType, kind: Any) -> bool:
    return bool(arrow.types.is_list(kind) or arrow.types.is_large_list(kind))


def _is_text(arrow: ModuleType, kind: Any) -> bool:
    tests = (arrow.types.is_string, arrow.types.is_large_string, arrow.types.is_binary)
    return any(test(kind) for test in (*tests, arrow.types.is_large_binary))


@contextmanager
def _reading(arrow: ModuleType, source: Path, faults: Faults) -> Iterator[None]:
    """Turn what pyarrow raises into a fault of the file."""
    try:
        yield
    except (arrow.ArrowException, *UNREADABLE) as error:
        reason = " ".join(str(error).split())[:200]
        faults.add(f"{source}: cannot be read to its end ({reason}); check or copy the file again.")


def batch_chunk(
    arrow: ModuleType,
    batch: Any,
    reads: Sequence[Wanted],
    rows: RowFilter,
    row: int,
    faults: Faults,
    texts: TextKeys,
    name: Name,
) -> Chunk:
    """Return the keys of a batch's wanted rows.

    Parameters
    ----------
    arrow
        The package pyarrow.
    batch
        A record batch.
    reads
        The columns to take.
    rows, row
        The rows to take, and the number of the batch's first one.
    faults, texts
        Take malformed rows and make keys of texts.
    name
        Gives file and line of a row of the batch.
    """
    count = batch.num_rows
    chosen = rows.select(row, count)
    numbers = np.arange(count) if chosen is None else chosen
    if chosen is not None:
        batch = batch.take(arrow.array(chosen))
    keys: list[Keys] = []
    lengths: list[NDArray[np.int64] | None] = []
    wrong = np.zeros(len(numbers), dtype=np.bool_)
    reasons: dict[int, str] = {}

    def note(column: str) -> Callable[[int, str], None]:
        def add(at: int, why: str) -> None:
            wrong[at] = True
            reasons.setdefault(at, f"column {column} {why}")

        return add

    for item in reads:
        values, cuts = _column_keys(
            arrow, batch.column(batch.schema.names.index(item.name)), item, texts, note(item.name)
        )
        keys.append(values)
        lengths.append(cuts)
    for at in np.flatnonzero(wrong).tolist():
        faults.add(f"{name(int(numbers[at]))}: {reasons[at]}; correct or remove the row.")
    if wrong.any():
        keys, lengths = _without(keys, lengths, ~wrong)
    bags = tuple(lengths) if any(cuts is not None for cuts in lengths) else None
    return Chunk(tuple(keys), row, count, lengths=bags)


def _without(
    keys: list[Keys], lengths: list[NDArray[np.int64] | None], good: NDArray[np.bool_]
) -> tuple[list[Keys], list[NDArray[np.int64] | None]]:
    kept = [
        values[good if cuts is None else np.repeat(good, cuts)]
        for values, cuts in zip(keys, lengths, strict=True)
    ]
    return kept, [None if cuts is None else cuts[good] for cuts in lengths]


def _column_keys(
    arrow: ModuleType, column: Any, item: Wanted, texts: TextKeys, note: Callable[[int, str], None]
) -> tuple[Keys, NDArray[np.int64] | None]:
    """Return keys and, for lists, their lengths; a null is an empty value or list."""
    if not _is_list(arrow, column.type):
        return _flat_keys(arrow, column, item, texts, note), None
    lengths = np.asarray(column.value_lengths().fill_null(0)).astype(np.int64)
    owners = np.repeat(np.arange(len(lengths)), lengths)

    def note_owner(at: int, why: str) -> None:
        note(int(owners[at]), why)

    return _flat_keys(arrow, column.flatten(), item, texts, note_owner), lengths


def _flat_keys(
    arrow: ModuleType, column: Any, item: Wanted, texts: TextKeys, note: Callable[[int, str], None]
) -> Keys:
    if arrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(arrow, column.type):
        return _text_keys(arrow, column, item, texts, note)
    if not arrow.types.is_integer(column.type):
        if item.kind != "time" or not arrow.types.is_temporal(column.type):
            note_all = f"holds {column.type}, not what its first file held"
            for at in range(len(column)):
                note(at, note_all)
            return np.zeros(len(column), dtype=np.uint64)
        column = column.cast(arrow.int64() if column.type.bit_width == 64 else arrow.int32())
    nulls = np.asarray(column.is_null())
    unsigned = column.type.equals(arrow.uint64())
    values = np.asarray(column.fill_null(0)).astype(np.uint64 if unsigned else np.int64)
    keys = values.view(np.uint64).copy()
    if item.kind != "time":
        for at in np.flatnonzero(keys >= EMPTY).tolist():
            note(at, f"is {int(values[at])}, " + ("above 2**63 - 1" if unsigned else "below 0"))
        keys[nulls] = EMPTY
    return keys


def _text_keys(
    arrow: ModuleType, column: Any, item: Wanted, texts: TextKeys, note: Callable[[int, str], None]
) -> Keys:
    column = column.fill_null("" if "string" in str(column.type) else b"").cast(arrow.large_binary())
    _, offsets, data = column.buffers()
    cuts = np.frombuffer(offsets, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    first = int(cuts[0]) if len(cuts) else 0
    body = bytes(data[first : int(cuts[-1])]) if data is not None and len(cuts) else b""
    text = words.padded(body)
    starts, lengths = cuts[:-1] - first, np.diff(cuts)
    keys, faults = decode_field(item.kind, text, starts, lengths, texts)
    for wrong, why in faults:
        for at in np.flatnonzero(wrong).tolist():
            note(at, f"is {shown(text[starts[at] : starts[at] + lengths[at]].tobytes())}, {why}")
    return keys
