# SPDX-License-Identifier: MIT
"""Temporary names beside a file to be written, and their removal when a writer died."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import uuid
from contextlib import suppress
from pathlib import Path

__all__ = ["remove_leftovers", "temporary_beside"]

_PATTERN = re.compile(r"\.heam-trace-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.tmp")


def temporary_beside(target: Path) -> Path:
    """Return a name in the folder of `target` that says which process on which machine writes it."""
    return target.with_name(f".heam-trace-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of this machine's dead processes from `folder`.

    A file whose process number is in use again stays until that process ends, and files of other machines
    stay, because their writers cannot be asked. Nothing is raised: cleaning up is no condition of writing.
    """
    with suppress(OSError):
        for file in folder.iterdir():
            found = _PATTERN.fullmatch(file.name)
            if found is not None and found[1] == _machine() and not _alive(int(found[2])):
                file.unlink(missing_ok=True)


def _machine() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it belongs to somebody else
    return True
