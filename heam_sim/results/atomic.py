# SPDX-License-Identifier: MIT
"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from heam_sim.errors import HeamSimError, OutputError

__all__ = ["make_folder", "remove_leftovers", "write_atomically"]

# No file takes so long to write; whoever began one was killed.
_LEFTOVER_SECONDS = 3600


def make_folder(folder: Path) -> None:
    """Make a folder for results, with its parents.

    Raises
    ------
    heam_sim.errors.OutputError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made: {error.strerror}; choose another output folder."
        ) from None


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it.

    Parameters
    ----------
    path
        The file to make or replace; its folder is made if it is missing.
    write
        Writes to the path that it is given.

    Raises
    ------
    heam_sim.errors.OutputError
        The folder or file cannot be written. The temporary file is removed, whatever was raised.
    """
    if not path.name or path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file to write.")
    # The last suffix stays, because writers choose the format by it.
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(path)
    except HeamSimError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); choose another place."
        ) from None
    finally:
        # Where the folder could not be used there is nothing to remove, and the reason is already on its way.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers have left in a folder, as far as it is an hour old.

    Nothing is raised: cleaning up is no condition of writing.
    """
    with contextlib.suppress(OSError):
        for part in folder.glob(".*.part*"):
            if time.time() - part.stat().st_mtime > _LEFTOVER_SECONDS:
                part.unlink(missing_ok=True)
