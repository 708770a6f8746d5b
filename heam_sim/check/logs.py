# SPDX-License-Identifier: MIT
"""Command logs as files: ``.npz`` and ``.csv``, and recordings of Ramulator 2.1 turned into our log array."""

from __future__ import annotations

import csv
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import NO_UNIT, SpecLike, Tree, need_fields
from heam_sim.errors import DatasetError, OutputError, unknown_name

__all__ = [
    "LOG_DTYPE",
    "CommandLog",
    "Recording",
    "log_ending",
    "read_any_log",
    "read_log",
    "read_ramulator_csv",
    "read_recording",
    "write_log",
]

#: Fields of a command log (docs/formats.md, "Command logs").
LOG_DTYPE: np.dtype[Any] = np.dtype(
    [
        ("clock", "u8"),
        ("channel", "u2"),
        ("command", "u1"),
        ("bank", "u2"),
        ("row", "u4"),
        ("column", "u2"),
        ("tag", "u4"),
        ("slot", "u4"),
        ("unit", "u2"),
        ("bound", "i2"),
        ("role", "u1"),
    ]
)
FIELDS: tuple[str, ...] = tuple(LOG_DTYPE.names or ())


@dataclass(frozen=True)
class CommandLog:
    """A command log: ``log`` of dtype :data:`LOG_DTYPE`, ``command_names`` behind its numbers.

    Attributes
    ----------
    log
        One record per command.
    command_names
        Names behind the numbers in ``log["command"]``.
    """

    log: npt.NDArray[Any]
    command_names: tuple[str, ...]


@dataclass(frozen=True)
class Recording(CommandLog):
    """A Ramulator recording: its commands, and the requests that caused them.

    ``address`` is uint64 (requests,) in bytes, ``is_write`` bool (requests,).

    Attributes
    ----------
    log
        One record per command.
    command_names
        Names behind the numbers.
    address
        Of the requests, in bytes.
    is_write
        Whether they write.
    """

    address: npt.NDArray[np.uint64]
    is_write: npt.NDArray[np.bool_]


def log_ending(path: str | os.PathLike[str]) -> str:
    """Return a log file's ending, ``".npz"`` or ``".csv"``; :class:`ConfigError` if it has another one.

    Parameters
    ----------
    path
        Name of a file.

    Returns
    -------
    str
        With its dot.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".csv"):
        raise unknown_name("ending of a command log", path.suffix, (".npz", ".csv"), where=str(path))
    return path.suffix


def read_log(path: str | os.PathLike[str]) -> CommandLog:
    """Read a command log.

    Parameters
    ----------
    path
        ``.npz`` with the arrays ``log`` and ``command_names``, or ``.csv`` whose header names the log's
        fields and whose ``command`` column holds names.

    Returns
    -------
    CommandLog
        Clock in cycles of the channel's clock.

    Raises
    ------
    ConfigError
        Another ending.
    DatasetError
        The file is missing, foreign or malformed; the line is named for ``.csv``.
    """
    path = Path(path)
    return _read_npz(path) if log_ending(path) == ".npz" else _read_csv(path)


def write_log(path: str | os.PathLike[str], log: npt.NDArray[Any], command_names: Sequence[str]) -> None:
    """Write a command log; the file appears whole or not at all.

    Parameters
    ----------
    path
        Ends in ``.npz`` (compressed) or ``.csv`` (commands by name).
    log
        Structured array with the fields of :data:`LOG_DTYPE`.
    command_names
        Names behind the command numbers.

    Raises
    ------
    CheckError
        The log lacks a field.
    ConfigError
        Another ending.
    OutputError
        The file cannot be written.
    """
    path = Path(path)
    kind = log_ending(path)
    need_fields(log, FIELDS)
    part = path.with_name(path.name + ".part")
    try:
        if kind == ".npz":
            with part.open("wb") as stream:
                names = np.array([str(name) for name in command_names], dtype=np.str_)
                np.savez_compressed(stream, log=_native(log), command_names=names)
        else:
            _write_csv(part, log, command_names)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose a folder that can be written."
        ) from error


def _native(log: npt.NDArray[Any]) -> npt.NDArray[Any]:
    result = np.zeros(len(log), dtype=LOG_DTYPE)
    for name in FIELDS:
        result[name] = log[name]
    return result


def _write_csv(path: Path, log: npt.NDArray[Any], names: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        at = FIELDS.index("command")
        for values in _native(log).tolist():
            writer.writerow([*values[:at], names[values[at]], *values[at + 1 :]])


def _arrays(path: Path, needed: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a .npz, with every way in which it can be bad turned into one typed error."""
    remedy = "write it again with write_log or record it anew."
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DatasetError(f"{path}: holds one bare array, not an .npz archive; {remedy}")
        with archive:
            missing = [name for name in needed if name not in archive.files]
            if missing:
                raise DatasetError(f"{path}: lacks the array {missing[0]!r}; {remedy}")
            return {name: archive[name] for name in needed}
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such file; check the path.") from error
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path}: is not a readable .npz archive; {remedy}") from error


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []  # reading it will say what is wrong


def _read_npz(path: Path) -> CommandLog:
    arrays = _arrays(path, ("log", "command_names"))
    log, names = arrays["log"], arrays["command_names"]
    fields = log.dtype.names or ()
    missing = [name for name in FIELDS if name not in fields]
    if missing or log.ndim != 1 or names.ndim != 1 or names.dtype.kind != "U":
        what = f"field {missing[0]!r} is missing" if missing else "its arrays have the wrong shape or type"
        raise DatasetError(f"{path}: is not a command log, {what}; write it with write_log.")
    if len(log) and int(log["command"].max()) >= len(names):
        row = int(np.argmax(log["command"] >= len(names)))
        raise DatasetError(
            f"{path}: log row {row} holds a command number without a name; write it again with write_log."
        )
    return CommandLog(_native(log), tuple(str(name) for name in names))


def _read_csv(path: Path) -> CommandLog:
    names: dict[str, int] = {}
    rows: list[tuple[int, ...]] = []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            if tuple(next(reader, ())) != FIELDS:
                raise DatasetError(
                    f"{path}, line 1: the header is not {','.join(FIELDS)}; write the log with write_log."
                )
            for values in reader:
                rows.append(_csv_row(path, reader.line_num, values, names))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such file; check the path.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV; check the path and the file.") from error
    return CommandLog(np.array(rows, dtype=LOG_DTYPE), tuple(names))


def _csv_row(path: Path, line: int, values: list[str], names: dict[str, int]) -> tuple[int, ...]:
    if len(values) != len(FIELDS):
        raise DatasetError(
            f"{path}, line {line}: {len(values)} values instead of {len(FIELDS)}; correct the line."
        )
    row = []
    for name, text in zip(FIELDS, values, strict=True):
        if name == "command":
            row.append(names.setdefault(text, len(names)))
            if len(names) > 255:
                raise DatasetError(
                    f"{path}, line {line}: more than 255 different commands; this is not a command log."
                )
            continue
        try:
            value = int(text)
        except ValueError:
            raise DatasetError(
                f"{path}, line {line}: {name} is {text!r}, not an integer; correct the line."
            ) from None
        limits = np.iinfo(LOG_DTYPE[name])
        if not limits.min <= value <= limits.max:
            raise DatasetError(
                f"{path}, line {line}: {name} is {value}, outside {limits.min} to {limits.max}; correct it."
            )
        row.append(value)
    return tuple(row)


def _plain(name: str) -> str:
    """A level's name without case and underscores: recordings write PseudoChannel for pseudo_channel."""
    return name.replace("_", "").lower()


def read_recording(path: str | os.PathLike[str], spec: SpecLike) -> Recording:
    """Read a recording of Ramulator 2.1's commands as a command log.

    Parameters
    ----------
    path
        ``.npz`` with ``address``, ``is_write``, ``commands`` (rows of ``columns``), ``columns``,
        ``command_names``.
    spec
        Standard that names the levels and counts the banks; a recorded command of wider scope than a bank
        gets the first bank of its node.

    Returns
    -------
    Recording
        Fields that a recording does not know (tag, slot, role, bound) are 0, ``unit`` is 65535 (none).

    Raises
    ------
    DatasetError
        The file is missing or not such a recording, or its levels or bank numbers do not fit the spec.
    """
    path = Path(path)
    arrays = _arrays(path, ("address", "is_write", "commands", "columns", "command_names"))
    names = tuple(str(name) for name in arrays["command_names"])
    log = _from_table(path, arrays["commands"], [str(column) for column in arrays["columns"]], names, spec)
    return Recording(log, names, arrays["address"].astype(np.uint64), arrays["is_write"].astype(np.bool_))


def _from_table(
    path: Path, table: npt.NDArray[Any], columns: Sequence[str], names: Sequence[str], spec: SpecLike
) -> npt.NDArray[Any]:
    """Turn rows of clock, command number, levels, row and column into a log array."""
    tree = Tree.of(spec)
    place = {_plain(column): i for i, column in enumerate(columns)}
    for column in ("clock", "command", "row", "column", *(_plain(level) for level in tree.levels)):
        if column not in place:
            raise DatasetError(
                f"{path}: has no column {column!r}; read it with the spec of the recorded standard."
            )
    if table.ndim != 2 or table.shape[1] != len(place) or table.dtype.kind not in "iu":
        raise DatasetError(f"{path}: the commands are not integer rows of its columns; record it anew.")
    log = np.zeros(len(table), dtype=LOG_DTYPE)
    for field in ("clock", "command", "channel", "row", "column"):
        # A wide command has no row or column; recordings may carry -1 there.
        values = np.maximum(table[:, place[field]], 0)
        most = int(np.iinfo(LOG_DTYPE[field]).max)
        if len(values) and int(values.max()) > most:
            raise DatasetError(
                f"{path}: command {int(values.argmax())} has {field} {int(values.max())}, beyond {most}; "
                "record it anew."
            )
        log[field] = values
    log["bank"] = _flat_banks(path, table, place, names, spec, tree)
    log["unit"] = NO_UNIT
    return log


def read_ramulator_csv(path: str | os.PathLike[str], spec: SpecLike) -> CommandLog:
    """Read the text that Ramulator 2.1's command recorder writes, one file per channel.

    Parameters
    ----------
    path
        CSV with the header ``clock,command,Channel,...,Row,Column,type,source``.
    spec
        As in :func:`read_recording`.

    Returns
    -------
    CommandLog
        Clock in cycles of the channel's clock.

    Raises
    ------
    DatasetError
        The file is missing or not such a recording (the line is named), or does not fit the spec.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            columns = next(reader, [])
            if columns[:2] != ["clock", "command"]:
                raise DatasetError(
                    f"{path}, line 1: is no header of a Ramulator recording (clock,command,...)."
                )
            names: dict[str, int] = {}
            rows = [_ramulator_row(path, reader.line_num, columns, values, names) for values in reader]
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such file; check the path.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV; check the path and the file.") from error
    table = np.array(rows, np.int64).reshape(len(rows), len(columns))
    return CommandLog(_from_table(path, table, columns, tuple(names), spec), tuple(names))


def _ramulator_row(
    path: Path, line: int, columns: Sequence[str], values: Sequence[str], names: dict[str, int]
) -> list[int]:
    if len(values) != len(columns):
        raise DatasetError(
            f"{path}, line {line}: {len(values)} values instead of {len(columns)}; correct the line."
        )
    try:
        row = [
            names.setdefault(text, len(names)) if name == "command" else int(text)
            for name, text in zip(columns, values, strict=True)
        ]
    except ValueError:
        raise DatasetError(
            f"{path}, line {line}: holds something that is no integer; correct the line."
        ) from None
    if min(row) < -1 or max(row) >= 1 << 63:
        raise DatasetError(f"{path}, line {line}: holds a number outside -1 to 2^63 - 1; correct the line.")
    return row


def read_any_log(path: str | os.PathLike[str], spec: SpecLike) -> CommandLog:
    """Read a command log of heam_sim or of Ramulator 2.1, whichever the file is.

    Parameters
    ----------
    path
        The file.
    spec
        The memory, which knows commands and levels.

    Returns
    -------
    CommandLog
        Clock in cycles of the channel's clock.

    Raises
    ------
    DatasetError
        The file is missing, foreign or malformed.
    """
    path = Path(path)
    if re.fullmatch(r"\.ch[0-9]+", path.suffix):
        return read_ramulator_csv(path, spec)  # as its recorder names the file of a channel
    if log_ending(path) == ".npz":
        # Ours holds one structured array, a recording a table of integers beside the requests.
        return read_recording(path, spec) if "commands" in _names(path) else read_log(path)
    try:
        with path.open(encoding="utf-8") as stream:
            header = stream.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as CSV; check the path and the file.") from error
    return read_ramulator_csv(path, spec) if header.startswith("clock,command,Channel") else read_log(path)


def _flat_banks(
    path: Path,
    table: npt.NDArray[Any],
    place: dict[str, int],
    names: Sequence[str],
    spec: SpecLike,
    tree: Tree,
) -> npt.NDArray[np.int64]:
    scopes = {command.name: tree.depth(command.scope) for command in spec.commands}
    unknown = [name for name in names if name not in scopes]
    if unknown:
        raise DatasetError(
            f"{path}: command {unknown[0]!r} is unknown to {spec.name}; use the recorded standard's spec."
        )
    depth = np.array([scopes[name] for name in names], dtype=np.int64)[table[:, place["command"]]]
    bank = np.zeros(len(table), dtype=np.int64)
    for i, level in enumerate(tree.levels[1:], start=1):
        number = np.where(depth >= i, table[:, place[_plain(level)]], 0)
        wrong = np.flatnonzero((number < 0) | (number >= int(spec.counts[level])))
        if len(wrong):
            raise DatasetError(
                f"{path}: command {wrong[0]} names {level} {number[wrong[0]]} of {spec.counts[level]}; "
                "use the spec of the recorded organisation."
            )
        bank += number * tree.banks_per_node[i]
    return bank
