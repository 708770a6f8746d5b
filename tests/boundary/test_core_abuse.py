# SPDX-License-Identifier: MIT
"""Misuse of the low-level interface: a typed error and a handle that still works, never a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import (
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    NO_UNIT,
    ROLE_ACC,
    ROLE_LOAD,
    ROLE_MAC,
    STATE_DONE,
    STATE_NEED_INPUT,
    STATE_PAUSED,
    ChannelParameters,
    Device,
    HostParameters,
    Replay,
    SpecHandle,
    System,
)
from heam_sim.dram import Spec, derive_pim, load_spec
from heam_sim.dram.model import Command, Constraint
from heam_sim.errors import CapacityError, ConfigError, CoreError, HeamSimError
from tests.equivalence.core_runs import core_system, make_system
from tests.reference.random_specs import RandomSystem, systems

# What no caller of heam_sim reaches, but a user of heam_sim._core does: Python's own errors come through.
UNTYPED = pytest.mark.xfail(
    strict=True, reason="the wrapper of the core hands out errors of Python or cffi instead of typed ones"
)

PLAIN = load_spec("native/HBM2_4Gb_legacy/HBM2_2000")
PIM = derive_pim(PLAIN, "bank_group", "channel")
BANK_GROUP = PIM.levels.index("bank_group")
PER_UNIT = PIM.counts["bank"]
HOST: dict[str, Any] = {
    "period": 2,
    "issue_per_cycle": 2,
    "outstanding": 64,
    "add_bytes_per_cycle": 64,
    "line_bytes": 128,
    "llc_sets": 2,
    "llc_ways": 2,
    "window": 4,
    "batch": 0,
}
PIM_CHANNEL: dict[str, Any] = {
    "kind": "pim",
    "period": 3,
    "unit_level": BANK_GROUP,
    "merge": True,
    "queue_depth": 4,
    "batch_tags": 2,
    "instruction_buffer": 4,
    "alu_cycles": 1,
    "lut_cycles": 1,
}
PLAIN_CHANNEL: dict[str, Any] = {"kind": "plain", "period": 3}


def make(host: dict[str, Any] | None = None, pim: dict[str, Any] | None = None, **plain: Any) -> System:
    """Channel 0 is plain, channel 1 has a PE per bank group."""
    return System(
        HostParameters(**{**HOST, **(host or {})}),
        channels=[
            ChannelParameters(**{**PLAIN_CHANNEL, **plain}),
            ChannelParameters(**{**PIM_CHANNEL, **(pim or {})}),
        ],
        specs=[SpecHandle(PLAIN), SpecHandle(PIM)],
    )


def item(**fields: int) -> dict[str, int]:
    return {**dict.fromkeys(ITEM_DTYPES, 0), "bursts": 2, **fields}


HOST_ITEM = item(kind=ITEM_HOST_READ, unit=NO_UNIT, bank=3, row=5)
ACC = item(kind=ITEM_PIM_READ, channel=1, role=ROLE_ACC, unit=2, bank=2 * PER_UNIT)
LOAD = {**ACC, "role": ROLE_LOAD, "row": 7}
MAC = {**ACC, "role": ROLE_MAC, "row": 8}
LUT = item(kind=ITEM_PIM_LUT, channel=1, role=ROLE_ACC, unit=1)
GOOD = [HOST_ITEM, ACC, LOAD, MAC, LUT, {**LUT, "role": ROLE_LOAD, "unit": 2}, MAC]


def arrays(items: list[dict[str, int]]) -> dict[str, np.ndarray]:
    return {name: np.array([one[name] for one in items], dtype) for name, dtype in ITEM_DTYPES.items()}


def offsets(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def finish(system: System) -> int:
    """The handle still works: feed good bags, run to the end, and tell how many finished."""
    system.feed(arrays(GOOD), offsets(0, 2, len(GOOD)), last=True)
    assert system.run(10**6) == STATE_DONE
    return system.finished


# -- work arrays


def damaged(name: str, change: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    good: dict[str, Any] = arrays(GOOD)
    return {**good, name: change(good[name])}


def misaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype)
    view[:] = array
    return view


WRONG_ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "float64": lambda a: a.astype(np.float64),
    "int64": lambda a: a.astype(np.int64),
    "wider": lambda a: a.astype(np.uint64).astype(np.int32),
    "bool": lambda a: a.astype(bool),
    "object": lambda a: a.astype(object),
    "complex": lambda a: a.astype(complex),
    "other byte order": lambda a: a.astype(np.dtype(">u4")),
    "strided": lambda a: np.repeat(a, 2)[::2],
    "reversed": lambda a: a[::-1],
    "two dimensions": lambda a: a.reshape(1, -1),
    "no dimension": lambda a: a[0].reshape(()),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "too short": lambda a: a[:-1],
    "too long": lambda a: np.append(a, a[:1]),
    "empty": lambda a: a[:0],
    "list": lambda a: a.tolist(),
    "bytes": lambda a: a.tobytes(),
    "memoryview": lambda a: memoryview(a),
    "nothing": lambda a: None,
}


@pytest.mark.parametrize("name", ["kind", "row", "line"])
@pytest.mark.parametrize("change", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_wrong_item_arrays(name: str, change: Callable[[np.ndarray], Any]) -> None:
    system = make()
    with pytest.raises(ConfigError, match=name):
        system.feed(damaged(name, change), offsets(0, 2, len(GOOD)), last=True)
    assert finish(system) == 2


@UNTYPED
@pytest.mark.parametrize("name", ["row", "line"])
def test_misaligned_item_arrays(name: str) -> None:
    """C may not read a number at an address that does not suit its type."""
    array = misaligned(arrays(GOOD)[name])
    assert array.flags.c_contiguous and not array.flags.aligned
    with pytest.raises(ConfigError, match=name):
        make().feed({**arrays(GOOD), name: array}, offsets(0, len(GOOD)), last=True)


@pytest.mark.parametrize("missing", ITEM_DTYPES)
def test_missing_item_arrays(missing: str) -> None:
    system = make()
    with pytest.raises(ConfigError, match=missing):
        system.feed({k: v for k, v in arrays(GOOD).items() if k != missing}, offsets(0, 7), last=True)
    assert finish(system) == 2


def test_read_only_arrays_are_fine_and_stay_as_they_are() -> None:
    items, bounds = arrays(GOOD), offsets(0, 2, len(GOOD))
    for array in (*items.values(), bounds):
        array.flags.writeable = False
    system = make()
    system.feed(items, bounds, last=True)
    assert system.run(10**6) == STATE_DONE
    assert all((items[name] == array).all() for name, array in arrays(GOOD).items())


@pytest.mark.parametrize(
    "bounds",
    [
        offsets(),
        offsets(0, 5, 3, 7),
        offsets(0, 2**63, 7),
        offsets(0, 2**64 - 1),
        offsets(1, 7),
        offsets(7, 7),
        offsets(7),
        offsets(0, 8),
        offsets(0, 6),
        np.array([0, 7]),
        np.array([0.0, 7.0]),
        np.array([[0, 7]], np.uint64),
        np.repeat(offsets(0, 7), 2)[::2],
        [0, 7],
        None,
    ],
    ids=str,
)
def test_wrong_offsets(bounds: Any) -> None:
    system = make()
    with pytest.raises(ConfigError):
        system.feed(arrays(GOOD), bounds, last=True)
    assert finish(system) == 2


def test_offsets_without_items_and_bags_without_items() -> None:
    system = make()
    system.feed(arrays([]), offsets(0), last=False)
    assert system.run(10**6) == STATE_NEED_INPUT
    system.feed(arrays([]), offsets(0, 0, 0, 0), last=True)
    assert system.run(10**6) == STATE_DONE
    assert (system.finished, system.time) == (3, 0)


# -- items


BAD_ITEMS = {
    "unknown kind": ([{**ACC, "kind": 3}], 0),
    "unknown role": ([{**ACC, "role": 3}], 0),
    "unknown role of a host read": ([{**HOST_ITEM, "role": 3}], 0),
    "channel beyond": ([{**ACC, "channel": 2}], 0),
    "last channel number": ([{**ACC, "channel": 65535}], 0),
    "bank beyond": ([{**HOST_ITEM, "bank": PLAIN.banks}], 0),
    "bank beyond in PIM": ([{**ACC, "bank": 65535}], 0),
    "row beyond": ([{**HOST_ITEM, "row": PLAIN.rows}], 0),
    "row beyond in PIM": ([ACC, {**ACC, "row": 2**32 - 1}], 1),
    "column beyond": ([{**HOST_ITEM, "column": PLAIN.columns}], 0),
    "end of the row crossed": ([{**ACC, "column": PIM.columns - 1}], 0),
    "column and bursts overflow 16 bits": ([{**ACC, "column": 65535, "bursts": 65535}], 0),
    "no burst": ([ACC, ACC, {**ACC, "bursts": 0}], 2),
    "no burst of a LUT row": ([{**LUT, "bursts": 0}], 0),
    "half a line": ([{**HOST_ITEM, "bursts": 1}], 0),
    "no line": ([{**HOST_ITEM, "bursts": 0}], 0),
    "unit beyond": ([{**ACC, "unit": PIM.banks // PER_UNIT}], 0),
    "no unit": ([{**ACC, "unit": NO_UNIT}], 0),
    "no unit of a LUT": ([{**LUT, "unit": NO_UNIT}], 0),
    "bank of another unit": ([{**ACC, "unit": 1}], 0),
    "LUT with a bank": ([{**LUT, "bank": 1}], 0),
    "host read in a PIM channel": ([{**HOST_ITEM, "channel": 1}], 0),
    "PIM read in a plain channel": ([{**ACC, "channel": 0}], 0),
    "LUT in a plain channel": ([{**LUT, "channel": 0}], 0),
    "LOAD without MAC": ([LOAD], 0),
    "LOAD then ACC": ([LOAD, ACC], 0),
    "LOAD then LOAD": ([LOAD, LOAD, MAC], 0),
    "MAC without LOAD": ([MAC], 0),
    "MAC after MAC": ([LOAD, MAC, MAC], 2),
    "MAC at another unit": ([LOAD, {**MAC, "unit": 1, "bank": PER_UNIT}], 1),
    "MAC after a LUT of another unit": ([{**LUT, "role": ROLE_LOAD}, MAC], 1),
}


@pytest.mark.parametrize(("items", "where"), BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_bad_items(items: list[dict[str, int]], where: int) -> None:
    system = make()
    with pytest.raises(CoreError, match=rf"index {where + 2}\b.*HEAM_BAD_ITEM"):
        system.feed(arrays([HOST_ITEM, ACC, *items]), offsets(0, 2, 2 + len(items)), last=True)
    # Nothing of the refused work was taken.
    assert finish(system) == 2


@pytest.mark.xfail(strict=True, reason="the core takes a host read with the role MAC for the LOAD's partner")
def test_a_load_whose_mac_is_read_by_the_host() -> None:
    system = make()
    with pytest.raises(CoreError, match=r"index 0\b.*HEAM_BAD_ITEM"):
        system.feed(arrays([LOAD, {**HOST_ITEM, "role": ROLE_MAC}]), offsets(0, 2), last=True)


def test_a_load_and_its_mac_in_two_bags() -> None:
    system = make()
    with pytest.raises(CoreError, match="HEAM_BAD_ITEM"):
        system.feed(arrays([LOAD, MAC]), offsets(0, 1, 2), last=True)
    assert finish(system) == 2


@given(systems(), st.data())
@settings(max_examples=150)
def test_one_damaged_field_is_refused_or_harmless(case: RandomSystem, data: st.DataObject) -> None:
    """Whatever a field says: the work is refused as a whole, or it is work and comes to an end."""
    whole = core_system(case)
    count = int(case.gnr_offsets[-1])
    if count == 0:
        return
    name = data.draw(st.sampled_from(list(ITEM_DTYPES)))
    most = 2 ** (8 * ITEM_DTYPES[name].itemsize) - 1
    value = data.draw(st.one_of(st.integers(0, 70), st.integers(0, most), st.just(most)))
    # A run of very many LUT bursts is legal, and endless.
    value = min(value, 500) if name == "bursts" else value
    at = data.draw(st.integers(0, count - 1))
    items = {key: array.copy() for key, array in case.items.items()}
    items[name][at] = value
    system = make_system(case)
    try:
        system.feed(items, case.gnr_offsets, last=True)
    except CoreError:
        system.feed(case.items, case.gnr_offsets, last=True)
        assert system.run(2**40) == STATE_DONE
        assert system.time == whole.time
    else:
        assert system.run(2**40) == STATE_DONE
        assert system.finished == len(case.gnr_offsets) - 1


# -- calls at the wrong time


def test_feeding_before_the_last_work_is_done() -> None:
    system = make()
    system.feed(arrays(GOOD), offsets(0, len(GOOD)), last=False)
    with pytest.raises(CoreError, match="HEAM_WRONG_CALL"):
        system.feed(arrays(GOOD), offsets(0, len(GOOD)), last=False)
    assert system.run(1) == STATE_PAUSED
    with pytest.raises(CoreError, match="HEAM_WRONG_CALL"):
        system.feed(arrays(GOOD), offsets(0, len(GOOD)), last=False)
    assert system.run(10**6) == STATE_NEED_INPUT
    assert finish(system) == 3


def test_feeding_after_the_last() -> None:
    system = make()
    assert finish(system) == 2
    for _ in range(2):
        with pytest.raises(CoreError, match="HEAM_WRONG_CALL"):
            system.feed(arrays(GOOD), offsets(0, len(GOOD)), last=True)
    assert system.finished == 2


@pytest.mark.xfail(strict=True, reason="a run that is done goes on with refreshes, or is stuck without")
@pytest.mark.parametrize("refresh", [True, False])
def test_running_after_the_end_changes_nothing(refresh: bool) -> None:
    system = make(pim={"refresh": refresh}, refresh=refresh)
    assert finish(system) == 2
    before = [system.channel_counters(channel) for channel in range(2)]
    assert system.run(10**4) == STATE_DONE
    assert [system.channel_counters(channel) for channel in range(2)] == before


def test_running_without_work() -> None:
    system = make()
    for _ in range(3):
        assert system.run(10**6) == STATE_NEED_INPUT
        assert system.run(0) == STATE_PAUSED
    assert finish(system) == 2


def closed_system() -> System:
    system = make()
    system.close()
    return system


def test_closed_handles() -> None:
    spec, system = SpecHandle(PLAIN), closed_system()
    device, replay = Device(spec), Replay(spec, parameters=ChannelParameters(**PLAIN_CHANNEL))
    for handle in (spec, device, replay):
        handle.close()
    calls: list[Callable[[], Any]] = [
        spec.close,
        lambda: Device(spec),
        lambda: Replay(spec, parameters=ChannelParameters(**PLAIN_CHANNEL)),
        device.close,
        lambda: device.earliest("ACT", 0),
        lambda: device.probe("ACT", 0, cycle=1),
        lambda: device.issue("ACT", 0, cycle=1),
        replay.close,
        lambda: replay.run(requests(1)),
        replay.stop,
        replay.drain,
        lambda: replay.cycle,
        lambda: replay.channel_counters(0),
        replay.take_log,
        system.close,
        lambda: system.feed(arrays(GOOD), offsets(0, len(GOOD)), last=True),
        lambda: system.run(1),
        lambda: system.time,
        lambda: system.finished,
        lambda: system.channel_counters(0),
        system.host_counters,
        lambda: system.bounds(0),
        system.take_log,
        system.take_latencies,
    ]
    for call in calls:
        with pytest.raises(CoreError, match="closed"):
            call()


@UNTYPED
def test_a_system_of_a_closed_spec() -> None:
    spec = SpecHandle(PLAIN)
    spec.close()
    with pytest.raises(CoreError, match="closed"):
        System(HostParameters(**HOST), channels=[ChannelParameters(**PLAIN_CHANNEL)], specs=[spec])


def test_handles_outlive_their_spec() -> None:
    spec = SpecHandle(PLAIN)
    device, replay = Device(spec), Replay(spec, parameters=ChannelParameters(**PLAIN_CHANNEL))
    spec.close()
    device.issue("ACT", 0, row=1, cycle=5)
    assert device.earliest("RD", 0)[0] == 5 + PLAIN.timing["nRCDR" if "nRCDR" in PLAIN.timing else "nRCD"]
    replay.run(requests(50))
    replay.drain()
    assert replay.channel_counters(0)["reads_retired"] == 50


def test_two_threads_on_one_handle() -> None:
    """While one thread runs, every call of another is refused, and the run does not notice."""
    # A LUT of a thousand million bursts keeps the channel busy for as many events as are asked for.
    system = make(pim={"lut_load": 10**9, "refresh": False}, refresh=False)
    system.feed(arrays([ACC]), offsets(0, 1), last=True)
    states: list[int] = []

    def work() -> None:
        while not states:
            try:
                states.append(system.run(10_000_000))
            except CoreError:
                continue  # the other thread was just asking for the time

    worker = threading.Thread(target=work)
    worker.start()
    refused = []
    while worker.is_alive() and not refused:
        try:
            assert system.time == 0
        except CoreError as error:
            refused.append(str(error))
    worker.join()
    assert refused and "another thread" in refused[0]
    assert states == [STATE_PAUSED]
    assert system.channel_counters(1)["pim_wrlut"] > 1000
    system.close()


def test_the_lock_of_a_handle_is_released_after_an_error() -> None:
    system = make()
    for _ in range(3):
        with pytest.raises(ConfigError):
            system.feed({}, offsets(0), last=True)
        with pytest.raises(CoreError):
            system.feed(arrays([MAC]), offsets(0, 1), last=True)
    assert finish(system) == 2


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
    {"result_bursts": 2**31},
    {"path_uses_dq": 2},
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


@pytest.mark.parametrize("plain", BAD_PLAIN, ids=str)
def test_bad_plain_channels(plain: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"index 0\b.*HEAM_BAD_CHANNEL"):
        make(**plain)
    with pytest.raises(ConfigError, match="HEAM_BAD_CHANNEL"):
        Replay(SpecHandle(PLAIN), parameters=ChannelParameters(**{**PLAIN_CHANNEL, **plain}))


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


NUMBERS = ("period", "queue_depth", "batch_tags", "lut_load", "result_bursts", "unit_level")


@UNTYPED
@pytest.mark.parametrize("value", [-1, 2**32, 2**70, "a"])
@pytest.mark.parametrize("name", NUMBERS)
def test_parameters_that_no_c_number_holds(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        make(pim={name: value})


@UNTYPED
@pytest.mark.parametrize("value", [-1, 2**32, 2**70, "a", 1.5])
@pytest.mark.parametrize("name", ["period", "window", "outstanding"])
def test_host_parameters_that_no_c_number_holds(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        make({name: value})


@UNTYPED
def test_an_unknown_kind_of_channel() -> None:
    with pytest.raises(ConfigError, match="kind"):
        make(pim={"kind": "magic"})


@UNTYPED
@pytest.mark.parametrize("channel", [-1, 2, 2**32, "a"])
@pytest.mark.parametrize("what", ["channel_counters", "bounds"])
def test_asking_for_a_channel_that_is_not_there(what: str, channel: Any) -> None:
    with pytest.raises(ConfigError, match="channel"):
        getattr(make(), what)(channel)


@UNTYPED
@pytest.mark.parametrize("steps", [-1, 2**64, 1.5])
def test_steps_that_no_c_number_holds(steps: Any) -> None:
    with pytest.raises(ConfigError, match="max_steps"):
        make().run(steps)


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
    "lut_cycles",
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
    except (HeamSimError, MemoryError):
        return
    system.feed(arrays(GOOD * 3), offsets(0, 2, len(GOOD), 3 * len(GOOD)), last=True)
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


def requests(count: int, **fields: Any) -> dict[str, Any]:
    good = {
        "channel": np.zeros(count, np.uint16),
        "bank": (np.arange(count) % PLAIN.banks).astype(np.uint16),
        "row": (np.arange(count) % 5).astype(np.uint32),
        "column": np.zeros(count, np.uint16),
        "is_write": np.zeros(count, np.uint8),
    }
    return {**good, **fields}


def replay_of(channels: int = 1, **options: Any) -> Replay:
    return Replay(
        SpecHandle(PLAIN), parameters=ChannelParameters(**PLAIN_CHANNEL), channels=channels, **options
    )


@pytest.mark.parametrize("change", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_wrong_request_arrays(change: Callable[[np.ndarray], Any]) -> None:
    replay = replay_of()
    with pytest.raises(ConfigError):
        replay.run(requests(9, row=change(requests(9)["row"])))
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


@UNTYPED
@pytest.mark.parametrize(
    "options", [{"channels": -1}, {"channels": 2**32}, {"offers_per_cycle": -1}, {"offers_per_cycle": 2**70}]
)
def test_sizes_of_a_replay_that_no_c_number_holds(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        replay_of(**options)


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


@UNTYPED
@pytest.mark.parametrize(
    ("bank", "row", "cycle"), [(-1, 0, 0), (2**32, 0, 0), (1.5, 0, 0), (0, -1, 0), (0, 2**64, 0), (0, 0, -1)]
)
def test_device_numbers_that_no_c_number_holds(bank: Any, row: int, cycle: int) -> None:
    with pytest.raises(ConfigError):
        Device(SpecHandle(PLAIN)).issue("ACT", bank, row=row, cycle=cycle)


@UNTYPED
def test_a_device_at_the_end_of_time() -> None:
    """The earliest cycle after a command in the last one must not be near the first."""
    device = Device(SpecHandle(PLAIN))
    try:
        device.issue("ACT", 0, cycle=2**64 - 1)
    except HeamSimError:
        return
    assert device.earliest("RD", 0)[0] >= 2**64 - 1


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
UNTYPED_SPECS: dict[str, Callable[[], Any]] = {
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


@UNTYPED
@pytest.mark.parametrize("spec", UNTYPED_SPECS.values(), ids=UNTYPED_SPECS)
def test_bad_specs_that_never_reach_the_core(spec: Callable[[], Any]) -> None:
    made = spec()
    with pytest.raises(HeamSimError):
        SpecHandle(made)


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
