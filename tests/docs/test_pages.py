# SPDX-License-Identifier: MIT
"""Pages read well without the site: links lead somewhere, drawings are those of their script."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """What a code host makes of the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(page: Path) -> list[str]:
    found = []
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.is_file():
            found.append(f"{page.name}: {link}: no such file")
        elif anchor and anchor not in anchors(target):
            found.append(f"{page.name}: {link}: no such heading")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    assert not broken(page)


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One: two\n[good](#one-two) [bad](#two) [none](b.md) [far](https://example.org/x)\n")
    assert broken(page) == ["a.md: #two: no such heading", "a.md: b.md: no such file"]


def test_drawings_are_those_of_their_script() -> None:
    found = importlib.util.spec_from_file_location("drawings", ROOT / "docs" / "drawings.py")
    assert found is not None and found.loader is not None
    drawings = importlib.util.module_from_spec(found)
    found.loader.exec_module(drawings)
    for make in drawings.DRAWINGS:
        drawing = make()
        stored = (drawings.IMAGES / f"{drawing.name}.svg").read_text(encoding="utf-8")
        assert stored == drawing.svg(), "run: python docs/drawings.py"


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 8 and not any(cell["outputs"] or cell["execution_count"] for cell in code)
