# SPDX-License-Identifier: MIT
"""Readers of datasets of one's own: what they may yield, where they are found, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.cli import main
from heam_sim.datasets import (
    ReadOptions,
    dataset_info,
    known_datasets,
    read_dataset,
    register_dataset,
    registered,
)
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.trace import LookupTrace

WHAT = {"description": "a test", "source": "made up"}
INTEGERS = {"a": "integer", "b": "integer"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test registers outlives it."""
    monkeypatch.setattr(registered, "_REGISTERED", {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(b"any")
    return path


def reader(blocks: list[Any], name: str = "mine", **arguments: Any) -> None:
    @register_dataset(name, **{"columns": INTEGERS, **WHAT, **arguments})
    def read(path: Path) -> Iterator[Any]:
        assert path.name == "data.bin"
        yield from blocks


def test_integers_in_blocks(file: Path) -> None:
    reader([([5, 7], np.array([1, 1], np.uint8)), ([5], [2])])
    trace = read_dataset("mine", file)
    assert [ids.tolist() for ids in trace.indices] == [[0, 1, 0], [0, 0, 1]]
    assert trace.cardinalities.tolist() == [2, 2] and trace.provenance["tables"] == ["a", "b"]
    assert "mine" in known_datasets() and dataset_info("mine").columns == ("a", "b")


def test_published_ids_and_sizes(file: Path) -> None:
    reader([([5, 7], [1, 1])], cardinalities=(8, 9), default_ids="published")
    trace = read_dataset("mine", file)
    assert [ids.tolist() for ids in trace.indices] == [[5, 7], [1, 1]]
    assert trace.cardinalities.tolist() == [8, 9]


def test_texts_and_bags(file: Path) -> None:
    long = "a text of more than eight bytes"
    reader(
        [(["u", "v"], (["x", long, "x"], [2, 1])), (["u"], ([long], [1]))],
        columns={"user": "text", "seen": "text"},
    )
    trace = read_dataset("mine", file)
    assert [ids.tolist() for ids in trace.indices] == [[0, 1, 0], [0, 1, 0, 1]]
    assert trace.offsets[1].tolist() == [0, 2, 3, 4]


def test_histories_in_order_of_time(file: Path) -> None:
    columns = {"user": "integer", "item": "integer", "when": "time"}
    reader([([1, 2, 1], [10, 20, 30], [9, 0, -5])], columns=columns, user="user", time="when")
    trace = read_dataset("mine", file, ReadOptions(cardinalities="observed"))
    assert [ids.tolist() for ids in trace.indices] == [[0, 1], [2, 0, 1]]
    assert trace.offsets[1].tolist() == [0, 2, 3]


def test_rows_shares_and_hashing_are_those_of_every_dataset(file: Path) -> None:
    reader([(np.arange(100), np.arange(100))] * 3)
    part = read_dataset("mine", file, ReadOptions(rows=(50, 250)))
    assert part.samples == 200
    few = read_dataset("mine", file, ReadOptions(share=0.5, ids="hash", hash_rows=16))
    assert 100 < few.samples < 200 and few.cardinalities.tolist() == [16, 16]


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ([[1]], "needs 2 entries"),
        (([1], [1, 2]), "different numbers of rows"),
        (([1], ([1, 2], [3])), "do not sum to its values"),
        (([1.5], [1]), "give integers"),
        (([[1]], [1]), "2 dimensions"),
        (([1], ([1], [1])), "bags in some blocks only"),
        (([-1], [1]), "id -1 of table 0 is negative"),
    ],
)
def test_blocks_that_cannot_be(file: Path, block: Any, says: str) -> None:
    reader([([0], [0]), block])
    with pytest.raises(DatasetError, match=says):
        read_dataset("mine", file)


def test_bad_rows_can_be_skipped(file: Path) -> None:
    reader([([0, -1, 2], [0, 1, 2])])
    trace = read_dataset("mine", file, ReadOptions(on_error="skip"))
    assert trace.samples == 2 and trace.provenance["skipped"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "criteo-kaggle"}, "has a dataset 'criteo-kaggle' itself"),
        ({"name": "x.py"}, "no name of a dataset"),
        ({"columns": {}}, "has no columns"),
        ({"columns": {"a": "number"}}, "unknown kind 'number'"),
        ({"columns": {"a": "time", "b": "integer"}, "user": "b", "time": "a"}, "name the last column"),
        ({"columns": {"a": "integer", "t": "time"}}, "name the last column"),
        ({"user": "c"}, "name a column with the users"),
        ({"cardinalities": (1,)}, "1 cardinalities for 2 tables"),
    ],
)
def test_registrations_that_cannot_be(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        reader([], **arguments)


SOURCE = """
from heam_sim.datasets import register_dataset

for name in {names}:
    @register_dataset(name, columns={{"a": "integer"}}, description="d", source="s", default_ids="published")
    def read(path):
        yield ([{value}],)
"""


def test_a_reader_in_a_file(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, trace = tmp_path / "own.py", tmp_path / "t.h5"
    module.write_text(SOURCE.format(names=["one"], value=3))
    assert main(["trace", "convert", str(module), str(file), str(trace)]) == 0
    loaded = LookupTrace.load(trace)
    assert loaded.indices[0].tolist() == [3] and loaded.provenance["dataset"] == "one"
    # An edited file is run again, and one of several readers is chosen by name.
    module.write_text(SOURCE.format(names=["one", "two"], value=44))
    assert read_dataset(f"{module}:two", file).indices[0].tolist() == [44]
    capsys.readouterr()
    for name, says in (
        (f"{module}", "registers one, two; choose one"),
        (f"{module}:tow", "did you mean 'two'"),
        (f"{tmp_path}/none.py", "no such file"),
    ):
        assert main(["trace", "convert", name, str(file), str(trace)]) == 2
        assert says in capsys.readouterr().err
    module.write_text("x = 1\n")
    with pytest.raises(ConfigError, match="registers no dataset"):
        read_dataset(str(module), file)


def test_a_study_finds_its_reader_beside_itself(tmp_path: Path, file: Path) -> None:
    from heam_sim.experiments import read_design

    (tmp_path / "own.py").write_text(SOURCE.format(names=["one"], value=3))
    (tmp_path / "study.toml").write_text(
        '[traces.t]\ndataset = "own.py"\npath = "data.bin"\n[base]\nsystem = "host-dimm"\n'
    )
    design = read_design(tmp_path / "study.toml")
    assert design.traces["t"].load(design.folder).indices[0].tolist() == [3]


def test_an_installed_package_announces_its_readers(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab_readers.py").write_text(SOURCE.format(names=["lab"], value=9))
    info = tmp_path / "lab_readers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-readers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[heam_sim.datasets]\nlab = lab_readers:read\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lab_readers", raising=False)
    assert "lab" in known_datasets()
    assert read_dataset("lab", file).indices[0].tolist() == [9]
