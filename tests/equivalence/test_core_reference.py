# SPDX-License-Identifier: MIT
"""The C core does exactly what the slow reference does, on random standards and random work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim._core import Device, SpecHandle
from heam_sim.errors import CoreError
from tests.equivalence.core_runs import (
    as_spec,
    assert_equal_replay,
    assert_equal_system,
    core_replay,
    core_system,
)
from tests.reference.hand import make_spec
from tests.reference.plain import replay
from tests.reference.random_specs import RandomSystem, SmallCommand, SmallRow, replays, small_specs, systems
from tests.reference.system import simulate
from tests.reference.timing import Timing


def check_system(case: RandomSystem) -> None:
    reference = simulate(case.channels, case.host, case.items, case.gnr_offsets, case.arrivals)
    logged = core_system(case)
    assert_equal_system(logged, reference)
    # The host ahead of the channels: all but the log, the account of time too.
    assert core_system(case, with_log=False) == logged._replace(log=[])


def check_replay(case: dict[str, Any]) -> None:
    assert_equal_replay(core_replay(case), replay(**case))


@given(systems())
@settings(max_examples=250)
def test_random_systems(case: RandomSystem) -> None:
    check_system(case)


@given(systems(max_gnrs=14, max_operands=12))
@settings(max_examples=60)
def test_longer_random_systems(case: RandomSystem) -> None:
    check_system(case)


@given(systems(max_operands=10), st.integers(3, 8))
@settings(max_examples=120)
def test_deep_queues_with_merging(case: RandomSystem, depth: int) -> None:
    """Many operands at a unit at once: they follow one another, and chains wait for the rows of others."""
    more = {"queue_depth": depth, "merge_identical": True}
    channels = [{**options, **(more if options["kind"] == "pim" else {})} for options in case.channels]
    check_system(replace(case, channels=channels))


@given(systems(max_gnrs=14), st.integers(1, 3), st.integers(4, 12))
@settings(max_examples=120)
def test_instructions_keep_clear_of_results(case: RandomSystem, cycles: int, latency: int) -> None:
    """On the data pins; the host, ahead, has had results that are still to be there for the channel."""
    more = {"host_driven": False, "path_uses_dq": True, "instruction_cycles": cycles, "res_latency": latency}
    channels = [{**options, **(more if options["kind"] == "pim" else {})} for options in case.channels]
    check_system(replace(case, channels=channels))


@given(systems(stacked=True, max_gnrs=10))
@settings(max_examples=60)
def test_random_stacks(case: RandomSystem) -> None:
    check_system(case)


@pytest.mark.slow
@given(systems(stacked=True, max_gnrs=14, max_operands=10))
@settings(max_examples=3000)
def test_many_random_stacks(case: RandomSystem) -> None:
    check_system(case)


@pytest.mark.slow
@given(systems())
@settings(max_examples=4000)
def test_many_random_systems(case: RandomSystem) -> None:
    check_system(case)


@given(systems(max_gnrs=14), st.integers(0, 2**32 - 1), st.sampled_from((2, 30, 300)))
@settings(max_examples=100)
def test_random_arrivals(case: RandomSystem, seed: int, gap: int) -> None:
    gnrs = len(case.gnr_offsets) - 1
    arrivals = np.cumsum(np.random.default_rng(seed).integers(0, gap, gnrs)).astype(np.uint64)
    case = replace(case, arrivals=arrivals)
    check_system(case)
    assert all(finish >= arrival for arrival, finish in core_system(case).latencies.values())


@pytest.mark.slow
@given(systems(max_gnrs=14), st.integers(0, 2**32 - 1), st.sampled_from((2, 30, 300)))
@settings(max_examples=2000)
def test_many_random_arrivals(case: RandomSystem, seed: int, gap: int) -> None:
    gnrs = len(case.gnr_offsets) - 1
    arrivals = np.cumsum(np.random.default_rng(seed).integers(0, gap, gnrs)).astype(np.uint64)
    check_system(replace(case, arrivals=arrivals))


@given(systems())
@settings(max_examples=60)
def test_what_has_arrived_before_the_start_changes_no_command(case: RandomSystem) -> None:
    """Only latencies differ: they count from arrivals."""
    without = core_system(replace(case, arrivals=None))
    gnrs = len(case.gnr_offsets) - 1
    with_zeros = core_system(replace(case, arrivals=np.zeros(gnrs, np.uint64)))
    assert {gnr: finish for gnr, (_, finish) in with_zeros.latencies.items()} == {
        gnr: finish for gnr, (_, finish) in without.latencies.items()
    }
    assert all(arrival == 0 for arrival, _ in with_zeros.latencies.values())
    same = {"latencies": without.latencies, "host": without.host}
    assert with_zeros._replace(**same) == without
    assert {**with_zeros.host, "latency_ticks": 0} == {**without.host, "latency_ticks": 0}


@given(systems(), st.data())
@settings(max_examples=100)
def test_feeding_in_chunks_and_pausing_change_nothing(case: RandomSystem, data: st.DataObject) -> None:
    whole = core_system(case)
    gnrs = len(case.gnr_offsets) - 1
    cut = data.draw(st.integers(0, gnrs))
    some = data.draw(st.lists(st.integers(0, gnrs), max_size=6))
    steps = data.draw(st.integers(1, 7))
    assert core_system(case, cuts=[cut]) == whole
    assert core_system(case, cuts=range(1, gnrs)) == whole
    # Empty chunks too, first, last and in between.
    assert core_system(case, cuts=some, max_steps=steps) == whole
    assert core_system(case, max_steps=steps) == whole
    silent = whole._replace(log=[])
    assert core_system(case, cuts=some, max_steps=steps, with_log=False) == silent
    assert core_system(case, cuts=range(1, gnrs), with_log=False) == silent


@given(replays(), st.integers(1, 8))
@settings(max_examples=300)
def test_random_replays(case: dict[str, Any], offers: int) -> None:
    check_replay({**case, "offers_per_cycle": offers})


@pytest.mark.slow
@given(replays(max_requests=250), st.integers(1, 8))
@settings(max_examples=3000)
def test_many_random_replays(case: dict[str, Any], offers: int) -> None:
    check_replay({**case, "offers_per_cycle": offers})


@given(replays(), st.data())
@settings(max_examples=100)
def test_a_replay_in_pieces_is_the_same(case: dict[str, Any], data: st.DataObject) -> None:
    count = len(case["requests"])
    cuts = data.draw(st.lists(st.integers(0, count), max_size=5))
    whole = core_replay(case)
    assert core_replay(case, cuts=cuts) == whole
    assert core_replay(case, cuts=range(1, count)) == whole


def test_a_forwarded_read_is_booked_behind_the_read_before_it() -> None:
    """RD at cycle 6, its data at 14; meanwhile a read of a write that waits for the bank is answered at 9."""
    first, write = (0, 0, 0, 0, False, 0), (0, 0, 1, 1, True, 17)
    forwarded = (*write[:4], False, 17)
    stream = [first, *[write] * 7, forwarded, *[write] * 6]

    def latency(requests: int) -> int:
        case = {"spec": make_spec(), "requests": stream[:requests], "channels": 1, "refresh": False}
        case["drain"] = False
        core = core_replay(case)
        assert_equal_replay(core, replay(**case))
        counters = core[0].counters
        assert counters["cycles"] == requests - 1
        assert counters["num_read_reqs_forwarded"] == (requests >= 9)
        return int(counters["read_latency"])

    # One request a cycle, stamped 0, 1, ...: the n-th acceptance stops the clock at n - 1.
    assert [latency(requests) for requests in (9, 10, 12, 14)] == [0, 0, 0, 0]
    assert latency(15) == 14 + 1


# -- the bare device


def legal(timing: Timing, command: str, bank: int, row: int) -> bool:
    """Whether the state of the banks allows the command (not its time)."""
    kind, opened = timing.kind[command], timing.open_row[bank]
    if kind == "ACT":
        return opened is None
    if kind == "PRE":
        return opened is not None
    if kind in ("RD", "WR", "PIM_RD"):
        return opened == row
    if kind == "REF":
        scope = timing.scope[command]
        below = timing.banks_below(scope, timing.node(scope, bank))
        return all(timing.open_row[other] is None for other in below)
    if kind in ("REFPB", "REFSB"):
        return all(timing.open_row[other] is None for other in timing.concerned(command, bank))
    return True


def check_device(spec: Any, *, seed: int, commands: int) -> None:
    """A random stream: any command anywhere, legal or not, at, before and after its earliest cycle."""
    rng = np.random.default_rng(seed)
    timing, device = Timing(spec), Device(SpecHandle(as_spec(spec)))
    names = [command.name for command in spec.commands]
    clock, issued = 0, 0
    for _ in range(commands):
        for command in names:
            other = int(rng.integers(timing.banks))
            assert device.earliest(command, other) == timing.earliest(command, other), command
        command = names[int(rng.integers(len(names)))]
        bank, row = int(rng.integers(timing.banks)), int(rng.integers(2))
        opened = timing.open_row[bank]
        if opened is not None and rng.random() < 0.7:
            row = opened
        earliest = timing.earliest(command, bank)[0]
        clock = max(clock + 1, earliest + int(rng.integers(-1, 3)))
        allowed = legal(timing, command, bank, row)
        for cycle in {clock, max(earliest - 1, 0), earliest}:
            may = allowed and cycle >= earliest and timing.on_beat(command, cycle)
            assert device.probe(command, bank, row=row, cycle=cycle) == may, (command, bank, cycle)
        if allowed and clock >= earliest and timing.on_beat(command, clock):
            device.issue(command, bank, row=row, cycle=clock)
            timing.issue(command, bank, row, clock)
            issued += 1
        else:
            # A refused command leaves no trace: the next round compares all times again.
            with pytest.raises(CoreError, match="HEAM_TOO_EARLY" if allowed else "HEAM_BAD_STATE"):
                device.issue(command, bank, row=row, cycle=clock)
    assert issued > commands // 10


@given(
    st.tuples(st.booleans(), st.booleans()).flatmap(lambda a: small_specs(pim=a[0], bank_refresh=a[1])),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100)
def test_random_devices(spec: Any, seed: int) -> None:
    check_device(spec, seed=seed, commands=60)


def test_the_later_bank_names_the_row_though_times_align_to_the_same_cycle() -> None:
    """REFsb may start in cycles 1, 5, 9, 13: bank 0 says 2 + 8 = 10 and bank 1 6 + 5 = 11; 13 for both."""
    plain = make_spec()
    spec = replace(
        plain,
        levels=("channel", "rank", "bank_group", "bank"),
        counts={"channel": 1, "rank": 1, "bank_group": 2, "bank": 1},
        banks=2,
        commands=(*plain.commands, SmallCommand("REFsb", "REFSB", "bank", 4)),
        constraints=(
            SmallRow("bank", ("ACT",), ("REFsb",), 8),
            SmallRow("bank", ("PREpb",), ("REFsb",), 5),
        ),
    )
    timing, device = Timing(spec), Device(SpecHandle(as_spec(spec)))
    for command, bank, cycle in (("ACT", 1, 1), ("ACT", 0, 2), ("PREpb", 1, 6)):
        device.issue(command, bank, row=0, cycle=cycle)
        timing.issue(command, bank, 0, cycle)
    assert device.earliest("REFsb", 0) == timing.earliest("REFsb", 0) == (13, 1)
