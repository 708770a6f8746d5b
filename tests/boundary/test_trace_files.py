# SPDX-License-Identifier: MIT
"""Trace files: round trips, and every way in which a file or a folder can be bad."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from heam_sim.datasets import generate
from heam_sim.errors import ConfigError, HeamSimError, OutputError, TraceError
from heam_sim.trace import FILETYPE, LookupTrace, TraceFile, writer
from heam_sim.trace.columns import Column


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=300, seed=5)


@pytest.fixture
def ragged() -> LookupTrace:
    return LookupTrace.from_arrays(
        [[3, 1, 1], [], [2**40, 70000]],
        [[0, 2, 2, 3], [0, 0, 0, 0], [0, 0, 1, 2]],
        provenance={"who": "tëst", "n": [1, 2]},
    )


def test_round_trip(trace: LookupTrace, ragged: LookupTrace, tmp_path: Path) -> None:
    for original in (trace, ragged, LookupTrace.from_arrays([[]]), trace.samples_slice(7, 9)):
        path = tmp_path / "trace.h5"
        original.save(path)
        again = LookupTrace.load(str(path))
        assert again == original
        assert again.provenance == original.provenance
        for one, other in zip(
            again.indices + again.offsets, original.indices + original.offsets, strict=True
        ):
            assert one.dtype == np.int64
            assert not one.flags.writeable
            np.testing.assert_array_equal(one, other)
        assert [item.name for item in tmp_path.iterdir()] == ["trace.h5"]


def test_root_attributes_and_layout(ragged: LookupTrace, tmp_path: Path) -> None:
    ragged.save(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        assert file.attrs["filetype"] == FILETYPE == "heam_sim/lookup-trace"
        assert file.attrs["format_version"].tolist() == [1, 1]
        assert json.loads(file.attrs["provenance"]) == ragged.provenance
        assert file.attrs["content_hash"] == ragged.content_hash
        assert {"software_version", "created_utc", "uuid", "samples"} <= set(file.attrs)
        indices = file["tables/00000/indices"]
        assert (indices.dtype, indices.compression, indices.shuffle) == (np.uint8, "gzip", True)
        assert file["tables/00002/indices"].dtype == np.uint64
        assert file["tables/00000/bag_lengths"][()].tolist() == [2, 0, 1]
        assert file["tables/00001"].attrs["bag_size"] == 0


def test_large_provenance(tmp_path: Path) -> None:
    # Attributes above 64 kB need a newer HDF5 format than the default one.
    big = LookupTrace.from_arrays([[1]], provenance={"text": "x" * 200_000})
    big.save(tmp_path / "t.h5")
    assert LookupTrace.load(tmp_path / "t.h5").provenance == big.provenance


def test_criteo_shaped_traces_stay_small(tmp_path: Path) -> None:
    trace = generate("criteo-kaggle", samples=10_000)
    trace.save(tmp_path / "t.h5")
    assert (tmp_path / "t.h5").stat().st_size <= 1.8 * trace.lookups


def test_more_than_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_LARGEST_CHUNK", 100)
    trace = LookupTrace.from_arrays([np.arange(1050) % 300])
    trace.save(tmp_path / "t.h5")
    assert LookupTrace.load(tmp_path / "t.h5") == trace


# --- files that are no traces


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nothing\.h5: no such trace file"):
        LookupTrace.load(tmp_path / "nothing.h5")
    with pytest.raises(TraceError, match="is not a file"):
        LookupTrace.load(tmp_path)
    with pytest.raises(TraceError, match="no such trace file"):
        LookupTrace.load("a\0b.h5")
    with pytest.raises(ConfigError, match="path"):
        LookupTrace.load(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [b"", b"0\t1\t2\n", b"\x89HDF\r\n\x1a", bytes(range(256)) * 20],
    ids=["empty", "text", "start", "noise"],
)
def test_not_hdf5(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"t\.h5: is not an HDF5 file"):
        LookupTrace.load(path)


def test_truncated_at_every_percent(trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    trace.save(path)
    content = path.read_bytes()
    for percent in range(100):
        path.write_bytes(content[: len(content) * percent // 100])
        for read in (LookupTrace.load, read_in_pieces):
            with pytest.raises(TraceError, match=r"t\.h5: ") as caught:
                read(path)
            assert "\n" not in str(caught.value)


def read_in_pieces(path: Path) -> LookupTrace:
    with TraceFile(path) as file:
        file.verify()
        return file.read()


def test_last_byte_lost(trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    trace.save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TraceError, match="truncated or damaged"):
        LookupTrace.load(path)


def test_zeroed_stretches_never_give_another_trace(trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    trace.save(path)
    content = path.read_bytes()
    refused = 0
    for start in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:start] + bytes(64) + content[start + 64 :])
        try:
            assert LookupTrace.load(path) == trace  # the stretch was padding
        except TraceError:
            refused += 1
    assert refused >= 20


def edit(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file: h5py.File, name: str, values: object) -> None:
    del file[name]
    file.create_dataset(name, data=values)


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


DAMAGE: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "foreign": (attribute("filetype", "somebody/else"), "is not a lookup trace"),
    "no filetype": (lambda file: file.attrs.__delitem__("filetype"), "is not a lookup trace"),
    "numeric filetype": (attribute("filetype", 7), "is not a lookup trace"),
    "newer": (attribute("format_version", [2, 0]), "newer trace format 2.0; update"),
    "older": (attribute("format_version", [0, 9]), "older trace format 0.9"),
    "odd version": (attribute("format_version", "1.0"), "format_version is unreadable"),
    "no version": (lambda file: file.attrs.__delitem__("format_version"), "format_version is unreadable"),
    "no hash": (lambda file: file.attrs.__delitem__("content_hash"), "damaged"),
    "other hash": (attribute("content_hash", "00" * 32), "do not match the stored content hash"),
    "provenance no JSON": (attribute("provenance", "{"), "damaged"),
    "provenance a list": (attribute("provenance", "[]"), "provenance is no JSON object"),
    "samples negative": (attribute("samples", -1), "samples is negative"),
    "samples missing": (lambda file: file.attrs.__delitem__("samples"), "damaged"),
    "samples off by one": (attribute("samples", 4), "damaged"),
    "no cardinalities": (lambda file: file.__delitem__("cardinalities"), "damaged"),
    "cardinalities too few": (
        lambda file: replace(file, "cardinalities", [4]),
        "1 cardinalities for 3 tables",
    ),
    "cardinality zero": (
        lambda file: replace(file, "cardinalities", [0, 1, 2**41]),
        r"cardinalities\[0\] is 0",
    ),
    "cardinality exceeded": (lambda file: replace(file, "cardinalities", [3, 1, 2**41]), "is not below"),
    "table missing": (lambda file: file.__delitem__("tables/00001"), "damaged"),
    "no tables": (lambda file: file.__delitem__("tables"), "damaged"),
    "tables a dataset": (lambda file: replace(file, "tables", [1, 2, 3]), "damaged"),
    "indices a group": (
        lambda file: (file.__delitem__("tables/00000/indices"), file.create_group("tables/00000/indices"))[0],
        "no 1-D integer dataset",
    ),
    "float indices": (
        lambda file: replace(file, "tables/00000/indices", [3.0, 1.0, 1.0]),
        "no 1-D integer dataset",
    ),
    "square indices": (
        lambda file: replace(file, "tables/00000/indices", [[3, 1, 1]]),
        "no 1-D integer dataset",
    ),
    "negative index": (lambda file: replace(file, "tables/00000/indices", [3, 1, -1]), "is negative"),
    "changed index": (lambda file: replace(file, "tables/00000/indices", [3, 1, 2]), "content hash"),
    "huge index": (
        lambda file: replace(file, "tables/00000/indices", np.array([3, 1, 2**63], "u8")),
        "above 63 bits",
    ),
    "indices lost": (lambda file: replace(file, "tables/00000/indices", [3, 1]), "damaged"),
    "bag lengths moved": (lambda file: replace(file, "tables/00000/bag_lengths", [1, 1, 1]), "content hash"),
    "bag lengths negative": (lambda file: replace(file, "tables/00000/bag_lengths", [4, -2, 1]), "damaged"),
    "bag lengths huge": (
        lambda file: replace(file, "tables/00000/bag_lengths", [2**62, 2**62, 3]),
        "longer than its table",
    ),
    "bag lengths short": (
        lambda file: replace(file, "tables/00000/bag_lengths", [3]),
        "1 bag lengths for 3 samples",
    ),
    "bag size wrong": (
        lambda file: file["tables/00001"].attrs.__setitem__("bag_size", 2),
        "3 bags of 2 lookups are not the 0",
    ),
    "bag size negative": (lambda file: file["tables/00001"].attrs.__setitem__("bag_size", -1), "damaged"),
    "bag size text": (lambda file: file["tables/00001"].attrs.__setitem__("bag_size", "many"), "damaged"),
}


@pytest.mark.parametrize("case", DAMAGE, ids=str)
def test_damaged(case: str, ragged: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    ragged.save(path)
    change, message = DAMAGE[case]
    edit(path, change)
    for read in (LookupTrace.load, read_in_pieces):
        with pytest.raises(TraceError, match=message if read is LookupTrace.load else ".") as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_newer_minor_version_is_read(ragged: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    ragged.save(path)
    edit(path, attribute("format_version", [1, 7]))
    assert LookupTrace.load(path) == ragged


# --- folders that cannot be written, and writing that stops


def test_output_errors_leave_nothing(ragged: LookupTrace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "folder").mkdir()
    for path in (
        tmp_path / "missing" / "t.h5",
        tmp_path / "file" / "t.h5",
        tmp_path / "folder",
        tmp_path / ("n" * 300),
        Path(),
    ):
        with pytest.raises(OutputError, match="cannot be written"):
            ragged.save(path)
    with pytest.raises(OutputError):
        ragged.save(str(tmp_path / "a\0b"))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write into read-only folders")
def test_read_only_folder(ragged: LookupTrace, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            ragged.save(folder / "t.h5")
        assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o755)


def test_unwritable_folder_of_any_user(ragged: LookupTrace) -> None:
    folder = Path("/proc/self")
    if not folder.is_dir():
        pytest.skip("no /proc here: the system has no folder that nobody may write to")
    with pytest.raises(OutputError, match="cannot be written"):
        ragged.save(folder / "t.h5")


@pytest.mark.parametrize(
    ("stop", "seen"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(28, "No space left on device"), OutputError),
        (RuntimeError("HDF5 says no"), OutputError),
        (MemoryError(), MemoryError),
    ],
    ids=["interrupt", "disk full", "hdf5", "memory"],
)
def test_stopped_writing_keeps_the_old_file(
    stop: BaseException,
    seen: type[BaseException],
    ragged: LookupTrace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "t.h5"
    ragged.save(path)
    before = path.read_bytes()
    calls = []
    original = Column.close

    def interrupted(column: Column) -> None:
        calls.append(sorted(item.name for item in tmp_path.iterdir()))
        if len(calls) == 2:
            raise stop
        original(column)

    monkeypatch.setattr(Column, "close", interrupted)
    with pytest.raises(seen):
        ragged.save(path)
    assert len(calls[1]) == 2  # the temporary file was there
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["t.h5"]


def test_two_writers_of_one_name(ragged: LookupTrace, trace: LookupTrace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    failures: list[HeamSimError] = []

    def write(what: LookupTrace) -> None:
        try:
            for _ in range(5):
                what.save(path)
        except HeamSimError as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(what,)) for what in (ragged, trace)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert failures == []
    assert LookupTrace.load(path) in (ragged, trace)
    assert len(list(tmp_path.iterdir())) == 1
