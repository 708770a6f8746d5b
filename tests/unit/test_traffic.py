# SPDX-License-Identifier: MIT
"""Plain request streams: readers, and what a replay returns."""

from __future__ import annotations

import gzip
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heam_sim
from heam_sim.check import check_protocol
from heam_sim.dram import load_spec
from heam_sim.errors import ConfigError, DatasetError, HeamSimError
from heam_sim.traffic import Latency, read_requests, replay_chunks, write_requests

PRESET = "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R"
ADDRESS = np.array([0x40, 4096, 1 << 30, 0x80], np.uint64)
IS_WRITE = np.array([0, 1, 0, 1], np.uint8)


def together(path: Path, chunk: int = 3) -> tuple[list[int], list[int]]:
    parts = list(read_requests(path, chunk=chunk))
    assert all(part.address.size <= chunk for part in parts)
    return [int(a) for p in parts for a in p.address], [int(w) for p in parts for w in p.is_write]


def test_every_format_gives_the_same_stream(tmp_path: Path) -> None:
    text = tmp_path / "ld.txt"
    text.write_text("LD 0x40\nST 4096\n\nLD 0x40000000\r\nST 0x80\n")
    packed = tmp_path / "ld.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    dramsim = tmp_path / "dramsim.txt"
    dramsim.write_text("0x40 READ 1\n1000 write 2\n40000000 P_FETCH 9\n0x80 BOFF 9\n")
    arrays = tmp_path / "r.npz"
    np.savez(arrays, address=ADDRESS, is_write=IS_WRITE)
    stored = tmp_path / "r.h5"
    write_requests(stored, ADDRESS, IS_WRITE)
    wanted = [int(a) for a in ADDRESS], [int(w) for w in IS_WRITE]
    for path in (text, packed, dramsim, arrays, stored):
        assert together(path) == wanted, path


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", "empty"),
        ("LD\n", ":1:"),
        ("LD 0x40\nXX 0x40\n", ":2:"),
        ("LD zz\n", ":1:"),
        ("LD -4\n", ":1:"),
        ("LD 0x8000000000000000\n", ":1:"),
        ("0x40 FETCH 3\n", ":1:"),
        ("0x40 READ\n", ":1:"),
        ("LD 0x40 7\n", ":1:"),
    ],
)
def test_bad_text_names_file_and_line(tmp_path: Path, content: str, where: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(content)
    with pytest.raises(DatasetError) as caught:
        list(read_requests(path))
    assert "bad.txt" in str(caught.value) and where in str(caught.value)


def test_damaged_files_are_typed_errors(tmp_path: Path) -> None:
    good = gzip.compress(b"LD 0x40\n" * 5000)
    files = {
        "cut.txt.gz": good[: len(good) // 2],
        "no.npz": b"PK\x03\x04 nothing",
        "no.h5": b"\x89HDF\r\n\x1a\n nothing",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=name.replace(".", r"\.")):
            list(read_requests(tmp_path / name))
    np.savez(tmp_path / "float.npz", address=np.array([1.5]), is_write=np.array([0]))
    np.savez(tmp_path / "half.npz", address=np.array([1]))
    np.savez(tmp_path / "long.npz", address=np.array([1, 2]), is_write=np.array([0]))
    np.savez(tmp_path / "minus.npz", address=np.array([-1]), is_write=np.array([0]))
    for name in ("float", "half", "long", "minus"):
        with pytest.raises(DatasetError, match=name):
            list(read_requests(tmp_path / f"{name}.npz"))
    with pytest.raises(DatasetError, match="no such"):
        list(read_requests(tmp_path / "missing.txt"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"address": [1.5]},
        {"address": [-64]},
        {"address": [[64]]},
        {"address": [64, 128]},
        {"address": np.array([1 << 63], np.uint64)},
        {"address": [[64], [64, 128]]},
        {"address": np.ma.array([64], mask=True)},
        {"is_write": [0.5]},
        {"is_write": [[0], [0, 1]]},
        {"preset": None},
        {"preset": 4},
        {"address_map": None},
        {"address_map": 7},
        {"record_commands": None},
        {"record_commands": "no"},
        {"drain": "no"},
        {"preset": "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400"},
        {"channels": 0},
        {"channels": 1.0},
        {"channels": 5000},
        {"offers_per_cycle": 0},
        {"read_queue": 1 << 20},
        {"refresh": "never"},
        {"refresh": "per-bank"},
        {"refresh": "none", "refresh_stagger": True},
        {"refresh_postpone": 1},
        {"refresh_postpone": 9, "preset": "native/DDR4_8Gb_x8/DDR4_3200"},
        {"refresh_postpone": 5, "preset": "native/DDR5_16Gb_x8/DDR5_4800"},
        {"refresh": "per-bank", "preset": "native/DDR5_16Gb_x8/DDR5_4800"},
        {"refresh": "per-bank", "preset": "native/HBM2_4Gb/HBM2_2000", "overrides": {"nREFI": 20}},
        {"refresh_stagger": 1},
        {"scheduler": "fifo"},
        {"scheduler": "frfcfs-cap"},
        {"row_hit_cap": 4},
        {"row_policy": "timeout"},
        {"row_policy": "capped", "row_cap": 0},
        {"row_policy": "closed", "row_timeout": 3},
        {"row_policy": "timeout", "row_timeout": -1},
        {"row_policy": "timeout", "row_timeout": 1.5},
        {"write_high_percent": 101},
        {"write_high_percent": 30, "write_low_percent": 40},
        {"address_map": "RoBaRaCo"},
        {"overrides": {"ranks": 2}},
    ],
)
def test_bad_arguments_are_config_errors(arguments: dict[str, object]) -> None:
    options: dict[str, object] = {"address": [64], "is_write": [0], "preset": PRESET, **arguments}
    with pytest.raises(ConfigError):
        heam_sim.replay(options.pop("address"), options.pop("is_write"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "view",
    [
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype),
        lambda a: np.repeat(a, 3)[::3],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: np.require(a, requirements=["O"]).view(),
    ],
    ids=["unaligned", "strided", "reversed", "byte order", "view"],
)
def test_how_an_array_lies_in_memory_does_not_matter(view: Any) -> None:
    address, is_write = np.arange(300, dtype=np.int64) * 4096, np.arange(300) % 3 == 0
    wanted = heam_sim.replay(address, is_write, preset=PRESET)
    for array in (address, address.astype(np.uint64), address.astype(np.uint32)):
        found = heam_sim.replay(view(array), view(is_write.astype(np.int32)), preset=PRESET)
        assert found.counters == wanted.counters


def test_a_refresh_that_is_not_there_says_which_are() -> None:
    with pytest.raises(ConfigError, match="no per-bank refresh; it has all-bank, same-bank"):
        heam_sim.replay([0], [0], preset="native/DDR5_16Gb_x8/DDR5_4800", refresh="per-bank")
    with pytest.raises(ConfigError, match="allows at most 4"):
        heam_sim.replay([0], [0], preset="native/DDR5_16Gb_x8/DDR5_4800", refresh_postpone=5)
    with pytest.raises(ConfigError, match="states no limit"):
        heam_sim.replay([0], [0], preset=PRESET, refresh_postpone=1)


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("native/DDR4_8Gb_x8/DDR4_3200", {"scheduler": "fcfs"}),
        ("native/DDR4_8Gb_x8/DDR4_3200", {"scheduler": "frfcfs-cap", "row_hit_cap": 4}),
        ("native/DDR4_8Gb_x8/DDR4_3200", {"row_policy": "closed", "refresh_postpone": 8}),
        ("native/DDR4_8Gb_x8/DDR4_3200", {"refresh_postpone": 3, "refresh_stagger": True}),
        ("native/DDR5_16Gb_x8/DDR5_4800", {"refresh": "same-bank"}),
        ("native/DDR5_16Gb_x8/DDR5_4800", {"refresh": "same-bank", "refresh_postpone": 4}),
        ("native/DDR5_16Gb_x8/DDR5_4800", {"refresh_postpone": 4, "refresh_stagger": True}),
        ("native/HBM2_4Gb/HBM2_2000", {"refresh": "per-bank", "row_policy": "timeout", "row_timeout": 60}),
        ("native/HBM3_16Gb_8hi/HBM3_6400", {"refresh": "per-bank", "refresh_postpone": 8}),
        ("native/LPDDR5_8Gb_x16/LPDDR5_6400", {"refresh": "per-bank", "refresh_stagger": True}),
        ("native/GDDR6_8Gb_x16/GDDR6_14000", {"refresh": "per-bank", "row_policy": "capped", "row_cap": 2}),
    ],
)
def test_every_policy_obeys_the_protocol_and_serves_everything(preset: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    count = 12_000
    # Half of the requests stay in a few rows, so that there are hits, conflicts and idle banks.
    address = np.where(
        rng.random(count) < 0.5, rng.integers(0, 1 << 16, count), rng.integers(0, 1 << 30, count)
    )
    ranks = {"rank": 2} if preset.startswith("native/DDR") else None
    result = heam_sim.replay(
        address, rng.random(count) < 0.3, preset=preset, overrides=ranks, record_commands=True, **options
    )
    report = check_protocol(result.log, result.command_names, result.spec)
    assert report.ok, report.violations[0].message
    done = result.counters
    assert done["reads_completed"] == done["reads"]
    assert done["writes_retired"] + done["coalesced"] == done["writes"]
    of_banks = options.get("refresh") in ("per-bank", "same-bank")
    assert (done["ref_bank"] > 0, done["ref"] > 0) == (of_banks, not of_banks)
    assert (done["pre_unasked"] > 0) == (of_banks or "row_policy" in options)
    assert result.log["role"].max() == (255 if done["pre_unasked"] else 0)
    names = [result.command_names[number] for number in result.log["command"][result.log["role"] == 255]]
    assert set(names) <= {"PREpb"} and len(names) == done["pre_unasked"]


def test_a_log_that_postpones_more_than_the_standard_allows_is_caught() -> None:
    rng = np.random.default_rng(5)
    address = rng.integers(0, 1 << 30, 60_000)
    result = heam_sim.replay(
        address,
        np.zeros(60_000, np.uint8),
        preset="native/DDR4_8Gb_x8/DDR4_3200",
        record_commands=True,
        refresh_postpone=8,
    )
    refreshes = result.log["clock"][result.log["command"] == result.command_names.index("REFab")]
    assert 8 * 12480 < int(np.diff(refreshes, prepend=np.uint64(0)).max()) <= 9 * 12480
    assert check_protocol(result.log, result.command_names, result.spec).ok
    for allowed, ok in ((8, True), (7, False)):
        report = check_protocol(result.log, result.command_names, result.spec, postponed_refreshes=allowed)
        assert report.ok == ok
    assert set(report.counts) == {"refresh deadline"}


def test_one_read_takes_act_read_and_latency() -> None:
    """ACT in cycle 1, RD nRCD = 16 later, data nCL + nBL = 20 after that."""
    result = heam_sim.replay([0], [0], preset=PRESET, record_commands=True)
    assert [(int(c["clock"]), result.command_names[c["command"]]) for c in result.commands] == [
        (1, "ACT"),
        (17, "RD"),
    ]
    assert result.cycles == 37 and result.counters["reads_completed"] == 1
    # Arrived at clock 0, complete at clock 37.
    assert result.mean_read_latency_cycles == 37


def test_commands_are_spelled_out_and_wide_ones_have_no_bank() -> None:
    # More than a refresh interval of row misses in one bank.
    address = np.arange(400, dtype=np.int64) * 64 * 128 * 32
    result = heam_sim.replay(
        address, np.zeros(400, int), preset=PRESET, overrides={"rank": 2}, record_commands=True
    )
    assert result.commands.dtype.names == (
        "clock",
        "command",
        "channel",
        "rank",
        "bank_group",
        "bank",
        "row",
        "column",
    )
    refresh = result.commands[result.commands["command"] == result.command_names.index("REFab")]
    assert set(refresh["rank"]) == {0, 1} and set(refresh["bank"]) == {-1} and set(refresh["row"]) == {-1}
    assert all(statistic.unit and statistic.description for statistic in result.statistics)


def test_requests_in_are_requests_retired_and_chunks_change_nothing() -> None:
    rng = np.random.default_rng(3)
    address = rng.integers(0, 1 << 20, 3000) * 64
    is_write = rng.random(3000) < 0.4
    options = {"preset": PRESET, "channels": 2, "record_commands": True}
    whole = heam_sim.replay(address, is_write, **options)
    counters = whole.counters
    assert counters["reads"] + counters["writes"] == 3000
    served = (
        counters["reads_retired"] + counters["writes_retired"] + counters["forwarded"] + counters["coalesced"]
    )
    assert served == 3000
    hits = counters["row_hits"] + counters["row_misses"] + counters["row_conflicts"]
    assert hits == 3000 - counters["forwarded"] - counters["coalesced"]
    pieces = [
        heam_sim.traffic.Requests(address[i : i + 7].astype(np.uint64), is_write[i : i + 7].astype(np.uint8))
        for i in range(0, 3000, 7)
    ]
    parts = replay_chunks(pieces, **options)
    np.testing.assert_array_equal(whole.commands, parts.commands)
    assert whole.counters == parts.counters


@pytest.mark.parametrize("ranks", [1, 4])
def test_refresh_must_leave_time_for_requests(ranks: int) -> None:
    """All ranks' refreshes, a cycle apart, then nRFC: with no cycle more, no request would ever be begun."""
    cost = load_spec(PRESET).timing["nRFC"] + ranks - 1
    address = np.arange(40) * (1 << 17)
    options = {"preset": PRESET, "overrides": {"rank": ranks, "nREFI": cost}}
    for front_end in ("shared", "per-channel"):
        with pytest.raises(ConfigError, match="nREFI"):
            heam_sim.replay(address, address * 0, front_end=front_end, **options)
    unrefreshed = heam_sim.replay(address, address * 0, refresh="none", **options)
    assert unrefreshed.counters["reads_completed"] == 40
    options["overrides"] = {"rank": ranks, "nREFI": cost + 1}
    slow = heam_sim.replay(address, address * 0, **options)
    assert slow.counters["reads_completed"] == 40 and slow.cycles > unrefreshed.cycles


def histogram(latencies: list[int]) -> Latency:
    edges = Latency.total([]).edges
    counts, _ = np.histogram(np.array(latencies), bins=np.append(edges[:-1], edges[-1]).astype(float))
    return Latency(counts.astype(np.uint64), sum(latencies))


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101])
def test_percentiles_are_the_least_latency_that_so_many_do_not_exceed(count: int) -> None:
    latencies = sorted(np.random.default_rng(count).integers(0, 4096, count).tolist())
    found = histogram(latencies)
    assert (found.count, found.total_cycles, found.max) == (count, sum(latencies), latencies[-1])
    assert found.mean == pytest.approx(np.mean(latencies))
    for percent in (0.1, 1, 50, 95, 99, 99.9, 100):
        wanted = min(value for rank, value in enumerate(latencies, 1) if 100 * rank >= percent * count)
        assert found.percentile(percent) == wanted


def test_long_latencies_are_at_most_a_64th_too_large() -> None:
    edges = Latency.total([]).edges
    assert (edges[:4097] == np.arange(4097)).all() and (np.diff(edges.astype(float)) > 0).all()
    for latency in (4096, 4159, 5000, 8191, 8192, 1 << 40, (1 << 62) + 12345):
        counts = np.zeros(edges.size - 1, np.uint64)
        counts[int(np.searchsorted(edges, np.uint64(latency), side="right")) - 1] = 1
        found = Latency(counts, latency)
        assert latency <= found.max <= latency * (1 + 1 / 64)
        assert found.total_cycles == latency


def test_latency_of_nothing_and_wrong_percentages() -> None:
    nothing = Latency.total([])
    assert nothing.count == nothing.max == 0 and np.isnan(nothing.mean) and "no reads" in repr(nothing)
    with pytest.raises(ConfigError, match="no read"):
        nothing.percentile(50)
    for percent in (0, -1, 100.5, float("nan")):
        with pytest.raises(ConfigError, match="percent"):
            histogram([3]).percentile(percent)


def test_channels_have_distributions_that_add_up() -> None:
    rng = np.random.default_rng(5)
    result = heam_sim.replay(
        rng.integers(0, 1 << 24, 2000) * 64, rng.random(2000) < 0.3, preset=PRESET, channels=2
    )
    assert [part.count for part in result.channel_latency] == [
        counters["reads_completed"] for counters in result.channel_counters
    ]
    assert result.latency.count == sum(part.count for part in result.channel_latency)
    assert result.latency.total_cycles == result.counters["read_latency"]
    weighted = (result.latency.counts * result.latency.edges[:-1]).sum()
    assert result.latency.max < 4096 and weighted == result.latency.total_cycles


def test_only_the_very_same_address_is_answered_from_the_write_queue() -> None:
    capacity = 1 << 33  # 2^16 rows of 8 KiB in 16 banks
    first, waiting = 0, 8192
    for other in (waiting, waiting + 8, waiting + capacity):
        address = [first, *[waiting] * 2, other, other]
        result = heam_sim.replay(address, [1, 1, 1, 1, 0], preset=PRESET)
        same = other == waiting
        assert result.counters["coalesced"] == 1 + same
        assert result.counters["forwarded"] == 1
        assert result.counters["writes_retired"] == 3 - same
        single = heam_sim.replay([first, waiting, other], [1, 1, 0], preset=PRESET)
        assert single.counters["forwarded"] == same
        assert single.counters["reads_retired"] == 1 - same


def test_an_empty_stream_is_legal() -> None:
    result = heam_sim.replay([], [], preset=PRESET)
    assert result.requests == 0 and np.isnan(result.mean_read_latency_cycles)


def test_every_error_is_a_heam_sim_error() -> None:
    assert issubclass(DatasetError, HeamSimError)


def test_arrays_and_chunks_take_the_same_keywords() -> None:
    whole, pieces = (inspect.signature(call).parameters for call in (heam_sim.replay, replay_chunks))
    assert [p for p in whole.values() if p.kind is p.KEYWORD_ONLY] == [
        p for p in pieces.values() if p.kind is p.KEYWORD_ONLY
    ]
