# SPDX-License-Identifier: MIT
"""``heam-sim trace export`` and its two ways back."""

from __future__ import annotations

from pathlib import Path

import click

from heam_sim.exchange import export_requests, import_requests, read_fbgemm, write_fbgemm
from heam_sim.trace import TraceFile

__all__ = ["export_command", "from_fbgemm_command", "from_requests_command"]


@click.command("export", short_help="Write a trace for another tool.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--form",
    type=click.Choice(["ramulator", "dramsim3", "stl", "fbgemm"]),
    required=True,
    help="LD/ST text, DRAMsim3 text, DRAMSys .stl, or FBGEMM's indices and offsets (.npz, .pt).",
)
@click.option("--vector-bytes", type=int, default=256, show_default=True, help="Bytes of a row.")
@click.option("--burst-bytes", type=int, default=64, show_default=True, help="Bytes of a request.")
def export_command(file: Path, output: Path, form: str, vector_bytes: int, burst_bytes: int) -> None:
    """Write the trace in FILE for another tool.

    Example: heam-sim trace export trace.h5 trace.stl --form stl
    """
    with TraceFile(file) as stored:
        if form == "fbgemm":
            write_fbgemm(stored.read(), output)
        else:
            export_requests(stored, output, form=form, vector_bytes=vector_bytes, burst_bytes=burst_bytes)
    click.echo(f"wrote {output}")


@click.command("from-requests", short_help="Make a trace of the addresses of a request stream.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--rows", type=int, multiple=True, required=True, help="Rows of a table; once per table.")
@click.option("--vector-bytes", type=int, default=256, show_default=True, help="Bytes of a row.")
@click.option("--burst-bytes", type=int, default=64, show_default=True, help="Bytes of a request.")
@click.option("--pooling", type=int, help="Lookups of every bag.  [default: told by the order of tables]")
def from_requests_command(
    file: Path, output: Path, rows: tuple[int, ...], vector_bytes: int, burst_bytes: int, pooling: int | None
) -> None:
    """Make a trace of the addresses in FILE (Ramulator, DRAMsim3, DRAMSys .stl).

    Example: heam-sim trace from-requests trace.stl trace.h5 --rows 1000 --rows 50
    """
    import_requests(
        file,
        cardinalities=list(rows),
        vector_bytes=vector_bytes,
        burst_bytes=burst_bytes,
        pooling=pooling,
    ).save(output)
    click.echo(f"wrote {output}")


@click.command("from-fbgemm", short_help="Make a trace of FBGEMM's indices and offsets.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--tables", type=int, help="Number of tables, where the file does not say it.")
def from_fbgemm_command(file: Path, output: Path, tables: int | None) -> None:
    """Make a trace of FBGEMM's indices and offsets in FILE (.npz, .pt).

    Example: heam-sim trace from-fbgemm batch.npz trace.h5 --tables 8
    """
    read_fbgemm(file, tables=tables).save(output)
    click.echo(f"wrote {output}")
