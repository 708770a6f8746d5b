# SPDX-License-Identifier: MIT
"""Studies that come with the package, by name: files as anybody may write them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_studies"]

_FOLDER = Path(__file__).parent / "data" / "studies"


def shipped_studies() -> dict[str, Path]:
    """Return the files of the studies by name, in alphabetical order.

    Returns
    -------
    dict
        Name to file.
    """
    return {file.stem: file for file in sorted(_FOLDER.glob("*.toml"))}
