# SPDX-License-Identifier: MIT
"""Reader of the Criteo Kaggle display advertising data.

Tab-separated text without a header: label, 13 integers, 26 categorical values of up to 8 hex digits. Every
categorical column becomes a one-hot table whose ids number the column's values in order of first appearance.
The empty value is a value like the others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.idmap import IdMap
from heam_sim.datasets.textblocks import dataset_path, line_blocks
from heam_sim.errors import DatasetError, unknown_name
from heam_sim.trace import LookupTrace
from heam_sim.trace.checks import whole_number

__all__ = ["CARDINALITIES", "COLUMNS", "NAME", "read_criteo_kaggle"]

NAME = "criteo-kaggle"
COLUMNS = tuple(f"C{column}" for column in range(1, 27))
# Distinct values of C1..C26 in train.txt (45,840,617 rows), the empty value included; published with DLRM.
CARDINALITIES = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)

_NUMERIC = 14  # label and 13 integers
_FIELDS = 40
_FEWEST = _NUMERIC + 1
_DIGITS = 8
_BLOCK_BYTES = 1 << 22
_MODES = ("auto", "published", "observed")
_TAB, _LINE_FEED, _RETURN = b"\t\n\r"

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]


def read_criteo_kaggle(
    path: str | os.PathLike[str], *, samples: int | None = None, cardinalities: str = "auto"
) -> LookupTrace:
    """Read a Criteo Kaggle file, plain or gzip, as 26 one-hot tables.

    The text streams through in blocks; memory grows with the ids alone (8 bytes per value, and 16 per
    distinct value). A row that lost only trailing empty fields (15 to 39 fields) reads the missing ones as
    empty values and is counted in the provenance.

    Parameters
    ----------
    path
        The file.
    samples
        Stop after so many rows; ``None`` reads all.
    cardinalities
        ``"published"``: the sizes of the whole dataset, so that an excerpt has the whole model's footprint;
        ``"observed"``: the distinct values read; ``"auto"``: published where all columns fit, else observed.
        The provenance says which.

    Raises
    ------
    ConfigError
        If an option is not what it can be.
    DatasetError
        If the file is missing, empty, unreadable or malformed, naming line and column; or if it has more
        distinct values than the published sizes and those were asked for.
    """
    if cardinalities not in _MODES:
        raise unknown_name("mode", cardinalities, _MODES, where="cardinalities")
    limit = None if samples is None else whole_number("samples", samples, minimum=0)
    source = dataset_path(path)
    columns = _Columns()
    for block in line_blocks(source, _BLOCK_BYTES):
        left = None if limit is None else limit - columns.rows
        if left == 0:
            break
        keys, short = _parse(block, source, columns.rows, left)
        columns.add(keys, short)
    if columns.rows == 0 and limit != 0:
        raise DatasetError(
            f"{source}: the file is empty; give Criteo rows of {_FIELDS} tab-separated columns."
        )
    sizes, mode = _choose_cardinalities(columns, cardinalities, source)
    provenance = {
        "source": "file",
        "dataset": NAME,
        "file": source.name,
        "rows": columns.rows,
        "rows_with_lost_trailing_fields": columns.short_rows,
        "cardinalities": mode,
        "ids": "order of first appearance per column; the empty value is a value",
    }
    return LookupTrace.from_arrays(columns.take(), cardinalities=sizes, provenance=provenance)


@dataclass
class _Columns:
    """What has been read so far."""

    maps: list[IdMap] = field(default_factory=lambda: [IdMap() for _ in COLUMNS])
    blocks: list[list[NDArray[np.int32]]] = field(default_factory=lambda: [[] for _ in COLUMNS])
    rows: int = 0
    short_rows: int = 0

    def add(self, keys: NDArray[np.uint64], short_rows: int) -> None:
        for column, ids in enumerate(self.maps):
            self.blocks[column].append(ids.ids(np.ascontiguousarray(keys[:, column])).astype(np.int32))
        self.rows += len(keys)
        self.short_rows += short_rows

    def take(self) -> list[NDArray[np.int64]]:
        """Return the ids per column, giving up the blocks one column after the other to keep the peak low."""
        result = []
        for column in range(len(self.blocks)):
            parts, self.blocks[column] = self.blocks[column], []
            ids = np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int64)
            ids.flags.writeable = False
            result.append(ids)
        return result


def _choose_cardinalities(columns: _Columns, wanted: str, source: Path) -> tuple[list[int], str]:
    seen = [max(1, len(ids)) for ids in columns.maps]
    over = [column for column, count in enumerate(seen) if count > CARDINALITIES[column]]
    if wanted == "observed" or (wanted == "auto" and over):
        return seen, "observed"
    if over:
        column = over[0]
        raise DatasetError(
            f"{source}: column {COLUMNS[column]} has {seen[column]} distinct values but the published "
            "cardinality is "
            f"{CARDINALITIES[column]}; read it with cardinalities='observed' or hash the values into the "
            "published sizes first."
        )
    return list(CARDINALITIES), "published"


@dataclass(frozen=True)
class _Fields:
    """Where the categorical fields of a block lie: arrays of shape (rows, 26)."""

    starts: _Positions
    lengths: _Positions
    words: NDArray[np.uint64]


def _parse(block: bytes, source: Path, rows_before: int, limit: int | None) -> tuple[NDArray[np.uint64], int]:
    """Return the keys of a block, shape (rows, 26), and its number of short rows."""
    text: _Bytes = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero((text == _TAB) | (text == _LINE_FEED))
    last = np.flatnonzero(text[ends] == _LINE_FEED)[:limit]  # each row's final separator, among all
    first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])
    counts = last - first + 1
    uneven = np.flatnonzero((counts > _FIELDS) | (counts < _FEWEST))
    # Only rows before the first one with a wrong number of fields can be cut; their faults come first.
    good = int(uneven[0]) if len(uneven) else len(counts)
    fields = _cut(text, ends, first[:good], last[:good])
    line_starts = np.concatenate([np.zeros(1, np.int64), ends[last[:-1]] + 1])[:good]
    bad_number = _first_bad_number(text, line_starts, ends[first[:good] + _NUMERIC - 1])
    bad_value = _first_bad_value(fields)
    if bad_number < min(good, bad_value + 1):
        stop = int(ends[first[bad_number] + _NUMERIC - 1])
        line = text[line_starts[bad_number] : stop].tobytes()
        raise _number_error(f"{source}:{rows_before + bad_number + 1}", line)
    if bad_value < good:
        raise _value_error(f"{source}:{rows_before + bad_value + 1}", text, fields, bad_value)
    if len(uneven):
        raise DatasetError(
            f"{source}:{rows_before + good + 1}: has {int(counts[good])} columns instead of {_FIELDS} "
            "(label, 13 integers, 26 categorical values, separated by tabs); correct or remove the line."
        )
    return _keys(fields), int((counts < _FIELDS).sum())


def _cut(text: _Bytes, ends: _Positions, first: _Positions, last: _Positions) -> _Fields:
    ordinals = first[:, np.newaxis] + np.arange(_NUMERIC - 1, _FIELDS)
    final = last[:, np.newaxis]
    present = ordinals <= final
    borders = ends[np.where(present, ordinals, final)]
    starts = borders[:, :-1] + 1
    row_ends = ends[last]
    returns = text[row_ends - 1] == _RETURN  # a row has 15 fields or more, so there is a byte before its end
    stops = borders[:, 1:]
    stops = stops - ((stops == row_ends[:, np.newaxis]) & returns[:, np.newaxis])
    lengths = np.where(present[:, 1:], stops - starts, 0)
    return _Fields(starts, lengths, _words(starts, lengths, _NIBBLES[text]))


def _first_bad_number(text: _Bytes, line_starts: _Positions, number_ends: _Positions) -> int:
    """Return the first row whose label or integers hold another character, or the number of rows."""
    strange = np.cumsum(_NOT_NUMERIC[text], dtype=np.int32)
    # The running count includes the byte itself, so the first byte's own mark is added back.
    marks = strange[number_ends] - strange[line_starts] + _NOT_NUMERIC[text[line_starts]]
    rows = np.flatnonzero(marks)
    return int(rows[0]) if len(rows) else len(line_starts)


def _first_bad_value(fields: _Fields) -> int:
    """Return the first row with a value that is not up to eight hex digits, or the number of rows."""
    rows = np.flatnonzero((((fields.words & _MARKS) != 0) | (fields.lengths > _DIGITS)).any(axis=1))
    return int(rows[0]) if len(rows) else len(fields.words)


def _number_error(where: str, line: bytes) -> DatasetError:
    column, value = next((c, v) for c, v in enumerate(line.split(b"\t")) if v.strip(b"-0123456789"))
    name = "the label" if column == 0 else f"I{column}"
    return DatasetError(
        f"{where}: column {column + 1} ({name}) is {_shown(value)}, not an integer; "
        "give Criteo rows with label, 13 integers and 26 hex values."
    )


def _value_error(where: str, text: _Bytes, fields: _Fields, row: int) -> DatasetError:
    wrong = ((fields.words[row] & _MARKS) != 0) | (fields.lengths[row] > _DIGITS)
    column = int(np.argmax(wrong))
    start = int(fields.starts[row, column])
    value = text[start : start + int(fields.lengths[row, column])].tobytes()
    return DatasetError(
        f"{where}: column {_NUMERIC + column + 1} ({COLUMNS[column]}) is {_shown(value)}, "
        f"not a value of up to {_DIGITS} hex digits; correct or remove the line."
    )


def _words(starts: _Positions, lengths: _Positions, nibbles: _Bytes) -> NDArray[np.uint64]:
    """Gather each field's digits in one word: first digit in the lowest byte, zeros in front."""
    padded = np.concatenate([nibbles, np.zeros(_DIGITS, np.uint8)])
    windows: NDArray[np.uint64] = np.ndarray(len(nibbles) + 1, dtype="<u8", buffer=padded.data, strides=(1,))
    missing = np.clip(_DIGITS - lengths, 0, _DIGITS)
    # A shift by 64 is not defined: empty fields shift by 0 and are cleared instead.
    empty = missing == _DIGITS
    words = windows[starts].astype(np.uint64, copy=False) << np.where(empty, 0, missing * 8).astype(np.uint64)
    return np.where(empty, np.uint64(0), words)


def _keys(fields: _Fields) -> NDArray[np.uint64]:
    """Return value + 1 of every field, 0 for an empty one."""
    words = fields.words
    for bits, mask in ((4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF)):
        words = ((words << np.uint64(bits)) | (words >> np.uint64(2 * bits))) & np.uint64(mask)
    return np.where(fields.lengths == 0, np.uint64(0), words + np.uint64(1))


def _shown(value: bytes) -> str:
    return repr(value[:24].decode("utf-8", "backslashreplace")) + ("..." if len(value) > 24 else "")


def _nibble_table() -> _Bytes:
    table = np.full(256, 0x80, dtype=np.uint8)
    for digit in range(16):
        for character in f"{digit:x}{digit:X}":
            table[ord(character)] = digit
    table.flags.writeable = False
    return table


def _not_numeric_table() -> _Bytes:
    table = np.ones(256, dtype=np.uint8)
    table[list(b"-0123456789\t\n")] = 0
    table.flags.writeable = False
    return table


_NIBBLES = _nibble_table()
_NOT_NUMERIC = _not_numeric_table()
_MARKS = np.uint64(0x8080808080808080)
