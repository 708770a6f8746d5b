# SPDX-License-Identifier: MIT
"""Matplotlib's figures as parts of a page: no styles in attributes, glyphs and hatches once for all figures.

A page whose content security policy forbids inline styles cannot show Matplotlib's SVG as it is, and ten
figures with hatches would be five times as large as they need to be.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from heam_sim.plotting.style import figure_style

__all__ = ["SvgSheet"]

_NUMBER = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
# Hundredths of a point are below what any screen or printer shows.
_DIGITS = 2
_ROUNDED = ("d", "x", "y", "width", "height", "points")
_DROPPED = ("metadata", "style", "title", "desc")
# Matplotlib sets these for everything by a style sheet; as attributes of the root they are inherited.
_INHERITED = 'stroke-linejoin="round" stroke-linecap="butt"'


class SvgSheet:
    """Figures for one page, and the definitions that they share."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, figure: Figure, *, name: str, text: str) -> str:
        """Return a figure as an ``svg`` element.

        Parameters
        ----------
        figure
            Drawn as it is, on white.
        name
            Makes the ids of its title; letters, digits and hyphens.
        text
            What it shows, for those who do not see it.
        """
        root = ElementTree.fromstring(_drawn(figure))
        renamed = {old: self._shared(element) for old, element in _definitions(root)}
        body = "".join(_markup(child, renamed) for child in root)
        return (
            f'<svg viewBox="{html.escape(root.attrib["viewBox"])}" role="img" aria-labelledby="{name}-text" '
            f'{_INHERITED}><title id="{name}-text">{html.escape(text)}</title>{body}</svg>'
        )

    def definitions(self) -> str:
        """Return the element that holds what the figures share; it takes no room on the page."""
        shapes = "".join(markup.replace("\0", name) for markup, name in self._names.items())
        return f'<svg class="defs" aria-hidden="true" width="0" height="0"><defs>{shapes}</defs></svg>'

    def _shared(self, element: ElementTree.Element) -> str:
        """The page's own id of a definition: equal ones have one."""
        content = _markup(element, {}, identity="\0")
        return self._names.setdefault(content, f"g{len(self._names)}")


def _drawn(figure: Figure) -> str:
    with figure_style(), mpl.rc_context({"svg.hashsalt": "heam_sim", "svg.fonttype": "path"}):
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _definitions(root: ElementTree.Element) -> Iterator[tuple[str, ElementTree.Element]]:
    for defs in root.iter():
        if _tag(defs) == "defs":
            for element in defs:
                if "id" in element.attrib:
                    yield element.attrib["id"], element


def _markup(element: ElementTree.Element, renamed: dict[str, str], identity: str = "") -> str:
    """An element without namespaces, ids, and definitions, which stand elsewhere."""
    tag = _tag(element)
    if tag in _DROPPED or tag == "defs":
        return ""
    inner = "".join(_markup(child, renamed) for child in element)
    attributes = dict(_attributes(element, renamed))
    if identity:
        attributes = {"id": identity, **attributes}
    if tag == "g" and not attributes:
        return inner
    said = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{tag}{said}>{inner}</{tag}>" if inner else f"<{tag}{said}/>"


def _attributes(element: ElementTree.Element, renamed: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        name = key.rpartition("}")[2]
        if name == "id":
            continue
        if name == "style":
            for declaration in filter(None, (part.strip() for part in value.split(";"))):
                what, _, how = declaration.partition(":")
                yield what.strip(), _referring(how.strip(), renamed)
        elif name == "href":
            yield "href", f"#{renamed.get(value.removeprefix('#'), value.removeprefix('#'))}"
        elif name in _ROUNDED:
            yield name, " ".join(_NUMBER.sub(_rounded, value).split())
        else:
            yield name, _referring(value, renamed)


def _referring(value: str, renamed: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda found: f"url(#{renamed.get(found[1], found[1])})", value)


def _rounded(found: re.Match[str]) -> str:
    text = f"{float(found[0]):.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
