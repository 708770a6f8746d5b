# SPDX-License-Identifier: MIT
"""Edge lists: text as SNAP's, CSV, and numpy's ``.npz`` with edges or compressed rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets import words
from heam_sim.datasets.arrays import BROKEN_ARCHIVE, broken_archive
from heam_sim.datasets.delimited import Chunk, TextKeys, shown
from heam_sim.datasets.graph import MAX_VERTICES, Graph
from heam_sim.datasets.histories import HistoryBuffer
from heam_sim.datasets.idmap import IdMap
from heam_sim.datasets.opened import Column, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import LineBlock, Progress, data_files, line_blocks
from heam_sim.errors import DatasetError, TraceError, unknown_name

__all__ = ["DIRECTIONS", "EDGE_FILES", "open_edges", "read_graph"]

EDGE_FILES = ("*.npz", "*.txt*", "*.csv*", "*.tsv*", "*.el*")
#: Which end of an edge "source target" gathers: the target, the source, or each of them.
DIRECTIONS = ("in", "out", "both")

_BLOCK_BYTES = 1 << 20
_ZIP = b"PK\x03\x04"
_COMMENTS = tuple(b"#%")
_COMMA, _LINE_FEED = b",\n"
_BETWEEN = np.zeros(256, np.bool_)
_BETWEEN[list(b" \t\r\n,")] = True
_CHUNK_VERTICES = 1 << 18
_MOST_EMPTY = 1 << 24  # vertices without edges that a graph may have, and as many as
_SPARSEST = 1 << 6  # this many times the edges; more are no numbers but hashes

_Int = NDArray[np.int64]


@dataclass(frozen=True)
class _Edges:
    """Some edges."""

    sources: _Int
    targets: _Int
    weights: NDArray[np.float32] | None


class _Numbering:
    """From the numbers in the files to those of vertices."""

    def __init__(self, ids: str, where: str) -> None:
        if ids not in ("published", "dictionary"):
            raise unknown_name("mode", ids, ("published", "dictionary"), where="ids of vertices")
        self._map = IdMap() if ids == "dictionary" else None
        self._largest = -1
        self._edges = 0
        self._where = where

    @property
    def vertices(self) -> int:
        """Vertices so far."""
        return self._largest + 1 if self._map is None else len(self._map)

    def __call__(self, edges: _Edges) -> _Edges:
        """Number the ends of edges."""
        if self._map is not None:
            ends = np.stack((edges.sources, edges.targets), axis=1).ravel()
            found = self._map.ids(ends.view(np.uint64)).astype(np.int64)
            edges = _Edges(found[::2], found[1::2], edges.weights)
        for ends in (edges.sources, edges.targets):
            self._largest = max(self._largest, int(ends.max(initial=-1)))
        self._edges += len(edges.sources)
        return edges

    def check(self, faults: Faults) -> None:
        """Complain, after the last edge, where there was none or the numbers are no vertices'."""
        if not self._edges and faults.count:
            raise DatasetError(
                f"{self._where}: no edge could be read; {faults.count} lines were malformed, the first: "
                f"{faults.messages[0]}"
            )
        if not self._edges:
            raise DatasetError(f"{self._where}: has no edge; give lines of a source and a target.")
        if self.vertices > min(MAX_VERTICES, max(_MOST_EMPTY, _SPARSEST * self._edges)):
            raise DatasetError(
                f"{self._where}: has a vertex {self._largest} but {self._edges} edges; use ids='dictionary', "
                "which numbers the vertices that occur."
            )


def read_graph(
    path: str | os.PathLike[str],
    *,
    direction: str = "in",
    ids: str = "published",
    weighted: bool = False,
    on_error: str = "raise",
) -> Graph:
    """Read edge lists as a graph in memory.

    Text, plain, gzip or zstd: two whole numbers a line, source and target, and perhaps a third number, the
    weight; separated by spaces, tabs or commas; lines that begin with ``#`` or ``%`` and empty lines do not
    count, nor does a line of names in front. ``.npz``: ``src`` and ``dst``, or ``edge_index`` of shape (2,
    edges), with ``weight`` or ``edge_weight``; or compressed rows ``indptr`` and ``indices`` with ``data``,
    as scipy saves them, whose row ``v`` has the vertices that ``v`` gathers.

    Parameters
    ----------
    path
        File, or folder of files.
    direction
        One of :data:`DIRECTIONS`: who gathers whom.
    ids
        ``"published"``: numbers are those of the files, and all below the largest are vertices;
        ``"dictionary"``: in order of first appearance.
    weighted
        Read the weights, too; else they are left out.
    on_error
        ``"raise"``, or ``"skip"`` malformed lines; the provenance then has their number.

    Returns
    -------
    Graph
        In the memory.

    Raises
    ------
    ConfigError
        If an option is not what it can be.
    DatasetError
        If a file is missing, malformed (the line is named), or has no edge.
    """
    _check_direction(direction)
    files = data_files(path, EDGE_FILES)
    if on_error not in ("raise", "skip"):
        raise unknown_name("mode", str(on_error), ("raise", "skip"), where="on_error")
    faults = Faults(skip=on_error == "skip")
    number = _Numbering(ids, str(path))
    parts = [number(edges) for edges in _all_edges(files, faults, direction, weighted=weighted)]
    number.check(faults)
    weights = [part.weights for part in parts if part.weights is not None]
    provenance: dict[str, Any] = {"graph": "file", "file": [file.name for file in files], "ids": ids}
    if faults.skip:
        provenance["skipped"] = faults.count
    return Graph.from_edges(
        np.concatenate([part.sources for part in parts]),
        np.concatenate([part.targets for part in parts]),
        vertices=number.vertices,
        weights=np.concatenate(weights) if weighted else None,
        provenance={**provenance, "direction": direction},
    )


def open_edges(files: list[Path], options: ReadOptions) -> Opened:
    """Return one table, the vertices' features, and a sample per vertex: the sources of the edges into it.

    Edges wait in bounded memory and then on the disk until all are sorted by vertex; vertices have the files'
    numbers, or with ``ids="dictionary"`` those of first appearance. Weights are left out.
    """
    number = _Numbering("dictionary" if options.ids == "dictionary" else "published", str(files[0]))

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        with HistoryBuffer(1, longest=np.iinfo(np.int64).max) as buffer:
            for edges in map(number, _all_edges(files, faults, "in", weighted=False, progress=progress)):
                buffer.add(edges.targets, np.zeros_like(edges.targets), [edges.sources])
            number.check(faults)
            row, none = 0, np.zeros(0, np.int64)
            for vertices, lengths, (sources,) in buffer.histories():
                end = int(vertices[-1]) + 1
                yield from _chunks(vertices, lengths, sources, range(row, end), rows)
                row = end
            # Nothing goes into the last ones.
            yield from _chunks(none, none, none, range(row, number.vertices), rows)

    return Opened(
        (Column("vertex", "integer"),),
        chunks,
        note={"bags": "sources of the edges into a vertex", "weights": "left out"},
        default_ids="published",
        rows=lambda: (number.vertices,),
    )


def _chunks(
    vertices: _Int, lengths: _Int, sources: _Int, all_rows: range, rows: RowFilter
) -> Iterator[Chunk]:
    """The bags of all vertices of a range, of which those given have edges."""
    cuts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    for row in all_rows[::_CHUNK_VERTICES]:
        end = min(row + _CHUNK_VERTICES, all_rows.stop)
        first, last = np.searchsorted(vertices, (row, end)).tolist()
        every = np.zeros(end - row, np.int64)
        every[vertices[first:last] - row] = lengths[first:last]
        bags = sources[cuts[first] : cuts[last]]
        chosen = rows.select(row, end - row)
        if chosen is not None:
            taken = np.zeros(len(every), np.bool_)
            taken[chosen] = True
            bags, every = bags[np.repeat(taken, every)], every[chosen]
        yield Chunk((bags.view(np.uint64),), row, end - row, lengths=(every,))


def _check_direction(direction: str) -> None:
    if direction not in DIRECTIONS:
        raise unknown_name("direction", str(direction), DIRECTIONS, where="edges")


def _all_edges(
    files: list[Path],
    faults: Faults,
    direction: str,
    *,
    weighted: bool,
    progress: Progress | None = None,
) -> Iterator[_Edges]:
    """Yield edges from whom is gathered to who gathers."""
    for source in files:
        read = (
            _archive_edges(source, progress, weighted=weighted)
            if _is_archive(source)
            else _text_edges(source, faults, progress, weighted=weighted)
        )
        for edges in read:
            yield _turned(edges, direction)


def _is_archive(source: Path) -> bool:
    try:
        with source.open("rb") as stream:
            return stream.read(len(_ZIP)) == _ZIP
    except OSError as error:
        raise DatasetError(f"{source}: cannot be opened ({error.strerror}); check the file.") from None


def _turned(edges: _Edges, direction: str) -> _Edges:
    if direction == "in":
        return edges
    if direction == "out":
        return _Edges(edges.targets, edges.sources, edges.weights)
    ends = np.stack((edges.sources, edges.targets), axis=1)
    twice = None if edges.weights is None else np.repeat(edges.weights, 2)
    return _Edges(ends.ravel(), ends[:, ::-1].ravel(), twice)


# --- text


def _text_edges(
    source: Path, faults: Faults, progress: Progress | None, *, weighted: bool
) -> Iterator[_Edges]:
    width = 0
    for block in line_blocks(source, _BLOCK_BYTES, faults, progress):
        lines = _Fields(block)
        if not width:
            lines.drop_names()
            width = int(lines.counts[0]) if len(lines.counts) else 0
            if not width:
                continue
            if width not in (2, 3) or (weighted and width == 2):
                wanted = "a source, a target and a weight" if weighted else "a source and a target"
                raise DatasetError(
                    f"{source}:{int(lines.numbers[0])}: has {width} fields; give lines of {wanted}."
                )
        yield lines.edges(source, width, faults, weighted=weighted)


class _Fields:
    """The fields of a block's lines, found by arithmetic on arrays.

    Attributes
    ----------
    numbers
        int64 (lines,): numbers of the lines that count.
    counts
        int64 (lines,): fields of each.
    """

    def __init__(self, block: LineBlock) -> None:
        self._text = words.padded(block.text)
        body = self._text[: -words.DIGITS]
        between = _BETWEEN[body]
        edge = np.concatenate((np.ones(1, np.bool_), between[:-1]))
        self._starts = np.flatnonzero(edge & ~between)
        after = np.concatenate((between[1:], np.ones(1, np.bool_)))
        self._lengths = np.flatnonzero(after & ~between) + 1 - self._starts
        ends = np.flatnonzero(body == _LINE_FEED)
        every = np.bincount(np.searchsorted(ends, self._starts), minlength=len(ends))
        commas = np.bincount(np.searchsorted(ends, np.flatnonzero(body == _COMMA)), minlength=len(ends))
        first = np.cumsum(every) - every
        counted = every > 0
        counted[counted] = ~np.isin(self._text[self._starts[first[counted]]], _COMMENTS)
        # A line of nothing but commas is no empty line.
        counted |= (every == 0) & (commas > 0)
        self._first, self.counts = first[counted], every[counted]
        self._commas = commas[counted]
        self.numbers = block.line + np.flatnonzero(counted)

    def drop_names(self) -> None:
        """Leave out the first line if none of its fields looks like a number."""
        if not len(self.counts):
            return
        fields = slice(int(self._first[0]), int(self._first[0] + self.counts[0]))
        heads = self._text[self._starts[fields]]
        if len(heads) and not np.isin(heads, list(b"0123456789+-.")).any():
            for name in ("_first", "counts", "_commas", "numbers"):
                setattr(self, name, getattr(self, name)[1:])

    def edges(self, source: Path, width: int, faults: Faults, *, weighted: bool) -> _Edges:
        """Decode the lines; those that are not `width` fields of numbers are faults."""
        good = self.counts == width
        good &= (self._commas == 0) | (self._commas == width - 1)
        wrong: list[tuple[int, str]] = [
            (
                place,
                f"has {int(self.counts[place])} fields and {int(self._commas[place])} commas, not {width}"
                " fields like the first line",
            )
            for place in np.flatnonzero(~good).tolist()
        ]
        ends = []
        for column, name in enumerate(("source", "target")):
            starts, lengths = self._field(good, column)
            values, strange, beyond = words.decimal_values(self._text, starts, lengths)
            strange |= beyond
            for place in np.flatnonzero(strange).tolist():
                line = int(np.flatnonzero(good)[place])
                wrong.append(
                    (
                        line,
                        f"{name} is {self._shown(starts[place], lengths[place])}, not a whole "
                        "number from 0 to 2**63 - 1",
                    )
                )
            ends.append((values.view(np.int64), ~strange))
        weights, finite = self._weights(good, wrong) if weighted else (None, None)
        for line, why in sorted(wrong):
            faults.add(f"{source}:{int(self.numbers[line])}: {why}; correct or remove the line.")
        kept = ends[0][1] & ends[1][1]
        if finite is not None:
            kept &= finite
        return _Edges(ends[0][0][kept], ends[1][0][kept], None if weights is None else weights[kept])

    def _field(self, good: NDArray[np.bool_], column: int) -> tuple[_Int, _Int]:
        at = self._first[good] + column
        return self._starts[at], self._lengths[at]

    def _shown(self, start: Any, length: Any) -> str:
        return shown(self._text[start : start + length].tobytes())

    def _weights(
        self, good: NDArray[np.bool_], wrong: list[tuple[int, str]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        starts, lengths = self._field(good, 2)
        text = self._text.tobytes()
        fields = [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        values = np.array([_number(one) for one in fields], np.float64)
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        finite = np.isfinite(single)
        lines = np.flatnonzero(good)
        for place in np.flatnonzero(~finite).tolist():
            wrong.append((int(lines[place]), f"weight is {shown(fields[place])}, not a finite number"))
        return single, finite


def _number(text: bytes) -> float:
    try:
        return float(text) if b"_" not in text else float("nan")
    except ValueError:
        return float("nan")


# --- arrays


def _archive_edges(source: Path, progress: Progress | None, *, weighted: bool) -> Iterator[_Edges]:
    try:
        with np.load(source, allow_pickle=False) as archive:
            held = {name: np.asarray(archive[name]) for name in _NAMES if name in archive.files}
            names = sorted(archive.files)
    except BROKEN_ARCHIVE as error:
        raise broken_archive(source, error) from None
    if progress is not None:
        progress(source.stat().st_size)
    read: Callable[[Path, dict[str, NDArray[Any]]], tuple[NDArray[Any], NDArray[Any]]]
    if "indptr" in held and "indices" in held:
        read = _rows
    elif "edge_index" in held or ("src" in held and "dst" in held):
        read = _pairs
    else:
        raise DatasetError(
            f"{source}: holds {', '.join(names[:6]) or 'nothing'}; give src and dst, edge_index, or indptr "
            "and indices."
        )
    sources, targets = read(source, held)
    for name, ends in (("source", sources), ("target", targets)):
        if ends.ndim != 1 or ends.dtype.kind not in "iu" or len(ends) != len(sources):
            raise DatasetError(f"{source}: the {name}s are no array of whole numbers, one per edge.")
        if len(ends) and not 0 <= int(ends.min()) <= int(ends.max()) <= np.iinfo(np.int64).max:
            place = int(np.argmax((ends < 0) | (ends > np.iinfo(np.int64).max)))
            raise DatasetError(f"{source}: edge {place} has the {name} {int(ends[place])}; count from 0.")
    weights = _archive_weights(source, held, len(sources)) if weighted else None
    yield _Edges(sources.astype(np.int64), targets.astype(np.int64), weights)


_NAMES = ("src", "dst", "edge_index", "indptr", "indices", "weight", "edge_weight", "data")


def _pairs(source: Path, held: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    if "src" in held:
        return held["src"], held["dst"]
    both = held["edge_index"]
    if both.ndim != 2 or len(both) != 2:
        raise DatasetError(f"{source}: edge_index has the shape {both.shape}, not (2, edges).")
    return both[0], both[1]


def _rows(source: Path, held: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    offsets, indices = held["indptr"], held["indices"]
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2 or indices.ndim != 1:
        raise DatasetError(f"{source}: indptr and indices are no arrays of whole numbers, one-dimensional.")
    try:
        graph = Graph(offsets.astype(np.int64), np.zeros(len(indices), np.int32))
    except TraceError as error:
        raise DatasetError(f"{source}: indptr and indices contradict each other ({error}).") from None
    return indices, np.repeat(np.arange(graph.vertices), graph.degrees)


def _archive_weights(source: Path, held: dict[str, NDArray[Any]], edges: int) -> NDArray[np.float32]:
    name = next((name for name in ("weight", "edge_weight", "data") if name in held), None)
    if name is None:
        raise DatasetError(f"{source}: has no weights; add an array 'weight' with one number per edge.")
    found = held[name]
    if found.shape != (edges,) or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise DatasetError(f"{source}: {name} has not one finite number for each of the {edges} edges.")
    return found.astype(np.float32)
