# SPDX-License-Identifier: MIT
"""Any CSV or Parquet file, with a map from tables to columns; read by pyarrow (the extra ``datasets``)."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets import words
from heam_sim.datasets.delimited import EMPTY, Chunk, Keys, TextKeys, decode_field, shown
from heam_sim.datasets.interactions import named_columns, start_of
from heam_sim.datasets.opened import Column, History, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import Progress, needs_extra, open_packed
from heam_sim.errors import ConfigError, DatasetError, unknown_name

__all__ = ["open_csv", "open_parquet"]

_BLOCK_BYTES = 1 << 22
_BATCH_ROWS = 1 << 16
_KINDS = ("hex", "integer", "text")


@dataclass(frozen=True)
class _Wanted:
    """A column that is read: its name in the file and what it holds (``""``: what the file says)."""

    name: str
    kind: str


@dataclass
class _Place:
    """Where in a file reading is: rows that were good and numbers of lines that were not."""

    source: Path
    first_line: int = 0  # 0: rows are counted instead of lines
    rows: int = 0
    bad_lines: list[int] = field(default_factory=list)

    def name(self, row: int) -> str:
        """Return file and line (or row) of a row of this file, counted from 0."""
        if not self.first_line:
            return f"{self.source}: row {row + 1}"
        line = self.first_line + row
        for bad in self.bad_lines:  # in order; every one before the row moves it down
            line += bad <= line
        return f"{self.source}:{line}"


def _arrow(what: str, part: str) -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and one of its parts."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module(f"pyarrow.{part}")
    except ImportError:
        raise needs_extra(what, "pyarrow", "datasets") from None


def _wanted(
    options: ReadOptions, what: str, default: str
) -> tuple[list[Column], list[_Wanted], History | None]:
    """Return the tables, the columns to read for them (and for time), and how they make histories."""
    if options.columns is None:
        raise ConfigError(f"columns is missing; say which columns of the {what} become tables.")
    reads: list[_Wanted] = []
    for table, spelled in options.columns.items():
        if not isinstance(table, str) or not isinstance(spelled, str):
            raise ConfigError("columns must map names of tables to names of columns, both texts.")
        name, colon, kind = spelled.rpartition(":")
        if not colon or kind not in _KINDS:
            name, kind = spelled, default
        reads.append(_Wanted(name, kind))
    tables = list(options.columns)
    if options.user is None:
        if options.time is not None:
            raise ConfigError("time orders a user's history, but no user is named; name one.")
        return [Column(t, r.kind) for t, r in zip(tables, reads, strict=True)], reads, None
    if options.user not in tables:
        raise unknown_name("table", options.user, tables, where="user")
    columns = [Column(t, r.kind) for t, r in zip(tables, reads, strict=True)]
    if options.time is not None:
        reads.append(_Wanted(options.time, "time"))
    return columns, reads, History(tables.index(options.user), None if options.time is None else len(tables))


def open_csv(files: list[Path], options: ReadOptions) -> Opened:
    """Return columns of CSV files with quotes, plain or packed, with a header unless columns are numbers.

    Values are texts unless a column is written as ``name:integer`` or ``name:hex``; with published ids they
    are integers.
    """
    arrow, csv = _arrow(f"{files[0]}: reading CSV", "csv")
    columns, reads, history = _wanted(
        options, "CSV file", "integer" if options.ids == "published" else "text"
    )
    first = start_of(files[0], options)
    delimiter = max(",\t;|", key=first.count)
    numbered = all(item.name.isdigit() for item in reads)
    if numbered:
        names = [str(number) for number in range(first.count(delimiter) + 1)]
    else:
        names = [name.strip('"') for name in first.split(delimiter)]
    _check_names(files[0], reads, named_columns(files[0], names))

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row = 0
        for source in files:
            place = _Place(source, first_line=1 if numbered else 2)
            settings = _csv_settings(csv, arrow, names, delimiter, numbered, reads, place, faults)
            with _reading(arrow, place, faults), open_packed(source, progress) as stream:
                if rows.is_over(row):
                    return
                for batch in csv.open_csv(arrow.PythonFile(stream, "r"), **settings):
                    yield _chunk(arrow, batch, reads, place, rows, row, faults, texts)
                    row += batch.num_rows

    return Opened(tuple(columns), chunks, history, {"columns": dict(options.columns or {})})


def _check_names(source: Path, reads: Sequence[_Wanted], known: dict[str, int]) -> None:
    for item in reads:
        if item.name not in known:
            raise unknown_name("column", item.name, known, where=str(source))


def _csv_settings(
    csv: ModuleType,
    arrow: ModuleType,
    names: list[str],
    delimiter: str,
    numbered: bool,
    reads: Sequence[_Wanted],
    place: _Place,
    faults: Faults,
) -> dict[str, Any]:
    def invalid(row: Any) -> str:
        line = int(row.number) if row.number is not None else 0
        if not faults.skip:
            return "error"
        place.bad_lines.append(line)
        faults.add(
            f"{place.source}:{line}: has {row.actual_columns} columns instead of {row.expected_columns}."
        )
        return "skip"

    return {
        # One thread: rows then know their numbers, and another thread would not be the one core asked for.
        "read_options": csv.ReadOptions(
            use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=0 if numbered else 1
        ),
        "parse_options": csv.ParseOptions(
            delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=invalid
        ),
        "convert_options": csv.ConvertOptions(
            include_columns=list(dict.fromkeys(item.name for item in reads)),
            column_types=dict.fromkeys(names, arrow.binary()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    }


def open_parquet(files: list[Path], options: ReadOptions) -> Opened:
    """Return columns of Parquet files: integers, texts, or lists of them, which are bags."""
    arrow, parquet = _arrow(f"{files[0]}: reading Parquet", "parquet")
    columns, reads, history = _wanted(options, "Parquet file", "")
    place = _Place(files[0])
    with _reading(arrow, place, Faults()):
        schema = parquet.ParquetFile(files[0]).schema_arrow
    known = named_columns(files[0], schema.names)
    _check_names(files[0], reads, known)
    types = [schema.field(known[item.name]).type for item in reads]
    kinds = [item.kind or _kind_of(arrow, place, item, kind) for item, kind in zip(reads, types, strict=True)]
    reads = [_Wanted(item.name, kind) for item, kind in zip(reads, kinds, strict=True)]
    if history is not None and any(map(arrow.types.is_nested, types)):
        raise ConfigError("user: rows with lists are bags already; leave the user out.")

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row = 0
        for source in files:
            place = _Place(source)
            with _reading(arrow, place, faults):
                if rows.is_over(row):
                    return
                names = list(dict.fromkeys(item.name for item in reads))
                for batch in parquet.ParquetFile(source).iter_batches(
                    _BATCH_ROWS, columns=names, use_threads=False
                ):
                    yield _chunk(arrow, batch, reads, place, rows, row, faults, texts)
                    row += batch.num_rows
            if progress is not None:
                progress(source.stat().st_size)

    columns = [Column(c.name, kind) for c, kind in zip(columns, kinds, strict=False)]
    return Opened(tuple(columns), chunks, history, {"columns": dict(options.columns or {})})


def _kind_of(arrow: ModuleType, place: _Place, item: _Wanted, kind: Any) -> str:
    inner = kind.value_type if _is_list(arrow, kind) else kind
    if arrow.types.is_dictionary(inner):
        inner = inner.value_type
    if arrow.types.is_integer(inner):
        return "integer"
    if _is_text(arrow, inner):
        return "text"
    raise DatasetError(
        f"{place.source}: column {item.name} holds {kind}; name columns of integers, texts or lists of them."
    )


def _is_list(arrow: ModuleType, kind: Any) -> bool:
    return bool(arrow.types.is_list(kind) or arrow.types.is_large_list(kind))


def _is_text(arrow: ModuleType, kind: Any) -> bool:
    tests = (arrow.types.is_string, arrow.types.is_large_string, arrow.types.is_binary)
    return any(test(kind) for test in (*tests, arrow.types.is_large_binary))


@contextmanager
def _reading(arrow: ModuleType, place: _Place, faults: Faults) -> Iterator[None]:
    """Turn what pyarrow raises into a fault of the file."""
    try:
        yield
    except (arrow.ArrowException, OSError, EOFError, zlib.error) as error:
        if isinstance(error, DatasetError):
            raise
        reason = " ".join(str(error).split())[:200]
        faults.add(
            f"{place.source}: cannot be read after row {place.rows} ({reason}); check or copy the file again."
        )


def _chunk(
    arrow: ModuleType,
    batch: Any,
    reads: Sequence[_Wanted],
    place: _Place,
    rows: RowFilter,
    row: int,
    faults: Faults,
    texts: TextKeys,
) -> Chunk:
    """Return the keys of a batch's wanted rows."""
    count, before = batch.num_rows, place.rows
    place.rows += count
    chosen = rows.select(row, count)
    numbers = np.arange(count) if chosen is None else chosen
    if chosen is not None:
        batch = batch.take(arrow.array(chosen))
    keys: list[Keys] = []
    lengths: list[NDArray[np.int64] | None] = []
    wrong = np.zeros(len(numbers), dtype=np.bool_)
    reasons: dict[int, str] = {}

    def note(name: str) -> Callable[[int, str], None]:
        def add(at: int, why: str) -> None:
            wrong[at] = True
            reasons.setdefault(at, f"column {name} {why}")

        return add

    for item in reads:
        values, cuts = _column_keys(
            arrow, batch.column(batch.schema.names.index(item.name)), item, texts, note(item.name)
        )
        keys.append(values)
        lengths.append(cuts)
    for at in np.flatnonzero(wrong).tolist():
        faults.add(f"{place.name(before + int(numbers[at]))}: {reasons[at]}; correct or remove the row.")
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
    arrow: ModuleType, column: Any, item: _Wanted, texts: TextKeys, note: Callable[[int, str], None]
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
    arrow: ModuleType, column: Any, item: _Wanted, texts: TextKeys, note: Callable[[int, str], None]
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
    arrow: ModuleType, column: Any, item: _Wanted, texts: TextKeys, note: Callable[[int, str], None]
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
