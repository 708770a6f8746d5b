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
from heam_sim.experiments import Explanation, explain
from heam_sim.results import Result, ResultSet
from heam_sim.results.atomic import write_atomically
from heam_sim.simulation import Plan, plan, simulate
from heam_sim.systems import known_systems, load_system

__all__ = ["bound", "explain_command", "simulate_command", "systems"]


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
        *_power_rows(result),
        ("tightest ceiling", f"{result.bound}, {100 * result.achieved_fraction:.0f} % reached", ""),
        ("time went to", _time_parts(result), "of the time"),
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


def _power_rows(result: Result) -> list[tuple[str, str, str]]:
    """Peak power of every tier, and the area of LUTs and caches where there are any."""
    rows = []
    for row in result.power:
        over = " (above its budget)" if row["over_budget"] else ""
        rows.append((f"peak power of {row['tier']}{over}", f"{row['peak_power_W']:,.2f}", "W"))
        if row["sram_mm2"]:
            rows.append((f"LUTs and caches of {row['tier']}", f"{row['sram_mm2']:,.2f}", "mm2"))
    return rows


def _time_parts(result: Result) -> str:
    """The largest parts of the time."""
    parts = [
        f"{row['tier']} {row['resource']} {100 * row['time_ns'] / result.time_ns:.0f} %"
        for row in result.time_parts[:4]
        if result.time_ns > 0
    ]
    return ", ".join(parts)


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
@click.option("--threads", type=int, default=1, show_default=True, help="2: a bit faster; same result.")
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
    threads: int,
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
        threads=threads,
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


@click.command("explain")
@click.argument("first")
@click.argument("second")
@trace_options
@simulation_options
@click.option("--first", "only_first", multiple=True, metavar="KEY=VALUE", help="--set for FIRST alone.")
@click.option(
    "--second", "only_second", multiple=True, metavar="KEY=VALUE", help="As --set, for SECOND alone."
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the table (CSV).")
def explain_command(
    first: str,
    second: str,
    trace_file: Path | None,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    pooling: int,
    embedding: str,
    vector_bytes: int,
    scope: str,
    profile: float,
    settings: tuple[str, ...],
    only_first: tuple[str, ...],
    only_second: tuple[str, ...],
    output: Path | None,
) -> None:
    """Walk from system FIRST to system SECOND one change at a time, and say what each is worth.

    --first and --second also take embedding, vector_bytes, scope and profile.

    Example: heam-sim explain host-dimm heam --scope sample --second embedding=qr:4 --samples 2000
    """
    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    shared: dict[str, Any] = {
        "embedding": embedding,
        "vector_bytes": vector_bytes,
        "scope": scope,
        "profile": profile,
    }

    def configuration(system: str, own: tuple[str, ...]) -> dict[str, Any]:
        given = parse_overrides((*settings, *own))
        overrides = {key: value for key, value in given.items() if "." in key}
        rest = {key: value for key, value in given.items() if "." not in key}
        return {"system": system, **shared, **rest, "overrides": overrides}

    found = explain(trace, configuration(first, only_first), configuration(second, only_second))
    Console().print(_explanation_table(found, first, second))
    if output is not None:
        frame = found.to_frame()
        write_atomically(output, lambda part: frame.to_csv(part, index=False, lineterminator="\n"))


def _explanation_table(found: Explanation, first: str, second: str) -> Table:
    table = Table(title=f"From {first} to {second}: {found.speedup:.2f}x")
    table.add_column("change")
    for head in ("ns per sample", "speed", "nJ per sample", "energy"):
        table.add_column(head, justify="right")
    table.add_column("tightest ceiling")
    frame = found.to_frame()
    for step, row in zip(found.steps, frame.to_dict("records"), strict=True):
        table.add_row(
            "\n".join(step.changes) or "start",
            f"{row['time_ns_per_sample']:,.1f}",
            f"{row['speedup']:.3f}x" if step.changes else "",
            f"{row['energy_pJ_per_sample'] / 1000:,.0f}",
            f"{row['energy_ratio']:.3f}x" if step.changes else "",
            str(row["bound"]),
        )
    return table
