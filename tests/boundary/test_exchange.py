# SPDX-License-Identifier: MIT
"""Traces to other tools' formats and back; files that are not what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.datasets import generate_tables
from heam_sim.errors import ConfigError, DatasetError, HeamSimError, OutputError
from heam_sim.exchange import export_requests, import_requests, read_fbgemm, write_fbgemm
from heam_sim.trace import LookupTrace, TraceFile
from heam_sim.traffic import read_requests

ROWS = [300, 17]


@pytest.fixture
def trace() -> LookupTrace:
    return generate_tables(ROWS, samples=40, pooling=[2, 3])


@pytest.mark.parametrize("form", ["ramulator", "dramsim3", "stl"])
@pytest.mark.parametrize("suffix", [".trace", ".gz"])
def test_requests_come_back(form: str, suffix: str, trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    export_requests(trace, path, form=form, vector_bytes=128)
    assert import_requests(path, cardinalities=ROWS, vector_bytes=128) == trace
    trace.save(tmp_path / "t.h5")
    with TraceFile(tmp_path / "t.h5") as stored:
        export_requests(stored, tmp_path / "again", form=form, vector_bytes=128)
    assert import_requests(tmp_path / "again", cardinalities=ROWS, vector_bytes=128) == trace


def test_text_is_what_other_simulators_read(tmp_path: Path) -> None:
    small = LookupTrace.from_arrays([[1, 0], [2, 1]], cardinalities=[2, 3])
    lines = {}
    for form in ("ramulator", "dramsim3", "stl"):
        export_requests(small, tmp_path / form, form=form, vector_bytes=64)
        lines[form] = (tmp_path / form).read_text().splitlines()
    assert lines["ramulator"] == ["LD 0x40", "LD 0x100", "LD 0x0", "LD 0xc0"]
    assert lines["dramsim3"] == ["0x40 READ 0", "0x100 READ 1", "0x0 READ 2", "0xc0 READ 3"]
    assert lines["stl"] == ["0:\tread\t0x40", "1:\tread\t0x100", "2:\tread\t0x0", "3:\tread\t0xc0"]
    for form in lines:
        (requests,) = read_requests(tmp_path / form)
        assert requests.address.tolist() == [64, 256, 0, 192]


def test_one_table_needs_its_pooling(tmp_path: Path) -> None:
    single = generate_tables([50], samples=9, pooling=4)
    export_requests(single, tmp_path / "t")
    assert import_requests(tmp_path / "t", cardinalities=[50], pooling=4) == single
    assert import_requests(tmp_path / "t", cardinalities=[50]).samples == 36


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("LD 0x0\nST 0x40\n", {}, "request 1 writes"),
        ("LD 0x40\n", {"vector_bytes": 128}, "request 0 does not begin a whole row"),
        ("LD 0x0\nLD 0x40\nLD 0x80\n", {"vector_bytes": 128}, "request 2 does not begin"),
        ("LD 0x20\n", {}, "does not begin a whole row"),
        ("LD 0x10000\n", {}, "lookup 0 reads address 65536, beyond"),
        ("LD 0x0\nLD 0x0\n", {"pooling": 1}, "not samples of 1 lookups"),
        ("12: fetch 0x0\n", {}, "is neither"),
        ("x: read 0x0z\n", {}, "no address"),
        ("LD -64\n", {}, "no address"),
        ("", {}, "is empty"),
    ],
)
def test_bad_requests(text: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(DatasetError, match=message):
        import_requests(tmp_path / "t", cardinalities=ROWS, **{"vector_bytes": 64, **options})


def test_bad_arguments(trace: LookupTrace, tmp_path: Path) -> None:
    for call, kind, message in (
        (lambda: export_requests(trace, tmp_path / "t", form="usimm"), ConfigError, "unknown form"),
        (lambda: export_requests(trace, tmp_path / "t", vector_bytes=96), ConfigError, "no power of two"),
        (lambda: export_requests(trace, tmp_path / "t", vector_bytes=32), ConfigError, "is more than a row"),
        (lambda: export_requests(trace, tmp_path), OutputError, "is a folder"),
        (lambda: import_requests(tmp_path / "no", cardinalities=ROWS), DatasetError, "no such request file"),
        (lambda: import_requests(tmp_path / "no", cardinalities=3), ConfigError, "one number per table"),
        (lambda: import_requests(tmp_path / "no", cardinalities=[2**62]), ConfigError, "62-bit"),
        (lambda: write_fbgemm(trace, tmp_path / "t.txt"), ConfigError, "suffix"),
        (lambda: read_fbgemm(tmp_path / "no.npz"), DatasetError, "no such file"),
    ):
        with pytest.raises(kind, match=message):
            call()
    assert list(tmp_path.iterdir()) == []


def weighted() -> LookupTrace:
    return LookupTrace.from_arrays(
        [[1, 2, 2], [], [0, 5]],
        [[0, 0, 3], [0, 0, 0], [0, 1, 2]],
        cardinalities=[4, 1, 9],
        weights=[[0.5, 1.0, 2.0], [], [1.0, -1.0]],
    )


def test_fbgemm_arrays(tmp_path: Path) -> None:
    write_fbgemm(weighted(), tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as stored:
        assert stored["indices"].tolist() == [1, 2, 2, 0, 5]
        assert stored["offsets"].tolist() == [0, 0, 3, 3, 3, 4, 5]
    assert read_fbgemm(tmp_path / "t.npz") == weighted()


def test_fbgemm_round_trips(trace: LookupTrace, tmp_path: Path) -> None:
    for one in (trace, LookupTrace.from_arrays([[], []]), LookupTrace.from_arrays([[3]])):
        write_fbgemm(one, tmp_path / "t.npz")
        assert read_fbgemm(tmp_path / "t.npz") == one
    np.savez(tmp_path / "plain.npz", indices=[1, 2, 3], offsets=[0, 1, 2, 3, 3])
    plain = read_fbgemm(tmp_path / "plain.npz", tables=2)
    assert [rows.tolist() for rows in plain.indices] == [[1, 2], [3]]


def test_fbgemm_through_torch(trace: LookupTrace, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra and not installed here")
    for one in (trace, weighted()):
        write_fbgemm(one, tmp_path / "t.pt")
        assert read_fbgemm(tmp_path / "t.pt") == one
    torch.save((torch.tensor([1, 2]), torch.tensor([0, 1, 2])), tmp_path / "pair.pt")
    assert read_fbgemm(tmp_path / "pair.pt", tables=1).indices[0].tolist() == [1, 2]
    (tmp_path / "bad.pt").write_bytes(b"no torch")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_fbgemm(tmp_path / "bad.pt", tables=1)


def test_missing_torch_is_named(trace: LookupTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ConfigError, match=r"heam-sim\[torch\]"):
        write_fbgemm(trace, tmp_path / "t.pt")


@pytest.mark.parametrize(
    ("arrays", "tables", "message"),
    [
        ({"indices": [1]}, 1, "no 1-D integer array 'offsets'"),
        ({"indices": [1.5], "offsets": [0, 1]}, 1, "no 1-D integer array 'indices'"),
        ({"indices": [[1]], "offsets": [0, 1]}, 1, "no 1-D integer array 'indices'"),
        ({"indices": [1, 2], "offsets": [0, 1, 2]}, 4, "not tables x samples"),
        ({"indices": [1, 2], "offsets": np.zeros(0, int)}, 1, "not tables x samples"),
        ({"indices": [1, 2], "offsets": [0, 2, 1]}, 1, "never decrease"),
        ({"indices": [1, 2], "offsets": [0, 1]}, 1, "end at the 2 indices"),
        ({"indices": [1, 2], "offsets": [1, 2]}, 1, "begin with 0"),
        ({"indices": [-1], "offsets": [0, 1]}, 1, "negative"),
        ({"indices": [1], "offsets": [0, 1], "per_sample_weights": [1.0, 2.0]}, 1, "2 weights for 1"),
        ({"indices": [1], "offsets": [0, 1]}, None, "how many tables"),
    ],
)
def test_bad_fbgemm(arrays: dict[str, Any], tables: int | None, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(HeamSimError, match=message):
        read_fbgemm(tmp_path / "t.npz", tables=tables)


def test_no_npz(trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    write_fbgemm(trace, path)
    content = path.read_bytes()
    for size in range(0, len(content), max(1, len(content) // 50)):
        path.write_bytes(content[:size])
        with pytest.raises(DatasetError, match=r"t\.npz"):
            read_fbgemm(path)
