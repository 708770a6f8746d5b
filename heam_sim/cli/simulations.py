# SPDX-License-Identifier: MIT
"""``heam-sim simulate``, ``bound`` and ``systems``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from heam_sim.bounds import Demand, ceilings
from heam_sim.cli.options import parse_overrides, simulation_options, trace_options, wanted_trace
from heam_sim.results import Result, ResultSet
from heam_sim.simulation import Plan, plan, simulate
from heam_sim.systems import known_systems, load_system

__all__ = ["bound", "simulate_command", "systems"]


def _result_table(result: Result) -> Table:
    table = Table(
        title=f"{result.system}, {result.embedding}, {result.vector_bytes} B, scope {result.scope}",
        show_header=False,
    )
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("unit")
    total = result.energy.total_pJ
    rows: list[tuple[str, str, str]] = [
        ("time", f"{result.time_ns:,.1f}", "ns"),
        ("samples, lookups", f"{result.samples:,}, {result.lookups:,}", ""),
        ("lookups", f"{result.lookups_per_second / 1e6:,.2f}", "M/s"),
        (
            "latency of a GnR, mean / p99",
            f"{result.latency_ns['mean']:,.0f} / {result.latency_ns['p99']:,.0f}",
            "ns",
        ),
        ("energy", f"{result.energy_pJ / 1e6:,.3f}", "µJ"),
        ("energy, interval of the sources", f"{total.low / 1e6:,.3f} to {total.high / 1e6:,.3f}", "µJ"),
        ("average power", f"{result.average_power_W:,.2f}", "W"),
        ("tightest ceiling", f"{result.bound}, {100 * result.achieved_fraction:.0f} % reached", ""),
    ]
    for row in rows:
        table.add_row(*row)
    for name, part in result.energy.by_component().items():
        if part.value:
            table.add_row(f"  {name}", f"{part.value / 1e6:,.3f}", "µJ")
    for tier, counters in result.counters.items():
        shown = ", ".join(
            f"{name} {counters[name]:,}"
            for name in ("act", "rd", "pim_rd", "pim_mov", "pim_rdres", "pim_lut", "ref")
            if counters[name]
        )
        table.add_row(tier, shown, "commands")
        table.add_row(f"  {tier}: times set by", _reasons(counters), "of commands")
    for note in result.notes:
        table.add_row("note", note, "")
    return table


def _reasons(counters: Mapping[str, int]) -> str:
    """The resources that set the time of most commands."""
    prefix = "bound_by "
    reasons = {
        name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix)
    }
    total = sum(reasons.values())
    most = sorted(reasons.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{name.replace('_', ' ')} {100 * count / total:.0f} %" for name, count in most)


@click.command("simulate")
@click.argument("system")
@trace_options
@simulation_options
@click.option("--check", is_flag=True, help="Check the command log: protocol and sums.")
@click.option("--output", type=click.Path(path_type=Path), help="Store the result (HDF5).")
def simulate_command(
    system: str,
    trace_file: Path | None,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    pooling: int | None,
    embedding: str,
    vector_bytes: int,
    scope: str,
    profile: float,
    settings: tuple[str, ...],
    check: bool,
    output: Path | None,
) -> None:
    """Simulate SYSTEM (a name or a description file) and print what came out.

    Example: heam-sim simulate heam --embedding qr:4 --vector-bytes 128 --check
    """
    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    result = simulate(
        trace,
        system=system,
        embedding=embedding,
        vector_bytes=vector_bytes,
        scope=scope,  # type: ignore[arg-type]  # click has checked the choice
        profile=profile,
        overrides=parse_overrides(settings),
        check=check,
    )
    console = Console()
    console.print(_result_table(result))
    if check:
        console.print("protocol and functional check: passed")
    if output is not None:
        ResultSet([result]).save(output)


def _limits(planned: Plan) -> list[dict[str, Any]]:
    layouts = planned.placement.layouts.values()
    demand = Demand(sum(layout.tier.channels for layout in layouts), max(layout.units for layout in layouts))
    for start, stop in planned.chunks():
        demand.add(planned.lowered(start, stop), planned.placement)
    return ceilings(planned.placement, demand, planned.parameters())


@click.command("bound")
@click.argument("system", nargs=-1)
@trace_options
@simulation_options
@click.option("--no-run", is_flag=True, help="Do not simulate; print the ceilings alone.")
def bound(
    system: tuple[str, ...],
    trace_file: Path | None,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    pooling: int | None,
    embedding: str,
    vector_bytes: int,
    scope: str,
    profile: float,
    settings: tuple[str, ...],
    no_run: bool,
) -> None:
    """Print the least time that each resource of SYSTEM... (default: all) allows, beside what is achieved.

    Example: heam-sim bound heam host-hbm-dimm --embedding qr:4 --samples 2000
    """
    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    console = Console()
    for name in system or known_systems():
        arguments: dict[str, Any] = {
            "system": name,
            "embedding": embedding,
            "vector_bytes": vector_bytes,
            "scope": scope,
        }
        arguments |= {"profile": profile, "overrides": parse_overrides(settings)}
        rows = _limits(plan(trace, **arguments))
        achieved = None if no_run else simulate(trace, **arguments).time_ns
        console.print(_bound_table(name, rows, achieved))


def _bound_table(name: str, rows: list[dict[str, Any]], achieved: float | None) -> Table:
    title = (
        f"{name}: least times" if achieved is None else f"{name}: least times; achieved {achieved:,.1f} ns"
    )
    table = Table(title=title)
    for head in ("resource", "tier"):
        table.add_column(head)
    for head in ("least time ns", "of achieved"):
        table.add_column(head, justify="right")
    table.add_column("formula")
    for row in rows:
        share = "" if not achieved else f"{100 * row['time_ns'] / achieved:.0f} %"
        table.add_row(
            row["resource"] + ("" if row["enforced"] else " (estimate)"),
            row["tier"],
            f"{row['time_ns']:,.1f}",
            share,
            row["formula"],
        )
    return table


@click.command("systems")
def systems() -> None:
    """List the architectures.

    Example: heam-sim systems
    """
    table = Table()
    for head in ("name", "title", "memories", "PEs", "source"):
        table.add_column(head)
    for name in known_systems():
        system = load_system(name)
        memories = ", ".join(f"{tier.channels} x {tier.memory}" for tier in system.tiers)
        pes = ", ".join(tier.pim.unit_level for tier in system.tiers if tier.pim is not None) or "none"
        table.add_row(name, system.title, memories, pes, system.source)
    Console().print(table)
