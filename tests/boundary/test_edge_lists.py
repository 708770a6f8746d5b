# SPDX-License-Identifier: MIT
"""Edge lists: every form gives the same graph; a malformed file is an error with its line, or is counted."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.datasets import Graph, ReadOptions, convert_dataset, edge_lists, read_dataset, read_graph
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.trace import LookupTrace

EDGES = [(0, 1), (2, 1), (1, 0), (5, 1), (1, 1), (0, 1)]
WEIGHTS = [0.5, -2.0, 1e-3, 3.0, 0.0, 7.25]


def bags(graph: Graph) -> list[list[int]]:
    """The sources of every vertex, in order."""
    return [part.tolist() for part in np.split(graph.sources, graph.offsets[1:-1])]


def expected(edges: list[tuple[int, int]], vertices: int) -> list[list[int]]:
    """The same with Python's lists."""
    found: list[list[int]] = [[] for _ in range(vertices)]
    for source, target in edges:
        found[target].append(source)
    return found


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


ENDS = np.array(EDGES).T
FORMS: dict[str, bytes] = {
    "SNAP": b"# Directed graph\n# FromNodeId\tToNodeId\n" + b"".join(b"%d\t%d\n" % e for e in EDGES),
    "spaces, empty lines, CRLF": b"\r\n\n".join(b"  %d   %d " % e for e in EDGES) + b"\r\n",
    "comments within": b"% matrix\n" + b"".join(b"%d %d\n# 7 7\n" % e for e in EDGES),
    "CSV with names": b"source,target,weight\n"
    + b"".join(b"%d,%d,%s\n" % (*e, str(w).encode()) for e, w in zip(EDGES, WEIGHTS, strict=True)),
    "CSV without its last line feed": b"\n".join(b"%d, %d" % e for e in EDGES),
    "weights": b"".join(b"%d %d %r\n" % (*e, w) for e, w in zip(EDGES, WEIGHTS, strict=True)),
    "gzip": gzip.compress(b"".join(b"%d %d\n" % e for e in EDGES)),
    "src and dst": archive(src=ENDS[0], dst=ENDS[1].astype(np.uint8)),
    "edge_index": archive(edge_index=ENDS.astype(np.int32), edge_weight=np.array(WEIGHTS)),
    "compressed rows": archive(
        indptr=np.array([0, 1, 6, 6, 6, 6, 6]),
        indices=np.array([1, 0, 2, 5, 1, 0]),
        data=np.array([1e-3, *WEIGHTS[:2], *WEIGHTS[3:]]),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_graph(form: str, tmp_path: Path) -> None:
    file = tmp_path / "graph.bin"
    file.write_bytes(FORMS[form])
    graph = read_graph(file)
    assert graph.vertices == 6 and graph.weights is None
    assert bags(graph) == expected(EDGES, 6)
    trace = read_dataset("edges", file)
    assert trace.cardinalities.tolist() == [6]  # vertices of which no row is read count
    assert trace.offsets[0].tolist() == graph.offsets.tolist()
    assert trace.indices[0].tolist() == graph.sources.tolist()


@pytest.mark.parametrize("form", ["CSV with names", "weights", "edge_index", "compressed rows"])
def test_weights(form: str, tmp_path: Path) -> None:
    file = tmp_path / "graph.bin"
    file.write_bytes(FORMS[form])
    graph = read_graph(file, weighted=True)
    order = np.argsort(ENDS[1], kind="stable")
    assert graph.weights is not None
    assert graph.weights.tolist() == np.array(WEIGHTS, np.float32)[order].tolist()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60),
    st.sampled_from(["in", "out", "both"]),
    st.sampled_from(["published", "dictionary"]),
    st.randoms(use_true_random=False),
)
def test_every_edge_is_there_once(
    tmp_path_factory: pytest.TempPathFactory,
    edges: list[tuple[int, int]],
    direction: str,
    ids: str,
    source: random.Random,
) -> None:
    file = tmp_path_factory.mktemp("edges") / "g.txt"
    between = [source.choice([" ", "\t", ",", "  ", " , "]) for _ in edges]
    junk = [source.choice(["", "\n", "# note\n"]) for _ in edges]
    lines = [f"{mess}{a}{gap}{b}\n" for mess, gap, (a, b) in zip(junk, between, edges, strict=True)]
    file.write_text("".join(lines))
    graph = read_graph(file, direction=direction, ids=ids)
    turned = {"in": edges, "out": [(b, a) for a, b in edges]}
    turned["both"] = [end for edge in edges for end in (edge, edge[::-1])]
    wanted = turned[direction]
    vertices = max(max(edge) for edge in edges) + 1
    if ids == "dictionary":
        number: dict[int, int] = {}
        for edge in wanted:
            for end in edge:
                number.setdefault(end, len(number))
        wanted, vertices = [(number[a], number[b]) for a, b in wanted], len(number)
    assert graph.edges == len(wanted) and graph.vertices == vertices
    assert bags(graph) == expected(wanted, vertices)


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(4)
    edges = [(source.randrange(400), source.randrange(300)) for _ in range(3000)]
    file = tmp_path / "g.txt"
    file.write_text("# first\nsource target\n" + "".join(f"{a} {b}\n" for a, b in edges))
    whole, whole_trace = read_graph(file), read_dataset("edges", file)
    monkeypatch.setattr(edge_lists, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(edge_lists, "_CHUNK_VERTICES", 7)
    assert bags(read_graph(file)) == bags(whole) == expected(edges, whole.vertices)
    assert read_dataset("edges", file) == whole_trace
    assert read_dataset("edges", file, ReadOptions(rows=(13, 101))) == whole_trace.samples_slice(13, 101)


def test_parts_of_a_graph(tmp_path: Path) -> None:
    """What the pipeline offers all datasets holds for vertices."""
    file = tmp_path / "g.txt"
    file.write_text("".join(f"{n % 17} {n % 29}\n" for n in range(500)))
    whole = read_dataset("edges", file)
    report = convert_dataset("edges", file, tmp_path / "t.h5", split=[("a", 10), ("b", None)])
    assert (report.rows, report.lookups) == (29, 500)
    parts = [LookupTrace.load(path) for path in report.files]
    assert [part.samples for part in parts] == [10, 19]
    assert parts[1] == whole.samples_slice(10, 29)
    hashed = read_dataset("edges", file, ReadOptions(ids="hash", hash_rows=5))
    assert hashed.cardinalities.tolist() == [5]
    assert hashed.indices[0].tolist() == (whole.indices[0] % 5).tolist()


# --- malformed files

GOOD = [f"{n} {n + 1}" for n in range(40)]
SPOILT = {
    "one field": ("7", "1 fields"),
    "three fields": ("7 8 9", "3 fields"),
    "negative": ("7 -8", "target is '-8', not a whole number"),
    "word": ("seven 8", "source is 'seven', not a whole number"),
    "float": ("7 8.5", "target is '8.5'"),
    "beyond 63 bits": (f"{2**63} 8", "source is '9223372036854775808'"),
    "beyond 64 bits": ("7 " + "9" * 40, "not a whole number from 0 to 2\\*\\*63 - 1"),
    "NUL": ("7 8\0", "target is "),
    "commas alone": (",", "0 fields and 1 commas"),
    "an empty field": ("7,,8", "2 fields and 2 commas"),
    "a comma at the end": ("7,8,", "2 fields and 2 commas"),
    "no UTF-8": ("7 \udcff", "target is "),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_malformed_line(name: str, tmp_path: Path) -> None:
    line, message = SPOILT[name]
    file, output = tmp_path / "g.txt", tmp_path / "t.h5"
    lines = ["# comment", *GOOD[:20], line, *GOOD[20:]]
    file.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=rf"^{file}:22: .*{message}.*; correct or remove the line\.$"):
        read_graph(file)
    with pytest.raises(DatasetError, match=rf"^{file}:22: "):
        convert_dataset("edges", file, output)
    assert not output.exists()
    graph = read_graph(file, on_error="skip")
    assert (graph.edges, graph.provenance["skipped"]) == (40, 1)
    report = convert_dataset("edges", file, output, ReadOptions(on_error="skip"))
    assert (report.lookups, report.skipped) == (40, 1)
    assert LookupTrace.load(output).indices[0].tolist() == graph.sources.tolist()


@pytest.mark.parametrize("weight", ["x", "nan", "inf", "1e39", "1_0", ""])
def test_a_malformed_weight(weight: str, tmp_path: Path) -> None:
    file = tmp_path / "g.csv"
    file.write_text(f"source,target,weight\n1,2,0.5\n2,3,{weight}\n3,4,1.5\n")
    wanted = "weight is .*, not a finite number" if weight else "2 fields and 2 commas"
    with pytest.raises(DatasetError, match=rf"{file}:3: .*{wanted}"):
        read_graph(file, weighted=True)
    graph = read_graph(file, weighted=True, on_error="skip")
    assert graph.weights is not None and graph.weights.tolist() == [0.5, 1.5]


WHOLE = {
    "empty": (b"", "has no edge"),
    "comments alone": (b"# a\n% b\n\n", "has no edge"),
    "names alone": (b"source,target\n", "has no edge"),
    "five fields": (b"1 2 3 4 5\n", ":1: has 5 fields"),
    "UTF-16": ("0 1\n".encode("utf-16"), "UTF-16"),
    "bzip2": (b"BZh9" + b"0 1\n", "bzip2"),
    "gzip cut": (gzip.compress(b"0 1\n" * 1000, mtime=0)[:20], "cannot be read"),
    "a zip of nothing": (b"PK\x03\x04rubbish", "no readable .npz file"),
    "other arrays": (archive(x=np.arange(4)), "holds x; give src and dst"),
    "floats": (archive(src=np.arange(3) * 0.5, dst=np.arange(3)), "sources are no array of whole numbers"),
    "two lengths": (archive(src=np.arange(3), dst=np.arange(4)), "targets are no array"),
    "negative": (archive(src=np.array([0, -1]), dst=np.arange(2)), "edge 1 has the source -1"),
    "a wrong shape": (archive(edge_index=np.zeros((3, 2), int)), r"shape \(3, 2\), not \(2, edges\)"),
    "decreasing rows": (archive(indptr=np.array([0, 2, 1, 2]), indices=np.zeros(2, int)), "contradict"),
    "short rows": (archive(indptr=np.array([0, 1]), indices=np.zeros(2, int)), "contradict"),
    "objects": (archive(src=np.array([0, "x"], object), dst=np.arange(2)), "no readable .npz file"),
    "hashes for numbers": (f"0 1\n1 {2**40}\n".encode(), "1099511627776 but 2 edges; use ids='dictionary'"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_malformed_file(name: str, tmp_path: Path) -> None:
    content, message = WHOLE[name]
    file = tmp_path / "g.bin"
    file.write_bytes(content)
    for on_error in ("raise", "skip"):
        with pytest.raises(DatasetError, match=message) as caught:
            read_graph(file, on_error=on_error)
        assert str(caught.value).startswith(str(file))
        with pytest.raises(DatasetError, match=message):
            convert_dataset("edges", file, tmp_path / "t.h5", ReadOptions(on_error=on_error))
    assert not (tmp_path / "t.h5").exists()


def test_hashes_for_numbers_can_be_numbered(tmp_path: Path) -> None:
    file = tmp_path / "g.txt"
    file.write_text(f"0 1\n1 {2**62}\n")
    assert bags(read_graph(file, ids="dictionary")) == [[], [0], [1]]
    assert read_dataset("edges", file, ReadOptions(ids="dictionary")).cardinalities.tolist() == [3]


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    file = tmp_path / "g.txt"
    file.write_text("1 2\n")
    with pytest.raises(DatasetError, match="give lines of a source, a target and a weight"):
        read_graph(file, weighted=True)
    file.write_bytes(FORMS["src and dst"])
    with pytest.raises(DatasetError, match="has no weights"):
        read_graph(file, weighted=True)
    file.write_bytes(archive(src=np.arange(2), dst=np.arange(2), weight=np.array([1.0, np.nan])))
    with pytest.raises(DatasetError, match="not one finite number for each of the 2 edges"):
        read_graph(file, weighted=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "int"}, "did you mean 'in'"),
        ({"ids": "dictonary"}, "did you mean 'dictionary'"),
        ({"on_error": "skipp"}, "did you mean 'skip'"),
    ],
)
def test_unknown_options(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "g.txt"
    file.write_text("1 2\n")
    with pytest.raises(ConfigError, match=message):
        read_graph(file, **options)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such dataset file"):
        read_graph(tmp_path / "none.txt")
