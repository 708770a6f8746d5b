# SPDX-License-Identifier: MIT
"""Make a corpus of malformed dataset files: every format, every way in which a file can be bad.

    python tests/boundary/malformed.py FOLDER

writes the files and a list of what each must lead to. The tests use the same cases.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 40
BAD = 25  # the row, from 0, that is spoilt
HUGE = 10_000_000
AVAZU_TABLES = 21


@dataclass(frozen=True)
class Case:
    """One file and what reading it must lead to.

    Parameters
    ----------
    name
        Of the case; the file is called after it.
    dataset, options
        How it is read.
    content
        The bytes of the file.
    line
        The line (or row) that the error names; 0: only the file.
    skipped
        Faults that are counted with ``on_error="skip"``; ``None``: an error even then.
    kept
        Rows that are left then; ``None``: any number.
    """

    name: str
    dataset: str
    content: bytes
    options: dict[str, Any] = field(default_factory=dict)
    line: int = 0
    skipped: int | None = None
    kept: int | None = None


@dataclass(frozen=True)
class Format:
    """How good files of a format look, and what spoils one row."""

    dataset: str
    rows: list[str]
    header: str = ""
    delimiter: str = ","
    bad_values: dict[str, tuple[int, str]] = field(default_factory=dict)  # column and value
    options: dict[str, Any] = field(default_factory=dict)
    strict_width: bool = True

    @property
    def lines(self) -> list[str]:
        return [self.header, *self.rows] if self.header else list(self.rows)

    def with_value(self, column: int, value: str) -> str:
        fields = self.rows[BAD].split(self.delimiter)
        fields[column] = value
        return self.delimiter.join(fields)


NUMBERS = {
    "negative": "-7",
    "word": "seven",
    "beyond 63 bits": str(2**63),
    "beyond 64 bits": "9" * 30,
    "float": "1.5",
}
ONE_HOT = {"bags": "one-hot"}


def formats() -> list[Format]:
    rng = np.random.default_rng(1)

    def hexes(count: int) -> list[str]:
        return [f"{value:08x}" for value in rng.integers(0, 2**32, count)]

    def number() -> int:
        return int(rng.integers(1, 1000))

    criteo = ["\t".join(["1", *["4"] * 13, *hexes(26)]) for _ in range(ROWS)]
    hexed = {
        "bad hex": (20, "12345g78"),
        "nine digits": (20, "123456789"),
        "sign": (20, "-1"),
        "label": (0, "x"),
    }
    avazu_header = "id,click,hour," + ",".join(
        [
            "C1",
            "banner_pos",
            "site_id",
            "site_domain",
            "site_category",
            "app_id",
            "app_domain",
            "app_category",
            "device_id",
            "device_ip",
            "device_model",
            "device_type",
            "device_conn_type",
            "C14",
            "C15",
            "C16",
            "C17",
            "C18",
            "C19",
            "C20",
            "C21",
        ]
    )
    avazu = [",".join([str(n), "0", "14102100", *hexes(AVAZU_TABLES)]) for n in range(ROWS)]
    films = [[str(number()), str(number()), "3", str(880_000_000 + n)] for n in range(ROWS)]
    shop = [[str(number()), str(number()), str(number()), "pv", str(1_500_000_000 + n)] for n in range(ROWS)]
    stars = [[f"A{number():013d}", f"B{number():09d}", "5.0", str(1_400_000_000 + n)] for n in range(ROWS)]
    rated = {f"{name} item": (1, value) for name, value in NUMBERS.items()}
    timed = {"no time": (3, ""), "word for a time": (3, "noon")}
    return [
        Format("criteo-kaggle", criteo, delimiter="\t", bad_values=hexed),
        Format("criteo-terabyte", criteo, delimiter="\t", bad_values=hexed),
        Format("avazu", avazu, avazu_header),
        Format(
            "movielens-100k",
            ["\t".join(row) for row in films],
            delimiter="\t",
            bad_values={**rated, **timed},
            options=ONE_HOT,
        ),
        Format(
            "movielens-1m",
            ["::".join(row) for row in films],
            delimiter="::",
            bad_values={**rated, **timed},
            options=ONE_HOT,
        ),
        Format(
            "movielens-25m",
            [",".join(row) for row in films],
            "userId,movieId,rating,timestamp",
            bad_values={**rated, **timed},
            options=ONE_HOT,
        ),
        Format(
            "movielens-latest",
            ["\t".join(row) for row in films],
            "user_id:token\titem_id:token\trating:float\ttimestamp:float",
            delimiter="\t",
            bad_values=rated,
            options=ONE_HOT,
        ),
        Format(
            "taobao",
            [",".join(row) for row in shop],
            bad_values={
                **rated,
                "behaviour": (3, "stole"),
                "long behaviour": (3, "pv" * 9),
                "word for a time": (4, "noon"),
            },
            options=ONE_HOT,
        ),
        Format("amazon", [",".join(row) for row in stars], bad_values=timed, options=ONE_HOT),
        Format(
            "csv",
            [",".join(row) for row in films],
            "user,item,rating,time",
            bad_values=rated,
            options={"columns": {"user": "user:integer", "item": "item:integer"}},
        ),
    ]


def joined(lines: list[str], end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode("utf-8", "surrogateescape")


def text_cases(form: Format) -> Iterator[Case]:
    """Yield what can happen to any text."""

    def case(
        name: str, content: bytes, line: int = 0, skipped: int | None = None, kept: int | None = None
    ) -> Case:
        return Case(f"{form.dataset}, {name}", form.dataset, content, form.options, line, skipped, kept)

    first = 2 if form.header else 1
    bad_line = first + BAD
    good, plain = form.lines, joined(form.lines)

    def spoilt(name: str, line: str) -> Case:
        rows = [*form.rows[:BAD], line, *form.rows[BAD + 1 :]]
        lines = [form.header, *rows] if form.header else rows
        return case(name, joined(lines), bad_line, 1, ROWS - 1)

    row = form.rows[BAD]
    yield spoilt("too many columns", row + form.delimiter + "x")
    yield spoilt("too few columns", row.split(form.delimiter)[0])
    yield spoilt("blank line", "")
    yield spoilt("binary rubbish", "\x01\x02\x03" * 20)
    yield spoilt("carriage return inside", row[:3] + "\r" + row[3:])
    if form.dataset == "csv":  # elsewhere texts are bytes
        yield spoilt("no UTF-8", row[:3] + "\udcff" + row[3:])
    else:  # quoted CSV may hold any character
        yield spoilt("NUL", row[:-1] + "\0")
        yield spoilt("NUL in front", "\0" + row)
    for name, (column, value) in form.bad_values.items():
        yield spoilt(name, form.with_value(column, value))
    if form.header:
        yield spoilt("header repeated", form.header)
        names = form.header.split(form.delimiter)
        yield case(
            "a name twice in the header", joined([form.delimiter.join([*names[:-1], names[1]]), *form.rows])
        )
        yield case("header alone", joined([form.header]))
        yield case("a foreign header", joined([form.delimiter.join("abcd"), *form.rows]))
    yield case("empty", b"")
    yield case("line feeds alone", b"\n" * 5)
    yield case("byte order mark", b"\xef\xbb\xbf" + plain, 1, 1, ROWS)
    yield case("UTF-16", plain.decode().encode("utf-16"))
    yield case("old Mac line ends", joined(good, "\r"))
    huge = [*good[:-1], "7" * HUGE, good[-1]]
    yield case("huge line", joined(huge), len(good), 1, ROWS)
    cut = joined(good[:-1]) + good[-1].split(form.delimiter)[0].encode()
    yield case("cut within a line", cut, first + ROWS - 1, 1, ROWS - 1)
    packed = gzip.compress(plain, mtime=0)
    yield case("gzip cut at half", packed[: len(packed) // 2])
    yield case("gzip without its end", packed[:-6])
    yield case("gzip header alone", packed[:12])
    yield case("gzip damaged", packed[:150] + bytes(255 - byte for byte in packed[150:180]) + packed[180:])
    yield case("gzip with rubbish behind", packed + b"rubbish", 0, 1, ROWS)
    yield case("zip", b"PK\x03\x04" + plain)
    yield case("bzip2", b"BZh9" + plain)
    yield case("xz", b"\xfd7zXZ\0" + plain)


def review_cases() -> Iterator[Case]:
    """Yield what can happen to JSON lines."""
    rows = [
        json.dumps(
            {"reviewerID": f"A{n % 7:013d}", "asin": f"B{n % 11:09d}", "unixReviewTime": 1_400_000_000 + n}
        )
        for n in range(ROWS)
    ]
    spoilt = {
        "no JSON": "{'reviewerID': 'A'}",
        "cut": rows[BAD][:-5],
        "a list": "[1, 2]",
        "a number": "17",
        "blank line": "",
        "no user": '{"asin": "B", "unixReviewTime": 1}',
        "no item": '{"reviewerID": "A", "unixReviewTime": 1}',
        "no time": '{"reviewerID": "A", "asin": "B"}',
        "user is a number": '{"reviewerID": 5, "asin": "B", "unixReviewTime": 1}',
        "item is null": '{"reviewerID": "A", "asin": null, "unixReviewTime": 1}',
        "time is a text": '{"reviewerID": "A", "asin": "B", "unixReviewTime": "1"}',
        "time is true": '{"reviewerID": "A", "asin": "B", "unixReviewTime": true}',
        "time beyond 63 bits": f'{{"reviewerID": "A", "asin": "B", "unixReviewTime": {2**63}}}',
        "time of thousands of digits": f'{{"reviewerID": "A", "asin": "B", "unixReviewTime": {"9" * 5000}}}',
        "deeply nested": '{"a":' * 100_000,
        "NUL": rows[BAD][:10] + "\0" + rows[BAD][10:],
        "no UTF-8": rows[BAD][:18] + "\udcff" + rows[BAD][18:],
    }
    for name, line in spoilt.items():
        content = joined([*rows[:BAD], line, *rows[BAD + 1 :]])
        yield Case(f"amazon reviews, {name}", "amazon", content, ONE_HOT, BAD + 1, 1, ROWS - 1)
    plain = joined(rows)
    yield Case(
        "amazon reviews, huge line", "amazon", joined([*rows, "{" + " " * HUGE]), ONE_HOT, ROWS + 1, 1, ROWS
    )
    yield Case("amazon reviews, byte order mark", "amazon", b"\xef\xbb\xbf" + plain, ONE_HOT, 1, 1, ROWS)
    packed = gzip.compress(plain, mtime=0)
    yield Case("amazon reviews, gzip cut", "amazon", packed[: len(packed) // 2], ONE_HOT)


def array_cases() -> Iterator[Case]:
    """Yield what can happen to ``.npz`` files."""

    def packed(**arrays: np.ndarray) -> bytes:
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()

    matrix = np.arange(400).reshape(100, 4)
    good = packed(X_cat=matrix)
    yield Case("npz, empty", "npz", b"")
    yield Case("npz, text", "npz", b"1,2,3\n")
    yield Case("npz, other arrays", "npz", packed(y=matrix))
    yield Case("npz, floats", "npz", packed(X_cat=matrix * 0.5))
    yield Case("npz, one dimension", "npz", packed(X_cat=matrix.reshape(-1)))
    yield Case("npz, Fortran order", "npz", packed(X_cat=np.asfortranarray(matrix)))
    yield Case("npz, tables without end", "npz", packed(X_cat=np.zeros((1, 10**6), dtype=np.int8)))
    spoilt = matrix.copy()
    spoilt[BAD, 2] = -1
    yield Case("npz, negative id", "npz", packed(X_cat=spoilt), {}, BAD + 1, 1, 99)
    large = matrix.astype(np.uint64)
    large[BAD, 2] = 2**63
    yield Case("npz, id beyond 63 bits", "npz", packed(X_cat=large), {}, BAD + 1, 1, 99)
    for cut in range(0, 100, 9):
        yield Case(f"npz, cut at {cut} %", "npz", good[: len(good) * cut // 100])
    damaged = bytearray(good)
    damaged[300:310] = bytes(255 - byte for byte in good[300:310])
    yield Case("npz, damaged", "npz", bytes(damaged))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("X_cat.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': 'oops'")
    yield Case("npz, no header", "npz", stream.getvalue())
    indices = np.arange(10)
    for name, offsets in {
        "decreasing": [0, 5, 3, 10],
        "first not 0": [1, 5, 10],
        "last too small": [0, 5, 9],
        "last too large": [0, 5, 11],
        "negative": [0, -1, 10],
        "empty": [],
    }.items():
        arrays = {"indices_0": indices, "offsets_0": np.array(offsets, dtype=np.int64)}
        yield Case(f"npz, offsets {name}", "npz", packed(**arrays))
    yield Case("npz, no offsets", "npz", packed(indices_0=indices))
    yield Case("npz, a table is missing", "npz", packed(indices_0=indices, indices_2=indices))
    other = {"indices_1": indices, "offsets_1": np.array([0, 10])}
    yield Case(
        "npz, different numbers of rows",
        "npz",
        packed(indices_0=indices, offsets_0=np.array([0, 3, 10]), **other),
    )


def arrow_cases() -> Iterator[Case]:
    """Yield Parquet and zstd files; nothing without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return

    def packed(**columns: Any) -> bytes:
        stream = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), stream)
        return stream.getvalue()

    options = {"columns": {"item": "item"}}
    values = list(range(ROWS))
    good = packed(item=values)
    yield Case("parquet, empty", "parquet", b"", options)
    yield Case("parquet, text", "parquet", b"item\n1\n", options)
    for cut in range(5, 100, 13):
        yield Case(f"parquet, cut at {cut} %", "parquet", good[: len(good) * cut // 100], options)
    yield Case("parquet, other columns", "parquet", packed(other=values), options)
    yield Case("parquet, floats", "parquet", packed(item=[0.5] * ROWS), options)
    yield Case("parquet, no rows", "parquet", packed(item=pyarrow.array([], pyarrow.int64())), options)
    yield Case(
        "parquet, negative",
        "parquet",
        packed(item=[*values[:BAD], -1, *values[BAD + 1 :]]),
        options,
        BAD + 1,
        1,
        ROWS - 1,
    )
    large = pyarrow.array([*values[:BAD], 2**63, *values[BAD + 1 :]], pyarrow.uint64())
    yield Case("parquet, beyond 63 bits", "parquet", packed(item=large), options, BAD + 1, 1, ROWS - 1)
    bags = [[value, -1] if value == BAD else [value] for value in values]
    yield Case("parquet, negative in a bag", "parquet", packed(item=bags), options, BAD + 1, 1, ROWS - 1)
    words = {"columns": {"item": "item:integer"}}
    texts = ["x" if value == BAD else str(value) for value in values]
    yield Case("parquet, a word", "parquet", packed(item=texts), words, BAD + 1, 1, ROWS - 1)
    texts = joined(["item,b", *(f"v{value},1" for value in values[:BAD]), "item,b", "v1,2"])
    yield Case("csv of texts, header repeated", "csv", texts, options, BAD + 2, 1, BAD + 1)
    for form in formats():
        zstd = pyarrow.compress(joined(form.lines), "zstd", asbytes=True)
        for name, content in (
            ("cut", zstd[: len(zstd) // 2]),
            ("damaged", zstd[:30] + b"\xff" * 20 + zstd[50:]),
        ):
            yield Case(f"{form.dataset}, zstd {name}", form.dataset, content, form.options)


def torch_cases() -> Iterator[Case]:
    """Yield files like Meta's dlrm_datasets; nothing without torch."""
    try:
        import torch
    except ImportError:
        return

    def packed(*arrays: Any) -> bytes:
        stream = io.BytesIO()
        torch.save(tuple(torch.as_tensor(np.asarray(one)) for one in arrays), stream)
        return stream.getvalue()

    lengths = np.full((2, ROWS), 3)
    indices, offsets = np.arange(6 * ROWS), np.arange(2 * ROWS + 1) * 3
    good = packed(indices, offsets, lengths)
    name = "meta-dlrm"
    for cut in range(0, 100, 9):
        yield Case(f"meta, cut at {cut} %", name, good[: len(good) * cut // 100])
    zipped = gzip.compress(good, mtime=0)
    yield Case("meta, gzip cut", name, zipped[: len(zipped) // 2])
    damaged = zipped[:50] + bytes(255 - byte for byte in zipped[50:80]) + zipped[80:]
    yield Case("meta, gzip damaged", name, damaged)
    yield Case("meta, text", name, b"1,2,3\n")
    yield Case("meta, two arrays", name, packed(indices, offsets))
    yield Case("meta, floats", name, packed(indices * 0.5, offsets, lengths))
    yield Case("meta, one dimension", name, packed(indices, offsets, lengths.reshape(-1)))
    yield Case("meta, no table", name, packed(indices[:0], offsets[:1], lengths[:0]))
    yield Case("meta, no samples", name, packed(indices[:0], offsets[:1], lengths[:, :0]))
    yield Case("meta, an index is lost", name, packed(indices[:-1], offsets, lengths))
    yield Case("meta, offsets decrease", name, packed(indices, offsets[::-1].copy(), lengths))
    yield Case("meta, negative length", name, packed(indices, offsets, -lengths))
    stream = io.BytesIO()
    torch.save(Case, stream)  # a class of ours, which must not be imported
    yield Case("meta, foreign object", name, stream.getvalue())
    spoilt = indices.copy()
    spoilt[3 * BAD + 1] = -1
    yield Case("meta, negative id", name, packed(spoilt, offsets, lengths), {}, BAD + 1, 1, ROWS - 1)


def cases() -> list[Case]:
    """Return all cases."""
    text = [case for form in formats() for case in text_cases(form)]
    return [*text, *review_cases(), *array_cases(), *arrow_cases(), *torch_cases()]


def file_name(case: Case) -> str:
    """Return a name for the file of a case."""
    return case.name.replace(", ", "-").replace(" ", "_").replace("%", "percent")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for case in cases():
        (folder / file_name(case)).write_bytes(case.content)
        listed.append(
            {
                "file": file_name(case),
                "dataset": case.dataset,
                "options": case.options,
                "line": case.line,
                "skipped": case.skipped,
            }
        )
    (folder / "cases.json").write_text(json.dumps(listed, indent=1))


if __name__ == "__main__":
    main()
