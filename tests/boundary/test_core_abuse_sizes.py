# SPDX-License-Identifier: MIT
"""Absurd sizes and numbers at the low-level interface: a typed error, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import (
    STATE_DONE,
    STATE_PAUSED,
    ChannelParameters,
    Device,
    HostParameters,
    Replay,
    SpecHandle,
    System,
)
from heam_sim.dram import Spec
from heam_sim.dram.model import Command, Constraint
from heam_sim.errors import CapacityError, ConfigError, CoreError, HeamSimError
from tests.boundary.core_abuse import (
    GOOD,
    HOST,
    PIM,
    PIM_CHANNEL,
    PLAIN,
    PLAIN_CHANNEL,
    WRONG_ARRAYS,
    arrays,
    make,
    misaligned,
    offsets,
    replay_of,
    requests,
    untyped,
)

# What no caller of heam_sim reaches, but a user of heam_sim._core does: Python's own errors come through.
# -- parameters


BAD_HOSTS = [
    {"period": 0},
    {"issue_per_cycle": 0},
    {"outstanding": 0},
    {"outstanding": 2**31},
    {"outstanding": 1},
    {"add_bytes_per_cycle": 0},
    {"line_bytes": 0},
    {"line_bytes": 16},
    {"line_bytes": 33},
    {"line_bytes": 2**31},
    {"llc_sets": 0},
    {"llc_ways": 0},
    {"llc_sets": 2**31, "llc_ways": 2**31},
    {"window": 0},
    {"window": 2**31},
]
BAD_PIM = [
    {"period": 0},
    {"unit_level": 7},
    {"unit_level": 2**31},
    {"merge": 2},
    {"queue_depth": 0},
    {"queue_depth": 2**31},
    {"batch_tags": 0},
    {"batch_tags": 2**32 - 1},
    {"instruction_buffer": 0},
    {"instruction_cycles": 0},
    {"result_bursts": 0},
    {"result_bursts": 65},
    {"result_bursts": 2**31},
    {"path_uses_dq": 2},
]
BAD_STACKS = [
    {"stack_tags": 0},
    {"stack_tags": 65537},
    {"stack_tags": 2**32 - 1},
    {"xmov_cycles": 0},
    {"stack": 3},
    {"stack": 2**32 - 1},
    {"merge": False},
]
BAD_PLAIN = [
    {"period": 0},
    {"read_queue": 0},
    {"read_queue": 2**31},
    {"write_queue": 0},
    {"write_queue": 16385},
    {"write_high_percent": 101},
    {"write_high_percent": 10, "write_low_percent": 11},
]


@pytest.mark.parametrize("host", BAD_HOSTS, ids=str)
def test_bad_hosts(host: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="HEAM_BAD_HOST"):
        make(host)


@pytest.mark.parametrize("pim", BAD_PIM, ids=str)
def test_bad_pim_channels(pim: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"index 1\b.*HEAM_BAD_CHANNEL"):
        make(pim=pim)


@pytest.mark.parametrize("pim", BAD_STACKS, ids=str)
def test_bad_stacks(pim: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"index 1\b.*HEAM_BAD_STACK"):
        make(pim={"stack": 1, "stack_tags": 1, "xmov_cycles": 1, **pim})


def test_channels_of_a_stack_are_alike() -> None:
    node = {**PIM_CHANNEL, "stack": 1, "stack_tags": 1, "xmov_cycles": 1}
    for field in ("period", "result_bursts", "stack_tags", "stack_cycles", "xmov_cycles", "xmov_latency"):
        other = {**node, field: node.get(field, 0) + 1}
        channels = [ChannelParameters(**node), ChannelParameters(**other)]
        with pytest.raises(ConfigError, match=r"index 1\b.*HEAM_BAD_STACK"):
            System(HostParameters(**HOST), channels=channels, specs=[SpecHandle(PIM), SpecHandle(PIM)])


@pytest.mark.parametrize("plain", BAD_PLAIN, ids=str)
def test_bad_plain_channels(plain: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"index 0\b.*HEAM_BAD_CHANNEL"):
        make(**plain)
    with pytest.raises(ConfigError, match="HEAM_BAD_CHANNEL"):
        Replay(SpecHandle(PLAIN), parameters=ChannelParameters(**{**PLAIN_CHANNEL, **plain}))


def test_energies_that_are_none() -> None:
    with pytest.raises(ConfigError, match=r"index 0\b.*HEAM_BAD_CHANNEL"):
        make(energy={"ACT": 2**40 + 1})
    for energy in ({"ACTS": 1}, {"ACT": -1}, {"ACT": 1.5}, {"ACT": 2**64}):
        with pytest.raises(ConfigError, match="ACT"):
            make(energy=energy)


def test_systems_that_do_not_fit_together() -> None:
    plain, host = ChannelParameters(**PLAIN_CHANNEL), HostParameters(**HOST)
    spec = SpecHandle(PLAIN)
    with pytest.raises(ConfigError, match="channels"):
        System(host, channels=[], specs=[])
    with pytest.raises(ConfigError, match="channels"):
        System(host, channels=[plain], specs=[spec, spec])
    with pytest.raises(ConfigError):
        System(host, channels=[plain] * 5000, specs=[spec] * 5000)
    # A standard without PIM commands has no PIM channel.
    with pytest.raises(ConfigError, match="HEAM_BAD_CHANNEL"):
        System(host, channels=[ChannelParameters(**PIM_CHANNEL)], specs=[spec])


HUGE = st.sampled_from([0, 1, 2, 3, 7, 64, 1000, 2**16, 2**20, 2**31, 2**32 - 1])
EXTREME = (
    "period",
    "queue_depth",
    "batch_tags",
    "instruction_buffer",
    "instruction_cycles",
    "decode_cycles",
    "alu_cycles",
    "alu_latency",
    "merge_cycles",
    "mov_latency",
    "res_latency",
    "port_bytes_per_cycle",
    "lut_load",
    "result_bursts",
)


@given(
    st.dictionaries(st.sampled_from(EXTREME), HUGE, max_size=4),
    st.dictionaries(
        st.sampled_from(["period", "issue_per_cycle", "add_bytes_per_cycle", "window", "batch"]), HUGE
    ),
    st.booleans(),
)
@settings(max_examples=150)
def test_extreme_parameters(pim: dict[str, int], host: dict[str, int], merge: bool) -> None:
    """Refused, or simulated for some thousand events; time may be far, but never runs backwards."""
    try:
        system = make(host, {**pim, "merge": merge})
        system.feed(arrays(GOOD * 3), offsets(0, 2, len(GOOD), 3 * len(GOOD)), last=True)
    except (HeamSimError, MemoryError):
        return
    before, state = 0, STATE_PAUSED
    for _ in range(20):
        state = system.run(200)
        assert system.time >= before
        before = system.time
        if state != STATE_PAUSED:
            break
    assert state in (STATE_PAUSED, STATE_DONE)
    assert system.finished <= 3
    if state == STATE_DONE:
        assert system.finished == 3


# -- replay


@pytest.mark.parametrize("change", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_wrong_request_arrays(change: Callable[[np.ndarray], Any]) -> None:
    replay = replay_of()
    with pytest.raises(ConfigError):
        replay.run(requests(9, row=change(requests(9)["row"])))
    with pytest.raises(ConfigError):
        replay.run(requests(9, rest=change(np.zeros(9, np.uint64))))
    replay.run(requests(9))
    replay.drain()
    assert replay.channel_counters(0)["reads_completed"] == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channel", 1),
        ("channel", 65535),
        ("bank", PLAIN.banks),
        ("bank", 65535),
        ("row", PLAIN.rows),
        ("row", 2**32 - 1),
        ("column", PLAIN.columns),
        ("column", 65535),
    ],
)
def test_requests_beyond_the_memory(name: str, value: int) -> None:
    replay = replay_of()
    bad = requests(9)
    bad[name][4] = value
    with pytest.raises(CoreError, match=r"index 4\b.*HEAM_BAD_ITEM"):
        replay.run(bad)
    # Nothing was taken, not even the good ones before it.
    assert replay.channel_counters(0)["reads"] == 0
    replay.run(requests(9))
    replay.drain()
    assert replay.channel_counters(0)["reads_completed"] == 9


def images(bits: int = 4) -> dict[str, np.ndarray]:
    return {
        "channel": np.zeros(bits, np.uint16),
        "bank": np.zeros(bits, np.uint16),
        "row": (1 << np.arange(bits)).astype(np.uint32),
        "column": np.zeros(bits, np.uint16),
    }


@pytest.mark.parametrize("change", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_wrong_address_arrays(change: Callable[[np.ndarray], Any]) -> None:
    replay = replay_of()
    address, flags = np.arange(9, dtype=np.uint64) * 64, np.zeros(9, np.uint8)
    with pytest.raises(ConfigError):
        replay.run_addresses(images(), 6, change(address), flags)
    with pytest.raises(ConfigError):
        replay.run_addresses(images(), 6, address, change(flags.astype(np.uint32)))
    for name in images():
        with pytest.raises(ConfigError):
            replay.run_addresses({**images(), name: change(images()["row"].astype(float))}, 6, address, flags)
    replay.run_addresses(images(), 6, address, flags)
    replay.drain()
    assert replay.channel_counters(0)["reads_completed"] == 9


@pytest.mark.parametrize(
    ("name", "value"), [("channel", 1), ("bank", PLAIN.banks), ("row", PLAIN.rows), ("column", PLAIN.columns)]
)
def test_images_beyond_the_memory(name: str, value: int) -> None:
    replay = replay_of()
    address, flags = np.zeros(9, np.uint64), np.zeros(9, np.uint8)
    bad = images()
    bad[name][2] = value
    with pytest.raises(ConfigError, match="HEAM_BAD_ARGUMENT"):
        replay.run_addresses(bad, 6, address, flags)
    for bits, burst_bits in ((64, 0), (60, 4), (4, 60), (4, 2**32 - 1)):
        with pytest.raises(ConfigError, match="HEAM_BAD_ARGUMENT"):
            replay.run_addresses(
                {field: np.zeros_like(array, shape=bits) for field, array in images().items()},
                burst_bits,
                address,
                flags,
            )
    assert replay.channel_counters(0)["reads"] == 0
    replay.run_addresses(images(0), 63, address + np.uint64(2**64 - 1), flags)
    assert replay.channel_counters(0)["reads"] == 9


def test_replays_in_every_order_of_calls() -> None:
    replay = replay_of(2, offers_per_cycle=3)
    replay.stop()
    replay.drain()
    replay.run(requests(0))
    for _ in range(3):
        replay.run(requests(70))
        replay.stop()
        replay.stop()
        replay.drain()
        replay.drain()
    assert replay.channel_counters(0)["reads_completed"] == 210
    assert replay.channel_counters(1)["reads"] == 0


def test_sizes_of_a_replay() -> None:
    for options in ({"channels": 0}, {"channels": 5000}, {"channels": 2**31}, {"offers_per_cycle": 0}):
        with pytest.raises(ConfigError):
            replay_of(**options)
    wide = replay_of(offers_per_cycle=2**32 - 1)
    wide.run(requests(500))
    wide.drain()
    assert wide.channel_counters(0)["reads_completed"] == 500


# -- device


def test_device_calls_beyond_the_memory() -> None:
    device = Device(SpecHandle(PLAIN))
    with pytest.raises(ConfigError, match="REFRESH"):
        device.earliest("REFRESH", 0)
    for bank in (PLAIN.banks, 2**31, 2**32 - 1):
        with pytest.raises(ConfigError, match=str(bank)):
            device.earliest("ACT", bank)
        with pytest.raises(ConfigError, match=str(bank)):
            device.probe("ACT", bank, cycle=0)
        with pytest.raises(ConfigError, match=str(bank)):
            device.issue("ACT", bank, cycle=0)
    for row in (PLAIN.rows, 2**32, 2**64 - 1):
        with pytest.raises(ConfigError):
            device.issue("ACT", 0, row=row, cycle=0)
    device.issue("ACT", 0, row=PLAIN.rows - 1, cycle=0)
    assert device.probe("RD", 0, row=PLAIN.rows - 1, cycle=1000)


# -- standards


def row(**changes: Any) -> Spec:
    """The standard with one more row, in some respect wrong."""
    good = Constraint("bank", ("ACT",), ("RD",), 1, 1, False, "bank")
    return replace(PLAIN, constraints=(*PLAIN.constraints, replace(good, **changes)))


def commands(kind: str, scope: str) -> Spec:
    """The standard with another scope of one kind of command."""
    changed = tuple(replace(c, scope=scope) if c.kind == kind else c for c in PLAIN.commands)
    return replace(PLAIN, commands=changed)


def timed(**changes: int) -> Spec:
    return replace(PLAIN, timing={**PLAIN.timing, **changes})


def counted(**changes: int) -> Spec:
    return replace(PLAIN, counts={**PLAIN.counts, **changes})


BAD_SPECS: dict[str, Callable[[], Spec]] = {
    "no rows of memory": lambda: replace(PLAIN, rows=0),
    "too many rows of memory": lambda: replace(PLAIN, rows=2**32),
    "no columns": lambda: replace(PLAIN, columns=0),
    "too many columns": lambda: replace(PLAIN, columns=65536),
    "no bytes in a burst": lambda: replace(PLAIN, burst_bytes=0),
    "absurd burst": lambda: replace(PLAIN, burst_bytes=2**31),
    "no burst cycles": lambda: timed(nBL=0),
    "absurd latency": lambda: timed(nCL=2**31),
    "no refresh interval": lambda: timed(nREFI=0),
    "no banks": lambda: counted(bank=0),
    "too many banks": lambda: counted(bank=4097),
    "too many banks by product": lambda: counted(bank=2000, bank_group=2000),
    "two channels": lambda: counted(channel=2),
    "no RD": lambda: replace(PLAIN, commands=PLAIN.commands[:3], constraints=()),
    "two ACT": lambda: replace(PLAIN, commands=(*PLAIN.commands, Command("ACT2", "ACT", "bank"))),
    "too many commands": lambda: replace(
        PLAIN, commands=(*PLAIN.commands, *(Command(f"X{i}", "RDA", "bank") for i in range(60)))
    ),
    "ACT of a rank": lambda: commands("ACT", PLAIN.levels[1]),
    "REF of a bank": lambda: commands("REF", "bank"),
    "REF of the channel": lambda: commands("REF", "channel"),
    "window 0": lambda: row(window=0),
    "window 65": lambda: row(window=65),
    "sibling of the channel": lambda: row(level="channel", sibling=True),
    "sibling with a window": lambda: row(sibling=True, window=2),
    "absurd distance": lambda: row(cycles=2**31),
    "too many pairs": lambda: row(preceding=("ACT",) * 300, following=("RD",) * 300),
}


@pytest.mark.parametrize("spec", BAD_SPECS.values(), ids=BAD_SPECS)
def test_bad_specs(spec: Callable[[], Spec]) -> None:
    with pytest.raises((ConfigError, CapacityError, CoreError), match=PLAIN.name):
        SpecHandle(spec())


NINE = ("channel", "rank", "a", "b", "c", "d", "e", "f", "bank")
FOREIGN_SPECS: dict[str, Callable[[], Any]] = {
    "two levels": lambda: replace(PLAIN, levels=("channel", "bank")),
    "nine levels": lambda: replace(PLAIN, levels=NINE, counts=dict.fromkeys(NINE, 1)),
    "no count": lambda: replace(PLAIN, counts={"channel": 1}),
    "negative count": lambda: counted(bank=-1),
    "count beyond 32 bits": lambda: counted(bank=2**40),
    "negative rows": lambda: replace(PLAIN, rows=-1),
    "rows beyond 64 bits": lambda: replace(PLAIN, rows=2**64),
    "negative latency": lambda: timed(nCL=-100),
    "no commands": lambda: replace(PLAIN, commands=()),
    "unknown scope": lambda: commands("ACT", "nowhere"),
    "unknown level": lambda: row(level="nowhere"),
    "unknown command": lambda: row(preceding=("NOPE",)),
    "negative distance": lambda: row(cycles=-1),
    "window beyond 16 bits": lambda: row(window=2**16),
    "row numbers beyond 15 bits": lambda: replace(PLAIN, constraints=row().constraints[-1:] * 33000),
    "no spec": lambda: "DDR4",
}


def test_the_largest_standard_is_accepted() -> None:
    """4096 banks, a window of 64: sizes at the limit work."""
    shape = {**PLAIN.counts, PLAIN.levels[1]: 1, "bank_group": 1, "bank": 4096}
    spec = replace(row(window=64, following=("ACT",), level="channel"), counts=shape)
    device = Device(SpecHandle(spec))
    cycle = 0
    for bank in range(4096):
        cycle = max(cycle + 1, device.earliest("ACT", bank)[0])
        device.issue("ACT", bank, cycle=cycle)
    assert device.earliest("ACT", 4095)[0] > cycle


# -- errors of somebody else


def test_misaligned_arrays() -> None:
    """C may not read a number at an address that does not suit its type."""
    array = misaligned(arrays(GOOD)["line"])
    assert array.flags.c_contiguous and not array.flags.aligned
    with pytest.raises(ConfigError, match="line"):
        make().feed({**arrays(GOOD), "line": array}, offsets(0, len(GOOD)), last=True)


def test_a_system_of_a_closed_spec() -> None:
    spec = SpecHandle(PLAIN)
    spec.close()
    with pytest.raises(CoreError, match="closed"):
        System(HostParameters(**HOST), channels=[ChannelParameters(**PLAIN_CHANNEL)], specs=[spec])


def test_parameters_that_no_c_number_holds() -> None:
    values = (-1, 1.5, 2**32, 2**70, "a", None)
    names = ("period", "queue_depth", "batch_tags", "lut_load", "result_bursts", "unit_level")
    calls = {f"pim {name}={value}": partial(make, None, {name: value}) for name in names for value in values}
    calls |= {f"host {name}={value}": partial(make, {name: value}) for name in HOST for value in values}
    calls |= {"kind": partial(make, None, {"kind": "magic"}), "refresh": partial(make, refresh=7)}
    assert untyped(calls) == {}


def test_arguments_that_no_c_number_holds() -> None:
    system, device = make(), Device(SpecHandle(PLAIN))
    calls: dict[str, Callable[[], Any]] = {}
    for value in (-1, 2**64, 1.5, "a"):
        calls[f"run {value}"] = partial(system.run, value)
        calls[f"earliest {value}"] = partial(device.earliest, "ACT", value)
        calls[f"issue in row {value}"] = partial(device.issue, "ACT", 0, row=value, cycle=0)
        calls[f"issue at {value}"] = partial(device.issue, "ACT", 0, cycle=value)
        calls[f"probe at {value}"] = partial(device.probe, "ACT", 0, cycle=value)
        calls[f"channels {value}"] = partial(replay_of, value)
        calls[f"offers {value}"] = partial(replay_of, offers_per_cycle=value)
    assert untyped(calls) == {}


def test_channels_that_are_not_there() -> None:
    """Zeros for a channel that does not exist look like a channel that did nothing."""
    system, replay = make(), replay_of()
    calls: dict[str, Callable[[], Any]] = {}
    for channel in (-1, 2, 2**32, "a"):
        calls[f"counters {channel}"] = partial(system.channel_counters, channel)
        calls[f"bounds {channel}"] = partial(system.bounds, channel)
        calls[f"replay {channel}"] = partial(replay.channel_counters, channel)
    assert untyped(calls) == {}


def test_specs_that_never_reach_the_core() -> None:
    made = {name: make_spec() for name, make_spec in FOREIGN_SPECS.items()}
    assert untyped({name: partial(SpecHandle, spec) for name, spec in made.items()}) == {}


def test_a_device_at_the_end_of_time() -> None:
    """The earliest cycle after a command in the last one must not be near the first."""
    device = Device(SpecHandle(PLAIN))
    try:
        device.issue("ACT", 0, cycle=2**64 - 1)
    except HeamSimError:
        return
    assert device.earliest("RD", 0)[0] >= 2**64 - 1
