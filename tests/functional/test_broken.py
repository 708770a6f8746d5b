# SPDX-License-Identifier: MIT
"""The functional check on real logs with one thing broken: every defect must be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heam_sim.errors import CheckError
from heam_sim.placement import layout as placement_layout
from heam_sim.placement import model as placement_model
from heam_sim.planning import Plan
from heam_sim.simulation import Run, simulate
from heam_sim.trace import LookupTrace
from heam_sim.verification import verify
from tests.functional.breaks import (
    Log,
    drop,
    elsewhere,
    put,
    read_another_row,
    rows_of,
    swap_tags,
    taken_first,
    twice,
)
from tests.functional.small import IN_ORDER, functional, mixed_trace, run_of

TRACE = mixed_trace(samples=12)
OPTIONS: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 128, "profile": 0.5}
# Few channels, so that GnRs use several units of one.
HEAM: dict[str, Any] = {
    **OPTIONS,
    "system": "heam",
    "overrides": {"hbm.channels": 2, "hbm.pim.lut_bytes": 6 * 128},
}


# The same with an adder over the channels, and with cold rows as operands of the PEs.
STACK: dict[str, Any] = {
    **HEAM,
    "scope": "sample",
    "overrides": {
        **HEAM["overrides"],
        "hbm.pim.stack_bytes_per_cycle": 64,
        "hbm.pim.immediates": True,
    },
}


def _accumulate_late(run: Run, log: Log) -> Log:
    """A PIM_RD comes after its partial has left."""
    last = rows_of(run, log, "PIM_MOV")[-1]
    unit, tag, channel = (int(log[field][last]) for field in ("unit", "tag", "channel"))
    reads = rows_of(run, log, "PIM_RD")
    mine = reads[
        (log["unit"][reads] == unit) & (log["tag"][reads] == tag) & (log["channel"][reads] == channel)
    ][-1]
    return np.concatenate((np.delete(log, mine), log[mine : mine + 1]))


def _mac_before_load(run: Run, log: Log) -> Log:
    at = rows_of(run, log, "PIM_LUT")[0]
    partner = next(
        row
        for row in rows_of(run, log, "PIM_RD")
        if all(log[field][row] == log[field][at] for field in ("channel", "unit", "tag", "slot"))
    )
    order = np.arange(log.size)
    order[at : partner + 1] = np.concatenate((order[at + 1 : partner + 1], [at]))
    return log[order]


BREAKS: dict[str, tuple[Callable[[Run, Log], Log], set[str]]] = {
    "a burst of an operand is never read": (drop("PIM_RD"), {"operand", "pairing"}),
    "a burst is read twice": (twice("PIM_RD"), {"operand", "pairing"}),
    "a LUT read is missing": (drop("PIM_LUT"), {"operand", "pairing"}),
    "a LUT read comes twice": (twice("PIM_LUT"), {"operand", "pairing"}),
    "another row of the LUT": (put("PIM_LUT", "row", lambda row: (row + 1) % 6), {"operand"}),
    "a row of the LUT that was never filled": (put("PIM_LUT", "row", lambda _: 6), {"LUT"}),
    "a partial stays behind": (drop("PIM_MOV"), {"left over", "sum"}),
    "a partial moves twice": (twice("PIM_MOV"), {"twice"}),
    "a partial of another unit": (put("PIM_MOV", "unit", lambda unit: (unit + 1) % 4), {"left over"}),
    "another burst of a partial": (
        put("PIM_MOV", "column", lambda burst: 1 - burst),
        {"left over", "twice"},
    ),
    "a result stays behind": (drop("PIM_RDRES"), {"left over", "sum"}),
    "a result leaves twice": (twice("PIM_RDRES"), {"twice"}),
    "a result leaves under another name": (swap_tags("PIM_RDRES"), {"order", "twice", "left over", "sum"}),
    "operands change GnRs": (swap_tags("PIM_RD"), {"operand"}),
    "LUT reads change GnRs": (swap_tags("PIM_LUT"), {"pairing"}),
    "a GnR that does not exist": (put("PIM_RD", "tag", lambda _: 999), {"tag"}),
    "the row of another vector": (read_another_row("PIM_RD"), {"operand"}),
    "an address where nothing lives": (put("PIM_RD", "row", lambda row: row ^ 1), {"address"}),
    "the other unit": (put("PIM_RD", "unit", lambda unit: (unit + 1) % 4), {"pairing"}),
    "no register": (put("PIM_LUT", "role", lambda _: 0), {"pairing"}),
    "another register": (put("PIM_LUT", "slot", lambda slot: slot + 100), {"pairing"}),
    "too late for its partial": (_accumulate_late, {"order", "left over"}),
    "multiplied before the factor is there": (_mac_before_load, {"pairing"}),
    "a host read is missing": (drop("RD"), {"operand", "pairing"}),
    "a host read comes twice": (twice("RD"), {"operand", "pairing"}),
    "a cache hit of another row": (put("LLC_HIT", "row", lambda row: row ^ 1), {"address"}),
    "a cache hit is missing": (drop("LLC_HIT"), {"operand", "pairing"}),
}


@pytest.fixture(scope="module")
def heam() -> tuple[Plan, Run]:
    return run_of(TRACE, **HEAM)


def test_the_untouched_log_is_right(heam: tuple[Plan, Run]) -> None:
    planned, run = heam
    report = functional(planned, run, run.log)
    assert report.ok, report.violations
    assert report.mismatches == 0 and report.gnrs == 6 * TRACE.tables
    others = ("PE_HIT", "MERGED", "PIM_XMOV", "PIM_WRIMM")
    used = {name: count for name, count in report.reads.items() if name not in others}
    assert all(used.values()), "every kind of command is part of this run"


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_log_is_found_out(what: str, heam: tuple[Plan, Run]) -> None:
    planned, run = heam
    change, rules = BREAKS[what]
    broken = change(run, run.log.copy())
    assert broken.shape != run.log.shape or (broken != run.log).any()
    report = functional(planned, run, broken)
    assert not report.ok
    assert rules & set(report.counts), f"expected one of {rules}, found {report.counts}"
    with pytest.raises(CheckError):
        report.require()
    with pytest.raises(CheckError, match="of heam"):
        verify(planned, replace(run, log=broken))


def _send_late(run: Run, log: Log) -> Log:
    """A channel's result goes to the stack after the sum has left."""
    last = rows_of(run, log, "PIM_XMOV")[-1]
    return np.concatenate((np.delete(log, last), log[last : last + 1]))


def _at_once(run: Run, log: Log) -> Log:
    """Two bursts are on the crossbar in one cycle."""
    first, second = rows_of(run, log, "PIM_XMOV")[:2]
    log["clock"][second] = log["clock"][first]
    return log


@pytest.fixture(scope="module")
def stacked() -> tuple[Plan, Run]:
    return run_of(TRACE, **STACK)


PAIRS: dict[str, Any] = {
    "system": "space",
    "embedding": "full",
    "vector_bytes": 128,
    "profile": 0.5,
    "scope": "sample",
    "overrides": {"placement.hot_share": 0.6, "hbm.channels": 2},
}
PLACE = ["channel", "bank", "row", "column"]


@pytest.fixture(scope="module")
def paired() -> tuple[Plan, Run]:
    return run_of(mixed_trace(samples=60, longest=6, cardinalities=(7, 30, 3000)), **PAIRS)


def _pair_reads(planned: Plan, run: Run) -> dict[int, np.ndarray[Any, np.dtype[np.int64]]]:
    """The log rows of a read of every pair's sum that was read, its two bursts in order."""
    place, layout = planned.placement, planned.placement.hot_layout
    assert layout is not None
    where = layout.locate(128, place.pairs.first_slot + np.arange(place.pairs.count))
    keys = zip(where.channel, where.bank, where.row, where.column, strict=True)
    pair_at = {tuple(map(int, key)): number for number, key in enumerate(keys)}
    rows = rows_of(run, run.log, "PIM_RD")
    found = {}
    for row in rows:
        key = tuple(int(run.log[name][row]) for name in PLACE)
        if key in pair_at:
            same = [run.log[name][rows] == run.log[name][row] for name in ("channel", "tag", "slot")]
            found[pair_at[key]] = rows[np.logical_and.reduce(same)]
    assert all(bursts.size == 2 for bursts in found.values())
    return found


def _elsewhere_in(log: Log, bursts: Any, source: Any) -> Log:
    """The same operand's bursts, read from another place."""
    moved = log[bursts].copy()
    for name in PLACE:
        moved[name] = source[name]
    return moved


def test_broken_logs_of_pairs_are_found_out(paired: tuple[Plan, Run]) -> None:
    planned, run = paired
    assert functional(planned, run, run.log).ok and run.pair_reads > 10
    reads, place, layout = _pair_reads(planned, run), planned.placement, planned.placement.hot_layout
    tables, indices = place.pairs.members()
    hot = place.hot.find(place.first_row[tables] + indices)  # `full`: a subtable per table
    pair = next(number for number in reads if hot[number].max() >= 0)
    other = next(number for number in reads if number != pair)
    mine, theirs = run.log[reads[pair]], run.log[reads[other]]

    def refused(log: Log, *rules: str) -> None:
        report = functional(planned, run, log)
        assert set(rules) & set(report.counts), report.counts
        with pytest.raises(CheckError, match="of space"):
            verify(planned, replace(run, log=log))

    wrong = run.log.copy()
    wrong[reads[pair]] = _elsewhere_in(run.log, reads[pair], theirs)
    refused(wrong, "operand")  # the sum of another pair
    half = wrong.copy()
    half[reads[pair][0]] = mine[0]
    refused(half, "operand")  # one burst of another
    refused(np.delete(run.log, reads[pair]), "operand")  # not read at all
    refused(np.delete(run.log, reads[pair][1]), "operand")  # half of it
    refused(np.insert(run.log, reads[pair][1], mine), "operand")  # twice
    # A lookup of the pair is read alone, too.
    assert layout is not None
    alone = layout.locate(128, hot[pair].max(keepdims=True))
    own = mine.copy()
    for name in PLACE:
        own[name] = getattr(alone, name)
    own["column"] += np.arange(2, dtype=np.uint16)
    refused(np.insert(run.log, reads[pair][1], own), "operand")
    # And alone in place of the sum: the other one is missing.
    single = run.log.copy()
    single[reads[pair]] = own
    refused(single, "operand")


STACK_BREAKS: dict[str, tuple[Callable[[Run, Log], Log], set[str]]] = {
    "a channel's result stays behind": (drop("PIM_XMOV"), {"left over", "sum"}),
    "a channel's result moves twice": (twice("PIM_XMOV"), {"twice"}),
    "the result of another channel": (put("PIM_XMOV", "channel", lambda c: 1 - c), {"left over", "order"}),
    "another burst of a result": (
        put("PIM_XMOV", "column", lambda burst: 1 - burst),
        {"left over", "twice"},
    ),
    "a result of another GnR": (swap_tags("PIM_XMOV"), {"order", "left over", "empty", "twice"}),
    "too late for the sum": (_send_late, {"order"}),
    "an immediate is never sent": (drop("PIM_WRIMM"), {"left over"}),
    "an immediate is sent twice": (twice("PIM_WRIMM"), {"twice"}),
    "an immediate goes to a unit that sends nothing": (put("PIM_WRIMM", "unit", lambda _: 9), {"left over"}),
    "another burst of an immediate": (
        put("PIM_WRIMM", "column", lambda burst: 1 - burst),
        {"left over", "twice"},
    ),
    "an immediate of another lookup": (
        put("PIM_WRIMM", "slot", lambda slot: slot + 100),
        {"empty", "left over"},
    ),
    "an immediate of another GnR": (swap_tags("PIM_WRIMM"), {"empty", "left over", "order"}),
    "an immediate is sent before it is read": (taken_first("PIM_WRIMM"), {"order"}),
    "a row of an immediate is missing": (drop("RD"), {"operand", "pairing"}),
    "the sum stays in the stack": (drop("PIM_RDRES"), {"left over", "sum"}),
    "the sum leaves twice": (twice("PIM_RDRES"), {"twice"}),
}


@pytest.mark.parametrize("what", STACK_BREAKS)
def test_a_broken_log_of_a_stack_is_found_out(what: str, stacked: tuple[Plan, Run]) -> None:
    planned, run = stacked
    assert functional(planned, run, run.log).ok
    change, rules = STACK_BREAKS[what]
    report = functional(planned, run, change(run, run.log.copy()))
    assert not report.ok
    assert rules & set(report.counts), f"expected one of {rules}, found {report.counts}"
    with pytest.raises(CheckError, match="of heam"):
        verify(planned, replace(run, log=change(run, run.log.copy())))


def test_an_immediate_at_another_bank_than_its_unit_is_found_out(stacked: tuple[Plan, Run]) -> None:
    planned, run = stacked
    change = put("PIM_WRIMM", "unit", lambda unit: unit ^ 1)
    with pytest.raises(CheckError, match=r"protocol check of heam.*PIM_WRIMM at .* goes to bank"):
        verify(planned, replace(run, log=change(run, run.log.copy())))


def test_two_bursts_on_a_crossbar_are_found_out(stacked: tuple[Plan, Run]) -> None:
    planned, run = stacked
    with pytest.raises(CheckError, match=r"stack of tier hbm: .*crossbar: a PIM_XMOV"):
        verify(planned, replace(run, log=_at_once(run, run.log.copy())))


@pytest.mark.parametrize("system", ["host-dimm", "host-hbm-dimm", "recnmp"])
def test_other_systems_are_looked_at_as_closely(system: str) -> None:
    planned, run = run_of(TRACE, system=system, **OPTIONS)
    assert functional(planned, run, run.log).ok
    name = "PIM_RD" if system == "recnmp" else "RD"
    for change in (
        drop(name),
        twice(name),
        put(name, "tag", lambda tag: tag + 1),
        read_another_row(name),
    ):
        assert not functional(planned, run, change(run, run.log.copy())).ok


# Every lookup of these runs is read at PEs, in few channels, so that GnRs use several units of one.
CASES: dict[str, dict[str, Any]] = {
    "copies at every PE": {
        "system": "trim-g", "embedding": "qr:4:add", "vector_bytes": 128, "profile": 0.5,
        "overrides": {"placement.replicate_share": 0.9, "placement.dispatch_window": 4, "dimm.channels": 1},
    },
    "slices": {
        "system": "tensordimm", "embedding": "qr:4", "vector_bytes": 256, "profile": 0.5,
        "overrides": {"dimm.channels": 1},
    },
    "halves": {
        "system": "recnmp", "embedding": "qr:4:concatenate", "vector_bytes": 128, "profile": 0.5,
        "overrides": {"dimm.channels": 1},
    },
    "three factors": {
        "system": "recnmp", "embedding": "partitions:3", "vector_bytes": 128, "profile": 0.5,
        "overrides": {"dimm.channels": 1},
    },
    "cores": {
        "system": "heam", "embedding": "tt:8", "vector_bytes": 128, "profile": 0.5,
        "overrides": {"hbm.channels": 1, "hbm.pim.lut_bytes": 100},
    },
}  # fmt: skip


def _drop_lookup(run: Run, log: Log) -> Log:
    at = log[rows_of(run, log, "PIM_RD")[-1]]
    return log[(log["tag"] != at["tag"]) | (log["slot"] != at["slot"]) | (log["unit"] == 65535)]


def _role(of: int, to: int) -> Callable[[Run, Log], Log]:
    def change(run: Run, log: Log) -> Log:
        rows = rows_of(run, log, "PIM_RD")
        at = rows[log["role"][rows] == of][0]
        log["role"][at] = to
        return log

    return change


def _other_weight(run: Run, log: Log) -> Log:
    """An operand takes the slot of another lookup, whose weight is another one."""
    at = log[rows_of(run, log, "PIM_RD")[0]]
    mine = (log["tag"] == at["tag"]) & (log["slot"] == at["slot"]) & (log["unit"] != 65535)
    log["slot"][mine] += 1
    return log


def _last_before_first(run: Run, log: Log) -> Log:
    """The last factor of a chain comes before the others."""
    rows = rows_of(run, log, "PIM_RD")
    at = rows[log["role"][rows] == 1][0]
    mine = rows[(log["tag"][rows] == log["tag"][at]) & (log["slot"][rows] == log["slot"][at])]
    order = np.arange(log.size)
    order[mine] = mine[::-1]
    return log[order]


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_operand_is_looked_at_as_closely(case: str) -> None:
    weights = [np.arange(one.size) / 4 for one in TRACE.indices]
    trace = LookupTrace.from_arrays(
        TRACE.indices, TRACE.offsets, cardinalities=TRACE.cardinalities, weights=weights
    )
    planned, run = run_of(trace, **CASES[case])
    report = functional(planned, run, run.log)
    assert report.ok, report.violations
    changes = [
        drop("PIM_RD"),
        twice("PIM_RD"),
        _drop_lookup,
        drop("PIM_RDRES"),
        twice("PIM_RDRES"),
        put("PIM_RDRES", "column", lambda burst: burst ^ 1),  # another part of the vector
        put("PIM_RD", "unit", lambda unit: unit ^ 1),
        put("PIM_RD", "tag", lambda tag: tag + 1),
        read_another_row("PIM_RD"),  # also another row's copy
        _other_weight,
    ]
    if case != "slices":
        changes += [drop("PIM_MOV"), twice("PIM_MOV")]
    if case == "three factors":
        changes += [_role(3, 0), _role(3, 1), _role(3, 2), _role(2, 3), _role(1, 3)]
    if case in ("slices", "three factors", "cores"):
        changes.append(_last_before_first)
    for number, change in enumerate(changes):
        broken = change(run, run.log.copy())
        found = functional(planned, run, broken)
        assert not found.ok, number
        assert functional(planned, run, run.log).ok


REUSE: dict[str, Any] = {
    "system": "recnmp",
    "embedding": "qr:4",
    "vector_bytes": 128,
    "profile": 0.3,
    "overrides": {
        "dimm.channels": 1,
        "dimm.pim.cache_bytes": 8 * 128,
        "dimm.pim.cache_ways": 2,
        "dimm.pim.cache_min_reads": 0,
        "dimm.pim.merge_identical": True,
        "dimm.pim.queue_depth": 2,
    },
}
REPEATS = mixed_trace(samples=60, longest=6, cardinalities=(7, 3000))


@pytest.fixture(scope="module")
def cached() -> tuple[Plan, Run]:
    return run_of(REPEATS, **REUSE)


def _long_after(run: Run, log: Log) -> Log:
    """At the end a row is taken that was used once, long ago."""
    last = rows_of(run, log, "PE_HIT")[-1]
    place = ["channel", "unit", "bank", "row", "column"]
    uses = np.flatnonzero(log["unit"] == log["unit"][last])
    names = {run.command_names.index(name) for name in ("PIM_RD", "PE_HIT", "MERGED")}
    seen: dict[tuple[int, ...], int] = {}
    for at in uses:
        if int(log["command"][at]) in names and log["column"][at] % 2 == 0:
            seen[tuple(int(log[field][at]) for field in place)] = int(at)
    oldest = min(seen.values())
    for field in place[2:]:
        log[field][last] = log[field][oldest]
    return log


@pytest.mark.parametrize(
    ("what", "change", "rules"),
    [
        ("a kept row is not taken", drop("PE_HIT"), {"operand", "pairing"}),
        ("it is taken twice", twice("PE_HIT"), {"operand", "pairing"}),
        ("another one is taken", read_another_row("PE_HIT"), {"operand"}),
        ("it is another GnR's", put("PE_HIT", "tag", lambda tag: tag + 1), {"pairing", "operand"}),
        ("it is another PE's", elsewhere("PE_HIT"), {"cache"}),
        ("it was not read yet", taken_first("PE_HIT"), {"cache"}),
        ("it must have left", _long_after, {"cache"}),
        ("a shared row is not taken", drop("MERGED"), {"operand", "pairing"}),
        ("it is taken twice", twice("MERGED"), {"operand", "pairing"}),
        ("it was not read yet", taken_first("MERGED"), {"cache"}),
        ("a row is not read but taken", drop("PIM_RD"), {"operand", "pairing"}),
    ],
)
def test_rows_that_are_not_read_again_are_looked_at(
    what: str, change: Callable[[Run, Log], Log], rules: set[str], cached: tuple[Plan, Run]
) -> None:
    planned, run = cached
    report = functional(planned, run, run.log)
    assert report.ok and report.reads["PE_HIT"] > 20 and report.reads["MERGED"] > 0
    found = functional(planned, run, change(run, run.log.copy()))
    assert not found.ok and rules & set(found.counts), (what, found.counts)


def test_a_hit_without_a_cache_is_wrong(cached: tuple[Plan, Run]) -> None:
    planned, run = cached
    without = replace(planned.placement, cache=replace(planned.placement.cache, sets=0))
    found = functional(replace(planned, placement=without), run, run.log)
    hits = run.log["command"] == run.command_names.index("PE_HIT")
    assert found.counts["cache"] == int(hits.sum())


def test_copies_are_of_the_row_that_they_stand_for() -> None:
    """A dispatcher's copy with another number is another row."""
    planned, run = run_of(TRACE, **CASES["copies at every PE"])
    layout = planned.placement.home
    copies = np.flatnonzero(
        (run.log["command"] == run.command_names.index("PIM_RD"))
        & (run.log["row"] >= layout.spec.rows - layout.reserved_rows)
    )
    assert run.spread_reads > 20 and copies.size == 2 * run.spread_reads
    assert len(set(run.log["unit"][copies].tolist())) > 3, "the least loaded PE is not always the same"
    log = run.log.copy()
    log["column"][copies[0]] ^= 2
    assert not functional(planned, run, log).ok


def test_a_cut_log_is_found_out(heam: tuple[Plan, Run]) -> None:
    planned, run = heam
    assert not functional(planned, run, run.log[: run.log.size // 2]).ok
    assert not functional(planned, run, run.log[:0]).ok


def test_commands_that_carry_no_data_do_not_matter_here(heam: tuple[Plan, Run]) -> None:
    """They are the protocol check's business; without them the sums are the same."""
    planned, run = heam
    data = [
        run.command_names.index(name)
        for name in ("RD", "LLC_HIT", "PIM_RD", "PIM_LUT", "PIM_MOV", "PIM_RDRES")
    ]
    assert functional(planned, run, run.log[np.isin(run.log["command"], data)]).ok


def test_the_protocol_is_checked_with_the_sums(heam: tuple[Plan, Run]) -> None:
    planned, run = heam
    early = run.log.copy()
    activates = np.flatnonzero(early["command"] == run.command_names.index("ACT"))
    early = np.delete(early, activates[0])
    assert functional(planned, run, early).ok
    with pytest.raises(CheckError, match="protocol check of heam"):
        verify(planned, replace(run, log=early))


def test_rows_that_share_a_place_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that fall onto each other: the timing is that of a legal run, the sums cannot be."""
    monkeypatch.setattr(placement_layout, "permute", lambda page, frames, **_: page % 2)
    trace = mixed_trace(samples=6, cardinalities=(5000,))
    options: dict[str, Any] = {"system": "host-dimm", "embedding": "full", "vector_bytes": 512}
    simulate(trace, **options)
    with pytest.raises(CheckError, match="both live in"):
        simulate(trace, check=True, **options)


def test_tables_that_overlap_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = placement_model.ModelPlacement

    def overlapping(system: Any, layouts: Any, subtables: Any, base: Any, *rest: Any) -> Any:
        return real(system, layouts, subtables, base * 0, *rest)

    monkeypatch.setattr(placement_model, "ModelPlacement", overlapping)
    trace = mixed_trace(samples=6)
    with pytest.raises(CheckError, match="both live in"):
        simulate(trace, system="recnmp", embedding="full", vector_bytes=64, check=True, overrides={})


def test_an_engine_that_loses_a_burst_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user sees: simulate(check=True) raises."""
    from heam_sim import simulation

    real = simulation._execute

    def losing(*arguments: Any, **options: Any) -> Run:
        run = real(*arguments, **options)
        return replace(run, log=drop("PIM_RD")(run, run.log))

    monkeypatch.setattr(simulation, "_execute", losing)
    with pytest.raises(CheckError, match="functional check of heam"):
        simulate(TRACE, check=True, **{**HEAM, "overrides": {**HEAM["overrides"], **IN_ORDER}})
