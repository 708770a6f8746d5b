# SPDX-License-Identifier: MIT
"""The table of rooms in docs/development.md beside the imports in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import heam_sim

PACKAGE = Path(heam_sim.__file__).parent
PAGE = PACKAGE.parent / "docs" / "development.md"
#: Every room may import these.
EVERYWHERE = {"errors", "numbers", "_version"}


def table() -> dict[str, set[str]]:
    """What each room may import according to its row, in the order of the rows."""
    allowed: dict[str, set[str]] = {}
    for names, third in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| .* \| ([^|]*) \|$", PAGE.read_text("utf-8"), re.M
    ):
        rooms = re.findall(r"\w+", names)
        before = set(allowed)
        told = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", third)))
        for room in rooms:
            allowed[room] = (before if told == {"all", "above"} else told) | set(rooms)
    for room, told in allowed.items():
        if told >= {"all"}:
            allowed[room] = set(allowed)
    return allowed


def everything(room: str, allowed: dict[str, set[str]]) -> set[str]:
    """A room's imports, with those of what it imports."""
    found, left = set[str](), [room]
    while left:
        for other in allowed.get(left.pop(), set()) - found:
            found.add(other)
            left.append(other)
    return found | EVERYWHERE


def imported() -> dict[str, set[str]]:
    """The rooms that each room's modules name, wherever in the file."""
    found: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                parts = (module or "").split(".")
                if parts[0] == "heam_sim" and len(parts) > 1:
                    found.setdefault(room, set()).add(parts[1])
    return found


def test_every_room_has_a_row() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    named = {room for room in rooms if room.isidentifier()} - {
        "__init__",
        "__main__",
        "_version",
        "__pycache__",
    }
    assert named == set(table()), "docs/development.md: the table of rooms"


def test_rooms_import_what_the_table_says() -> None:
    allowed = table()
    wrong = {
        room: sorted(names - everything(room, allowed) - {room})
        for room, names in imported().items()
        if room not in ("__init__", "__main__")
    }
    assert {room: names for room, names in wrong.items() if names} == {}
