# SPDX-License-Identifier: MIT
"""Entry point: commands, and what errors look like on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from heam_sim._version import __version__
from heam_sim.cli.overview import Overview
from heam_sim.errors import HeamSimError

__all__ = ["main", "program"]

INTERRUPTED = 130
MISUSED = 2


@click.group(cls=Overview, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="heam-sim")
def program() -> None:
    """How fast, and with how much energy, does a memory system serve recommendation embeddings?

    Every command has --help with an example, and every command that prints a table --json. The status is 0; 1
    if points of a study failed or results differ; 2 after an error, which is told in one sentence; 130 after
    Ctrl-C. Nothing is ever left half-written.

    Example: heam-sim reproduce --quick --output results/
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return the exit status.

    0; 1: some points failed, or results differ; 2: an error; 130: Ctrl-C.
    """
    try:
        status = program.main(
            args=None if arguments is None else list(arguments), prog_name="heam-sim", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return MISUSED
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing half-written was left; run the same command again.", err=True)
        return INTERRUPTED
    except (HeamSimError, MemoryError) as error:
        click.echo(f"error: {error}", err=True)
        return MISUSED
    except BrokenPipeError:
        sys.stderr.close()
        return MISUSED
    return status if isinstance(status, int) else 0
