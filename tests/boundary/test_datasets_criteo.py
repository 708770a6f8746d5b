# SPDX-License-Identifier: MIT
"""The Criteo Kaggle reader: good files in every dress, and every kind of bad one."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from heam_sim.datasets import dataset_info, delimited, known_datasets, read_dataset, textblocks
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.trace import LookupTrace

PUBLISHED = dataset_info("criteo-kaggle").cardinalities


def make_rows(count: int, *, seed: int = 1) -> list[list[str]]:
    """Make rows in Criteo's format: empty integers, negative integers, empty values, a few popular values."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        integers = [rng.choice(["", "-1", "0", str(rng.randrange(70_000))]) for _ in range(13)]
        values = [
            rng.choice(["", "68fd1e64", f"{rng.randrange(2**32):08x}"])
            if PUBLISHED[column] > count
            else "0a519c5c"
            for column in range(26)
        ]
        rows.append([str(rng.randrange(2)), *integers, *values])
    return rows


def text_of(rows: list[list[str]], end: str = "\n") -> bytes:
    return "".join("\t".join(row) + end for row in rows).encode()


def expected_ids(rows: list[list[str]]) -> list[list[int]]:
    """Read as plainly as possible."""
    columns = []
    for column in range(26):
        seen: dict[int | None, int] = {}
        values = [row[14 + column] if len(row) > 14 + column else "" for row in rows]
        columns.append([seen.setdefault(int(value, 16) if value else None, len(seen)) for value in values])
    return columns


def read(content: bytes, folder: Path, **options: object) -> LookupTrace:
    path = folder / "train.txt"
    path.write_bytes(content)
    return read_dataset("criteo-kaggle", path, **options)  # type: ignore[arg-type]


def test_shape() -> None:
    info = dataset_info("criteo-kaggle")
    assert "criteo-kaggle" in known_datasets()
    assert (len(info.cardinalities), sum(info.cardinalities)) == (26, 33_762_577)
    assert (info.columns[0], info.columns[25]) == ("C1", "C26")


@pytest.mark.parametrize(
    "block", [1 << 22, 3000, 260], ids=["one block", "many blocks", "block of about a row"]
)
def test_values_become_ids_in_order_of_appearance(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    rows = make_rows(300)
    trace = read(text_of(rows), tmp_path)
    assert [ids.tolist() for ids in trace.indices] == expected_ids(rows)
    assert [cuts.tolist() for cuts in trace.offsets] == [list(range(301))] * 26
    assert trace.cardinalities.tolist() == list(PUBLISHED)
    assert trace.provenance["rows"] == 300
    assert trace.provenance["rows_with_lost_trailing_fields"] == 0
    assert trace.provenance["cardinalities"] == "published"


def test_the_same_rows_in_every_dress(tmp_path: Path) -> None:
    rows = make_rows(120)
    plain = text_of(rows)
    reference = read(plain, tmp_path)
    assert read(text_of(rows, "\r\n"), tmp_path) == reference
    assert read(plain[:-1], tmp_path) == reference  # no line feed at the end
    assert read(text_of(rows, "\r\n")[:-2], tmp_path) == reference
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(plain))
    assert read_dataset("criteo-kaggle", str(tmp_path / "train.txt.gz")) == reference
    assert read(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]), tmp_path) == reference


def test_short_and_upper_case_values(tmp_path: Path) -> None:
    values = ["0", "00000000", "", "a", "A", "0000000a", "fFfFfFfF", "ffffffff", "12345678", "1234567", ""]
    rows = [["0", *["1"] * 13, value, *["1"] * 25] for value in values]
    assert read(text_of(rows), tmp_path).indices[0].tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 4, 5, 1]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lost_trailing_fields_are_empty_values(end: str, tmp_path: Path) -> None:
    rows = make_rows(30)
    full = [row[:14] + row[14:20] + [""] * 20 if number % 3 else row for number, row in enumerate(rows)]
    lost = [
        row[: 15 + number % 6] if number % 3 and row[20:] == [""] * 20 else row
        for number, row in enumerate(full)
    ]
    for number, row in enumerate(lost):
        if len(row) < 40:
            full[number] = row + [""] * (40 - len(row))
    trace = read(text_of(lost, end), tmp_path)
    assert trace == read(text_of(full, end), tmp_path)
    assert trace.provenance["rows_with_lost_trailing_fields"] == sum(len(row) < 40 for row in lost) == 20


def test_samples_limits_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(50)
    content = text_of(rows) + b"not a row\n"
    assert read(content, tmp_path, samples=50) == read(text_of(rows), tmp_path)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    short = read(content, tmp_path, samples=7)
    assert [ids.tolist() for ids in short.indices] == expected_ids(rows[:7])
    assert read(content, tmp_path, samples=0).samples == 0


def test_cardinalities(tmp_path: Path) -> None:
    rows = [["0", *["1"] * 13, *([f"{number:x}"] * 26)] for number in range(5)]
    observed = read(text_of(rows[:3]), tmp_path, cardinalities="observed")
    assert observed.cardinalities.tolist() == [3] * 26
    assert observed.provenance["cardinalities"] == "observed"
    assert read(text_of(rows[:3]), tmp_path).cardinalities.tolist() == list(PUBLISHED)
    with pytest.raises(DatasetError, match=r"column C9 has 5 distinct values .* is 3; .*hash"):
        read(text_of(rows), tmp_path, cardinalities="published")
    automatic = read(text_of(rows), tmp_path)
    assert automatic.cardinalities.tolist() == [5] * 26
    assert automatic.provenance["cardinalities"] == "observed"


GOOD = ["1", *["5"] * 13, *["68fd1e64"] * 26]


def row_with(column: int, value: str) -> list[str]:
    return [value if number == column else field for number, field in enumerate(GOOD)]


BAD_LINES = {
    "too many columns": ([*GOOD, ""], "has 41 columns instead of 40"),
    "too few columns": (GOOD[:14], "has 14 columns instead of 40"),
    "blank line": ([""], "has 1 columns"),
    "comma separated": ([",".join(GOOD)], "has 1 columns"),
    "not hex": (row_with(14, "68fd1e6g"), r"column 15 \(C1\) is '68fd1e6g'"),
    "not hex at the end": (row_with(39, "xyz"), r"column 40 \(C26\) is 'xyz'"),
    "nine digits": (row_with(20, "68fd1e641"), r"column 21 \(C7\) is '68fd1e641'"),
    "a long text": (row_with(20, "0" * 500), r"column 21 \(C7\) is '0{24}'\.\.\."),
    "sign": (row_with(20, "-1"), r"column 21 \(C7\) is '-1'"),
    "space": (row_with(20, " 8fd1e64"), r"column 21 \(C7\)"),
    "prefix": (row_with(20, "0x12"), r"column 21 \(C7\)"),
    "not ASCII": (row_with(20, "é"), r"column 21 \(C7\) is 'é'"),
    "NUL": (row_with(20, "a\0"), r"column 21 \(C7\)"),
    "carriage return inside": (row_with(20, "a\r"), r"column 21 \(C7\)"),
    "two carriage returns": (row_with(39, "a\r\r"), r"column 40 \(C26\)"),
    "float": (row_with(3, "1.5"), r"column 4 \(I3\) is '1.5', not an integer"),
    "hex integer": (row_with(13, "ff"), r"column 14 \(I13\) is 'ff'"),
    "label": (row_with(0, "yes"), r"column 1 \(the label\) is 'yes'"),
    "byte order mark": (row_with(0, "\ufeff1"), r"byte order mark|column 1 \(the label\)"),
    "header": (["label", *[f"I{i}" for i in range(1, 14)], *[f"C{i}" for i in range(1, 27)]], "the label"),
    "test set without labels": (GOOD[1:], r"column 14 \(I13\) is '68fd1e64'"),
}


@pytest.mark.parametrize("case", BAD_LINES, ids=str)
@pytest.mark.parametrize("block", [1 << 22, 700], ids=["one block", "several blocks"])
@pytest.mark.parametrize("before", [0, 9])
def test_bad_lines(
    case: str, block: int, before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    line, message = BAD_LINES[case]
    with pytest.raises(DatasetError, match=message) as caught:
        read(text_of([GOOD] * before + [line] + [GOOD] * 3), tmp_path)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'train.txt'}:{before + 1}: ")
    assert "\n" not in text


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_the_first_fault_is_the_one_reported(order: tuple[int, ...], tmp_path: Path) -> None:
    faults = [([*GOOD, ""], "columns instead"), (row_with(3, "x"), "I3"), (row_with(20, "x"), "C7")]
    lines = [faults[number][0] for number in order]
    with pytest.raises(DatasetError, match=f":3: .*{faults[order[0]][1]}"):
        read(text_of([GOOD, GOOD, *lines]), tmp_path)


def test_empty_files(tmp_path: Path) -> None:
    for content in (b"", gzip.compress(b"")):
        with pytest.raises(DatasetError, match=r"train\.txt: the file is empty"):
            read(content, tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.txt: no such dataset file"):
        read_dataset("criteo-kaggle", tmp_path / "none.txt")
    with pytest.raises(DatasetError, match="the folder holds no file"):
        read_dataset("criteo-kaggle", tmp_path)
    with pytest.raises(DatasetError):
        read_dataset("criteo-kaggle", "a\0b")
    with pytest.raises(ConfigError, match="path"):
        read_dataset("criteo-kaggle", 3)  # type: ignore[arg-type]


def test_broken_archives(tmp_path: Path) -> None:
    packed = gzip.compress(text_of(make_rows(200)))
    for content in (
        packed[:-9],
        packed[: len(packed) // 2],
        packed[:5],
        packed[:60] + b"\xff" * 40 + packed[100:],
    ):
        with pytest.raises(DatasetError, match="cannot be read after line"):
            read(content, tmp_path)
    with pytest.raises(DatasetError, match=r"cannot be read after line 0|needs pyarrow"):
        read(b"\x28\xb5\x2f\xfd" + packed, tmp_path)
    with pytest.raises(DatasetError, match="zip file"):
        read(b"PK\x03\x04" + packed, tmp_path)


def test_a_file_without_lines_needs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    path = tmp_path / "zeros"
    path.write_bytes(text_of([GOOD]) + b"0" * 100_000)
    sizes = []
    with pytest.raises(DatasetError, match=r"zeros:2: a line of more than"):
        sizes += [len(block.text) for block in textblocks.line_blocks(path, 1000)]
    assert sizes == [] or max(sizes) <= 3000
    with pytest.raises(DatasetError, match=r"zeros:2: a line of more than"):
        read_dataset("criteo-kaggle", path)


def test_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'criteo-kaggle'"):
        read_dataset("criteo_kagle", tmp_path)
    with pytest.raises(ConfigError, match="unknown dataset"):
        read_dataset(None, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean 'published'"):
        read(text_of([GOOD]), tmp_path, cardinalities="publish")
    for samples in (-1, 1.5, "3", True):
        with pytest.raises(ConfigError, match="samples"):
            read(text_of([GOOD]), tmp_path, samples=samples)


# --- the real excerpt, and its twin


def check_excerpt(path: Path, rows: list[list[str]]) -> LookupTrace:
    trace = read_dataset("criteo-kaggle", path)
    assert (trace.tables, trace.samples) == (26, len(rows))
    assert [ids.tolist() for ids in trace.indices] == expected_ids(rows)
    assert trace.provenance["rows_with_lost_trailing_fields"] == sum(len(row) < 40 for row in rows)
    assert trace.cardinalities.tolist() == list(PUBLISHED)
    return trace


def test_real_excerpt(root: Path) -> None:
    path = root.parent / "shared" / "datasets" / "criteo_kaggle_1000.tsv"
    if not path.is_file():
        pytest.skip(
            "the real Criteo excerpt may not be redistributed and is not here; its twin runs on made rows"
        )
    trace = check_excerpt(path, [line.split("\t") for line in path.read_text().splitlines()])
    assert trace.samples == 1000
    assert trace.provenance["rows_with_lost_trailing_fields"] == 498
    # Shares of the most popular value per column, counted with other tools.
    shares = {column: np.bincount(trace.indices[column - 1]).max() / 1000 for column in (1, 3, 5, 9, 10, 22)}
    assert shares == {1: 0.484, 3: 0.069, 5: 0.676, 9: 0.911, 10: 0.278, 22: 0.815}


def test_twin_of_the_excerpt(tmp_path: Path) -> None:
    rows = make_rows(1000, seed=8)
    for number in range(0, 1000, 2):  # as redistributed excerpts do: trailing empty fields are lost
        rows[number][37:] = ["", "", ""]
        rows[number] = rows[number][: 37 + number % 4 // 2]
    path = tmp_path / "twin.tsv"
    path.write_bytes(text_of(rows)[:-1])
    trace = check_excerpt(path, rows)
    assert trace.provenance["rows_with_lost_trailing_fields"] == 500
