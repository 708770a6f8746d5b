# SPDX-License-Identifier: MIT
"""Delimited text as columns of 64-bit keys, a block of lines at a time.

All of it is arithmetic on arrays. Cutting and decoding a Criteo row this way takes a third of the time that
pyarrow's CSV reader needs for cutting alone (``docs/performance.md``), and every fault has its line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets import words
from heam_sim.datasets.options import Faults, RowFilter
from heam_sim.datasets.textblocks import LineBlock, Progress, line_blocks

__all__ = [
    "EMPTY",
    "Chunk",
    "Field",
    "Layout",
    "TextKeys",
    "decode_field",
    "read_blocks",
    "read_delimited",
    "shown",
]

BLOCK_BYTES = 1 << 20  # a block and the arrays made from it stay in the cache
EMPTY = np.uint64(1 << 63)  # key of an empty value in a column of numbers
_LONG = 0xFF << 56  # no UTF-8 text has this byte: keys of long texts
_LINE_FEED, _RETURN, _SPACE, _MINUS = b"\n\r -"
_SHORT_REGION = 4096

_NO_HEX = "not a value of up to 8 hex digits"

Keys = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Describe = Callable[[int], str]


@dataclass(frozen=True)
class Field:
    """One column of the text.

    Parameters
    ----------
    name
        For messages.
    place
        Number of the column, from 0.
    kind
        ``"hex"``: up to eight digits or empty; ``"integer"``: 0 to 2**63 - 1; ``"text"``: anything;
        ``"time"``: like an integer, and a sign is allowed.
    """

    name: str
    place: int
    kind: str


@dataclass(frozen=True)
class Layout:
    """How the lines of a format are made.

    Parameters
    ----------
    delimiter
        One character, or one that is written twice (``"::"``).
    names
        Names of all columns.
    fields
        The columns to decode, in the order of the keys.
    fewest
        Columns that a line has at least; what is missing behind them is empty.
    plain
        Places of columns that hold nothing but digits and signs; checked, not decoded.
    header
        The line of names that every file begins with; empty: there is none.
    choices
        Places of columns that hold one of a few words; checked, not decoded.
    what
        What a line looks like, for messages.
    """

    delimiter: str
    names: tuple[str, ...]
    fields: tuple[Field, ...]
    what: str
    fewest: int = 0
    plain: range = range(0)
    header: str = ""
    choices: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def covered(self) -> bool:
        """Whether every character is checked by decoding it or as a plain number."""
        return all(item.kind == "hex" for item in self.fields) and len(self.plain) + len(self.fields) == len(
            self.names
        )

    @property
    def step(self) -> int:
        """Separators per column."""
        return len(self.delimiter)


@dataclass(frozen=True)
class Chunk:
    """Rows of a dataset.

    Parameters
    ----------
    keys
        One uint64 array per column, all of one length.
    row
        Number of the first row in the whole dataset that the chunk stands for.
    rows
        Rows that the chunk stands for, those left out included.
    short
        Rows that lost fields at the end.
    lengths
        Where rows have bags: per column the lengths, shape (samples,), or ``None`` for one key per row.
    """

    keys: tuple[Keys, ...]
    row: int
    rows: int
    short: int = 0
    lengths: tuple[NDArray[np.int64] | None, ...] | None = None

    @property
    def samples(self) -> int:
        """Rows that are there."""
        for place, lengths in enumerate(self.lengths or ()):
            return len(self.keys[place]) if lengths is None else len(lengths)
        return len(self.keys[0])


class TextKeys:
    """Keys of texts: up to eight bytes are their own key, longer ones are numbered or hashed.

    Parameters
    ----------
    exact
        Number long texts, which needs memory for each; else take 64 bits of BLAKE2b.
    """

    def __init__(self, *, exact: bool = True) -> None:
        self._exact = exact
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def key(self, text: bytes) -> int:
        """Return the key of one text."""
        if len(text) <= words.DIGITS and not text.endswith(b"\0") and text[7:] != b"\xff":
            return int.from_bytes(text, "little")
        if not self._exact:
            return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        return _LONG | self._numbers.setdefault(text, len(self._numbers))


@dataclass
class _Lines:
    """The lines of a block that are read, cut into fields.

    ``borders[c]`` is the position in front of column ``c`` and ``borders[c + 1]`` the one behind it.
    """

    text: NDArray[np.uint8]
    borders: NDArray[np.int64]
    numbers: NDArray[np.int64]  # of the lines in their file
    short: Mask
    wrong: Mask
    checks: list[tuple[Mask, Describe]] = field(default_factory=list)

    def place(self, column: int, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return starts and lengths of a column; a missing field has length 0."""
        starts = self.borders[column * step] + 1
        return starts, np.maximum(self.borders[column * step + 1] - starts, 0)

    def check(self, wrong: Mask, describe: Describe) -> None:
        """Note lines that are wrong; ``describe`` says how, given the place of a line."""
        if wrong.any():
            self.wrong |= wrong
            self.checks.append((wrong, describe))

    def shown(self, column: int, step: int, line: int) -> str:
        """Return a field for a message."""
        starts, lengths = self.place(column, step)
        return shown(self.text[starts[line] : starts[line] + lengths[line]].tobytes())


def shown(value: bytes) -> str:
    """Return a field for a message."""
    return repr(value[:24].decode("utf-8", "backslashreplace")) + ("..." if len(value) > 24 else "")


def read_delimited(
    files: Sequence[Path],
    layout: Layout,
    rows: RowFilter,
    faults: Faults,
    texts: TextKeys,
    progress: Progress | None = None,
) -> Iterator[Chunk]:
    """Yield the keys of the layout's fields, block after block, file after file.

    Raises
    ------
    DatasetError
        If a file cannot be read, or at a malformed line that is not to be skipped; file, line and column are
        named.
    """

    def read(block: LineBlock, source: Path, row: int) -> Chunk:
        return _read_block(block, source, layout, rows, row, faults, texts)

    return read_blocks(files, BLOCK_BYTES, layout.header, rows, faults, progress, read)


def read_blocks(
    files: Sequence[Path],
    block_bytes: int,
    header: str,
    rows: RowFilter,
    faults: Faults,
    progress: Progress | None,
    read: Callable[[LineBlock, Path, int], Chunk],
) -> Iterator[Chunk]:
    """Yield what `read` makes of a block, its file and the number of its first row, for all files of lines.

    Parameters
    ----------
    files, block_bytes
        What is read, and how much of it at a time.
    header
        The line that every file begins with; empty: there is none.
    rows
        Reading ends behind the last of them.
    faults, progress
        Take malformed lines, and the bytes read.
    read
        Decodes a block.
    """
    row = 0
    for source in files:
        for block in line_blocks(source, block_bytes, faults, progress):
            if rows.is_over(row):
                return
            if block.line == 1 and header:
                block = _without_header(block, source, header, faults)
            if block.text:
                chunk = read(block, source, row)
                row += chunk.rows
                yield chunk


def _without_header(block: LineBlock, source: Path, header: str, faults: Faults) -> LineBlock:
    """Return a file's first block without its header, which must be `header`."""
    end = block.text.find(b"\n")
    found = block.text[:end].rstrip(b"\r").decode("utf-8", "backslashreplace")
    if found != header:
        faults.add(
            f"{source}:1: the header is {found[:60]!r}, not {header[:60]!r} as in the first file; "
            "give files of one kind."
        )
    return LineBlock(block.text[end + 1 :], 2)


def _read_block(
    block: LineBlock,
    source: Path,
    layout: Layout,
    rows: RowFilter,
    row: int,
    faults: Faults,
    texts: TextKeys,
) -> Chunk:
    lines, count = _cut(block, layout, rows, row)
    _check_lines(lines, layout)
    keys = tuple(_decode(lines, layout, texts))
    if not layout.covered:
        _check_controls(lines, layout)
    if not lines.checks:
        return Chunk(keys, row, count, int(lines.short.sum()))
    for place in np.flatnonzero(lines.wrong).tolist():
        describe = next(say for mask, say in lines.checks if mask[place])
        faults.add(f"{source}:{int(lines.numbers[place])}: {describe(place)}")
    good = ~lines.wrong
    return Chunk(tuple(key[good] for key in keys), row, count, int(lines.short[good].sum()))


def _cut(block: LineBlock, layout: Layout, rows: RowFilter, row: int) -> tuple[_Lines, int]:
    """Cut the lines to read into fields; also return how many lines the block has."""
    text = words.padded(block.text)
    body = text[: -words.DIGITS]
    is_end = body == _LINE_FEED
    cuts = np.flatnonzero((body == ord(layout.delimiter[0])) | is_end)
    width = (len(layout.names) - 1) * layout.step + 1
    last = np.flatnonzero(is_end[cuts])  # each line's final separator, among all
    count = len(last)
    chosen = rows.select(row, count)
    even = len(cuts) == count * width and bool((last == np.arange(width - 1, len(cuts), width)).all())
    if even and chosen is None:
        borders = np.empty((width + 1, count), dtype=np.int64)
        borders[1:] = cuts.reshape(count, width).T
        borders[0, 0] = -1
        borders[0, 1:] = borders[-1, :-1]
        short = np.zeros(count, dtype=np.bool_)
        numbers = np.arange(block.line, block.line + count)
        lines = _Lines(text, borders, numbers, short, np.zeros(count, dtype=np.bool_))
    else:
        lines = _cut_uneven(text, cuts, last, layout, width, chosen, block.line)
    _drop_returns(lines)
    return lines, count


def _cut_uneven(
    text: NDArray[np.uint8],
    cuts: NDArray[np.int64],
    last: NDArray[np.int64],
    layout: Layout,
    width: int,
    chosen: NDArray[np.int64] | None,
    line: int,
) -> _Lines:
    first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])
    numbers = np.arange(line, line + len(last))
    if chosen is not None:
        first, last, numbers = first[chosen], last[chosen], numbers[chosen]
    counts = last - first + 1
    borders = np.empty((width + 1, len(first)), dtype=np.int64)
    borders[0] = np.where(first > 0, cuts[first - 1], -1)
    for place in range(width):
        borders[place + 1] = cuts[np.minimum(first + place, last)]
    lines = _Lines(text, borders, numbers, counts < width, np.zeros(len(first), dtype=np.bool_))
    fewest = (layout.fewest - 1) * layout.step + 1 if layout.fewest else width

    def describe(place: int) -> str:
        columns = (int(counts[place]) - 1) // layout.step + 1
        return (
            f"has {columns} columns instead of {len(layout.names)} ({layout.what}); correct or remove the "
            "line."
        )

    lines.check((counts > width) | (counts < fewest), describe)
    return lines


def _drop_returns(lines: _Lines) -> None:
    """Take the carriage return in front of a line feed off the line's last field."""
    ends = lines.borders[-1]
    returns = (lines.text[ends - 1] == _RETURN) & (ends - 1 > lines.borders[0])
    if returns.any():
        lines.borders[1:] -= (lines.borders[1:] == ends) & returns


def _check_lines(lines: _Lines, layout: Layout) -> None:
    """Check what is not decoded."""
    body = lines.text
    if layout.plain:
        start, _ = lines.place(layout.plain.start, layout.step)
        stop = lines.borders[(layout.plain.stop - 1) * layout.step + 1]
        strange = (body - np.uint8(ord("0"))) > 9
        strange &= (body != ord("-")) & (body != ord(layout.delimiter[0]))

        def describe(place: int) -> str:
            return _plain_fault(lines, layout, place)

        lines.check(_marked(strange, start, stop), describe)
    for column in range(len(layout.names) - 1 if layout.step > 1 else 0):
        after = lines.borders[column * layout.step + 1]
        lines.check(
            lines.borders[column * layout.step + 2] != after + 1,
            lambda _: (
                f"is not separated by {layout.delimiter!r} ({layout.what}); correct or remove the line."
            ),
        )
    if layout.header:
        starts, lengths = lines.place(0, layout.step)
        name = layout.header.split(layout.delimiter)[0].encode()
        same = words.kept(words.field_words(body, starts), lengths) == words.word(name)
        lines.check(same & (lengths == len(name)), lambda _: "repeats the header; remove the line.")
    for place, known in layout.choices.items():
        _check_choice(lines, layout, place, known)


def _check_choice(lines: _Lines, layout: Layout, column: int, known: tuple[str, ...]) -> None:
    starts, lengths = lines.place(column, layout.step)
    found = words.kept(words.field_words(lines.text, starts), lengths)
    wrong = ~np.isin(found, np.array([words.word(name.encode()) for name in known], dtype=np.uint64))
    wrong |= lengths > words.DIGITS
    why = f"none of {', '.join(known)}"
    lines.check(wrong, _describe(lines, layout, Field(layout.names[column], column, "text"), why))


def _check_controls(lines: _Lines, layout: Layout) -> None:
    """Check that no control character hides in a field."""
    body = lines.text[: -words.DIGITS]
    strange = (body < _SPACE) & (body != _LINE_FEED) & (body != ord(layout.delimiter[0]))
    if strange.any():
        wrong = _marked(words.padded(strange.tobytes()), lines.borders[0] + 1, lines.borders[-1])
        lines.check(
            wrong, lambda _: "holds a control character (NUL, a carriage return, ...); remove the line."
        )


def _marked(marks: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Mask:
    """Return which regions hold a byte that is not zero."""
    longest = int((stops - starts).max(initial=0))
    if longest > _SHORT_REGION:
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(marks, dtype=np.int64)])
        return np.asarray(sums[stops] != sums[starts])
    found = np.zeros(len(starts), dtype=np.bool_)
    marks = marks.view(np.uint8)
    for start in range(0, longest, words.DIGITS):
        left = stops - starts - start
        found |= words.kept(words.field_words(marks, np.minimum(starts + start, stops)), left) != 0
    return found


def _plain_fault(lines: _Lines, layout: Layout, place: int) -> str:
    for column in layout.plain:
        starts, lengths = lines.place(column, layout.step)
        value = lines.text[starts[place] : starts[place] + lengths[place]].tobytes()
        if value.strip(b"-0123456789"):
            break
    return (
        f"column {column + 1} ({layout.names[column]}) is {lines.shown(column, layout.step, place)}, not an "
        f"integer; give rows of {layout.what}."
    )


def _decode(lines: _Lines, layout: Layout, texts: TextKeys) -> list[Keys]:
    result = []
    for kind, group in groupby(layout.fields, key=lambda item: item.kind):
        fields = list(group)
        if kind == "hex":
            result += _decode_hex(lines, layout, fields)
            continue
        for item in fields:
            keys, faults = decode_field(kind, lines.text, *lines.place(item.place, layout.step), texts)
            for wrong, why in faults:
                lines.check(wrong, _describe(lines, layout, item, why))
            result.append(keys)
    return result


def _decode_hex(lines: _Lines, layout: Layout, fields: list[Field]) -> list[Keys]:
    """Decode columns together: the arrays of a block still fit the cache, and there are fewer of them."""
    before = np.array([item.place * layout.step for item in fields])
    starts = lines.borders[before] + 1
    lengths = np.maximum(lines.borders[before + 1] - starts, 0)
    values, wrong = _hex_keys(lines.text, starts, lengths)
    if wrong is not None:
        for item, mask in zip(fields, wrong, strict=True):
            lines.check(mask, _describe(lines, layout, item, _NO_HEX))
    return list(values)


def _hex_keys(
    text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[Keys, Mask | None]:
    values, wrong = words.hex_values(words.field_words(text, starts), lengths)
    values[lengths == 0] = EMPTY
    return values, wrong


def decode_field(
    kind: str,
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    texts: TextKeys,
) -> tuple[Keys, list[tuple[Mask, str]]]:
    """Return the keys of one column, and which fields are wrong, with the reasons.

    Parameters
    ----------
    kind
        As in :class:`Field`.
    text
        Bytes, as :func:`heam_sim.datasets.words.padded` gives them.
    starts, lengths
        Where the fields lie, shape (rows,).
    texts
        Makes keys of texts.
    """
    if kind == "hex":
        keys, wrong = _hex_keys(text, starts, lengths)
        return keys, [] if wrong is None else [(wrong, _NO_HEX)]
    if kind == "text":
        keys = words.kept(words.field_words(text, starts), lengths)
        # A NUL at the end would be lost in a word.
        long = (lengths > words.DIGITS) | (keys >= np.uint64(_LONG))
        long |= (text[starts + np.maximum(lengths - 1, 0)] == 0) & (lengths > 0)
        for place in np.flatnonzero(long).tolist():
            keys[place] = texts.key(text[starts[place] : starts[place] + lengths[place]].tobytes())
        return keys, []
    signed = kind == "time"
    minus = (text[starts] == _MINUS) & (lengths > 1) & signed
    keys, wrong, beyond = words.decimal_values(text, starts + minus, lengths - minus)
    keys[minus] = np.uint64(0) - keys[minus]  # two's complement: read as int64 it is the number
    wanted = "not a whole number" if signed else "not a whole number of at least 0"
    return keys, [(wrong, wanted), (beyond, "above 2**63 - 1")]


def _describe(lines: _Lines, layout: Layout, item: Field, why: str) -> Describe:
    def describe(place: int) -> str:
        value = lines.shown(item.place, layout.step, place)
        return f"column {item.place + 1} ({item.name}) is {value}, {why}; correct or remove the line."

    return describe
