# SPDX-License-Identifier: MIT
"""``heam-sim spec``: memories, what their values resolve to, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from heam_sim.cli.completion import complete_preset
from heam_sim.cli.options import parse_overrides
from heam_sim.cli.output import json_option, print_json, rows_table
from heam_sim.dram import derive_pim, load_spec
from heam_sim.dram.explain import constraint_table, list_table, pair_table, show_table, timing_table

__all__ = ["spec"]


def _print(parts: dict[str, Sequence[dict[str, Any]]], as_json: bool) -> None:
    """Print tables by title; as JSON one list of rows, or several by title."""
    if as_json:
        print_json(parts if len(parts) > 1 else next(iter(parts.values())))
        return
    console, sources = Console(), {"": ""}
    for title, rows in parts.items():
        table = [
            {_SHORT.get(key, key): _cell(key, value, sources) for key, value in row.items()} for row in rows
        ]
        console.print(rows_table(table, title=title, whole=_WHOLE))
    for text, number in list(sources.items())[1:]:
        console.print(f"source {number}: {text}", highlight=False, markup=False)


# Columns that are never wrapped, and short headings where the cells are short.
_WHOLE = ("preset", "nodes", "section", "no.", "cycles", "src")
_SHORT = {"number": "no.", "preceding": "from", "following": "to", "source": "src"}


def _constraint(row: dict[str, Any]) -> dict[str, Any]:
    """Say in words what is seldom: a row has neither room nor need for a column of it."""
    out = {key: value for key, value in row.items() if key not in ("window", "sibling")}
    if row["window"] > 1:
        out["preceding"] += f" ({row['window']}th last)"
    if row["sibling"]:
        out["level"] += " (others)"
    return out


def _cell(key: str, value: Any, sources: dict[str, str]) -> str:
    """Show a value in six digits; a source, a sentence that many rows share, by its number."""
    if key == "source":
        return sources.setdefault(value, str(len(sources)))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@click.group("spec")
def spec() -> None:
    """Memories: list them, show their resolved values, explain where these come from.

    Example: heam-sim spec list --family native
    """


_SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a count or timing, e.g. rank=2; repeatable.",
)


@spec.command("list", short_help="List the memories that can be named.")
@click.option("--family", help="native or ramulator-2.1.  [default: both]")
@json_option
def list_command(family: str | None, as_json: bool) -> None:
    """List the memories that can be named, with shape, capacity and peak bandwidth of a channel.

    Example: heam-sim spec list --family native
    """
    rows = list_table(family=family)
    if as_json:
        _print({"": rows}, as_json)
        return
    # "1 rank, 4 bank_group, 4 bank" of every preset would not leave room for its name.
    nodes = [" x ".join(part.split()[0] for part in str(row["shape"]).split(", ")) for row in rows]
    short = [
        {"preset": row["preset"], "nodes": shape, "MiB": row["capacity_MiB"], "GB/s": row["peak_GBps"]}
        for row, shape in zip(rows, nodes, strict=True)
    ]
    _print({"nodes of each level below the channel; capacity and peak of one channel": short}, as_json)


@spec.command("show", short_help="Show the resolved values of a memory.")
@click.argument("name", shell_complete=complete_preset)
@_SETTINGS
@json_option
def show(name: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Show the resolved values of preset NAME: counts, cycles and nanoseconds, each with its source.

    Example: heam-sim spec show native/DDR4_8Gb_x8/DDR4_3200 --set rank=2
    """
    _print({name: show_table(name, overrides=parse_overrides(settings) or None)}, as_json)


@spec.command("explain", short_help="Say where timings and constraint rows come from.")
@click.argument("name", shell_complete=complete_preset)
@click.argument("pair", nargs=-1)
@_SETTINGS
@click.option("--pim-level", help="Derive the PIM commands for PEs of this level, e.g. rank or bank_group.")
@click.option("--merge-level", help="Level of the node that merges partials.")
@json_option
def explain(
    name: str,
    pair: tuple[str, ...],
    settings: tuple[str, ...],
    pim_level: str | None,
    merge_level: str | None,
    as_json: bool,
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
        _print({f"{pair[0]} to {pair[1]} in {name}": pair_table(resolved, pair[0], pair[1])}, as_json)
        return
    timing, constraints = timing_table(name, overrides=overrides), constraint_table(resolved)
    if as_json:
        _print({"timing": timing, "constraints": constraints}, as_json)
        return
    rows = [_constraint(row) for row in constraints]
    _print({f"timing of {name}": timing, f"constraint rows of {name}": rows}, as_json)
