# SPDX-License-Identifier: MIT
"""``heam-sim spec``: memories, what their values resolve to, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from heam_sim.cli.options import parse_overrides
from heam_sim.dram import derive_pim, load_spec
from heam_sim.dram.explain import constraint_table, list_table, pair_table, show_table, timing_table

__all__ = ["spec"]


def _print(rows: Sequence[dict[str, Any]], title: str = "") -> None:
    table = Table(title=title or None)
    for name in rows[0] if rows else ():
        # A name that is cut short cannot be copied.
        table.add_column(str(name), no_wrap=name == "preset", overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


@click.group("spec")
def spec() -> None:
    """Memories: list them, show their resolved values, explain where these come from."""


_SETTINGS = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a value, e.g. rank=2."
)


@spec.command("list")
@click.option("--family", help="native or ramulator-2.1.")
def list_command(family: str | None) -> None:
    """List the presets.

    Example: heam-sim spec list --family native
    """
    shown = ("preset", "shape", "burst_bytes", "capacity_MiB", "peak_GBps")
    rows = list_table(family=family)
    _print([{name: row[name] for name in shown if name in row} for row in rows])


@spec.command("show")
@click.argument("name")
@_SETTINGS
def show(name: str, settings: tuple[str, ...]) -> None:
    """Show the resolved values of preset NAME.

    Example: heam-sim spec show native/DDR4_8Gb_x8/DDR4_3200 --set rank=2
    """
    _print(show_table(name, overrides=parse_overrides(settings) or None), name)


@spec.command("explain")
@click.argument("name")
@click.argument("pair", nargs=-1)
@_SETTINGS
@click.option("--pim-level", help="Derive the PIM commands for PEs of this level.")
@click.option("--merge-level", help="Level of the node that merges partials.")
def explain(
    name: str,
    pair: tuple[str, ...],
    settings: tuple[str, ...],
    pim_level: str | None,
    merge_level: str | None,
) -> None:
    """Explain every timing and constraint row of preset NAME, or the rows between the two commands of PAIR.

    Example: heam-sim spec explain native/HBM2_4Gb/HBM2_2000 PIM_RD PIM_RD --pim-level bank_group
    """
    overrides = parse_overrides(settings) or None
    resolved = load_spec(name, overrides=overrides)
    if pim_level is not None:
        resolved = derive_pim(resolved, pim_level, merge_level)
    if pair:
        if len(pair) != 2:
            raise click.UsageError("PAIR: name two commands, e.g. ACT RD.")
        _print(pair_table(resolved, pair[0], pair[1]), f"{pair[0]} to {pair[1]} in {name}")
        return
    _print(timing_table(name, overrides=overrides), f"timing of {name}")
    _print(constraint_table(resolved), f"constraint rows of {name}")
