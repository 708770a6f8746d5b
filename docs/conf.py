# SPDX-License-Identifier: MIT
"""How the site is built: ``python -m sphinx -W -b html docs build/docs``.

The pages are plain Markdown that reads well on a code host. What only a site needs (tables of contents, the
reference of commands and of the API) is added here while a page is read.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from heam_sim import __version__

DOCS = Path(__file__).parent

project = "heam_sim"
author = "the heam_sim authors"
copyright = "the heam_sim authors, MIT licence"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "numpydoc",
]
nitpicky = True
# What other projects document, and the type variables and aliases of annotations, have no page here.
nitpick_ignore_regex = [(r"py:.*", r"(?!heam_sim\.|HeamSimError).*")]

# -- Markdown
myst_heading_anchors = 4
myst_enable_extensions = ["smartquotes"]

# -- the notebook is run while the site is built; an error ends the build
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

# -- the API
autodoc_typehints = "none"  # the docstrings say it with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# -- HTML: everything is local, fonts are those of the reader's system
html_theme = "furo"
html_title = f"heam_sim {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

#: The site's table of contents. A page that stands nowhere here comes last, under "More": it is never lost.
SECTIONS: dict[str, list[str]] = {
    "Start": ["quickstart", "tutorial", "concepts"],
    "How-to guides": ["howto/memory", "howto/pim-level", "howto/architecture", "howto/dataset"],
    "Work with it": [
        "datasets",
        "workloads",
        "embeddings",
        "memories",
        "experiments",
        "results",
        "timeline",
        "report",
    ],
    "Model cards": ["models/README"],
    "What it says": ["reproduction", "validation", "performance"],
    "Reference": ["cli", "api", "formats", "engine", "energy", "development"],
}
#: Rooms in the reference, in the order in which data flow.
ROOMS = (
    "heam_sim",
    "heam_sim.errors",
    "heam_sim.trace",
    "heam_sim.datasets",
    "heam_sim.analysis",
    "heam_sim.exchange",
    "heam_sim.embedding",
    "heam_sim.dram",
    "heam_sim.address",
    "heam_sim.systems",
    "heam_sim.energy",
    "heam_sim.results",
    "heam_sim.check",
    "heam_sim.traffic",
    "heam_sim.experiments",
    "heam_sim.plotting",
    "heam_sim.testing",
)


def _pages() -> list[str]:
    found = [
        path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*") if path.suffix in (".md", ".ipynb")
    ]
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith((".", "_")))


def _contents() -> str:
    """The tables of contents of the front page."""
    pages = [page for page in _pages() if page != "index"]
    sections = {title: [page for page in names if page in pages] for title, names in SECTIONS.items()}
    listed = {page for names in sections.values() for page in names}
    rest = [page for page in pages if page not in listed and not page.startswith("models/")]
    sections["How-to guides"] += [page for page in rest if page.startswith("howto/")]
    sections["More"] = [page for page in rest if not page.startswith("howto/")]
    return "".join(_toctree(names, title) for title, names in sections.items() if names)


def _toctree(names: list[str], caption: str = "") -> str:
    head = f":caption: {caption}\n" if caption else ""
    return "\n```{toctree}\n:hidden:\n" + head + "\n" + "\n".join(f"/{name}" for name in names) + "\n```\n"


def _commands() -> str:
    return (
        "\n```{eval-rst}\n.. click:: heam_sim.cli.main:program\n   :prog: heam-sim\n   :nested: full\n```\n"
    )


def _rooms() -> str:
    return _toctree([f"_generated/{room}" for room in ROOMS]).replace(":hidden:", ":maxdepth: 1")


def _write_rooms() -> None:
    """A page per room; only what changed is written, so that a second build reads little."""
    folder = DOCS / "_generated"
    folder.mkdir(exist_ok=True)
    for room in ROOMS:
        first = (import_module(room).__doc__ or "").strip().splitlines()[0]
        text = f"{room}\n{'=' * len(room)}\n\n.. automodule:: {room}\n   :members:\n   :imported-members:\n"
        assert first, f"{room} has no docstring"
        page = folder / f"{room}.rst"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _complete(app: Any, page: str, source: list[str]) -> None:
    """Add to a page what only the site has."""
    more = {
        "index": _contents,
        "cli": _commands,
        "api": _rooms,
        "models/README": lambda: _toctree(
            [name for name in _pages() if re.match(r"models/(?!README)", name)]
        ),
    }
    if page in more:
        source[0] += more[page]()


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    _write_rooms()
    app.connect("source-read", _complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
