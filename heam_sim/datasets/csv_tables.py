# SPDX-License-Identifier: MIT
"""Any CSV file, with a map from tables to columns; cut into fields by pyarrow (the extra ``datasets``)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.arrow_tables import Wanted, batch_chunk, check_names, import_arrow, wanted_columns
from heam_sim.datasets.delimited import Chunk, TextKeys, read_blocks
from heam_sim.datasets.interactions import named_columns, start_of
from heam_sim.datasets.opened import Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import LineBlock, Progress
from heam_sim.errors import DatasetError

__all__ = ["open_csv"]

_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True)
class _Form:
    """How the files are made: the header (empty: none), the columns' names and what lies between them."""

    header: str
    names: list[str]
    delimiter: str


def open_csv(files: list[Path], options: ReadOptions) -> Opened:
    """Return columns of CSV files, with a header unless all columns are named by numbers.

    Fields may be quoted but hold no line ends. Values are texts unless a column is written as
    ``name:integer`` or ``name:hex``; with published ids they are integers.
    """
    arrow, parser = import_arrow(f"{files[0]}: reading CSV", "csv")
    default = "integer" if options.ids == "published" else "text"
    columns, reads, history = wanted_columns(options, "CSV file", default)
    first = start_of(files[0], options)
    delimiter = max(",\t;|", key=first.count)
    try:
        names = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise DatasetError(f"{files[0]}:1: cannot be read as a line of CSV ({error}); check it.") from None
    if numbered := all(item.name.isdigit() for item in reads):
        names = [str(number) for number in range(len(names))]
    check_names(files[0], reads, named_columns(files[0], names))
    form = _Form("" if numbered else first, names, delimiter)

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        def read(block: LineBlock, source: Path, row: int) -> Chunk:
            return _read_block(arrow, parser, block, source, form, reads, rows, row, faults, texts)

        return read_blocks(files, _BLOCK_BYTES, form.header, rows, faults, progress, read)

    return Opened(tuple(columns), chunks, history, {"columns": dict(options.columns or {})})


def _read_block(
    arrow: ModuleType,
    parser: ModuleType,
    block: LineBlock,
    source: Path,
    form: _Form,
    reads: Sequence[Wanted],
    rows: RowFilter,
    row: int,
    faults: Faults,
    texts: TextKeys,
) -> Chunk:
    """Return the keys of a block; faults come in the order of the lines."""
    text, numbers, found = _decodable(block)
    try:
        batch, bad = _parse(arrow, parser, text, form, reads)
        if batch.num_rows + len(bad) != len(numbers):
            raise arrow.ArrowInvalid("quotes or line ends out of place")
    except arrow.ArrowException as error:
        reason = " ".join(str(error).split())[:200]
        faults.add(f"{source}:{block.line}: this and the lines after it cannot be read ({reason}).")
        return Chunk(tuple(np.zeros(0, np.uint64) for _ in reads), row, 0)
    for place, columns in bad.items():
        why = f"has {columns} columns instead of {len(form.names)}; correct or remove the line."
        found.append((int(numbers[place]), why))
    good = np.delete(numbers, list(bad))
    repeated = _repeats_header(batch, form, reads)
    if repeated.any():
        found += [(int(line), "repeats the header; remove the line.") for line in good[repeated]]
        good, batch = good[~repeated], batch.filter(arrow.array(~repeated))
    inner = Faults(skip=True, shown=batch.num_rows)
    chunk = batch_chunk(arrow, batch, reads, rows, row, inner, texts, lambda place: f"{good[place]}")
    found += [(int(line), why) for line, _, why in (text.partition(": ") for text in inner.messages)]
    for line, why in sorted(found):
        faults.add(f"{source}:{line}: {why}")
    return chunk


def _decodable(block: LineBlock) -> tuple[bytes, NDArray[np.int64], list[tuple[int, str]]]:
    """Return the lines that pyarrow can tell apart and report, their numbers, and the others as faults."""
    text = block.text
    numbers = np.arange(block.line, block.line + text.count(b"\n"))
    if _is_utf8(text) and text.count(b"\r") == text.count(b"\r\n"):
        return text, numbers, []
    lines = text.split(b"\n")[:-1]
    faults = {place: why for place, line in enumerate(lines) if (why := _fault(line))}
    kept = [line + b"\n" for place, line in enumerate(lines) if place not in faults]
    found = [(int(numbers[place]), f"{why}; correct or remove the line.") for place, why in faults.items()]
    return b"".join(kept), np.delete(numbers, list(faults)), found


def _fault(line: bytes) -> str:
    if b"\r" in line[:-1]:
        return "holds a carriage return"
    return "" if _is_utf8(line) else "is no UTF-8 text"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _repeats_header(batch: Any, form: _Form, reads: Sequence[Wanted]) -> NDArray[np.bool_]:
    """Return which rows hold the names of the columns that are read, as where files were put together."""
    repeated = np.full(batch.num_rows, bool(form.header))
    for item in reads:
        if not repeated.any():
            break
        places = np.flatnonzero(repeated)
        values = batch.column(batch.schema.names.index(item.name)).take(places).to_pylist()
        repeated[places] = [value == item.name.encode() for value in values]
    return repeated


def _parse(
    arrow: ModuleType, parser: ModuleType, text: bytes, form: _Form, reads: Sequence[Wanted]
) -> tuple[Any, dict[int, int]]:
    """Return the wanted columns as a record batch, and the columns of lines with another number of them."""
    bad: dict[int, int] = {}

    def invalid(row: Any) -> str:
        bad[int(row.number) - 1] = int(row.actual_columns)
        return "skip"

    table = parser.read_csv(
        arrow.BufferReader(text),
        # One thread: only then do invalid rows know their numbers.
        read_options=parser.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=form.names),
        parse_options=parser.ParseOptions(
            delimiter=form.delimiter, ignore_empty_lines=False, invalid_row_handler=invalid
        ),
        convert_options=parser.ConvertOptions(
            include_columns=list(dict.fromkeys(item.name for item in reads)),
            column_types=dict.fromkeys(form.names, arrow.binary()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    batches = table.combine_chunks().to_batches()
    empty = arrow.RecordBatch.from_pylist([], schema=table.schema)
    return (batches[0] if batches else empty), bad
