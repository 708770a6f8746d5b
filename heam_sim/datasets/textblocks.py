# SPDX-License-Identifier: MIT
"""Dataset files as blocks of whole lines, plain or packed, with bounded memory."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from heam_sim.datasets.options import Faults
from heam_sim.errors import ConfigError, DatasetError

__all__ = [
    "BOM",
    "UNREADABLE",
    "LineBlock",
    "Progress",
    "data_files",
    "line_blocks",
    "needs_extra",
    "open_packed",
]

BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_OTHER_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PAR1", "Parquet"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)

_LINE_FEED = 0x0A

UNREADABLE = (OSError, EOFError, zlib.error)  # what reading and unpacking raise

Progress = Callable[[int], None]  # told how many bytes of the files have been read since the last call


@dataclass(frozen=True)
class LineBlock:
    """Whole lines of a file.

    Parameters
    ----------
    text
        The lines; every one ends with a line feed.
    line
        Number of the first one, from 1.
    """

    text: bytes
    line: int


def data_files(path: str | os.PathLike[str], patterns: Sequence[str] = ()) -> list[Path]:
    """Return the file `path`, or the data files in the folder `path` in natural order (2 before 10).

    Parameters
    ----------
    path
        File or folder.
    patterns
        Names of a dataset's files, with wildcards; of a folder the files of the first pattern that fits any
        are taken, or all of them if none does. Hidden files never count.

    Raises
    ------
    ConfigError
        If `path` is no file name at all.
    DatasetError
        If there is no such file, or none in the folder.
    """
    try:
        source = Path(path)
    except TypeError:
        raise ConfigError(f"path must be a file name, not {type(path).__name__}.") from None
    try:
        missing, is_file, is_folder = not source.exists(), source.is_file(), source.is_dir()
        inside = [item for item in source.iterdir() if item.is_file()] if is_folder else []
    except (OSError, ValueError) as error:
        raise DatasetError(f"{source}: cannot be opened ({error}); check the path.") from None
    if missing:
        raise DatasetError(f"{source}: no such dataset file; check the path (nothing is downloaded).")
    if is_file:
        return [source]
    if not is_folder:
        raise DatasetError(f"{source}: is neither a file nor a folder; give the dataset's file or folder.")
    visible = [item for item in inside if not item.name.startswith(".")]
    fitting = (sorted((f for f in visible if f.match(p)), key=_natural) for p in patterns)
    files = next((found for found in fitting if found), sorted(visible, key=_natural))
    if not files:
        raise DatasetError(f"{source}: the folder holds no file; give the folder of the dataset's files.")
    return files


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part or 0) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path.name)]


def needs_extra(what: str, package: str, extra: str) -> ConfigError:
    """Build the error for a missing optional package."""
    return ConfigError(f"{what} needs {package}; install it with: pip install 'heam-sim[{extra}]'.")


@contextmanager
def open_packed(
    source: Path, progress: Progress | None = None, *, zip_is_data: bool = False
) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacking gzip and zstd by what it begins with.

    Parameters
    ----------
    source
        The file.
    progress
        Told how many bytes of it were read.
    zip_is_data
        Whether the format itself is a zip archive, as torch's is; it is then given as it is.

    Raises
    ------
    DatasetError
        If the file cannot be opened or is packed in another way.
    ConfigError
        If it is zstd and pyarrow is not installed.
    """
    try:
        raw = source.open("rb", buffering=0)
    except OSError as error:
        raise DatasetError(f"{source}: cannot be opened ({error.strerror}); check the file.") from None
    with raw, io.BufferedReader(_Counted(raw, progress), 1 << 20) as stream:
        head = stream.peek(8)[:8]
        for magic, name in _OTHER_MAGIC:
            if head.startswith(magic) and not (zip_is_data and name == "zip"):
                raise DatasetError(
                    f"{source}: is a {name} file; unpack it first or give plain text, .gz or .zst."
                )
        if head.startswith(_GZIP_MAGIC):
            with gzip.open(stream, "rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif head.startswith(_ZSTD_MAGIC):
            yield _open_zstd(source, stream)
        else:
            yield stream


def _open_zstd(source: Path, stream: IO[bytes]) -> IO[bytes]:
    try:
        import pyarrow
    except ImportError:
        raise needs_extra(f"{source}: reading zstd", "pyarrow", "datasets") from None
    return cast("IO[bytes]", pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, "r"), "zstd"))


class _Counted(io.RawIOBase):
    """A file that tells how much of it has been read."""

    def __init__(self, raw: Any, progress: Progress | None) -> None:
        super().__init__()
        self._raw = raw
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._raw.readinto(buffer))
        if self._progress is not None and count:
            self._progress(count)
        return count


def line_blocks(
    source: Path, block_bytes: int, faults: Faults | None = None, progress: Progress | None = None
) -> Iterator[LineBlock]:
    """Yield the file in blocks of whole lines.

    A last line without a line feed gets one. A line longer than two blocks is a fault, which bounds the
    memory; so is what follows where a packed file is damaged, and a byte order mark.

    Raises
    ------
    DatasetError
        If the file cannot be opened, or at a fault that is not to be skipped.
    """
    faults = faults or Faults()
    with open_packed(source, progress) as stream:
        reader = _Lines(stream, block_bytes)
        while (text := _next_block(reader, source, faults)) is not None:
            line = reader.line
            reader.line += int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _LINE_FEED))
            if line == 1 and text.startswith(BOM):
                faults.add(f"{source}:1: begins with a byte order mark; save the file without it.")
                text = text[len(BOM) :]
            yield LineBlock(text, line)


class _Lines:
    """A stream that is taken line by line, many at a time."""

    def __init__(self, stream: IO[bytes], block_bytes: int) -> None:
        self.stream = stream
        self.block_bytes = block_bytes
        self.line = 1  # number of the next line
        self.rest = b""
        self.ended = False
        self._error: BaseException | None = None

    def next(self) -> bytes | None:
        """Return the next whole lines, ``b""`` in front of an overlong one, ``None`` at the end."""
        while not self.ended:
            piece = self._read()
            self.ended = not piece
            cut = piece.rfind(b"\n") + 1
            if cut:
                block, self.rest = b"".join((self.rest, memoryview(piece)[:cut])), piece[cut:]
                return block
            self.rest += piece
            if len(self.rest) > 2 * self.block_bytes:
                return b""
        rest, self.rest = self.rest, b""
        return rest + b"\n" * (not rest.endswith(b"\n")) if rest else None

    def _read(self) -> bytes:
        """Return about a block, less at the end; what precedes a damaged place comes before the error."""
        if self._error is not None:
            raise self._error
        pieces: list[bytes] = []
        missing = self.block_bytes
        try:
            while missing > 0 and (piece := self.stream.read1(missing)):  # type: ignore[attr-defined]
                pieces.append(piece)
                missing -= len(piece)
        except UNREADABLE as error:
            self._error = error
            if not pieces:
                raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def drop_line(self) -> None:
        """Leave out everything up to the next line feed."""
        piece = self.rest
        while piece and b"\n" not in piece:
            piece = self._read()
        self.rest = piece[piece.find(b"\n") + 1 :]
        self.ended = not piece
        self.line += 1


def _next_block(reader: _Lines, source: Path, faults: Faults) -> bytes | None:
    try:
        block = reader.next()
        while block == b"":
            faults.add(
                f"{source}:{reader.line}: a line of more than {2 * reader.block_bytes} bytes; no "
                "text of short lines."
            )
            reader.drop_line()
            block = reader.next()
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        faults.add(
            f"{source}: cannot be read after line {reader.line - 1} ({reason}); check or copy the file again."
        )
        return None
    return block
