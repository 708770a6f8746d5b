# SPDX-License-Identifier: MIT
"""What to cite: the software, and the papers behind its systems."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from heam_sim._version import __version__

__all__ = ["bibtex", "works", "works_behind"]


def works() -> list[dict[str, Any]]:
    """Return the software and the papers behind its systems, as ``data/citations.toml`` has them."""
    text = (resources.files("heam_sim.report") / "data" / "citations.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["work"]
    for work in found:
        if work["entry"] == "software":
            work["version"] = __version__
    return found


def works_behind(systems: Iterable[str]) -> list[dict[str, Any]]:
    """Return the software and the papers behind some systems, by their names."""
    wanted = set(systems)
    return [work for work in works() if work["entry"] == "software" or wanted & set(work["systems"])]


def bibtex(work: Mapping[str, Any]) -> str:
    """Return one of :func:`works` as a BibTeX entry."""
    fields = [(key, value) for key, value in work.items() if key not in ("entry", "key", "systems")]
    lines = [f"  {key} = {{{value}}}," for key, value in fields]
    return "\n".join((f"@{work['entry']}{{{work['key']},", *lines, "}"))
