# SPDX-License-Identifier: MIT
"""``heam-sim cite``: what to cite, as BibTeX."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import click

from heam_sim._version import __version__
from heam_sim.cli.completion import complete_system
from heam_sim.cli.output import json_option, print_json
from heam_sim.errors import unknown_name
from heam_sim.systems import known_systems

__all__ = ["cite_command", "works"]


def works() -> list[dict[str, Any]]:
    """Return the software and the papers behind its systems, as ``data/citations.toml`` has them."""
    text = (resources.files("heam_sim.cli") / "data" / "citations.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["work"]
    for work in found:
        if work["entry"] == "software":
            work["version"] = __version__
    return found


@click.command("cite")
@click.argument("system", nargs=-1, shell_complete=complete_system)
@json_option
def cite_command(system: tuple[str, ...], as_json: bool) -> None:
    """Print BibTeX of this software and of the papers behind SYSTEM... (default: all).

    Example: heam-sim cite heam recnmp > references.bib
    """
    for name in system:
        if name not in known_systems():
            raise unknown_name("system", name, known_systems())
    wanted = set(system or known_systems())
    chosen = [work for work in works() if work["entry"] == "software" or wanted & set(work["systems"])]
    if as_json:
        print_json(chosen)
    else:
        click.echo("\n\n".join(_bibtex(work) for work in chosen))


def _bibtex(work: dict[str, Any]) -> str:
    fields = [(key, value) for key, value in work.items() if key not in ("entry", "key", "systems")]
    lines = [f"  {key} = {{{value}}}," for key, value in fields]
    return "\n".join((f"@{work['entry']}{{{work['key']},", *lines, "}"))
