# SPDX-License-Identifier: MIT
"""The fast engines against the generic one: the same commands, bounds and counters, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heam_sim._core import ENGINES, ChannelParameters, Replay, SpecHandle
from heam_sim.address import parse_map
from heam_sim.dram import load_spec
from heam_sim.errors import ConfigError
from heam_sim.traffic import Requests
from heam_sim.traffic.decode import Decoder
from tests.equivalence.core_runs import as_spec, request_arrays
from tests.equivalence.test_ramulator import NAMES, load_full, needs_recordings
from tests.reference.random_specs import SmallSpec, replays

FAST = ENGINES[2:]
ROW_SPANS = (1, 2, 7, 1 << 13)


def play(
    handle: SpecHandle,
    requests: dict[str, np.ndarray],
    engine: str,
    *,
    cuts: tuple[int, ...] = (),
    ending: str = "drain",
    channels: int = 1,
    offers_per_cycle: int = 1,
    with_log: bool = True,
    **parameters: Any,
) -> tuple[np.ndarray, list[Any], list[int]]:
    """Commands, counters and latencies of every channel, and the clock after every piece of the stream.

    After every piece the latencies are looked at, as nothing else tells when they are booked.
    """
    core = Replay(
        handle,
        parameters=ChannelParameters(kind="plain", period=1, **parameters),
        channels=channels,
        offers_per_cycle=offers_per_cycle,
        with_log=with_log,
        engine=engine,
    )
    assert core.engine == engine
    clocks = []
    seen: list[Any] = []
    for start, stop in pairwise((0, *sorted(cuts), len(requests["row"]))):
        core.run({name: array[start:stop] for name, array in requests.items()})
        if ending == "drain between":
            core.drain()
        core.stop()
        clocks.append(core.cycle)
        seen.append([core.latencies(c).tobytes() for c in range(channels)])
    if ending != "stop":
        core.drain()
    clocks.append(core.cycle)
    seen.append([core.latencies(c).tobytes() for c in range(channels)])
    seen += [core.channel_counters(c) for c in range(channels)]
    return core.take_log(), seen, clocks


def engines_of(handle: SpecHandle, **options: Any) -> list[str]:
    """The fast engines that this processor has; every one of them can do this memory, or none."""
    found = []
    for engine in FAST:
        try:
            Replay(handle, parameters=ChannelParameters(kind="plain", period=1, **options), engine=engine)
        except ConfigError:
            continue
        found.append(engine)
    return found


def assert_same(
    handle: SpecHandle, requests: dict[str, np.ndarray], engines: list[str], **options: Any
) -> None:
    """Every engine gives what the generic one gives."""
    log, counters, clocks = play(handle, requests, "generic", **options)
    for engine in engines:
        its_log, its_counters, its_clocks = play(handle, requests, engine, **options)
        different = np.flatnonzero(log[: len(its_log)] != its_log[: len(log)])
        if different.size or len(log) != len(its_log):
            at = int(different[0]) if different.size else min(len(log), len(its_log))
            around = slice(max(0, at - 2), at + 2)
            raise AssertionError(f"{engine}, command {at}: {its_log[around]} instead of {log[around]}")
        assert its_counters == counters, engine
        assert its_clocks == clocks, engine
        silent = play(handle, requests, engine, with_log=False, **options)
        assert silent[0].size == 0
        assert silent[1:] == (counters, clocks), f"{engine}, without a log"


def stream(spec: Any, channels: int, kind: str, size: int, seed: int) -> dict[str, np.ndarray]:
    """A request stream of a kind; its footprint is small enough for the kinds' special cases to happen."""
    rng = np.random.default_rng(seed)
    bursts = channels * spec.banks * spec.rows * spec.columns
    write = rng.random(size) < {"reads": 0.0, "mix": 1 / 3, "writes": 0.9}[kind.split("/")[1]]
    shape = kind.split("/")[0]
    if shape == "sequential":
        address = (int(rng.integers(bursts)) + np.arange(size)) % bursts
    elif shape == "gather":
        starts = rng.zipf(1.3, size) % (bursts // 8) * 8
        address = (starts[:, None] + np.arange(8)).ravel()[:size] % bursts
    else:
        address = rng.integers(0, bursts, size)
    requests = locate(spec, channels, address)
    if shape == "hot bank":
        requests["bank"] = (rng.integers(0, 2, size) * (spec.banks // 2)).astype(np.uint16)
        requests["row"] %= np.uint32(3)
    if shape in ("same address", "same place"):
        requests["bank"] %= np.uint16(min(4, spec.banks))
        requests["row"] %= np.uint32(2)
        requests["column"] %= np.uint16(3)
    if shape == "same place":
        requests["rest"] = rng.choice(np.array([0, 1, 1 << 57], np.uint64), size)
    return requests | {"is_write": write.astype(np.uint8)}


def locate(spec: Any, channels: int, burst: np.ndarray) -> dict[str, np.ndarray]:
    """Channel from the lowest digits, then column, bank and row."""
    rest, channel = np.divmod(burst, channels)
    rest, column = np.divmod(rest, spec.columns)
    row, bank = np.divmod(rest, spec.banks)
    return {
        "channel": channel.astype(np.uint16),
        "bank": bank.astype(np.uint16),
        "row": (row % spec.rows).astype(np.uint32),
        "column": column.astype(np.uint16),
    }


SHAPES = ("sequential", "random", "gather", "hot bank", "same address", "same place")
KINDS = [f"{shape}/{share}" for shape in SHAPES for share in ("reads", "mix", "writes")]
PRESETS = {
    "DDR4, 2 ranks": ("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", {"rank": 2}),
    "DDR4, 4 ranks": ("ramulator-2.1/DDR4_8Gb_x8/DDR4_3200AA", {"rank": 4}),
    "DDR5, 1 rank": ("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN", None),
    "DDR5, 2 ranks": ("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN", {"rank": 2}),
    "HBM2": ("ramulator-2.1/HBM2_4Gb/HBM2_2000Mbps", None),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str, kind: str) -> None:
    name, overrides = PRESETS[preset]
    spec = load_spec(name, overrides=overrides)
    handle = SpecHandle(spec)
    engines = engines_of(handle)
    assert "portable" in engines
    seed = KINDS.index(kind)
    channels, offers = ((1, 1), (3, 2), (8, 8))[seed % 3]
    requests = stream(spec, channels, kind, 3000, seed)
    assert_same(
        handle,
        requests,
        engines,
        channels=channels,
        offers_per_cycle=offers,
        refresh=seed % 4 != 3,
        read_queue=(32, 32, 5, 1)[seed % 4],
        write_queue=(32, 7, 32, 2)[seed // 2 % 4],
        cuts=(0, 1, 777, 778, 2000),
        ending=("drain", "stop", "drain between")[seed // 3 % 3],
    )


def fitting(spec: SmallSpec) -> SmallSpec:
    """The same standard with windows as the fast engines want them: ACT to ACT, of one size and level."""
    windows = [row for row in spec.constraints if row.window > 1]
    rows = tuple(
        replace(row, preceding=("ACT",), following=("ACT",), window=windows[0].window, level=windows[0].level)
        if row.window > 1
        else row
        for row in spec.constraints
    )
    return replace(spec, constraints=rows)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=replays(max_requests=250, default_policies=True),
    pieces=st.lists(st.integers(0, 250), max_size=3),
    ending=st.sampled_from(("drain", "stop", "drain between")),
    marks=st.sampled_from(((80, 20), (100, 100), (0, 0), (50, 50), (100, 0), (34, 33))),
)
def test_random_standards(
    case: dict[str, Any], pieces: list[int], ending: str, marks: tuple[int, int]
) -> None:
    spec = fitting(case["spec"])
    handle = SpecHandle(as_spec(spec))
    engines = engines_of(handle)
    assert "portable" in engines
    requests = request_arrays(case["requests"])
    assert_same(
        handle,
        requests,
        engines,
        cuts=tuple(min(cut, len(case["requests"])) for cut in pieces),
        ending=ending,
        channels=case["channels"],
        offers_per_cycle=case["offers_per_cycle"],
        refresh=case["refresh"],
        read_queue=case["read_queue"],
        write_queue=case["write_queue"],
        write_high_percent=marks[0],
        write_low_percent=marks[1],
    )


@needs_recordings
@pytest.mark.parametrize("name", NAMES)
def test_recordings(name: str) -> None:
    """With what test_ramulator.py holds against them, every engine issues Ramulator's commands."""
    info, spec, requests, _ = load_full(name)
    handle = SpecHandle(spec)
    engines = engines_of(handle)
    assert "portable" in engines
    assert_same(
        handle,
        requests,
        engines,
        channels=info["channels"],
        offers_per_cycle=info["offers_per_memory_cycle"],
        refresh=info["refresh"] == "AllBank",
        ending="stop",
    )


def test_old_requests() -> None:
    """More arrivals than 16 bits can number while one write waits in its queue: the numbering starts anew."""
    spec = load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", overrides={"rank": 2})
    handle = SpecHandle(spec)
    rng = np.random.default_rng(7)
    size = 140_000
    requests = locate(spec, 1, rng.integers(0, 1 << 22, size))
    requests["is_write"] = (rng.random(size) < 0.0001).astype(np.uint8)
    assert_same(handle, requests, engines_of(handle)[-1:])


MAPS = (
    "RoBaRaCoCh",
    "ChRaBaRoCo",
    "MOP4CLXOR",
    "rorabgbachco",
    "row:9 column:3 bank rank row bank_group channel column | bank.0^row.3 bank_group.1^row.7 row.2^column.1",
)


@settings(max_examples=40, deadline=None)
@given(
    preset=st.sampled_from(sorted(PRESETS)),
    address_map=st.sampled_from(MAPS),
    channels=st.sampled_from((1, 2, 16)),
    footprint=st.sampled_from((1 << 14, 1 << 24, 1 << 63)),
    size=st.sampled_from((0, 1, 1023, 1024, 1025, 3000)),
    seed=st.integers(0, 2**32 - 1),
)
def test_addresses(
    preset: str, address_map: str, channels: int, footprint: int, size: int, seed: int
) -> None:
    """The core finds the places that the address map gives, and what lies beside them."""
    name, overrides = PRESETS[preset]
    spec = load_spec(name, overrides=overrides)
    mapping = parse_map(address_map, spec, channels=channels)
    decoder = Decoder(mapping, spec)
    assert decoder.images is not None
    rng = np.random.default_rng(seed)
    address = rng.integers(0, footprint, size, dtype=np.uint64)
    is_write = (rng.random(size) < 0.4).astype(np.uint8)

    def outcome(*, by_place: bool) -> tuple[bytes, list[dict[str, int]]]:
        core = Replay(
            SpecHandle(spec),
            parameters=ChannelParameters(kind="plain", period=1),
            channels=channels,
            offers_per_cycle=channels,
            with_log=True,
        )
        if by_place:
            core.run(decoder.requests(Requests(address, is_write)))
        else:
            core.run_addresses(decoder.images, spec.burst_bytes.bit_length() - 1, address, is_write)
        core.drain()
        counters = [core.channel_counters(channel) for channel in range(channels)]
        return core.take_log().tobytes(), counters

    assert outcome(by_place=False) == outcome(by_place=True)


def test_other_maps_have_no_images() -> None:
    spec = load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R")
    assert Decoder(parse_map("RoBaRaCoCh", spec, channels=3), spec).images is None


def test_rest_of_some_pieces() -> None:
    """A piece without rests is one with zeros, before and after pieces that have some."""
    spec = load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", overrides={"rank": 2})
    handle = SpecHandle(spec)
    rng = np.random.default_rng(3)
    pieces = []
    for piece in range(8):
        requests = locate(spec, 1, rng.integers(0, 40, 300)) | {
            "is_write": (rng.random(300) < 0.5).astype(np.uint8)
        }
        rest = rng.integers(0, 2, 300).astype(np.uint64) if piece % 3 == 1 else np.zeros(300, np.uint64)
        pieces.append(requests | {"rest": rest})

    def counters(engine: str, *, spare: bool) -> dict[str, int]:
        core = Replay(handle, parameters=ChannelParameters(kind="plain", period=1), engine=engine)
        for piece in pieces:
            left_out = spare and not piece["rest"].any()
            core.run({name: array for name, array in piece.items() if not left_out or name != "rest"})
        core.drain()
        return core.channel_counters(0)

    expected = counters("generic", spare=False)
    assert expected["forwarded"] > 100
    assert expected["coalesced"] > 100
    for engine in ("generic", *engines_of(handle)):
        for spare in (False, True):
            assert counters(engine, spare=spare) == expected, engine


def test_refused() -> None:
    """What the fast engines cannot do is refused by name and done by the generic one otherwise."""
    spec = load_spec("ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R", overrides={"rank": 2})
    handle = SpecHandle(spec)
    large = ChannelParameters(kind="plain", period=1, read_queue=33)
    assert Replay(handle, parameters=large).engine == "generic"
    with pytest.raises(ConfigError, match="portable"):
        Replay(handle, parameters=large, engine="portable")
    with pytest.raises(ConfigError, match="did you mean 'generic'"):
        Replay(handle, parameters=large, engine="generik")
    banks = load_spec("ramulator-2.1/DDR5_16Gb_x8/DDR5_4800AN", overrides={"rank": 4})
    small = ChannelParameters(kind="plain", period=1)
    assert banks.banks > 64
    assert Replay(SpecHandle(banks), parameters=small).engine == "generic"
    assert Replay(handle, parameters=small, channels=65).engine == "generic"
    assert Replay(handle, parameters=small).engine != "generic"
