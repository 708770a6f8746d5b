# SPDX-License-Identifier: MIT
"""Commands on stored results, JSON of every command that prints a table, help, citations, completion."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from heam_sim import __version__
from heam_sim.cli import main
from heam_sim.cli.completion import COMPLETE_VARIABLE
from heam_sim.cli.main import program
from heam_sim.cli.overview import SECTIONS
from heam_sim.datasets import generate
from heam_sim.dram import list_presets
from heam_sim.report.citations import works
from heam_sim.results import ResultSet
from heam_sim.systems import known_systems
from tests.unit.results_cases import make_result, make_study

ROOT = Path(__file__).resolve().parents[2]


def commands(
    command: click.Command = program, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(commands())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two files of results, a trace and requests."""
    make_study(collisions=(4,)).save(tmp_path / "a.h5")
    ResultSet([make_result(time_ns=1250.0)]).save(tmp_path / "b.h5")
    generate("criteo-kaggle", samples=40, seed=1).save(tmp_path / "trace.h5")
    (tmp_path / "requests.txt").write_text("LD 0x0\nST 0x40\nLD 0x80\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """The standard output of a command."""
    assert main(arguments) == status, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


# -- spec


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", "native/HBM3_16Gb_8hi/HBM3_6400"),
        ("explain", "native/DDR5_16Gb_x8/DDR5_4800", "--set", "rank=2"),
        ("explain", "native/HBM2_4Gb/HBM2_2000", "RD", "RD", "--pim-level", "bank_group"),
    ],
    ids=["list", "show", "explain", "pair"],
)
def test_spec_tables_fit_a_terminal(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are whole, and each source stands once, below the tables, under the number that rows refer to."""
    monkeypatch.setenv("COLUMNS", "80")
    out = run(capsys, "spec", *arguments)
    assert max(len(line) for line in out.splitlines()) <= 80
    tables, *sources = out.split("\nsource ")
    if arguments == ("list",):
        assert all(f" {name} " in tables for name in list_presets())
        return
    assert "JESD" not in tables and all("JESD" in text or "Ramulator" in text for text in sources)
    assert [text.split(":")[0] for text in sources] == [str(n) for n in range(1, len(sources) + 1)]
    assert all(f" {number} " in tables for number in range(1, len(sources) + 1))


def test_spec_explain_says_which_nodes_and_how_far_back(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "spec", "explain", "native/DDR4_8Gb_x8/DDR4_2400")
    assert "nFAW" in out and "4th" in out and "(others)" in out


# -- results


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "results", "show", "a.h5")
    assert "8 results in a.h5" in out and out.count("qr-c4-multiply") == 8
    assert "1,000.0" in run(capsys, "results", "show", "a.h5", "--result", "0")
    assert "numbered from 0" in refused(capsys, "results", "show", "a.h5", "--result", "8")
    assert "no such file" in refused(capsys, "results", "show", "none.h5")


def test_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ResultSet([make_result()]).save("c.h5")
    assert run(capsys, "results", "diff", "c.h5", "c.h5") == "no differences\n"
    out = run(capsys, "results", "diff", "c.h5", "b.h5", "--output", "diff.csv", status=1)
    label = "host-dimm qr-c4-multiply 64 B bag"
    assert out == f"{label}\n  time_ns: 1,000 -> 1,250 ns (+250, +25 %)\n1 difference\n"
    assert (folder / "diff.csv").read_text().splitlines()[1].endswith(",1000.0,1250.0,250.0,0.25,ns")
    assert run(capsys, "results", "diff", "c.h5", "b.h5", "--tolerance", "0.3") == "no differences\n"
    short = run(capsys, "results", "diff", "a.h5", "b.h5", "--show", "1", status=1)
    assert short.splitlines()[1] == "  only in the first"
    assert re.search(r"\d+ differences; \d+ more", short)


def test_merge(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(capsys, "results", "merge", "a.h5", "a.h5", "--output", "m.h5") == "wrote m.h5 with 8 results\n"
    )
    assert list(ResultSet.load("m.h5")) == list(ResultSet.load("a.h5"))
    ResultSet([make_result(scope="sample", time_ns=1.0)]).save("d.h5")
    message = refused(capsys, "results", "merge", "a.h5", "d.h5", "--output", "n.h5")
    assert "different results of the same run" in message
    assert not (folder / "n.h5").exists()


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "tex", "h5"])
def test_export(folder: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    assert run(capsys, "results", "export", "a.h5", f"out.{ending}") == f"wrote out.{ending}\n"
    assert (folder / f"out.{ending}").stat().st_size > 500


def test_export_of_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "results", "export", "b.h5", "o.csv", "--columns", "system, time_ns")
    assert (folder / "o.csv").read_text() == "system,time_ns\nhost-dimm,1250.0\n"
    assert "'time_ns'" in refused(capsys, "results", "export", "b.h5", "o.csv", "--columns", "time")
    assert ".parquet" in refused(capsys, "results", "export", "b.h5", "o.parket")


def test_plot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--columns", "1", "--only", "vector_bytes=64", "--latex", "--output", "out/fig")
    out = run(capsys, "plot", "speedup", "a.h5", *options)
    assert out == "".join(f"wrote out/fig.{ending}\n" for ending in ("pdf", "png", "csv", "tex"))
    assert len((folder / "out" / "fig.csv").read_text().splitlines()) == 1 + 4
    assert "--only a: write COLUMN=VALUE" in refused(capsys, "plot", "speedup", "a.h5", "--only", "a")
    assert "did you mean 'speedup'" in refused(capsys, "plot", "spedup", "a.h5")
    assert "no such file" in refused(capsys, "plot", "speedup", "none.h5")


def test_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "report", "b.h5", "--output", "out/page.html", "--title", "A & B")
    assert re.fullmatch(r"wrote out/page\.html \(\d\.\d MB\)\n", out)
    assert "<h1>A &amp; B</h1>" in (folder / "out" / "page.html").read_text(encoding="utf-8")
    assert run(capsys, "report", "b.h5").startswith("wrote report.html")
    assert "no such file" in refused(capsys, "report", "none.h5")
    assert "is a folder" in refused(capsys, "report", "b.h5", "--output", "out")


def test_an_open_loop(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("simulate", "heam", "--trace", "trace.h5", "--vector-bytes", "64")
    out = run(capsys, *small, "--arrival-rate", "0.5x", "--arrival-seed", "3", "--check", "--output", "o.h5")
    assert "latency of a sample, mean" in out and "samples offered (0.5 of the" in out
    found = json.loads(run(capsys, *small, "--arrival-rate", "2e6", "--arrival-process", "regular", "--json"))
    assert found["config"]["arrivals"] == {"process": "regular", "per_second": 2e6, "load": None}
    assert found["arrivals"]["samples_per_second"] == 2e6
    drawn = run(capsys, "plot", "latency", "o.h5", "--statistic", "p99")
    assert drawn == "".join(f"wrote latency.{ending}\n" for ending in ("pdf", "png", "csv"))
    assert "write samples per second" in refused(capsys, *small, "--arrival-rate", "fast")
    assert "must be a finite number above 0" in refused(capsys, *small, "--arrival-rate", "0")
    assert "did you mean 'p99'" in refused(capsys, "plot", "latency", "o.h5", "--statistic", "p9")
    # A time, and so a ceiling, without a simulation.
    limits = ("bound", *small[1:], "--no-run", "--json", "--set", "arrivals.per_second=1e5")
    (first,) = json.loads(run(capsys, *limits))
    assert first["ceilings"][0]["resource"] == "arrivals"
    assert "simulate with arrivals" in refused(capsys, "plot", "latency", "a.h5")


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "heam", "--trace", "none.h5"),
        ("explain", "host-dimm", "heam", "--trace", "none.h5"),
        ("results", "diff", "none.h5", "none.h5"),
    ],
    ids=" ".join,
)
def test_a_name_that_cannot_be_is_told_before_the_run(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert "unknown ending '.xls'" in refused(capsys, *arguments, "--output", "o.xls")


# -- JSON


SMALL = ("--samples", "20", "--vector-bytes", "64")
JSON: dict[tuple[str, ...], tuple[tuple[str, ...], int]] = {
    ("simulate",): (("host-dimm", *SMALL), 0),
    ("bound",): (("host-dimm", "--no-run", *SMALL), 0),
    ("explain",): (("host-dimm", "host-dimm", *SMALL, "--second", "host.llc_bytes=0"), 0),
    ("systems",): ((), 0),
    ("trace", "info"): (("trace.h5",), 0),
    ("results", "show"): (("a.h5",), 0),
    ("results", "diff"): (("a.h5", "b.h5"), 1),
    ("replay",): (("requests.txt", "--commands", "log.csv"), 0),
    ("check",): (("log.csv", "--spec", "native/DDR4_8Gb_x8/DDR4_3200"), 0),
    ("spec", "list"): ((), 0),
    ("spec", "show"): (("native/DDR4_8Gb_x8/DDR4_3200",), 0),
    ("spec", "explain"): (("native/DDR4_8Gb_x8/DDR4_3200",), 0),
    ("cite",): (("heam",), 0),
}
#: Long runs, which tests/pipeline has.
LONG = {("reproduce",), ("tune",)}


#: Commands that write files and say which, with a line of counts at most.
NO_TABLE = {
    ("template",),
    ("timeline",),
    ("sweep",),
    ("plot",),
    ("report",),
    ("results", "merge"),
    ("results", "export"),
    *(("trace", name) for name in ("generate", "make", "plot", "fit", "convert", "import")),
    *(("trace", name) for name in ("export", "from-requests", "from-fbgemm")),
    ("completion",),
}


def test_json_is_everywhere_where_tables_are() -> None:
    """A new command is named in one of the three: with arguments, among the long, or as without a table."""
    found = {path for path, command in COMMANDS.items() if any(p.name == "as_json" for p in command.params)}
    assert found == {*JSON, *LONG}
    assert found | NO_TABLE == set(COMMANDS) and not found & NO_TABLE


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: dict[str, Any] = {}
    for path, (arguments, status) in JSON.items():
        made[" ".join(path)] = json.loads(run(capsys, *path, *arguments, "--json", status=status))
    assert made["simulate"]["time_ns"] > 0 and made["simulate"]["config"]["system"]["name"] == "host-dimm"
    assert made["bound"][0]["ceilings"][0]["time_ns"] > 0
    assert [row["changes"] for row in made["explain"]] == ["start", "host.llc_bytes: 8388608 -> 0"]
    assert [row["name"] for row in made["systems"]] == list(known_systems())
    assert len(made["trace info"]["tables"]) == 26 and made["trace info"]["samples"] == 40
    assert len(made["results show"]["results"]) == 8
    assert {row["statistic"] for row in made["results diff"]} == {""}, "no two results belong together"
    reads = next(row for row in made["replay"]["statistics"] if row["statistic"] == "rd")
    assert reads == {"statistic": "rd", "value": 2, "unit": "commands"}
    assert made["check"]["counts"] == {} and made["check"]["commands"] > 0
    assert {"preset", "peak_GBps"} <= made["spec list"][0].keys()
    assert made["spec show"] and made["spec explain"]["timing"] and made["spec explain"]["constraints"]
    assert [work["key"] for work in made["cite"]] == ["heam_sim", "kim2024heam"]


# -- help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_works_and_says_what_options_do(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    example = re.search(r"Example: heam-sim (.*)", command.help)
    assert example, "no example"
    words = shlex.split(example[1].partition(" > ")[0])
    assert tuple(words[: len(path)]) == path or path == ("trace", "import")
    command.make_context(path[-1], words[len(path) :])  # raises where an option or argument is unknown
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.opts[0]} says nothing"


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_an_example_stands_in_one_line_so_that_it_can_be_copied(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = run(capsys, *path, "--help")
    command = COMMANDS[path] if path else program
    whole = re.findall(r"Example: (?:.+\n?)+", inspect.cleandoc(command.help or ""))
    assert whole and all(" ".join(example.split()) in text for example in whole)


def test_the_overview_says_of_every_command_what_it_does() -> None:
    entries = [(name, what) for section in SECTIONS.values() for name, (_, what) in section.items()]
    assert [name for name, _ in entries] == program.list_commands(click.Context(program))
    for name, what in entries:
        assert what.endswith(".") and len(what) + len("  completion  ") <= 78, name


@pytest.mark.parametrize("path", [("trace",), ("spec",), ("results",)], ids=" ".join)
def test_no_line_of_a_group_is_cut(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "..." not in run(capsys, *path, "--help").split("Commands:")[1]


@pytest.mark.parametrize("path", [(), ("trace",), ("spec",), ("results",)], ids=" ".join)
def test_groups_have_an_example_too(path: tuple[str, ...]) -> None:
    group: click.Command | None = program
    for name in path:
        assert isinstance(group, click.Group)
        group = group.get_command(click.Context(group), name)
    assert group is not None
    example = re.search(r"Example: heam-sim (.*)", group.help or "")
    assert example
    words = tuple(shlex.split(example[1]))
    (found,) = (known for known in COMMANDS if words[: len(known)] == known)
    assert found[: len(path)] == path
    COMMANDS[found].make_context(found[-1], list(words[len(found) :]))


# -- cite


def test_cite(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "cite")
    entries = re.findall(r"^@(\w+)\{(\w+),$", text, re.M)
    assert len(entries) == len(works()) == len({key for _, key in entries})
    assert text.count("{") == text.count("}")
    assert f"version = {{{__version__}}}" in text
    assert "did you mean 'heam'" in refused(capsys, "cite", "haem")


def test_every_system_of_a_paper_is_cited() -> None:
    cited = {name for work in works() for name in work["systems"]}
    assert cited == set(known_systems()) - {"host-dimm"}


def test_citations_agree_with_the_citation_file() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    software = works()[0]
    title = software["title"].replace("{", "").replace("}", "")
    assert f'title: "{title}"' in text and f"version: {__version__}" in text
    for identifier in re.findall(r"doi: (\S+)", text):
        assert identifier in {work.get("doi") for work in works()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == software["license"]


# -- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"_HEAM_SIM_COMPLETE={shell}_complete" in run(capsys, "completion", shell)


@pytest.mark.parametrize(
    ("words", "start", "wanted"),
    [
        (["simulate"], "trim", ["trim-b", "trim-g", "trim-r"]),
        (["explain", "heam"], "rec", ["recnmp"]),
        (["spec", "show"], "native/HBM2E_", []),
        (["plot"], "e", ["energy"]),
        (["results"], "", ["show", "diff", "merge", "export"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_names_are_completed(words: list[str], start: str, wanted: list[str]) -> None:
    found = [
        item.value
        for item in ShellComplete(program, {}, "heam-sim", COMPLETE_VARIABLE).get_completions(words, start)
    ]
    assert found and all(name.startswith(start) for name in found)
    assert not wanted or sorted(found) == sorted(wanted)


#: In a real shell: what the command prints is read, a key is pressed (or stands for it), and names come back.
SHELLS = {
    "bash": """
        eval "$(heam-sim completion bash)"
        COMP_WORDS=(heam-sim results mer); COMP_CWORD=2; _heam_sim_completion heam-sim; echo "${COMPREPLY[@]}"
    """,
    "fish": 'heam-sim completion fish | source; complete -C "heam-sim results mer" | string split -f1 \\t',
    "zsh": """
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1=; autoload -Uz compinit && compinit -u -D'
        zpty -w shell 'eval "$(heam-sim completion zsh)"; echo re""ady'
        zpty -r -m shell line '*ready*'
        zpty -w -n shell $'heam-sim results mer\\t'
        zpty -r -m shell line '*merge*' && echo merge
        zpty -d shell
    """,
}


@pytest.mark.parametrize(("shell", "clean"), [("bash", "--norc"), ("fish", "--no-config"), ("zsh", "-f")])
def test_a_shell_completes(shell: str, clean: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, clean, "-c", SHELLS[shell]], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.stdout == "merge\n", done.stderr
