# SPDX-License-Identifier: MIT
"""Every format is read as a plain loop reads it: in every packing, order of columns and kind of ids."""

from __future__ import annotations

import gzip
import json
import random
import sys
import tracemalloc
import types
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.datasets import ReadOptions, convert_dataset, delimited, histories, known_datasets, read_dataset
from heam_sim.datasets.interactions import AVAZU_COLUMNS
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.trace import LookupTrace

EXCERPTS = Path(__file__).resolve().parents[3] / "shared" / "datasets"

Rating = tuple[int, int, int]  # user, item, time


@pytest.fixture
def arrow() -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow (extra datasets) is not installed")


def ratings(count: int, *, seed: int = 1, users: int = 9, items: int = 40) -> list[Rating]:
    """Ratings in no order, with equal times among them."""
    rng = random.Random(seed)
    return [
        (rng.randrange(1, users + 1), rng.randrange(1, items + 1), rng.randrange(880_000_000, 880_000_050))
        for _ in range(count)
    ]


def numbered(values: Iterable[object]) -> list[int]:
    seen: dict[object, int] = {}
    return [seen.setdefault(value, len(seen)) for value in values]


def expected_histories(rows: Sequence[tuple[int, ...]], longest: int = 100) -> list[list[list[int]]]:
    """Per table (user, then items), the bag of every user; rows are (user, items..., time)."""
    columns = [numbered(column) for column in zip(*rows, strict=True)][:-1]
    users = range(max(columns[0]) + 1)
    bags: list[list[list[int]]] = [[[user] for user in users]]
    for column in columns[1:]:
        table = []
        for user in users:
            own = [place for place, one in enumerate(columns[0]) if one == user]
            own.sort(key=lambda place: rows[place][-1])  # stable: equal times keep the order of the rows
            table.append([column[place] for place in own[-longest:]])
        bags.append(table)
    return bags


def bags_of(trace: LookupTrace) -> list[list[list[int]]]:
    return [
        [ids[start:stop].tolist() for start, stop in pairwise(cuts)]
        for ids, cuts in zip(trace.indices, trace.offsets, strict=True)
    ]


def write(path: Path, lines: Iterable[str], end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


# --- histories: MovieLens in its forms, Taobao, Amazon


def movielens_forms(rows: list[Rating]) -> dict[str, list[str]]:
    return {
        "u.data": [f"{u}\t{i}\t3\t{t}" for u, i, t in rows],
        "ratings.dat": [f"{u}::{i}::5::{t}" for u, i, t in rows],
        "ratings.csv": ["userId,movieId,rating,timestamp", *(f"{u},{i},3.5,{t}" for u, i, t in rows)],
        "ml.inter": [
            "user_id:token\titem_id:token\trating:float\ttimestamp:float",
            *(f"{u}\t{i}\t4.0\t{t}" for u, i, t in rows),
        ],
        "other_order.csv": ["timestamp,movieId,userId", *(f"{t},{i},{u}" for u, i, t in rows)],
    }


@pytest.mark.parametrize("form", ["u.data", "ratings.dat", "ratings.csv", "ml.inter", "other_order.csv"])
@pytest.mark.parametrize("block", [1 << 20, 100])
def test_movielens(form: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    rows = ratings(300)
    trace = read_dataset("movielens-latest", write(tmp_path / form, movielens_forms(rows)[form]))
    assert bags_of(trace) == expected_histories([(u, i, t) for u, i, t in rows])
    assert trace.provenance["bags"] == {"history_of": "user", "longest": 100}
    assert trace.provenance["rows"] == 300


def test_movielens_options(tmp_path: Path) -> None:
    rows = ratings(300)
    path = write(tmp_path / "u.data", movielens_forms(rows)["u.data"])
    short = read_dataset("movielens-100k", path, ReadOptions(max_history=5))
    assert bags_of(short) == expected_histories(rows, 5)
    assert short.cardinalities.tolist() == [943, 1682]
    flat = read_dataset("movielens-100k", path, ReadOptions(bags="one-hot", ids="published"))
    assert [ids.tolist() for ids in flat.indices] == [[u for u, _, _ in rows], [i for _, i, _ in rows]]
    assert flat.provenance["ids"] == "the dataset's own integers"
    first = read_dataset("movielens-100k", path, samples=3)
    assert bags_of(first) == [table[:3] for table in expected_histories(rows)]
    part = read_dataset("movielens-100k", path, ReadOptions(rows=(50, 120)))
    assert bags_of(part) == expected_histories(rows[50:120])


def test_histories_that_do_not_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ratings(3000, users=70)
    path = write(tmp_path / "u.data", movielens_forms(rows)["u.data"])
    whole = read_dataset("movielens-100k", path)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(histories, "_BUFFERED", 500)
    monkeypatch.setattr(histories, "_USERS", 8)
    monkeypatch.setattr(histories, "_BATCH_LOOKUPS", 100)
    assert bags_of(read_dataset("movielens-100k", path)) == bags_of(whole) == expected_histories(rows)


def test_a_share_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ratings(2000, users=200)
    path = write(tmp_path / "u.data", movielens_forms(rows)["u.data"])
    whole = {bag[0]: items for bag, items in zip(*expected_histories(rows), strict=True)}
    half = read_dataset("movielens-100k", path, ReadOptions(share=0.5, seed=3))
    users = half.indices[0].tolist()
    assert 70 < len(users) < 130
    assert [len(bag) for bag in bags_of(half)[1]] == [len(whole[user]) for user in users]
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 300)
    assert read_dataset("movielens-100k", path, ReadOptions(share=0.5, seed=3)) == half
    assert read_dataset("movielens-100k", path, ReadOptions(share=0.5, seed=4)) != half


def test_taobao(tmp_path: Path) -> None:
    rng = random.Random(5)
    rows = [
        (rng.randrange(9), rng.randrange(500), rng.randrange(20), rng.randrange(-5, 10**10))
        for _ in range(400)
    ]
    lines = [f"{u},{i},{c},{rng.choice(['pv', 'buy', 'cart', 'fav'])},{t}" for u, i, c, t in rows]
    trace = read_dataset("taobao", write(tmp_path / "UserBehavior.csv", lines, "\r\n"))
    assert bags_of(trace) == expected_histories(rows)
    assert trace.cardinalities.tolist() == [987_994, 4_162_024, 9_439]


def test_amazon(tmp_path: Path) -> None:
    rows = [(f"A{u:013d}", f"B{i:09d}", t) for u, i, t in ratings(300)]
    expected = expected_histories(rows)  # type: ignore[arg-type]
    reviews = [
        json.dumps({"reviewerID": u, "reviewText": "so so, \u20ac 3", "asin": i, "unixReviewTime": t})
        for u, i, t in rows
    ]
    recent = [
        json.dumps({"user_id": u, "asin": "variant", "parent_asin": i, "timestamp": t}) for u, i, t in rows
    ]
    path = tmp_path / "reviews.json.gz"
    path.write_bytes(gzip.compress("\n".join(reviews).encode()))
    files = {
        "reviews": path,
        "recent": write(tmp_path / "recent.jsonl", recent),
        "ratings": write(tmp_path / "ratings.csv", (f"{u},{i},5.0,{t}" for u, i, t in rows)),
        "items first": write(tmp_path / "items.csv", (f"{i},{u},5.0,{t}" for u, i, t in rows)),
        "header": write(
            tmp_path / "header.csv",
            ["user_id,parent_asin,rating,timestamp", *(f"{u},{i},5.0,{t}" for u, i, t in rows)],
        ),
    }
    for name, file in files.items():
        assert bags_of(read_dataset("amazon", file)) == expected, name
    assert bags_of(read_dataset("amazon", path, ReadOptions(rows=(10, 30)))) == expected_histories(
        rows[10:30]  # type: ignore[arg-type]
    )


# --- one-hot: Avazu, any CSV, Parquet


def avazu_lines(count: int, *, seed: int = 2) -> tuple[list[str], list[list[str]]]:
    """Lines with their header, and the values of the tables' columns."""
    rng = random.Random(seed)
    header = ["id", "click", "hour", *AVAZU_COLUMNS]
    rows = [
        [
            str(rng.choice([-1, 1005, 100084])) if name[0] == "C" else f"{rng.randrange(50):08x}"
            for name in AVAZU_COLUMNS
        ]
        for _ in range(count)
    ]
    body = [f"{rng.randrange(10**20)},0,14102100,{','.join(row)}" for row in rows]
    return [",".join(header), *body], rows


def test_avazu(tmp_path: Path) -> None:
    lines, rows = avazu_lines(200)
    trace = read_dataset("avazu", write(tmp_path / "train.csv", lines))
    assert [ids.tolist() for ids in trace.indices] == [numbered(column) for column in zip(*rows, strict=True)]
    assert trace.provenance["tables"] == list(AVAZU_COLUMNS)
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(11):  # shards with their headers; 2 comes before 10
        write(parts / f"train_{number}.csv", [lines[0], *lines[1 + 20 * number : 1 + 20 * (number + 1)]])
    (parts / "test.csv").write_text("not read\n")
    assert read_dataset("avazu", parts) == trace


def test_long_texts_are_told_apart(tmp_path: Path) -> None:
    lines, rows = avazu_lines(60)
    for number, row in enumerate(rows):
        row[2] = ["abcdefgh", "abcdefghi", "abcdefghj", "", "\u00fc" * 9, "x" * 300][number % 6]
    lines[1:] = [f"7,0,14102100,{','.join(row)}" for row in rows]
    trace = read_dataset("avazu", write(tmp_path / "train.csv", lines))
    assert trace.indices[2].tolist() == [number % 6 for number in range(60)]
    hashed = ReadOptions(ids="hash", hash_rows=10**9)
    ids = read_dataset("avazu", tmp_path / "train.csv", hashed).indices[2].tolist()
    assert ids == ids[:6] * 10
    assert len(set(ids)) == 6


def test_csv(arrow: Any, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b'user,"what, then",n\r\na,"x,1",5\r\nb,"y ""q""",7\r\na,"x,1",5\r\n')
    with pytest.raises(ConfigError, match="columns is missing"):
        read_dataset("csv", path)
    path.write_bytes(b'user,what,n\r\na,"x,1",5\r\nb,"y ""q""",7\r\na,"x,1",5\r\nc,,6\r\n')
    trace = read_dataset("csv", path, ReadOptions(columns={"u": "user", "w": "what", "n": "n:integer"}))
    assert [ids.tolist() for ids in trace.indices] == [[0, 1, 0, 2], [0, 1, 0, 2], [0, 1, 0, 2]]
    assert trace.provenance["columns"] == {"u": "user", "w": "what", "n": "n:integer"}
    own = read_dataset("csv", path, ReadOptions(columns={"n": "n"}, ids="published"))
    assert own.indices[0].tolist() == [5, 7, 5, 6]
    with pytest.raises(ConfigError, match="did you mean 'user'"):
        read_dataset("csv", path, ReadOptions(columns={"u": "usr"}))
    bare = write(tmp_path / "bare.tsv", ["1\t7", "2\t7", "1\t9"])
    flat = read_dataset("csv", bare, ReadOptions(columns={"a": "0", "b": "1"}))
    assert [ids.tolist() for ids in flat.indices] == [[0, 1, 0], [0, 0, 1]]


def test_csv_histories_and_packing(arrow: Any, tmp_path: Path) -> None:
    rows = ratings(200)
    lines = movielens_forms(rows)["ratings.csv"]
    plain = write(tmp_path / "r.csv", lines)
    options = ReadOptions(columns={"user": "userId", "item": "movieId"}, user="user", time="timestamp")
    trace = read_dataset("csv", plain, options)
    assert bags_of(trace) == expected_histories(rows)
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert read_dataset("csv", tmp_path / "r.csv.gz", options) == trace
    for bad in ({"user": "nobody"}, {"user": None}):
        with pytest.raises(ConfigError):
            read_dataset("csv", plain, ReadOptions(columns={"i": "movieId"}, time="timestamp", **bad))  # type: ignore[arg-type]


def test_parquet(arrow: Any, tmp_path: Path) -> None:
    import pyarrow.parquet

    rows = ratings(500)
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    table = arrow.table(
        {
            "user": arrow.array(users, arrow.int32()),
            "item": arrow.array([f"item {item}" for item in items]).dictionary_encode(),
            "time": arrow.array(times, arrow.timestamp("s")),
            "gap": arrow.array([None if item % 3 else item for item in items], arrow.uint64()),
            "bag": arrow.array([list(range(item % 4)) for item in items], arrow.list_(arrow.int64())),
        }
    )
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=64)
    options = ReadOptions(columns={"u": "user", "i": "item"}, user="u", time="time")
    assert bags_of(read_dataset("parquet", path, options)) == expected_histories(rows)
    gap = read_dataset("parquet", path, ReadOptions(columns={"g": "gap"}))
    assert gap.indices[0].tolist() == numbered(None if item % 3 else item for item in items)
    bags = read_dataset("parquet", path, ReadOptions(columns={"b": "bag", "u": "user"}, ids="published"))
    assert bags_of(bags) == [[list(range(item % 4)) for item in items], [[user] for user in users]]
    part = read_dataset("parquet", path, ReadOptions(columns={"b": "bag"}, ids="published", rows=(100, 200)))
    assert bags_of(part)[0] == bags_of(bags)[0][100:200]
    with pytest.raises(ConfigError, match="bags already"):
        read_dataset("parquet", path, ReadOptions(columns={"b": "bag", "u": "user"}, user="u"))
    with pytest.raises(DatasetError, match="time holds timestamp"):
        read_dataset("parquet", path, ReadOptions(columns={"t": "time"}))


# --- arrays


def test_npz(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 1000, (300, 4)).astype(np.int32)
    np.savez_compressed(tmp_path / "dlrm.npz", X_cat=matrix, X_int=np.zeros((300, 13)), y=np.zeros(300))
    trace = read_dataset("npz", tmp_path / "dlrm.npz")
    assert [ids.tolist() for ids in trace.indices] == matrix.T.tolist()
    lengths = rng.integers(0, 5, (2, 50))
    arrays = {}
    for table in range(2):
        arrays[f"indices_{table}"] = rng.integers(0, 90, int(lengths[table].sum()))
        arrays[f"offsets_{table}"] = np.concatenate([[0], np.cumsum(lengths[table])])
    np.savez(tmp_path / "bags.npz", **arrays)
    bags = read_dataset("npz", tmp_path / "bags.npz")
    wanted = LookupTrace.from_arrays(
        [arrays["indices_0"], arrays["indices_1"]], [arrays["offsets_0"], arrays["offsets_1"]]
    )
    assert bags == wanted
    cut = read_dataset("npz", tmp_path / "bags.npz", ReadOptions(rows=(7, 20)))
    assert bags_of(cut) == [table[7:20] for table in bags_of(wanted)]


def meta_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 6, (3, 40))
    indices = rng.integers(0, 10**6, int(lengths.sum()))
    return indices, np.concatenate([[0], np.cumsum(lengths.reshape(-1))]), lengths


def check_meta(path: Path) -> None:
    indices, offsets, lengths = meta_arrays()
    trace = read_dataset("meta-dlrm", path)
    assert (trace.tables, trace.samples) == lengths.shape
    wanted = [
        [indices[offsets[40 * table + s] : offsets[40 * table + s + 1]].tolist() for s in range(40)]
        for table in range(3)
    ]
    assert bags_of(trace) == wanted


def test_meta_with_a_stand_in_for_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    torch.load = lambda stream, **_: (stream.read(), meta_arrays())[1]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    path = tmp_path / "bags.pt.gz"
    path.write_bytes(gzip.compress(b"stand-in"))
    check_meta(path)
    indices, offsets, lengths = meta_arrays()
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("a.pt", "b.pt"):
        (folder / name).write_bytes(b"PK\x03\x04 as torch writes since 1.6")
    trace = read_dataset("meta-dlrm", folder)
    assert bags_of(trace) == [2 * table for table in bags_of(read_dataset("meta-dlrm", path))]
    given = [meta_arrays(), (indices[:0], offsets[:41] * 0, lengths[:1] * 0)]
    torch.load = lambda *_, **__: given.pop(0)  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match=r"b\.pt: has 1 tables, a\.pt has 3"):
        read_dataset("meta-dlrm", folder)
    torch.load = lambda *_, **__: (indices, offsets[::-1].copy(), lengths)  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match="contradict each other"):
        read_dataset("meta-dlrm", path)
    torch.load = lambda *_, **__: {"a": 1}  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match="cannot be read as indices, offsets and lengths"):
        read_dataset("meta-dlrm", path)


def test_meta(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch (extra torch) is not installed")
    with gzip.open(tmp_path / "bags.pt.gz", "wb") as stream:
        torch.save(tuple(torch.from_numpy(array) for array in meta_arrays()), stream)
    check_meta(tmp_path / "bags.pt.gz")
    (tmp_path / "bags.pt").write_bytes(gzip.decompress((tmp_path / "bags.pt.gz").read_bytes()))
    check_meta(tmp_path / "bags.pt")


@pytest.mark.parametrize(
    ("dataset", "module", "extra"),
    [("csv", "pyarrow", "datasets"), ("parquet", "pyarrow", "datasets"), ("meta-dlrm", "torch", "torch")],
)
def test_a_missing_package_is_named(
    dataset: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    path = write(tmp_path / "file", ["a,b"])
    with pytest.raises(ConfigError, match=rf"needs {module}; .*heam-sim\[{extra}\]"):
        read_dataset(dataset, path, ReadOptions(columns={"a": "a"}))


def test_zstd_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # type: ignore[arg-type]
    (tmp_path / "train.txt.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(ConfigError, match=r"zstd needs pyarrow; .*heam-sim\[datasets\]"):
        read_dataset("criteo-kaggle", tmp_path / "train.txt.zst")


# --- packings, folders


def criteo_line(rng: random.Random) -> str:
    values = [f"{rng.choice([rng.randrange(2**32), rng.randrange(9)]):08x}" for _ in range(26)]
    return "\t".join(["1", *["3"] * 13, *values])


def test_packings_and_days(arrow: Any, tmp_path: Path) -> None:
    rng = random.Random(9)
    days = [[criteo_line(rng) for _ in range(30)] for _ in range(12)]
    whole = write(tmp_path / "all.txt", [line for day in days for line in day])
    trace = read_dataset("criteo-terabyte", whole)
    folder = tmp_path / "days"
    folder.mkdir()
    for number, lines in enumerate(days):
        body = "".join(line + "\n" for line in lines).encode()
        if number % 3 == 0:
            (folder / f"day_{number}").write_bytes(body)
        elif number % 3 == 1:
            (folder / f"day_{number}.gz").write_bytes(gzip.compress(body))
        else:
            half = len(body) // 2
            packed = (
                arrow.compress(body[:half], "zstd", asbytes=True),
                arrow.compress(body[half:], "zstd", asbytes=True),
            )
            (folder / f"day_{number}.zst").write_bytes(b"".join(packed))
    (folder / "README").write_text("no data\n")
    again = read_dataset("criteo-terabyte", folder)
    assert again == trace
    assert again.provenance["file"][2] == "day_2.zst"
    assert again.provenance["file"][10] == "day_10.gz"
    part = read_dataset("criteo-terabyte", folder, ReadOptions(rows=(100, 130)))
    assert part == read_dataset("criteo-terabyte", whole, ReadOptions(rows=(100, 130)))


# --- ids


def test_hashed_ids_are_the_value_modulo_the_rows(tmp_path: Path) -> None:
    rng = random.Random(2)
    values = [[rng.choice([None, rng.randrange(2**32)]) for _ in range(26)] for _ in range(100)]
    lines = [
        "\t".join(["0", *[""] * 13, *("" if value is None else f"{value:x}" for value in row)])
        for row in values
    ]
    path = write(tmp_path / "train.txt", lines)
    trace = read_dataset("criteo-kaggle", path, ReadOptions(ids="hash", hash_rows=1000))
    assert [ids.tolist() for ids in trace.indices] == [
        [(value or 0) % 1000 for value in column] for column in zip(*values, strict=True)
    ]
    assert trace.cardinalities.tolist() == [1000] * 26
    assert trace.provenance["cardinalities"] == "given"
    published = read_dataset("criteo-kaggle", path, ReadOptions(ids="hash"))
    assert published.indices[8].tolist() == [(row[8] or 0) % 3 for row in values]
    assert "modulo" in str(published.provenance["ids"])


def test_too_many_distinct_values_name_hashing(tmp_path: Path) -> None:
    path = write(tmp_path / "train.txt", ["\t".join(["0", *["1"] * 13, *[f"{n:x}"] * 26]) for n in range(50)])
    assert read_dataset("criteo-kaggle", path, ReadOptions(max_distinct=1300)).samples == 50
    with pytest.raises(DatasetError, match=r"more than 1299 distinct values .*ids='hash'"):
        read_dataset("criteo-kaggle", path, ReadOptions(max_distinct=1299))
    lines, rows = avazu_lines(30)
    lines[1:] = [f"{n},0,14102100,{','.join(row)}" for n, row in enumerate(rows)]
    lines[1:] = [line.replace(rows[n][9], "a long value " + str(n)) for n, line in enumerate(lines[1:])]
    with pytest.raises(DatasetError, match="distinct values"):
        read_dataset("avazu", write(tmp_path / "a.csv", lines), ReadOptions(max_distinct=60))


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "train.txt", [criteo_line(random.Random(1))])
    films = write(tmp_path / "u.data", movielens_forms(ratings(20))["u.data"])
    for dataset, file, options, message in (
        ("criteo-kaggle", path, {"ids": "published"}, "holds hex digits"),
        ("criteo-kaggle", path, {"bags": "history"}, "name no user"),
        ("criteo-kaggle", path, {"ids": "hash", "hash_rows": [1, 2]}, "2 entries for 26 tables"),
        ("criteo-kaggle", path, {"multi_hot": 3}, "rows must be known"),
        ("criteo-kaggle", path, {"ids": "hash", "multi_hot": [1]}, "1 entries for 26 tables"),
        ("movielens-100k", films, {"ids": "hash", "multi_hot": 3}, "histories already"),
        ("movielens-latest", films, {"ids": "hash"}, "hash_rows is missing"),
        ("movielens-latest", films, {"cardinalities": "published"}, "no published ones"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_dataset(dataset, file, ReadOptions(**options))  # type: ignore[arg-type]
    for options, message in (
        ({"ids": "hashed"}, "did you mean 'hash'"),
        ({"bags": "x"}, "bags"),
        ({"on_error": "x"}, "on_error"),
        ({"rows": (3, 2)}, r"rows\[1\]"),
        ({"rows": 3}, "pair"),
        ({"share": 0}, "share"),
        ({"share": float("nan")}, "share"),
        ({"share": True}, "share"),
        ({"seed": -1}, "seed"),
        ({"max_distinct": 0}, "max_distinct"),
        ({"max_history": 0}, "max_history"),
        ({"columns": {}}, "columns"),
    ):
        with pytest.raises(ConfigError, match=message):
            ReadOptions(**options)  # type: ignore[arg-type]


# --- rows


def test_ranges_and_shares_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    lines = [criteo_line(rng) for _ in range(2000)]
    path = write(tmp_path / "train.txt", lines)
    part = read_dataset("criteo-kaggle", path, ReadOptions(rows=(700, 1100)))
    assert part == read_dataset("criteo-kaggle", write(tmp_path / "part.txt", lines[700:1100]))
    third = read_dataset("criteo-kaggle", path, ReadOptions(share=0.3, seed=7))
    assert 500 < third.samples < 700
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 5000)
    assert read_dataset("criteo-kaggle", path, ReadOptions(share=0.3, seed=7)) == third
    assert read_dataset("criteo-kaggle", path, ReadOptions(share=0.3, seed=8)) != third
    first = read_dataset("criteo-kaggle", path, ReadOptions(share=0.3, seed=7, samples=100))
    assert first == third.samples_slice(0, 100)
    with pytest.raises(DatasetError, match="none of its 2000 rows was chosen"):
        read_dataset("criteo-kaggle", path, ReadOptions(rows=(5000, None)))


def test_convert_is_read(tmp_path: Path) -> None:
    rows = ratings(500, users=60)
    path = write(tmp_path / "u.data", movielens_forms(rows)["u.data"])
    calls: list[tuple[int, int, int]] = []
    report = convert_dataset(
        "movielens-100k", path, tmp_path / "t.h5", watch=lambda *state: calls.append(state)
    )
    trace = read_dataset("movielens-100k", path)
    loaded = LookupTrace.load(tmp_path / "t.h5")
    assert loaded == trace
    assert loaded.provenance == trace.provenance
    assert report.hashes == (trace.content_hash,)
    assert (report.rows, report.samples, report.lookups) == (500, trace.samples, trace.lookups)
    size = path.stat().st_size
    assert calls[-1] == (size, size, 500)


def test_split_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1500)
    for dataset, lines in (
        ("criteo-kaggle", [criteo_line(random.Random(n)) for n in range(50)]),
        ("movielens-100k", movielens_forms(ratings(500, users=50))["u.data"]),
    ):
        path = write(tmp_path / "data.txt", lines)
        whole = read_dataset(dataset, path)
        split = [("train", 20), ("profile", 5), ("simulate", None)]
        report = convert_dataset(dataset, path, tmp_path / "t.h5", split=split)
        assert [file.name for file in report.files] == ["t.train.h5", "t.profile.h5", "t.simulate.h5"]
        cuts = [0, 20, 25, whole.samples]
        for file, start, stop in zip(report.files, cuts[:-1], cuts[1:], strict=True):
            part = LookupTrace.load(file)
            assert part == whole.samples_slice(start, stop)
            place = {"part": file.name.split(".")[1], "first_sample": start, "samples": stop - start}
            assert part.provenance["split"] == place
    for bad in ([], [("a", None), ("b", 1)], [("a", 1), ("a", 2)], [("../a", 1)], [("a", 0)]):
        with pytest.raises(ConfigError, match="split"):
            convert_dataset("movielens-100k", path, tmp_path / "t.h5", split=bad)


def test_fixed_bags(tmp_path: Path) -> None:
    rng = random.Random(3)
    path = write(tmp_path / "train.txt", [criteo_line(rng) for _ in range(300)])
    sizes = [1 + table % 4 for table in range(26)]
    plain = read_dataset("criteo-terabyte", path, ReadOptions(ids="hash", hash_rows=5000))
    trace = read_dataset("criteo-terabyte", path, ReadOptions(ids="hash", hash_rows=5000, multi_hot=sizes))
    for table, size in enumerate(sizes):
        bags = trace.indices[table].reshape(300, size)
        np.testing.assert_array_equal(bags[:, 0], plain.indices[table])
        known: dict[int, list[int]] = {}
        assert all(known.setdefault(bag[0], bag) == bag for bag in bags.tolist())
    drawn = trace.indices[3].reshape(300, 4)[:, 1:]
    assert len(np.unique(drawn)) > 400
    counts = np.histogram(np.unique(drawn), bins=5, range=(0, 5000))[0]
    assert counts.min() > 50
    seeded = ReadOptions(ids="hash", hash_rows=5000, multi_hot=sizes, seed=2)
    assert read_dataset("criteo-terabyte", path, seeded) != trace
    assert trace.provenance["multi_hot"]["pooling"] == sizes


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    body = "".join(criteo_line(random.Random(n)) + "\n" for n in range(2000)).encode()
    for repeats in (40, 110):  # the writer's buffers are full in both
        path = tmp_path / "train.txt"
        path.write_bytes(body * repeats)
        tracemalloc.start()
        convert_dataset("criteo-kaggle", path, tmp_path / "t.h5", ReadOptions(ids="hash"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


# --- real excerpts


@pytest.mark.parametrize(
    ("dataset", "name", "samples", "lookups"),
    [
        ("avazu", "avazu_100.csv", 100, 2100),
        ("movielens-100k", "movielens_100k.tsv", 943, 62_821),
        ("taobao", "taobao_userbehavior_10k.csv", 114, 14_432),
    ],
)
def test_real_excerpts(dataset: str, name: str, samples: int, lookups: int) -> None:
    path = EXCERPTS / name
    if not path.is_file():
        pytest.skip(f"the real excerpt {name} may not be redistributed and is not here; see the made files")
    trace = read_dataset(dataset, path)
    assert (trace.samples, trace.lookups) == (samples, lookups)


def test_skew_of_movielens() -> None:
    path = EXCERPTS / "movielens_100k.tsv"
    if not path.is_file():
        pytest.skip("the real MovieLens excerpt may not be redistributed and is not here; see the made files")
    trace = read_dataset("movielens-100k", path, ReadOptions(bags="one-hot"))
    counts = np.sort(np.bincount(trace.indices[1], minlength=1682))[::-1]
    shares = [counts[: round(1682 * part)].sum() / counts.sum() for part in (0.01, 0.1, 0.2)]
    assert np.round(shares, 3).tolist() == [0.076, 0.427, 0.646]  # counted with other tools


def test_all_datasets_are_known() -> None:
    movielens = [f"movielens-{size}" for size in ("100k", "1m", "20m", "25m", "latest")]
    named = ["criteo-kaggle", "criteo-terabyte", "avazu", "taobao", "amazon", "meta-dlrm"]
    assert known_datasets() == tuple(sorted([*named, *movielens, "csv", "parquet", "npz", "edges"]))
