# SPDX-License-Identifier: MIT
"""Readers of datasets that do not come with heam_sim: registered by a decorator, a file or an entry point."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.arrays import selected_chunk
from heam_sim.datasets.delimited import Chunk, TextKeys
from heam_sim.datasets.opened import Column, DatasetInfo, History, Opened
from heam_sim.datasets.options import Faults, ReadOptions, RowFilter
from heam_sim.datasets.textblocks import Progress
from heam_sim.errors import ConfigError, DatasetError, unknown_name

__all__ = [
    "ENTRY_POINTS",
    "find_registered",
    "is_reader_file",
    "register_dataset",
    "registered_names",
    "reserve",
]

#: Group of entry points under which an installed package announces its readers.
ENTRY_POINTS = "heam_sim.datasets"
#: How the path of a file with readers ends; ``FILE.py:NAME`` chooses one of several.
READER_FILE = ".py"

Values = NDArray[Any] | Sequence[int] | Sequence[str]
Block = Sequence[Values | tuple[Values, Sequence[int] | NDArray[Any]]]
Reader = Callable[[Path], Iterable[Block]]
_R = TypeVar("_R", bound=Reader)

_KINDS = ("integer", "text", "time")
_REGISTERED: dict[str, DatasetInfo] = {}
_RESERVED: set[str] = set()


def register_dataset(
    name: str,
    *,
    columns: Mapping[str, str],
    description: str,
    source: str,
    cardinalities: Sequence[int] = (),
    files: Sequence[str] = ("*",),
    user: str | None = None,
    time: str | None = None,
    default_ids: str = "dictionary",
) -> Callable[[_R], _R]:
    """Make a function the reader of a dataset, in Python and for ``heam-sim trace convert``.

    The function is called with the path of every file in turn and yields blocks of rows, as many at a time as
    it likes. A block has one entry per column: an array, shape (rows,), of integers (0 to 2**63 - 1) or a
    sequence of texts; or, for a column of bags, a pair of all values and of the bags' lengths, shape (rows,).
    All else (ids, ranges, shares, histories, splits, malformed rows) is the same as for every dataset.

    Parameters
    ----------
    name
        By which it is asked for.
    columns
        Name of every column and its kind: ``"integer"``, ``"text"``, or ``"time"`` (signed integers that
        order a user's rows; the last column, which becomes no table).
    description
        One line.
    source
        Where the cardinalities come from.
    cardinalities
        Rows of every table in the whole dataset; empty if they are not known.
    files
        What the files are called in a folder, with wildcards, best first.
    user, time
        Columns that make histories: one sample per user, the other columns' values being bags in order of
        time.
    default_ids
        ``"dictionary"``, ``"hash"`` or ``"published"`` (the values are row numbers already).

    Returns
    -------
    callable
        The decorator; it returns the function as it is.

    Raises
    ------
    ConfigError
        A name that a dataset of heam_sim has, or arguments that contradict each other.
    """
    if not isinstance(name, str) or not name or is_reader_file(name):
        raise ConfigError(f"register_dataset: {name!r} is no name of a dataset; use letters and hyphens.")
    if name in _RESERVED:
        raise ConfigError(f"register_dataset: heam_sim has a dataset {name!r} itself; choose another name.")
    tables = _checked_columns(name, columns, user, time)
    if cardinalities and len(cardinalities) != len(tables):
        raise ConfigError(
            f"register_dataset: {name!r} has {len(cardinalities)} cardinalities for {len(tables)} tables; "
            "give one per table."
        )
    history = None
    if user is not None:
        history = History(list(columns).index(user), None if time is None else len(tables))

    def register(read: _R) -> _R:
        def open_files(paths: list[Path], options: ReadOptions) -> Opened:
            del options  # all of them are the pipeline's
            return Opened(tables, _chunks(name, read, paths, columns), history, default_ids=default_ids)

        _REGISTERED[name] = DatasetInfo(
            name=name,
            description=description,
            columns=tuple(column.name for column in tables),
            cardinalities=tuple(cardinalities),
            source=source,
            open=open_files,
            files=tuple(files),
        )
        return read

    return register


def reserve(names: Iterable[str]) -> None:
    """Keep the names of datasets that come with heam_sim from being registered."""
    _RESERVED.update(names)


def registered_names() -> tuple[str, ...]:
    """Return the names of readers that are registered or announced by entry points."""
    return tuple(sorted({*_REGISTERED, *(point.name for point in metadata.entry_points(group=ENTRY_POINTS))}))


def is_reader_file(name: str) -> bool:
    """Whether a dataset's name is the path of a Python file with its reader."""
    return name.endswith(READER_FILE) or f"{READER_FILE}:" in name


def find_registered(name: str) -> DatasetInfo | None:
    """Return a registered dataset, loading its file (``FILE.py`` or ``FILE.py:NAME``) or its entry point.

    Raises
    ------
    ConfigError
        A file that cannot be loaded or registers no such dataset.
    """
    if is_reader_file(name):
        file, _, chosen = name.rpartition(".py:")
        return _from_file(f"{file}.py", chosen) if file else _from_file(name, None)
    if name not in _REGISTERED:
        for point in metadata.entry_points(group=ENTRY_POINTS, name=name):
            point.load()
    return _REGISTERED.get(name)


def _from_file(file: str, chosen: str | None) -> DatasetInfo:
    path = Path(file).resolve()
    if not path.is_file():
        raise ConfigError(f"{file}: no such file; give a Python file that registers a dataset.")
    made = _run(path, path.stat().st_mtime_ns)
    if chosen is None and len(made) != 1:
        what = f"registers {', '.join(made)}; choose one as {file}:NAME" if made else "registers no dataset"
        raise ConfigError(f"{file}: {what} (heam_sim.datasets.register_dataset).")
    wanted = chosen or next(iter(made))
    if wanted not in made:
        raise unknown_name("dataset", wanted, made, where=file)
    return made[wanted]


@lru_cache(maxsize=32)
def _run(path: Path, changed: int) -> dict[str, DatasetInfo]:
    """Run a file and return what it registers; `changed` lets an edited file be run again."""
    del changed
    before = dict(_REGISTERED)
    found = importlib.util.spec_from_file_location(f"heam_sim_reader_{path.stem}", path)
    if found is None or found.loader is None:
        raise ConfigError(f"{path}: cannot be loaded as Python; give a .py file.")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return {name: info for name, info in _REGISTERED.items() if before.get(name) is not info}


def _checked_columns(
    name: str, columns: Mapping[str, str], user: str | None, time: str | None
) -> tuple[Column, ...]:
    if not isinstance(columns, Mapping) or not columns:
        raise ConfigError(f"register_dataset: {name!r} has no columns; map each name to its kind.")
    for column, kind in columns.items():
        if kind not in _KINDS:
            raise unknown_name("kind", kind, _KINDS, where=f"register_dataset: {name!r}: column {column!r}")
    times = [column for column, kind in columns.items() if kind == "time"]
    if times != ([] if time is None else [time]) or (times and list(columns)[-1] != time):
        raise ConfigError(
            f"register_dataset: {name!r}: time is {time!r}; name the last column, and that one alone has "
            "kind 'time'."
        )
    if (user is None and time is not None) or (user is not None and columns.get(user) in (None, "time")):
        raise ConfigError(f"register_dataset: {name!r}: user is {user!r}; name a column with the users.")
    return tuple(Column(column, kind) for column, kind in columns.items() if kind != "time")


def _chunks(
    name: str, read: Reader, paths: list[Path], columns: Mapping[str, str]
) -> Callable[[RowFilter, Faults, TextKeys, Progress | None], Iterator[Chunk]]:
    unchecked = frozenset(at for at, kind in enumerate(columns.values()) if kind != "integer")

    def chunks(
        rows: RowFilter, faults: Faults, texts: TextKeys, progress: Progress | None
    ) -> Iterator[Chunk]:
        row, bags = 0, None
        for source in paths:
            for block in read(source):
                if rows.is_over(row):
                    return
                where = f"{source}: reader {name!r}: row {row + 1}"
                keys, lengths = _decoded(block, columns, texts, where)
                bags = bags or [cuts is None for cuts in lengths]
                if bags != [cuts is None for cuts in lengths]:
                    raise DatasetError(
                        f"{where}: a column has bags in some blocks only; give lengths in all."
                    )
                chunk = selected_chunk(source, keys, lengths, rows, row, faults, unchecked=unchecked)
                row += chunk.rows
                yield chunk
            if progress is not None:
                progress(source.stat().st_size)

    return chunks


def _decoded(
    block: Block, columns: Mapping[str, str], texts: TextKeys, where: str
) -> tuple[list[NDArray[Any]], list[NDArray[np.int64] | None]]:
    """Return a block's keys and lengths of bags, or say what is wrong with the reader."""
    if not isinstance(block, tuple | list) or len(block) != len(columns):
        raise DatasetError(f"{where}: a block needs {len(columns)} entries, one per column.")
    keys: list[NDArray[Any]] = []
    lengths: list[NDArray[np.int64] | None] = []
    for entry, (column, kind) in zip(block, columns.items(), strict=True):
        values, cuts = entry if isinstance(entry, tuple) else (entry, None)
        keys.append(_keys(values, kind, texts, f"{where}: column {column!r}"))
        lengths.append(None if cuts is None else np.asarray(cuts, dtype=np.int64))
        if cuts is not None and (lengths[-1].min(initial=0) < 0 or lengths[-1].sum() != len(keys[-1])):  # type: ignore[union-attr]
            raise DatasetError(f"{where}: column {column!r}: the bags' lengths do not sum to its values.")
    counts = {len(one) if cuts is None else len(cuts) for one, cuts in zip(keys, lengths, strict=True)}
    if len(counts) != 1:
        raise DatasetError(f"{where}: the columns have different numbers of rows: {sorted(counts)}.")
    return keys, lengths


def _keys(values: Any, kind: str, texts: TextKeys, where: str) -> NDArray[Any]:
    if kind == "text":
        encoded = (value.encode() if isinstance(value, str) else bytes(value) for value in values)
        return np.array([texts.key(value) for value in encoded], dtype=np.uint64)
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise DatasetError(f"{where}: is {array.dtype} of {array.ndim} dimensions; give integers, (rows,).")
    if kind == "time":
        return array.astype(np.int64).view(np.uint64)
    return array if array.size else array.astype(np.int64)
