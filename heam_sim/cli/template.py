# SPDX-License-Identifier: MIT
"""``heam-sim template``: the data files of heam_sim, to start one's own from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from heam_sim.dram.loader import standard_text
from heam_sim.energy.power import power_text
from heam_sim.results import write_atomically
from heam_sim.systems.loader import system_text

__all__ = ["template_command"]

_TEXTS: Mapping[str, Callable[[str], str]] = {
    "memory": standard_text,
    "power": power_text,
    "system": system_text,
}


@click.command("template")
@click.argument("kind", type=click.Choice(list(_TEXTS)))
@click.argument("name")
@click.option("--output", type=click.Path(path_type=Path), help="Write it here.  [default: standard output]")
def template_command(kind: str, name: str, output: Path | None) -> None:
    """Print the TOML file of a memory standard, a power file or a system, to start your own from.

    NAME is a preset (`heam-sim spec list`), a power file (`ddr4-3200-8gb-x8`, ...) or a system (`heam-sim
    systems`). Your own file goes wherever such a name does: a system by its path, a power file by its path, a
    memory as PATH.toml/ORGANIZATION/TIMING.

    Example: heam-sim template system recnmp --output mine.toml
    """
    text = _TEXTS[kind](name)
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, lambda path: path.write_text(text, encoding="utf-8"))
    click.echo(f"wrote {output}")
