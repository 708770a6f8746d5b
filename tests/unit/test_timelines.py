# SPDX-License-Identifier: MIT
"""Windows, figures and limits of timelines."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest

from heam_sim import timeline
from heam_sim.check import LOG_DTYPE, CommandLog
from heam_sim.dram import load_spec
from heam_sim.errors import CheckError, ConfigError
from heam_sim.plotting.timelines import _LOOKS, MOST_TRACKS
from heam_sim.timelines import Timeline, Window, log_timeline, memories_of_system, memory_of_spec
from heam_sim.traffic import replay
from tests.functional.small import mixed_trace
from tests.timelines_cases import read_events

DDR4 = "native/DDR4_8Gb_x8/DDR4_3200"
# Periods of 416 2/3 ps: no number of femtoseconds.
DDR5 = "native/DDR5_16Gb_x8/DDR5_4800"
NAMES = ("ACT", "RD", "PREpb", "LLC_HIT")


def log_of(*rows: tuple[int, str, int, int]) -> CommandLog:
    """(clock, command, channel, bank)."""
    log = np.zeros(len(rows), LOG_DTYPE)
    for at, (clock, command, channel, bank) in zip(log, rows, strict=True):
        at["clock"], at["command"], at["channel"], at["bank"] = clock, NAMES.index(command), channel, bank
        at["unit"] = 65535
    return CommandLog(log, NAMES)


def made_of(log: CommandLog, preset: str = DDR4, channels: int = 1, window: Window | None = None) -> Timeline:
    return log_timeline(log, memory_of_spec(load_spec(preset), channels), window=window)


def requests(count: int = 400) -> Timeline:
    result = replay(np.arange(count) * 64 * 1023, np.zeros(count, int), preset=DDR4, record_commands=True)
    return timeline(result, window=Window("ns", 100, 400))


def test_without_a_window_the_middle_is_shown() -> None:
    rows = [(cycle, "ACT", 0, 0) for cycle in range(0, 16_001, 16)]  # 10 us
    made = made_of(log_of(*rows))
    assert (made.ns(made.first), made.ns(made.stop)) == (4500, 5500)
    assert made.commands == 100
    short = made_of(log_of((4, "ACT", 0, 0), (20, "RD", 0, 0)))
    assert short.commands == 2 and short.first == 0


def test_a_window_counts_the_cycles_of_the_first_memory() -> None:
    memories = memories_of_system("heam")  # 1 ns in the HBM, 0.625 ns in the DIMMs
    log = log_of((10, "ACT", 0, 0), (16, "ACT", 8, 0), (17, "ACT", 8, 4), (11, "ACT", 1, 0))
    made = log_timeline(log, memories, window=Window("cycles", 10, 11))
    assert sorted(made.slices.loc[made.slices["kind"] == "command", "record"]) == [0, 1, 2]
    exact = log_timeline(log, memories, window=Window("ns", 10, 10.5))
    assert sorted(exact.slices.loc[exact.slices["kind"] == "command", "record"]) == [0, 1]


def test_hits_of_one_cycle_lie_beside_each_other(tmp_path: Path) -> None:
    memories = memories_of_system("host-dimm")
    log = log_of(*[(5, "LLC_HIT", channel, 0) for channel in (0, 1, 0)], (6, "LLC_HIT", 1, 2))
    made = log_timeline(log, memories, window=Window("ns", 0, 100))
    made.write(tmp_path / "t.json")
    read = read_events(tmp_path / "t.json")
    assert read.tracks == [("host", f"LLC hits {lane}") for lane in range(3)]
    assert sorted((e.start, e.stop, e.track) for e in read.events) == [
        (5, 6, "LLC hits 0"),
        (5, 6, "LLC hits 1"),
        (5, 6, "LLC hits 2"),
        (6, 7, "LLC hits 0"),
    ]


def test_a_slice_ends_where_the_next_begins_or_its_row_does() -> None:
    spec = load_spec(DDR4)
    rcd, rp = spec.timing["nRCD"], spec.timing["nRP"]
    log = log_of((0, "ACT", 0, 0), (5, "RD", 0, 0), (8, "PREpb", 0, 0), (100, "ACT", 0, 0), (200, "RD", 0, 0))
    frame = made_of(log, window=Window("cycles", 0, 300)).to_frame()
    bank = frame[frame["track"] == "bank 0.0.0"]
    cycles = [
        (name, round(start / 0.625), round(length / 0.625))
        for name, start, length in zip(bank["name"], bank["start_ns"], bank["duration_ns"], strict=True)
    ]
    assert cycles == [
        ("row 0", 0, 8),
        ("ACT", 0, 5),  # too early a read cuts the wait short
        ("RD", 5, 3),
        ("PREpb", 8, rp),
        ("row 0", 100, 126),  # to the end of the last burst
        ("ACT", 100, rcd),
        ("RD", 200, spec.timing["nCCDL"]),
    ]


def test_times_are_rounded_one_by_one(tmp_path: Path) -> None:
    far = 3_000_000_001
    made = made_of(log_of((1, "ACT", 0, 0), (far, "RD", 0, 0)), DDR5, window=Window("cycles", 0, far + 1))
    made.write(tmp_path / "t.json")
    starts = {
        e.name: str(e.raw["ts"]) for e in read_events(tmp_path / "t.json").events if e.kind == "command"
    }
    assert starts == {"ACT": "0.000416667", "RD": "1250000.000416667"}  # 416 2/3 ps, and 1.25 s later
    made.write(tmp_path / "m.json", magnify=1000)
    magnified = read_events(tmp_path / "m.json")
    starts = {e.name: str(e.raw["ts"]) for e in magnified.events if e.kind == "command"}
    assert (
        starts == {"ACT": "0.416666667", "RD": "1250000000.416666667"} and magnified.about["magnify"] == 1000
    )


def test_a_stream_of_requests_has_no_bags(tmp_path: Path) -> None:
    made = requests()
    made.write(tmp_path / "t.json")
    read = read_events(tmp_path / "t.json")
    assert len(read.events) > 50
    assert not [e for e in read.events if "bind_id" in e.raw or "gnr" in e.args or "role" in e.args]
    result = replay([0, 64], [0, 0], preset=DDR4, record_commands=True)
    with pytest.raises(ConfigError, match="a request stream has none"):
        timeline(result, window=Window("gnrs", 0, 1))


def test_the_same_timeline_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("t.json", "t.json.gz", "t.pdf"):
        first, second = tmp_path / "a" / name, tmp_path / "b" / name
        requests().write(first)
        requests().write(second)
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("columns", [1, 2])
def test_figure(columns: int) -> None:
    made = requests()
    figure, table = made.figure(columns=columns)
    assert figure.get_size_inches()[0] == {1: 3.5, 2: 7.16}[columns]
    axis = figure.axes[0]
    names = list(dict.fromkeys(table["track"]))
    assert [label.get_text() for label in axis.get_yticklabels()] == names
    assert axis.get_xlim() == (100, 400)
    drawn = sum(len(part.get_paths()) for part in axis.collections)
    assert drawn == len(table)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"row open", "ACT", "PRE", "RD"}


def test_looks_are_told_apart_in_grey_and_by_hatch() -> None:
    def grey(colour: str) -> float:
        red, green, blue = matplotlib.colors.to_rgb(colour)
        return 0.299 * red + 0.587 * green + 0.114 * blue

    looks = {name: look for name, (_, look) in _LOOKS.items() if name != "row open"}
    assert len({(look.colour, look.hatch) for look in looks.values()}) == len(looks)
    for (one, first), (other, second) in itertools.combinations(looks.items(), 2):
        assert first.hatch != second.hatch or abs(grey(first.colour) - grey(second.colour)) > 0.015, (
            one,
            other,
        )


def test_a_figure_of_many_tracks_shows_the_busiest_channels() -> None:
    made = timeline(mixed_trace(samples=20), system="heam", embedding="qr:8", vector_bytes=128)
    assert len(made.tracks) > MOST_TRACKS
    _, table = made.figure()
    shown = set(table["process"])
    counts = made.to_frame()["process"].value_counts()
    hbm = counts[counts.index.str.startswith("hbm channel")]
    assert hbm.idxmax() in shown and len(shown & set(hbm.index)) == 1
    assert len(table[["process", "track"]].drop_duplicates()) <= MOST_TRACKS


def test_a_figure_without_room_is_refused() -> None:
    rows = [(1 + bank, "ACT", 0, bank) for bank in range(64)]
    log = log_of(*rows)
    memories = memory_of_spec(load_spec(DDR4, overrides={"rank": 8}), 1)
    made = log_timeline(log, memories, window=Window("cycles", 0, 100))
    assert len(made.tracks) == 64  # rows open, no column command
    more = log_of(*rows, *[(100 + bank, "ACT", 0, bank) for bank in range(64, 80)])
    with pytest.raises(ConfigError, match=r"80 tracks .* choose channels or a shorter window"):
        log_timeline(more, memories, window=Window("cycles", 0, 200)).figure()


def test_what_does_not_fit_is_refused() -> None:
    log = log_of((1, "ACT", 1, 3))
    with pytest.raises(CheckError, match="channel 1, but the memories have 0 to 0"):
        made_of(log)
    with pytest.raises(CheckError, match=r"bank 99, but a channel of .* has 16 banks"):
        made_of(log_of((1, "ACT", 0, 99)))
    with pytest.raises(ConfigError, match="the command log is empty"):
        made_of(log_of())
    with pytest.raises(ConfigError, match="replay with record_commands=True"):
        timeline(replay([0], [0], preset=DDR4))
    with pytest.raises(ConfigError, match="a replay has no option 'system'"):
        timeline(replay([0], [0], preset=DDR4, record_commands=True), system="heam")
    with pytest.raises(ConfigError, match="no command in the window"):
        log_timeline(
            log_of((1, "ACT", 0, 0), (1, "ACT", 1, 0)),
            memory_of_spec(load_spec(DDR4), 2),
            window=Window("cycles", 0, 9),
            channels=[],
        )
    for kind, first, stop in (("ns", 5, 1), ("gnrs", 0.5, 2), ("gnrs", True, 2), ("ns", float("nan"), 1)):
        with pytest.raises(ConfigError, match="window"):
            Window(kind, first, stop)
    with pytest.raises(ConfigError, match="magnify"):
        requests().write("t.json", magnify=0)


def test_banks_with_nothing_but_an_open_row_are_left_out_of_a_figure() -> None:
    log = log_of((1, "ACT", 0, 0), (2, "ACT", 0, 1), (40, "RD", 0, 1))
    made = made_of(log, window=Window("cycles", 30, 50))
    assert [track.name for track in made.tracks] == ["data bus", "bank group 0.0", "bank 0.0.0", "bank 0.0.1"]
    _, table = made.figure()
    assert list(dict.fromkeys(table["track"])) == [
        "bank group 0.0",
        "bank 0.0.1",
    ]  # the burst is still to come
