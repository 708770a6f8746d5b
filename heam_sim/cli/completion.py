# SPDX-License-Identifier: MIT
"""``heam-sim completion``, and the names that the shell completes."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

__all__ = [
    "COMPLETE_VARIABLE",
    "complete_figure",
    "complete_preset",
    "complete_study",
    "complete_system",
    "completion",
]

#: What click derives from the program's name.
COMPLETE_VARIABLE = "_HEAM_SIM_COMPLETE"


def complete_system(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem | str]:
    """Names of systems, or files of descriptions where none fits."""
    from heam_sim.systems import known_systems

    names: list[CompletionItem | str] = [name for name in known_systems() if name.startswith(start)]
    return names or [CompletionItem(start, type="file")]


def complete_preset(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem | str]:
    """Names of memories."""
    from heam_sim.dram import list_presets

    return [name for name in list_presets() if name.startswith(start)]


def complete_figure(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem | str]:
    """Names of figures, with what they show."""
    from heam_sim.experiments.figure_texts import FIGURE_TEXTS

    return [CompletionItem(name, help=what) for name, what in FIGURE_TEXTS.items() if name.startswith(start)]


def complete_study(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem | str]:
    """Names of studies that come with the package, or files where none fits."""
    from heam_sim.experiments.shipped import shipped_studies

    names: list[CompletionItem | str] = [name for name in shipped_studies() if name.startswith(start)]
    return names or [CompletionItem(start, type="file")]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, systems, memories and figures.

    Put it where your shell reads it: `eval "$(heam-sim completion bash)"` in ~/.bashrc, the same with zsh in
    ~/.zshrc, or for fish into ~/.config/fish/completions/heam-sim.fish.

    Example: heam-sim completion bash > heam-sim-completion.sh
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows the shells that the argument allows"
    program = click.get_current_context().find_root().command
    made = found(program, {}, "heam-sim", COMPLETE_VARIABLE)
    # Not source(), which for bash starts a shell to look at its version.
    click.echo(made.source_template % made.source_vars())
