# SPDX-License-Identifier: MIT
"""``heam-sim cite``: what to cite, as BibTeX."""

from __future__ import annotations

import click

from heam_sim.cli.completion import complete_system
from heam_sim.cli.output import json_option, print_json
from heam_sim.errors import unknown_name
from heam_sim.report.citations import bibtex, works_behind
from heam_sim.systems import known_systems

__all__ = ["cite_command"]


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
    chosen = works_behind(system or known_systems())
    if as_json:
        print_json(chosen)
    else:
        click.echo("\n\n".join(bibtex(work) for work in chosen))
