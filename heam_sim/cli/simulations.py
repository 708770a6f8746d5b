# SPDX-License-Identifier: MIT
"""``heam-sim simulate``, ``bound`` and ``systems``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from heam_sim.arrivals import Arrivals, PoissonArrivals, RegularArrivals
from heam_sim.bounds import Demand, ceilings
from heam_sim.cli.completion import complete_system
from heam_sim.cli.options import parse_overrides, simulation_options, trace_options, wanted_trace
from heam_sim.cli.output import json_option, notes_console, print_json, rows_table
from heam_sim.cli.results import result_table
from heam_sim.errors import ConfigError
from heam_sim.planning import Plan, plan
from heam_sim.results import ResultSet, write_table
from heam_sim.results.export import RESULT_ENDINGS, check_ending, records
from heam_sim.simulation import scheduled, simulate
from heam_sim.systems import known_systems, load_system

if TYPE_CHECKING:
    from heam_sim.experiments import Explanation

__all__ = ["bound", "explain_command", "simulate_command", "systems"]


@click.command("simulate")
@click.argument("system", shell_complete=complete_system)
@trace_options
@simulation_options
@click.option(
    "--arrival-rate",
    metavar="RATE",
    help="Open loop: samples per second, e.g. 2e6, or of what the closed loop reaches, e.g. 0.5x.",
)
@click.option(
    "--arrival-process",
    type=click.Choice(["poisson", "regular"]),
    default="poisson",
    show_default=True,
    help="How the samples of --arrival-rate come.",
)
@click.option("--arrival-seed", type=int, default=1, show_default=True, help="Seed of the Poisson process.")
@click.option("--check", is_flag=True, help="Check the command log: protocol and sums (slow).")
@click.option("--commands", type=click.Path(path_type=Path), help="Store the command log (.npz or .csv).")
@click.option(
    "--threads",
    type=int,
    default=1,
    show_default=True,
    help="2: a second thread prepares the trace; the result is the same.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Store the result (.h5, .json, .csv ...).")
@json_option
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
    arrival_rate: str | None,
    arrival_process: str,
    arrival_seed: int,
    check: bool,
    commands: Path | None,
    threads: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Simulate SYSTEM and print time, energy and what the time went to.

    SYSTEM is a name that `heam-sim systems` lists, or a description file (.toml). Without --trace and --path
    a trace is generated.

    Example: heam-sim simulate heam --embedding qr:4 --vector-bytes 128 --check
    """
    if output is not None:
        check_ending(output, RESULT_ENDINGS)
    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    result = simulate(
        trace,
        system=system,
        embedding=embedding,
        vector_bytes=vector_bytes,
        scope=scope,  # type: ignore[arg-type]  # click has checked the choice
        profile=profile,
        overrides=parse_overrides(settings),
        arrivals=_arrivals(arrival_rate, arrival_process, arrival_seed),
        check=check,
        commands=commands,
        threads=threads,
    )
    if as_json:
        print_json(result.to_dict())
    else:
        Console().print(result_table(result))
    if check:
        notes_console(as_json).print("protocol and functional check: passed")
    if output is not None:
        ResultSet([result]).write(output)


def _arrivals(rate: str | None, process: str, seed: int) -> Arrivals | None:
    """What the options say about an open loop."""
    if rate is None:
        return None
    try:
        number = float(rate.removesuffix("x"))
    except ValueError:
        raise ConfigError(
            f"--arrival-rate {rate}: write samples per second, e.g. 2e6, or a share of the closed loop's "
            "throughput, e.g. 0.5x."
        ) from None
    given = {"load" if rate.endswith("x") else "per_second": number}
    return RegularArrivals(**given) if process == "regular" else PoissonArrivals(**given, seed=seed)


def _limits(planned: Plan) -> list[dict[str, Any]]:
    layouts = planned.placement.layouts.values()
    demand = Demand(sum(layout.tier.channels for layout in layouts), max(layout.units for layout in layouts))
    for start, stop in planned.chunks():
        demand.add(planned.lowered(start, stop), planned.placement)
    # A load over the closed loop's throughput is a time only after that has been simulated.
    if planned.arrivals is not None and planned.arrivals.load is None:
        planned = scheduled(planned)
    last = planned.last_arrival_ns
    return ceilings(planned.placement, demand, planned.parameters(), last_arrival_ns=last)


@click.command("bound")
@click.argument("system", nargs=-1, shell_complete=complete_system)
@trace_options
@simulation_options
@click.option("--no-run", is_flag=True, help="Do not simulate; print the ceilings alone.")
@json_option
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
    as_json: bool,
) -> None:
    """Print the least time that each resource of SYSTEM... (default: all) allows, beside what is achieved.

    These ceilings are closed forms of the work that the trace makes. No run may be faster, but for estimates.

    Example: heam-sim bound heam host-hbm-dimm --embedding qr:4 --samples 2000
    """
    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    found: list[dict[str, Any]] = []
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
        found.append({"system": name, "achieved_time_ns": achieved, "ceilings": rows})
        if not as_json:
            Console().print(_bound_table(name, rows, achieved))
    if as_json:
        print_json(found)


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
@json_option
def systems(as_json: bool) -> None:
    """List the architectures: name, title, memories, PEs, source.

    docs/models has a card for each, with its parameters and assumptions.

    Example: heam-sim systems
    """
    found = [load_system(name) for name in known_systems()]
    if as_json:
        print_json([system.to_dict() for system in found])
        return
    rows = [
        {
            "name": system.name,
            "title": system.title,
            "memories": ", ".join(f"{tier.channels} x {tier.memory}" for tier in system.tiers),
            "PEs": ", ".join(tier.pim.unit_level for tier in system.tiers if tier.pim) or "none",
            "source": system.source,
        }
        for system in found
    ]
    Console().print(rows_table(rows))


@click.command("explain")
@click.argument("first", shell_complete=complete_system)
@click.argument("second", shell_complete=complete_system)
@trace_options
@simulation_options
@click.option(
    "--first",
    "only_first",
    multiple=True,
    metavar="KEY=VALUE",
    help="As --set, for FIRST alone; also embedding, vector_bytes, scope, profile.",
)
@click.option(
    "--second",
    "only_second",
    multiple=True,
    metavar="KEY=VALUE",
    help="As --set, for SECOND alone, likewise.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the table (.csv, .parquet, .json, .tex)."
)
@json_option
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
    as_json: bool,
) -> None:
    """Walk from system FIRST to system SECOND one change at a time, and say what each is worth.

    Every step is simulated on the same trace; the steps' factors multiply to the whole speed-up.

    Example: heam-sim explain host-dimm heam --scope sample --second embedding=qr:4 --samples 2000
    """
    from heam_sim.experiments import explain

    if output is not None:
        check_ending(output)
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
    if as_json:
        print_json(records(found.to_frame()))
    else:
        Console().print(_explanation_table(found, first, second))
    if output is not None:
        write_table(output, found.to_frame())


def _explanation_table(found: Explanation, first: str, second: str) -> Table:
    table = Table(title=f"From {first} to {second}: {found.speedup:.2f}x")
    # A key that is cut cannot be copied.
    table.add_column("change", overflow="fold")
    for head in ("ns per\nsample", "speed", "nJ per\nsample", "energy"):
        table.add_column(head, justify="right")
    table.add_column("tightest\nceiling", max_width=9)
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
