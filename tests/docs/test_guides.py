# SPDX-License-Identifier: MIT
"""What the how-to guides tell a reader to do works, prints what they say and draws what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.guides import Piece, pieces, run_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDES = [DOCS / "quickstart.md", *sorted((DOCS / "howto").glob("*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_guide(page: Path, tmp_path: Path, update_golden: bool) -> None:
    found = {piece.kind for piece in pieces(page.read_text(encoding="utf-8"))}
    assert {"sh", "output", "image"} <= found, "a guide ends in a figure and numbers"
    assert not run_page(page, tmp_path, update=update_golden)


PAGE = """# A page
<!-- file: a.txt -->
```toml
x = 1
```

```sh
cat a.txt; echo b
```

<!-- output -->
```text
{output}
```

```text
not run
```

```python
{code}
```

![A figure](../images/{image}.png)
"""
DRAW = """import matplotlib.pyplot as plt

plt.figure(figsize=(1, 1)).add_subplot().plot([{y}, 1])
plt.savefig("f.png")"""


def _page(folder: Path, **parts: str) -> Path:
    parts = {"output": "x = 1\nb", "code": DRAW.format(y=0), "image": "f", **parts}
    page = folder / "docs" / "page.md"
    page.parent.mkdir(exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    page.write_text(PAGE.format(**parts), encoding="utf-8")
    return page


def _work(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def test_pieces(tmp_path: Path) -> None:
    found = pieces(_page(tmp_path).read_text(encoding="utf-8"))
    assert [piece.kind for piece in found] == ["file", "sh", "output", "python", "image"]
    assert found[0] == Piece("file", "a.txt", "x = 1\n", 2)
    assert found[2].text == "x = 1\nb\n"


def test_a_page_that_lies_is_found_out(tmp_path: Path) -> None:
    assert not run_page(_page(tmp_path), _work(tmp_path, "update"), update=True)
    assert not run_page(_page(tmp_path), _work(tmp_path, "good"))
    (text,) = run_page(_page(tmp_path, output="x = 2\nb"), _work(tmp_path, "text"))
    assert "page.md:11: prints\nx = 1\nb\ninstead of\nx = 2\nb" in text
    (status,) = run_page(_page(tmp_path, code="raise SystemExit(3)"), _work(tmp_path, "status"))
    assert "page.md:21: ends with status 3" in status
    (picture,) = run_page(_page(tmp_path, code=DRAW.format(y=5)), _work(tmp_path, "picture"))
    assert "another one" in picture
    (none,) = run_page(_page(tmp_path, code="pass"), _work(tmp_path, "none"))
    assert "no command made the figure f.png" in none


def test_updating_writes_what_was_printed(tmp_path: Path) -> None:
    page = _page(tmp_path, output="old")
    assert not run_page(page, _work(tmp_path, "update"), update=True)
    assert page.read_text(encoding="utf-8") == PAGE.format(
        output="x = 1\nb", code=DRAW.format(y=0), image="f"
    )
