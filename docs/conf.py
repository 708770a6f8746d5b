# SPDX-License-Identifier: MIT
"""How the site is built: ``sphinx-build -W docs build/docs``.

The pages are plain Markdown that reads well on a code host. What only a site needs (tables of contents, the
reference of commands and of the API) is added here while a page is read.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.pycode import ModuleAnalyzer

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

smartquotes_action = "qe"  # a double hyphen is an option

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
    "Start": ["installation", "quickstart", "tutorial", "concepts"],
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
    "heam_sim.arrivals",
    "heam_sim.plotting",
    "heam_sim.timelines",
    "heam_sim.report",
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
        module = import_module(room)
        head = f"{room}\n{'=' * len(room)}\n\n"
        if room == "heam_sim":
            body = _front_door(module)
        else:
            body = f".. automodule:: {room}\n   :members:\n   :imported-members:\n{_constants(module)}"
        page = folder / f"{room}.rst"
        if not page.is_file() or page.read_text(encoding="utf-8") != head + body:
            page.write_text(head + body, encoding="utf-8")


def _documented_in(name: str) -> str:
    """The room whose page documents a name of the package itself."""
    return next((room for room in ROOMS[1:] if name in import_module(room).__all__), "heam_sim")


def _front_door(module: ModuleType) -> str:
    """What the package itself exports; most of it is documented with its room."""
    names = [name for name in module.__all__ if not name.startswith("__")]
    lines = [f".. module:: heam_sim\n\n{module.__doc__}\n"]
    lines += [
        f"- :py:obj:`heam_sim.{name} <{_documented_in(name)}.{name}>`: {_sentence(getattr(module, name))}"
        for name in names
    ]
    own = [name for name in names if _documented_in(name) == "heam_sim"]
    lines += ["", *(f".. autofunction:: heam_sim.{name}\n" for name in own)]
    return "\n".join(lines)


def _sentence(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


def _constants(module: ModuleType) -> str:
    """The public names that are neither classes nor functions, with the comments above them."""
    comments: dict[str, list[str]] = {}
    parts = [
        f"{module.__name__}.{info.name}" for info in pkgutil.iter_modules(getattr(module, "__path__", []))
    ]
    for name in (module.__name__, *parts):
        analyzer = ModuleAnalyzer.for_module(name)
        comments |= {name: text for (_, name), text in analyzer.find_attr_docs().items()}
    text = ""
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, ModuleType)):
            lines = "\n".join(f"   {line}" for line in comments[name])
            text += f"\n.. py:data:: {module.__name__}.{name}\n\n{lines}\n"
    return text


def _public(app: Any, env: Any, node: Any, child: Any) -> Any:
    """Let ``heam_sim.X`` lead to the page of the room that documents X."""
    target = node.get("reftarget", "")
    room, _, name = target.rpartition(".")
    if node.get("refdomain") != "py" or room != "heam_sim" or _documented_in(name) == "heam_sim":
        return None
    node["reftarget"] = f"{_documented_in(name)}.{name}"
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, child
    )


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
    app.connect("missing-reference", _public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
