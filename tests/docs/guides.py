# SPDX-License-Identifier: MIT
"""Runs a page of the documentation: writes its files, runs its commands, compares outputs and figures.

A fence behind ``<!-- file: NAME -->`` is written to NAME. Other fences of ``sh`` and ``python`` are run, one
after the other, in the same empty folder. A fence behind ``<!-- output -->`` is what the command before it
prints. An image of ``docs/images`` is a figure that the page's commands leave in the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from matplotlib.testing.compare import compare_images

__all__ = ["Piece", "pieces", "run_page"]

_PIECE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$"
    r"|^!\[[^\]]*\]\((?P<image>[^)]+)\)$",
    re.M | re.S,
)
# Root-mean-square difference of colours (0 to 255) that another version of matplotlib may make.
_SAME_PICTURE = 8.0


@dataclass(frozen=True)
class Piece:
    """A part of a page that is executed: what it is, its text, and the line where it begins."""

    kind: str  # "file", "sh", "python", "output" or "image"
    name: str
    text: str
    line: int


def pieces(page: str) -> list[Piece]:
    """Return what a page has to execute, in order."""
    found = []
    for match in _PIECE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        mark, language = match["mark"] or "", match["language"]
        if match["image"]:
            found.append(Piece("image", match["image"], "", line))
        elif mark.startswith("file: "):
            found.append(Piece("file", mark.removeprefix("file: "), match["text"], line))
        elif mark == "output":
            found.append(Piece("output", "", match["text"], line))
        elif language in ("sh", "python"):
            found.append(Piece(language, "", match["text"], line))
    return found


def run_page(page: Path, folder: Path, *, update: bool = False) -> list[str]:
    """Run a page in a folder and return what is wrong with it.

    Parameters
    ----------
    page
        The Markdown file.
    folder
        An empty one.
    update
        Write outputs and figures into the page and beside it instead of comparing them.
    """
    text = page.read_text(encoding="utf-8")
    wrong: list[str] = []
    outputs: list[str] = []
    printed = ""
    for piece in pieces(text):
        where = f"{page.name}:{piece.line}"
        if piece.kind == "file":
            (folder / piece.name).write_text(piece.text, encoding="utf-8")
        elif piece.kind == "output":
            outputs.append(printed)
            if piece.text != printed and not update:
                wrong.append(f"{where}: prints\n{printed}instead of\n{piece.text}")
        elif piece.kind == "image":
            stored = (page.parent / piece.name).resolve()
            wrong += _compare(folder / stored.name, stored, where, update)
        else:
            status, printed, errors = _run(piece, folder)
            if status:
                return [*wrong, f"{where}: ends with status {status}\n{printed}{errors}"]
    if update:
        page.write_text(_with_outputs(text, outputs), encoding="utf-8")
    return wrong


def _run(piece: Piece, folder: Path) -> tuple[int, str, str]:
    shell = ["bash", "-euo", "pipefail", "-c", piece.text]
    command = shell if piece.kind == "sh" else [sys.executable, "-c", piece.text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "MPLBACKEND": "Agg", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines()), done.stderr


def _compare(made: Path, stored: Path, where: str, update: bool) -> list[str]:
    if not made.is_file():
        return [f"{where}: no command made the figure {made.name}"]
    if update:
        shutil.copy(made, stored)
        return []
    if not stored.is_file():
        return [f"{where}: {stored} is missing"]
    shown = made.with_name(f"shown-{made.name}")
    shutil.copy(stored, shown)  # the comparison writes beside it
    found = compare_images(str(shown), str(made), tol=_SAME_PICTURE)
    return [] if found is None else [f"{where}: the stored figure is another one: {found}"]


def _with_outputs(text: str, outputs: list[str]) -> str:
    left = iter(outputs)
    return re.sub(
        r"(^<!-- output -->\n```\w+\n).*?(^```$)",
        lambda match: f"{match[1]}{next(left)}{match[2]}",
        text,
        flags=re.M | re.S,
    )
