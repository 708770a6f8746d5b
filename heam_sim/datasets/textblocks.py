# SPDX-License-Identifier: MIT
"""Text files as blocks of whole lines, plain or gzip, with bounded memory."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from heam_sim.errors import ConfigError, DatasetError

__all__ = ["dataset_path", "line_blocks"]

_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_MAGIC = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PAR1", "Parquet"),
)


def dataset_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path if it is a file.

    Raises
    ------
    ConfigError
        If it is no file name at all.
    DatasetError
        If there is no such file.
    """
    try:
        source = Path(path)
    except TypeError:
        raise ConfigError(f"path must be a file name, not {type(path).__name__}.") from None
    try:
        missing, is_file = not source.exists(), source.is_file()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{source}: cannot be opened ({error}); check the path.") from None
    if missing:
        raise DatasetError(f"{source}: no such dataset file; check the path (nothing is downloaded).")
    if not is_file:
        raise DatasetError(f"{source}: is not a file; give the dataset's text file, plain or .gz.")
    return source


def line_blocks(source: Path, block_bytes: int) -> Iterator[bytes]:
    """Yield the file in blocks of whole lines; every block ends with a line feed.

    A last line without one gets one. A line longer than two blocks is an error, which bounds the memory.

    Raises
    ------
    DatasetError
        If the file cannot be read or unpacked, or has an overlong line.
    """
    lines = 0
    try:
        with _open(source) as stream:
            rest = b""
            while piece := stream.read(block_bytes):
                data = rest + piece
                cut = data.rfind(b"\n") + 1
                if not cut and len(data) > 2 * block_bytes:
                    raise DatasetError(
                        f"{source}:{lines + 1}: a line of more than {len(data)} bytes; this is no text of "
                        "short lines."
                    )
                rest = data[cut:]
                if cut:
                    lines += data.count(b"\n")
                    yield data[:cut]
            if rest:
                yield rest + b"\n"
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(
            f"{source}: cannot be read after line {lines} ({reason}); check the file or copy it again."
        ) from error


def _open(source: Path) -> IO[bytes]:
    stream = source.open("rb")
    try:
        head = stream.read(8)
        stream.seek(0)
        for magic, name in _OTHER_MAGIC:
            if head.startswith(magic):
                raise DatasetError(
                    f"{source}: is a {name} file; unpack it first or give the plain or .gz text."
                )
        if head.startswith(_GZIP_MAGIC):
            stream.close()
            return cast("IO[bytes]", gzip.open(source, "rb"))
    except BaseException:
        stream.close()
        raise
    return stream
