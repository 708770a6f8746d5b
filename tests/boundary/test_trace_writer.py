# SPDX-License-Identifier: MIT
"""Traces written and read in pieces: bad pieces, writers that die, files that grow, the documented layout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heam_sim.datasets import generate
from heam_sim.errors import ConfigError, OutputError, TraceError
from heam_sim.trace import LookupTrace, TraceFile, TraceWriter, extend_trace, temporary


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_one_hot_multi_hot_and_ragged(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.h5", tables=2, provenance={"a": 1}) as writer:
        writer.append([[3, 1], np.array([7, 8], np.uint8)])
        writer.append([[2, 2, 2], []], lengths=[[1, 2], 0])
        writer.append([np.zeros(4, np.int32), [1, 1]], lengths=[2, None])
        assert (writer.samples, writer.lookups) == (6, 13)
        writer.finish(cardinalities=[9, 70000], provenance={"b": 2})
    trace = LookupTrace.load(tmp_path / "t.h5")
    assert trace.offsets[0].tolist() == [0, 1, 2, 3, 5, 7, 9]
    assert trace.offsets[1].tolist() == [0, 1, 2, 2, 2, 3, 4]
    assert trace.cardinalities.tolist() == [9, 70000]
    assert trace.provenance == {"a": 1, "b": 2}
    assert names(tmp_path) == ["t.h5"]


def test_widens_what_did_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heam_sim.trace.writer._LARGEST_CHUNK", 3)
    values = [*range(8), 2**40, 2**63 - 2, 5]
    with TraceWriter(tmp_path / "t.h5", tables=1) as writer:
        for value in values:
            writer.append([[value] * 300], lengths=[[300 - value % 3, value % 3]])
    with h5py.File(tmp_path / "t.h5") as file:
        assert sorted(file["tables/00000"]) == ["bag_lengths", "indices"]
        assert file["tables/00000/indices"].dtype == np.uint64
        assert file["tables/00000/bag_lengths"].dtype == np.uint16
    trace = LookupTrace.load(tmp_path / "t.h5")
    assert trace.indices[0].tolist() == [value for value in values for _ in range(300)]
    assert trace.cardinalities.tolist() == [2**63 - 1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "tables": ({"indices": [[1]]}, "1 arrays for 2 tables"),
    "floats": ({"indices": [[1.5], [0]]}, "holds float64"),
    "square": ({"indices": [[[1]], [0]]}, "2 dimensions"),
    "negative": ({"indices": [[1], [-1]]}, "table 1, position 0: -1 is negative"),
    "too large": ({"indices": [[1, 9], [0, 1]]}, "table 0, position 1: 9 is not below"),
    "63 bits": ({"indices": [np.array([2**63], np.uint64), [0]]}, "does not fit 64 signed bits"),
    "samples": ({"indices": [[1, 1], [0]]}, "table 1 has 1 samples but table 0 has 2"),
    "bags": ({"indices": [[1, 1, 1], [0]], "lengths": 2}, "cannot be cut into bags of 2"),
    "size": ({"indices": [[1], [0]], "lengths": -1}, "cannot be cut into bags of -1"),
    "entries": ({"indices": [[1], [0]], "lengths": [1]}, "1 entries for 2 tables"),
    "sum": ({"indices": [[1], [0]], "lengths": [[1], [0]]}, "table 1 add up to 0"),
    "length": ({"indices": [[1, 1], [0]], "lengths": [[-1, 3], [0]]}, "position 0: -1"),
    "open": ({"indices": [[], []], "lengths": 0}, "number of samples is open"),
    "weights": ({"indices": [[1], [0]], "weights": [[1.0], [1.0]]}, "weights"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_pieces_add_nothing(case: str, tmp_path: Path) -> None:
    arguments, message = BAD[case]
    with TraceWriter(tmp_path / "t.h5", tables=2, cardinalities=[9, 9]) as writer:
        writer.append([[1], [2]])
        with pytest.raises(TraceError, match=message):
            writer.append(**arguments)
        assert (writer.samples, writer.lookups) == (1, 2)
        writer.append([[3], [4]])
    assert LookupTrace.load(tmp_path / "t.h5") == LookupTrace.from_arrays(
        [[1, 3], [2, 4]], cardinalities=[9, 9]
    )


def test_a_finished_writer_is_closed(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "t.h5", tables=1)
    writer.append([[1]])
    writer.finish()
    writer.abort()
    for call in (lambda: writer.append([[1]]), writer.finish):
        with pytest.raises(ConfigError, match="writer is closed"):
            call()
    assert LookupTrace.load(tmp_path / "t.h5").lookups == 1


@pytest.mark.parametrize("rows", [[3], [3, 4, 5], [3, 0], [1, 9]])
def test_cardinalities_that_do_not_fit(rows: list[int], tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "t.h5", tables=2)
    writer.append([[1], [2]])
    with pytest.raises((ConfigError, TraceError), match="cardinalit"):
        writer.finish(cardinalities=rows)
    assert names(tmp_path) == []


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    LookupTrace.from_arrays([[1]]).save(path)
    before = path.read_bytes()
    with pytest.raises(KeyError), TraceWriter(path, tables=1) as writer:
        writer.append([[5]])
        raise KeyError
    assert path.read_bytes() == before
    assert names(tmp_path) == ["t.h5"]


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "t.h5", tmp_path / ("n" * 300), Path()):
        with pytest.raises(OutputError, match="cannot be written"), TraceWriter(path, tables=1) as writer:
            writer.append([[1]])
    assert names(tmp_path) == []


# --- writers that die

WRITER = """
import sys
import numpy as np
from heam_sim.trace import TraceWriter
writer = TraceWriter(sys.argv[1], tables=2)
print("open", flush=True)
while True:
    writer.append([np.arange(100_000) % 7000] * 2)
    print("more", flush=True)
"""


def test_killed_writers_leave_no_final_file_and_are_cleaned_up(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        left = names(tmp_path)
        assert len(left) == 1 and left[0].startswith(".heam-trace-")
        LookupTrace.from_arrays([[1]]).save(path)
        assert left[0] in names(tmp_path)  # its writer is alive
        child.send_signal(signal.SIGKILL)
    LookupTrace.from_arrays([[2]]).save(tmp_path / "other.h5")
    assert names(tmp_path) == ["other.h5", "t.h5"]
    assert LookupTrace.load(path).indices[0].tolist() == [1]


def test_only_our_own_leftovers_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    dead = int(gone.stdout)
    keep = [f".heam-trace-00000000-{dead}-0123abcd.tmp", ".heam-trace-x.tmp", "t.tmp"]
    mine = temporary.temporary_beside(tmp_path / "t").name.replace(str(os.getpid()), str(dead))
    huge = temporary.temporary_beside(tmp_path / "t").name.replace(str(os.getpid()), "9" * 30)
    for name in (*keep, mine, huge):
        (tmp_path / name).touch()
    temporary.remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted(keep)
    temporary.remove_leftovers(tmp_path / "nowhere")


# --- files that grow


def test_extended_traces(tmp_path: Path) -> None:
    whole = generate("criteo-kaggle", samples=90, pooling=2)
    path = tmp_path / "t.h5"
    whole.samples_slice(0, 40).save(path)
    extend_trace(path, [whole.samples_slice(40, 60), whole.samples_slice(60, 90)], note="day 2")
    extended = LookupTrace.load(path)
    assert extended == whole
    assert extended.provenance["appended"] == [{"samples": [40, 90], "note": "day 2"}]
    assert extended.provenance["seed"] == 1
    before = path.read_bytes()
    with pytest.raises(TraceError, match="arrays for 26 tables"):
        extend_trace(path, [LookupTrace.from_arrays([[1]])])
    assert path.read_bytes() == before
    assert names(tmp_path) == ["t.h5"]


def test_memory_does_not_grow_with_the_trace(tmp_path: Path) -> None:
    def peak(work: Callable[[], None]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    piece = [np.arange(40_000) % 9973] * 2

    def write() -> None:
        with TraceWriter(tmp_path / "t.h5", tables=2, cardinalities=[10_000] * 2) as writer:
            for _ in range(60):
                writer.append(piece)

    def read() -> None:
        with TraceFile(tmp_path / "t.h5") as file:
            assert sum(part.lookups for part in file.chunks(50_000)) == 4_800_000
            file.verify()

    # 4.8 M lookups are 38 MB as 64-bit numbers.
    assert peak(write) < 8_000_000
    assert peak(read) < 12_000_000


def test_hdf5_keeps_next_to_nothing_of_a_column(tmp_path: Path) -> None:
    # By default it keeps 1 MB of each, and 8 MB since 2.0; tracemalloc does not see them.
    with TraceWriter(tmp_path / "t.h5", tables=2) as writer:
        writer.append([np.arange(100_000)] * 2)
        assert writer._file["tables/00001/indices"].id.get_access_plist().get_chunk_cache()[1] == 0
        writer.finish()
    with TraceFile(tmp_path / "t.h5") as file:
        assert file._columns[1].id.get_access_plist().get_chunk_cache()[1] == 1 << 19


def test_the_file_is_as_documented(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    section = text.split("## Trace files")[1].split("\n## ")[0]
    attributes = section.split("### Root attributes")[1].split("###")[0]
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", attributes, flags=re.MULTILINE))
    contents = section.split("### Contents")[1].split("###")[0]
    paths = set(re.findall(r"`(/[A-Za-z_/]+)`", contents))
    LookupTrace.from_arrays([[1, 2, 3], [1, 2]], [[0, 1, 3], [0, 1, 2]], weights=[[0.5] * 3, [1.0] * 2]).save(
        tmp_path / "t.h5"
    )
    found: set[str] = set()
    with h5py.File(tmp_path / "t.h5") as file:
        assert set(file.attrs) == documented
        file.visit(lambda name: found.add("/" + re.sub(r"tables/\d{5}", "tables/NNNNN", name)))
        assert list(file["tables/00001"].attrs) == ["bag_size"]
        assert not file["tables/00000"].attrs
        for column in (file["tables/00000/indices"], file["tables/00000/weights"]):
            # Nothing but HDF5's own filters, so that any HDF5 program reads it.
            filters = column.id.get_create_plist()
            kinds = {filters.get_filter(number)[0] for number in range(filters.get_nfilters())}
            assert kinds == {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}
    assert found - {"/tables"} == paths


def test_kept_files_of_older_versions(root: Path) -> None:
    path = root / "traces" / "criteo-kaggle-500.h5"
    with h5py.File(path) as file:
        assert file.attrs["format_version"].tolist() == [1, 0]
    with TraceFile(path) as stored:
        stored.verify()
        assert stored.read() == LookupTrace.load(path)
