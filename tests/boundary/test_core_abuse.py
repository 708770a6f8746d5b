# SPDX-License-Identifier: MIT
"""Misuse of the low-level interface: a typed error and a handle that still works, never a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import (
    FLAG_CARRIED,
    FLAG_UNADDED,
    ITEM_DTYPES,
    NO_UNIT,
    OPTIONAL_ITEMS,
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
from heam_sim.dram import derive_pim
from heam_sim.errors import ConfigError, CoreError
from tests.boundary.core_abuse import (
    ACC,
    GOOD,
    HOST,
    HOST_ITEM,
    IMMEDIATE,
    LOAD,
    LUT,
    MAC,
    MUL,
    PER_UNIT,
    PIM,
    PIM_CHANNEL,
    PLAIN,
    PLAIN_CHANNEL,
    WRONG_ARRAYS,
    arrays,
    finish,
    make,
    offsets,
    requests,
)
from tests.equivalence.core_runs import core_system, make_system
from tests.reference.random_specs import RandomSystem, systems

# -- work arrays


def damaged(name: str, change: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    good: dict[str, Any] = arrays(GOOD)
    return {**good, name: change(good[name])}


@pytest.mark.parametrize("name", ["kind", "row", "line"])
@pytest.mark.parametrize("change", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_wrong_item_arrays(name: str, change: Callable[[np.ndarray], Any]) -> None:
    system = make()
    with pytest.raises(ConfigError, match=name):
        system.feed(damaged(name, change), offsets(0, 2, len(GOOD)), last=True)
    assert finish(system) == 2


@pytest.mark.parametrize("missing", [name for name in ITEM_DTYPES if name not in OPTIONAL_ITEMS])
def test_missing_item_arrays(missing: str) -> None:
    system = make()
    with pytest.raises(ConfigError, match=missing):
        system.feed({k: v for k, v in arrays(GOOD).items() if k != missing}, offsets(0, 7), last=True)
    assert finish(system) == 2


@pytest.mark.parametrize("missing", [*OPTIONAL_ITEMS, OPTIONAL_ITEMS], ids=str)
def test_optional_item_arrays_are_zero_where_they_are_missing(missing: str | tuple[str, ...]) -> None:
    whole, part = make(), make()
    whole.feed(arrays(GOOD), offsets(0, 2, len(GOOD)), last=True)
    kept = {name: array for name, array in arrays(GOOD).items() if name != missing and name not in missing}
    part.feed(kept, offsets(0, 2, len(GOOD)), last=True)
    assert [system.run(10**6) for system in (whole, part)] == [STATE_DONE] * 2
    assert whole.time == part.time > 0
    assert whole.channel_counters(1) == part.channel_counters(1)


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
    "unknown kind": ([{**ACC, "kind": 4}], 0),
    "an immediate without PIM_WRIMM": ([HOST_ITEM, IMMEDIATE], 1),
    "a PE's operand that is not added": ([{**ACC, "flags": FLAG_UNADDED}], 0),
    "unknown role": ([{**ACC, "role": 5}], 0),
    "unknown role of a host read": ([{**HOST_ITEM, "role": 4}], 0),
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
    "MUL without LOAD": ([MUL, MAC], 0),
    "LOAD and MUL without MAC": ([LOAD, MUL], 1),
    "MUL then ACC": ([LOAD, MUL, ACC], 1),
    "MUL then LOAD": ([LOAD, MUL, LOAD, MAC], 1),
    "MUL at another unit": ([LOAD, {**MUL, "unit": 1, "bank": PER_UNIT}, MAC], 1),
    "MAC at another unit than its MUL": ([LOAD, MUL, {**MAC, "unit": 1, "bank": PER_UNIT}], 2),
    "beyond the pooled vector": ([{**ACC, "segment": 7}], 0),
    "beyond the pooled vector in 8 bits": ([{**ACC, "segment": 255, "covers": 255}], 0),
    "covers more than the pooled vector": ([LOAD, {**MAC, "covers": 9}], 1),
    "a LUT row beyond the pooled vector": ([{**LUT, "bursts": 9}], 0),
    "an unknown flag": ([{**ACC, "flags": 128}], 0),
    "MAC after a LUT of another unit": ([{**LUT, "role": ROLE_LOAD}, MAC], 1),
}


BAD_IMMEDIATES: dict[str, dict[str, int]] = {
    "of nothing": {"row": 0},
    "of more than the bag has": {"row": 2},
    "of very much": {"row": 2**32 - 1},
    "at no unit": {"unit": NO_UNIT},
    "in a plain channel": {"channel": 0},
    "with a bank": {"bank": 1},
    "with a column": {"column": 1},
    "without a burst": {"bursts": 0},
    "beyond the pooled vector": {"bursts": 9},
    "behind the pooled vector": {"segment": 7},
    "that covers something else": {"covers": 1},
    "to be multiplied": {"role": ROLE_MAC},
    "to be loaded": {"role": ROLE_LOAD},
    "carried": {"flags": FLAG_CARRIED},
}


@pytest.mark.parametrize("fields", BAD_IMMEDIATES.values(), ids=BAD_IMMEDIATES)
def test_bad_immediates(fields: dict[str, int]) -> None:
    system = System(
        HostParameters(**HOST),
        channels=[ChannelParameters(**PLAIN_CHANNEL), ChannelParameters(**PIM_CHANNEL)],
        specs=[SpecHandle(PLAIN), SpecHandle(derive_pim(PLAIN, "bank_group", "channel", immediates=True))],
    )
    with pytest.raises(CoreError, match=r"index 1\b.*HEAM_BAD_ITEM"):
        system.feed(arrays([HOST_ITEM, {**IMMEDIATE, **fields}]), offsets(0, 2), last=True)
    with pytest.raises(CoreError, match=r"index 2\b.*HEAM_BAD_ITEM"):
        system.feed(
            arrays([HOST_ITEM, IMMEDIATE, IMMEDIATE]), offsets(0, 3), last=True
        )  # one read, two vectors
    system.feed(arrays([HOST_ITEM, IMMEDIATE, *GOOD]), offsets(0, 2, 2 + len(GOOD)), last=True)
    assert system.run(10**6) == STATE_DONE
    assert system.finished == 2


@pytest.mark.parametrize(("items", "where"), BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_bad_items(items: list[dict[str, int]], where: int) -> None:
    system = make()
    with pytest.raises(CoreError, match=rf"index {where + 2}\b.*HEAM_BAD_ITEM"):
        system.feed(arrays([HOST_ITEM, ACC, *items]), offsets(0, 2, 2 + len(items)), last=True)
    # Nothing of the refused work was taken.
    assert finish(system) == 2


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
        system.feed(items, case.gnr_offsets, last=True, arrivals=case.arrivals)
    except CoreError:
        system.feed(case.items, case.gnr_offsets, last=True, arrivals=case.arrivals)
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
        lambda: replay.latencies(0),
        lambda: replay.run_addresses(
            {name: requests(0)[name] for name in ("channel", "bank", "row", "column")},
            6,
            np.zeros(1, np.uint64),
            np.zeros(1, np.uint8),
        ),
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
