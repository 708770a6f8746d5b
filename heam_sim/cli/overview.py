# SPDX-License-Identifier: MIT
"""The commands of ``heam-sim`` by section; each is imported when it is called."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem

__all__ = ["SECTIONS", "Overview"]

#: Section, name of the command, where it lives, and what ``heam-sim --help`` says of it.
SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Studies": {
        "reproduce": ("study:reproduce_command", "Run the study: tables, figures, published claims."),
        "sweep": ("study:sweep_command", "Simulate all points of a study of your own."),
        "tune": ("tuning:tune_command", "Search the best settings of systems."),
    },
    "Single runs": {
        "simulate": ("simulations:simulate_command", "Simulate a system: time, energy, counters."),
        "bound": ("simulations:bound", "Hold a system against the ceilings of its resources."),
        "timeline": ("timeline:timeline_command", "Show the commands of a window, in a browser or a figure."),
        "explain": ("simulations:explain_command", "Say where the difference of two systems comes from."),
    },
    "Results": {
        "results": ("results:results", "Show, compare, merge and export stored results."),
        "plot": ("plot:plot_command", "Draw a figure of stored results."),
        "report": ("report:report_command", "Write stored results as one HTML page."),
    },
    "Inputs": {
        "trace": ("traces:trace", "Make, import, describe and export lookup traces."),
        "systems": ("simulations:systems", "List the architectures."),
        "spec": ("spec:spec", "List memories, show and explain their values."),
        "template": ("template:template_command", "Print the file of a memory or system to start from."),
    },
    "Request streams": {
        "replay": ("memory:replay_command", "Replay plain requests on one memory."),
        "check": ("memory:check", "Hold a command log against every rule of a memory."),
    },
    "About": {
        "cite": ("cite:cite_command", "Print what to cite, as BibTeX."),
        "completion": ("completion:completion", "Print what makes a shell complete commands."),
    },
}

_PLACES = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class _Formatter(click.HelpFormatter):
    """Keeps an example in one line, however long, so that it can be copied."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(re.sub(r"(?m)^Example: .*(?:\n.+)*", _in_one_line, text))


def _in_one_line(example: re.Match[str]) -> str:
    return "\b\n" + " ".join(example[0].split("\n"))  # \b: click wraps no line of the paragraph


class _Context(click.Context):
    formatter_class = _Formatter


def _with_whole_examples(command: click.Command) -> click.Command:
    command.context_class = _Context
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _with_whole_examples(inner)
    return command


class Overview(click.Group):
    """A group that knows its commands' names and imports only the one that is called.

    The overview and the completion of names are then quick, whatever a command rests on.
    """

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the overview."""
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in _PLACES:
            return None
        module, _, name = _PLACES[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(f"heam_sim.cli.{module}"), name)
        return _with_whole_examples(found)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, or an option."""
        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in _PLACES.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)  # the group's imports all

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview, section by section."""
        for section, entries in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, summary) for name, (_, summary) in entries.items()])
