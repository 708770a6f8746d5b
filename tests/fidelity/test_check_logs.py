# SPDX-License-Identifier: MIT
"""Command logs as files, and Ramulator 2.1 recordings held against their own standard."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.check.logs import LOG_DTYPE, read_log, read_recording, write_log
from heam_sim.check.protocol import check_protocol
from heam_sim.dram import load_spec
from heam_sim.errors import CheckError, ConfigError, DatasetError, OutputError

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "ramulator-2.1" / "command-traces"
DDR4 = "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R"
# Recording -> (preset, ranks or None, pairs of bursts that overlap on the data bus).
KNOWN = {
    "ddr4_2400r_2rank_gather": (DDR4, 2, 0),
    "ddr4_2400r_2rank_gatherwr": (DDR4, 2, 345),
    "ddr4_2400r_2rank_mix": (DDR4, 2, 493),
    "ddr4_2400r_2rank_rand": (DDR4, 2, 0),
    "ddr4_2400r_2rank_rand_norefresh": (DDR4, 2, 0),
    "ddr4_2400r_2rank_seq": (DDR4, 2, 0),
    "ddr4_3200aa_1rank_mix": ("ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA", 1, 0),
    "hbm2_2000_1ch_rand_norefresh": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", None, 0),
    "hbm2_2000_8ch_gather": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", None, 0),
    "hbm2_2000_8ch_mix": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", None, 0),
    "hbm2_2000_8ch_rand": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", None, 0),
}
NAMES = ("ACT", "PREpb", "RD", "WR")


def spec_of(preset: str, ranks: int | None) -> Any:
    return load_spec(preset, overrides={} if ranks is None else {"rank": ranks})


def overlaps_one_by_one(log: np.ndarray, names: tuple[str, ...], spec: Any) -> int:
    """Bursts that begin before the one before them on the channel's bus has ended, counted naively."""
    delay = {"RD": spec.timing["nCL"], "WR": spec.timing["nCWL"]}
    starts = sorted(int(r["clock"]) + delay[names[r["command"]]] for r in log if names[r["command"]] in delay)
    return sum(b - a < spec.timing["nBL"] for a, b in pairwise(starts))


@pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the Ramulator 2.1 recordings lie beside the repository only in-house"
)
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_ramulator_recordings_break_no_row(name: str) -> None:
    preset, ranks, overlaps = KNOWN[name]
    spec = spec_of(preset, ranks)
    recording = read_recording(RECORDINGS / f"{name}.npz", spec)
    report = check_protocol(
        recording.log, recording.command_names, spec, refresh="norefresh" not in name, limit=1000
    )
    assert report.commands == len(recording.log) > 20_000
    assert report.counts == ({"data bus": overlaps} if overlaps else {})
    assert len(recording.address) == len(recording.is_write) >= 20_000
    if "ddr4" in name:
        assert overlaps_one_by_one(recording.log, recording.command_names, spec) == overlaps
    # All are a read and then a write in the other rank: the gap that this simulator's tables leave open.
    for violation in report.violations:
        pair = recording.log[[violation.first_index, violation.second_index]]
        assert [recording.command_names[c] for c in pair["command"]] == ["RD", "WR"]
        assert pair["bank"][0] // 16 != pair["bank"][1] // 16


def recording(path: Path, **changes: Any) -> Path:
    """A hand-made twin of a recording: a read, then a write in the other rank as early as the rows allow."""
    arrays = {
        "address": np.array([0, 64], dtype=np.uint64),
        "is_write": np.array([0, 1], dtype=np.uint8),
        "columns": np.array(["clock", "command", "Channel", "Rank", "BankGroup", "Bank", "Row", "Column"]),
        "command_names": np.array(["ACT", "PREab", "RD", "WR"]),
        "commands": np.array(
            [
                [1, 0, 0, 0, 2, 1, 7, 5],
                [2, 0, 0, 1, 3, 3, 9, 6],
                [20, 2, 0, 0, 2, 1, 7, 5],
                [26, 3, 0, 1, 3, 3, 9, 6],
                [80, 1, 0, 1, 3, 3, -1, -1],
            ],
            dtype=np.int32,
        ),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def test_a_twin_of_a_recording(tmp_path: Path) -> None:
    spec = spec_of(DDR4, 2)
    made = read_recording(recording(tmp_path / "twin.npz"), spec)
    assert made.log["bank"].tolist() == [9, 31, 9, 31, 16]
    assert made.log["row"].tolist() == [7, 9, 7, 9, 0]
    assert made.log["unit"].tolist() == [65535] * 5
    report = check_protocol(made.log, made.command_names, spec)
    assert report.counts == {"data bus": 1}
    assert (
        report.violations[0].message
        == "data bus: the burst of RD at 20 and that of WR at 26 overlap by 2 cycles"
    )
    made.log["clock"][3] = 25
    assert check_protocol(made.log, made.command_names, spec).counts == {
        "rank sibling RD/RDA->RD/WR/RDA/WRA 6 (host_bus)"
        if "RDA" in {c.name for c in spec.commands}
        else "rank sibling RD->RD/WR 6 (host_bus)": 1,
        "data bus": 1,
    }


def test_bad_recordings(tmp_path: Path) -> None:
    spec = spec_of(DDR4, 2)
    with pytest.raises(DatasetError, match="no such file"):
        read_recording(tmp_path / "none.npz", spec)
    with pytest.raises(DatasetError, match="'rank'"):
        columns = np.array(
            ["clock", "command", "Channel", "PseudoChannel", "BankGroup", "Bank", "Row", "Column"]
        )
        read_recording(recording(tmp_path / "a.npz", columns=columns), spec)
    with pytest.raises(DatasetError, match="bank_group 2 of 2"):
        small = load_spec(DDR4, overrides={"rank": 2, "bank_group": 2})
        read_recording(recording(tmp_path / "b.npz"), small)
    with pytest.raises(DatasetError, match="integer rows"):
        read_recording(recording(tmp_path / "c.npz", commands=np.zeros((2, 8))), spec)
    with pytest.raises(DatasetError, match="'ACX'"):
        names = np.array(["ACX", "PREab", "RD", "WR"])
        read_recording(recording(tmp_path / "d.npz", command_names=names), spec)


def some_log() -> np.ndarray:
    log = np.zeros(3, dtype=LOG_DTYPE)
    log["clock"] = [1, 2**40, 2**63]
    log["command"] = [0, 2, 2]
    log["row"], log["bound"], log["unit"] = 2**32 - 1, -6, 65535
    log["role"] = [0, 1, 2]
    return log


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_logs_come_back_as_they_went(tmp_path: Path, ending: str) -> None:
    path, log = tmp_path / f"log.{ending}", some_log()
    write_log(path, log, NAMES)
    back = read_log(path)
    assert [back.command_names[c] for c in back.log["command"]] == ["ACT", "RD", "RD"]
    for name in LOG_DTYPE.names or ():
        if name != "command":
            assert (back.log[name] == log[name]).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"log.{ending}"]


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_an_empty_log_is_a_log(tmp_path: Path, ending: str) -> None:
    write_log(tmp_path / f"log.{ending}", some_log()[:0], NAMES)
    assert len(read_log(tmp_path / f"log.{ending}").log) == 0


def test_bad_log_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.txt'"):
        read_log(tmp_path / "log.txt")
    for name in ("log.npz", "log.csv"):
        with pytest.raises(DatasetError, match="no such file"):
            read_log(tmp_path / name)
    path = tmp_path / "bad.npz"
    for content in (b"", b"PK\x03\x04 and no more", b"text"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="not a readable"):
            read_log(path)
    np.savez(path, log=np.zeros(3), command_names=np.array(NAMES))
    with pytest.raises(DatasetError, match="'clock' is missing"):
        read_log(path)
    np.savez(path, log=some_log(), command_names=np.array(["ACT"]))
    with pytest.raises(DatasetError, match="log row 1"):
        read_log(path)
    np.savez(path, log=some_log())
    with pytest.raises(DatasetError, match="'command_names'"):
        read_log(path)
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DatasetError, match="one bare array"):
        read_log(path)
    with pytest.raises(CheckError, match="'clock'"):
        write_log(path, np.zeros(3), NAMES)


def test_bad_csv_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    write_log(path, some_log(), NAMES)
    lines = path.read_text().splitlines()
    for bad, what in (
        ("1,2,ACT", "3 values"),
        (lines[2].replace("RD,0", "RD,x"), "bank is 'x'"),
        (lines[2].replace("RD,0", "RD,70000"), "bank is 70000"),
    ):
        path.write_text("\n".join([*lines[:2], bad]) + "\n")
        with pytest.raises(DatasetError, match=f"line 3: .*{what}"):
            read_log(path)
    path.write_text("a,b\n")
    with pytest.raises(DatasetError, match="line 1"):
        read_log(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_log(path)


def test_a_log_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_log(tmp_path / "nowhere" / "log.npz", some_log(), NAMES)
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_log(tmp_path / "taken.csv", some_log(), NAMES)
    assert [p.name for p in tmp_path.iterdir()] == ["taken.csv"]
