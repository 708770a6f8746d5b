# SPDX-License-Identifier: MIT
"""``heam-sim timeline`` and ``simulate --commands``: what they write, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heam_sim.check import read_log
from heam_sim.cli import main
from heam_sim.timelines import MOST_SLICES
from tests.functional.small import mixed_trace, run_of
from tests.timelines_cases import read_events

DDR4 = "native/DDR4_8Gb_x8/DDR4_3200"
SMALL = ("--trace", "trace.h5", "--embedding", "qr:8", "--vector-bytes", "128")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    mixed_trace(samples=20).save(tmp_path / "trace.h5")
    (tmp_path / "requests.txt").write_text("".join(f"LD {64 * 7919 * i % (1 << 30)}\n" for i in range(200)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = {path.name for path in Path().iterdir()}
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert {path.name for path in Path().iterdir()} == before, "something was left behind"
    return captured.err


def test_a_run_as_trace_events_figure_and_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = ("--output", "t.json", "--output", "t.json.gz", "--output", "fig.pdf", "--output", "all.csv")
    out = run(capsys, "timeline", *SMALL, "--window", "samples=1:3", "--channels", "0-3", *outputs)
    wrote = ["t.json", "t.json.gz", "fig.pdf", "fig.png", "fig.csv", "all.csv"]
    assert out.splitlines()[1:] == [f"wrote {name}" for name in wrote]
    read, packed = read_events(folder / "t.json"), read_events(folder / "t.json.gz")
    assert [event.raw for event in read.events] == [event.raw for event in packed.events]
    assert set(read.processes) <= {f"hbm channel {channel}" for channel in range(4)}
    assert read.about["system"] == "heam" and read.about["memories"][1] == DDR4
    table = pd.read_csv(folder / "all.csv")
    assert len(table) == len(read.events) and f"{len(table):,} slices" in out
    assert (folder / "fig.pdf").read_bytes().count(b"/FontFile2") >= 1, "no font is embedded"


def test_simulate_stores_the_log_that_timeline_reads(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "simulate", "heam", *SMALL, "--commands", "log.npz")
    _, kept = run_of(mixed_trace(samples=20), system="heam", embedding="qr:8", vector_bytes=128)
    log = read_log("log.npz")
    assert log.command_names == kept.command_names and len(log.log) > 100
    assert all(np.array_equal(log.log[name], kept.log[name]) for name in log.log.dtype.names)
    out = run(capsys, "timeline", "--commands", "log.npz", "--system", "heam", "--window", "gnrs=5:9")
    assert out.endswith("wrote timeline.json\n")
    tags = {event.args.get("gnr") for event in read_events(folder / "timeline.json").events}
    wanted = {tag for tag in kept.log["tag"].tolist() if 5 <= tag < 9}
    assert wanted and wanted <= tags
    assert "unknown ending" in refused(capsys, "simulate", "heam", *SMALL, "--commands", "log.txt")


def test_a_replay_and_a_recording_of_ramulator(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "replay", "requests.txt", "--commands", "r.csv", "--set", "rank=2")
    run(
        capsys,
        "timeline",
        "--commands",
        "r.csv",
        "--spec",
        DDR4,
        "--set",
        "rank=2",
        "--window",
        "cycles=1:500",
    )
    read = read_events(folder / "timeline.json")
    assert read.processes == [f"{DDR4} channel 0"]
    assert any(track.startswith("bank 1.") for _, track in read.tracks)
    preset = "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R"
    text = "clock,command,Channel,Rank,BankGroup,Bank,Row,Column,type,source\n"
    (folder / "c.csv.ch0").write_text(text + "1,ACT,0,0,0,0,7,0,0,0\n17,RD,0,0,0,0,7,3,0,0\n")
    run(
        capsys,
        *("timeline", "--commands", "c.csv.ch0", "--spec", preset),
        *("--window", "cycles=0:100"),
    )
    found = [
        (e.track, e.kind, e.name, float(e.start / 10), float(e.stop / 10))
        for e in read_events(folder / "timeline.json").events
        if e.kind in ("command", "burst")
    ]
    cycle = 0.0833  # tCK of DDR4-2400 as the preset has it: 833 ps
    assert found == [
        ("bank 0.0.0", "command", "ACT", pytest.approx(cycle), pytest.approx(17 * cycle)),
        ("bank 0.0.0", "command", "RD", pytest.approx(17 * cycle), pytest.approx(23 * cycle)),
        ("data bus", "burst", "RD", pytest.approx(33 * cycle), pytest.approx(37 * cycle)),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output", "t.xls"), "unknown ending of a timeline '.xls'"),
        (("--output", ".json"), "unknown ending of a timeline"),
        (("--window", "ns"), "--window ns: write e.g."),
        (("--window", "days=1:2"), "'days' is none of ns, cycles, gnrs, samples"),
        (("--window", "gnrs=5:5"), "gnrs 5 to 5 is empty; end after the beginning"),
        (("--window", "gnrs=-1:5"), "window: first in gnrs must be a whole number"),
        (("--window", "gnrs=1.5:5"), "write e.g."),
        (("--window", "ns=1e9:2e9"), "there is no command from 1000000000.0 to 2000000000.0 ns"),
        (("--window", "gnrs=100000"), "no command of gnrs 100000 to 100000; the log has GnRs up to"),
        (("--channels", "10-12"), "the log has channels 0 to 9, not 10"),
        (("--most-slices", "10"), "more than 10; take a shorter one"),
        (("--spec", DDR4), "belong to --commands"),
        (("--commands", "log.npz", "--system", "heam"), "a stored log is not simulated; give one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "timeline", *SMALL, *arguments)


def test_what_a_log_cannot_be_of_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "simulate", "heam", *SMALL, "--commands", "log.npz")
    given = ("timeline", "--commands", "log.npz")
    assert "name what the log is of" in refused(capsys, *given)
    assert "name what the log is of" in refused(capsys, *given, "--spec", DDR4, "--system", "heam")
    assert "command 'PIM_RD'" in refused(capsys, *given, "--spec", DDR4)
    assert "has channel 2, but the memories have 0 to 1" in refused(capsys, *given, "--system", "recnmp")
    said = refused(capsys, *given, "--system", "heam", "--window", "samples=2")
    assert "does not say where samples end" in said
    assert "no such file" in refused(capsys, "timeline", "--commands", "none.npz", "--system", "heam")


def test_the_limit_that_the_help_names_is_the_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeline", "--help"]) == 0
    assert f"[default: {MOST_SLICES}," in " ".join(capsys.readouterr().out.split())
