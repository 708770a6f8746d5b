# SPDX-License-Identifier: MIT
"""The functional checker, proved on hand-made command streams and by mutating them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from heam_sim.check.functional import FunctionalReport, check_functional
from heam_sim.check.homes import Homes
from heam_sim.check.logs import LOG_DTYPE
from heam_sim.embedding import QR, Full, reference
from heam_sim.errors import CheckError
from heam_sim.trace import LookupTrace

NAMES = ("ACT", "RD", "PIM_RD", "PIM_LUT", "PIM_MOV", "PIM_RDRES", "LLC_HIT")
VECTOR = 128
BURSTS = (32, 32, 64)  # two PIM channels, one host channel with larger bursts
ACC, LOAD, MAC = 0, 1, 2
SCHEMES = (Full(), QR(3, "multiply"), QR(3, "add"), QR(3, "multiply", threshold=10))


@dataclass
class Run:
    """A command stream and what its placement declares."""

    log: np.ndarray
    homes: Homes
    lut: list[tuple[int, int]]
    trace: LookupTrace
    scheme: Any
    scope: str
    merge: bool

    def check(self, log: np.ndarray | None = None, **changes: Any) -> FunctionalReport:
        arguments: dict[str, Any] = {
            "trace": self.trace,
            "embedding": self.scheme,
            "vector_bytes": VECTOR,
            "scope": self.scope,
            "burst_bytes_of_channel": BURSTS,
            "locate": self.homes,
            "lut_rows": self.lut,
            "merge": self.merge,
        }
        return check_functional(self.log if log is None else log, NAMES, **{**arguments, **changes})

    def rows(self, name: str, **where: int) -> np.ndarray:
        """Log rows of a command."""
        chosen = self.log["command"] == NAMES.index(name)
        for field, value in where.items():
            chosen &= self.log[field] == value
        return np.flatnonzero(chosen)


class Stream:
    """A naive placement and command generator: every operand by itself, GnR after GnR, no timing."""

    def __init__(self, trace: LookupTrace, scheme: Any, scope: str, merge: bool) -> None:
        self.trace, self.scheme, self.scope, self.merge = trace, scheme, scope, merge
        self.subtables = scheme.subtables(trace.cardinalities, VECTOR)
        self.home: dict[tuple[int, int, bool], tuple[int, int, int]] = {}
        self.lut: list[tuple[int, int]] = []
        self.records: list[tuple[Any, ...]] = []
        self.used: set[tuple[int, int]] = set()
        for table in self.subtables:
            if table.role == "R":
                self.lut += [(table.id, row) for row in range(table.rows)]
            for row in range(table.rows):
                self._place(table, row)

    def _place(self, table: Any, row: int) -> None:
        n = len(self.home)
        cold = table.role == "R" or (row + table.id) % 3 == 0
        channel = 2 if cold else row % 2
        self.home[table.id, row, cold] = (channel, n % 4, n)

    def homes(self) -> Homes:
        """Declare all of it, burst by burst."""
        rows = [
            (table, row, burst, channel, bank, dram_row, 4 + burst)
            for (table, row, _), (channel, bank, dram_row) in self.home.items()
            for burst in range(VECTOR // BURSTS[channel])
        ]
        return Homes(*np.array(rows, dtype=np.int64).T)

    def _emit(
        self, name: str, place: tuple[int, int, int, int], tag: int, slot: int, unit: int, role: int
    ) -> None:
        channel, bank, row, column = place
        clock = len(self.records) + 1
        self.records.append((clock, channel, NAMES.index(name), bank, row, column, tag, slot, unit, -1, role))

    def _read(self, name: str, home: tuple[int, int, int], tag: int, slot: int, unit: int, role: int) -> None:
        for burst in range(VECTOR // BURSTS[home[0]]):
            self._emit(name, (*home, 4 + burst), tag, slot, unit, role)

    def _lookup(self, operands: list[tuple[int, int]], tag: int, slot: int) -> None:
        last = operands[-1]
        hot = (*last, False) in self.home
        multiply = self.scheme.compose == "multiply" and len(operands) == 2
        roles = (LOAD, MAC) if multiply else (ACC, ACC)
        home = self.home[*last, not hot]
        unit = home[1] // 2 if hot else 65535
        if len(operands) == 2:
            if hot:
                place = (home[0], home[1], self.lut.index(operands[0]), 0)
                self._emit("PIM_LUT", place, tag, slot, unit, roles[0])
            else:
                name = "LLC_HIT" if slot % 2 else "RD"
                self._read(name, self.home[*operands[0], True], tag, slot, 65535, roles[0])
        self._read("PIM_RD" if hot else "RD", home, tag, slot, unit, roles[1] if len(operands) == 2 else ACC)
        if hot:
            self.used.add((home[0], unit))

    def _finish(self, tag: int) -> None:
        for channel, unit in sorted(self.used):
            for burst in range(VECTOR // BURSTS[channel]):
                self._emit(
                    "PIM_MOV" if self.merge else "PIM_RDRES", (channel, 2 * unit, 0, burst), tag, 0, unit, 0
                )
        if self.merge:
            for channel in sorted({c for c, _ in self.used}):
                for burst in range(VECTOR // BURSTS[channel]):
                    self._emit("PIM_RDRES", (channel, 0, 0, burst), tag, 0, 65535, 0)
        self.used.clear()

    def run(self) -> Run:
        """Issue everything."""
        trace = self.trace
        for sample in range(trace.samples):
            slot = 0
            for table in range(trace.tables):
                tag = sample * trace.tables + table if self.scope == "bag" else sample
                slot = 0 if self.scope == "bag" else slot
                cut = trace.offsets[table][sample : sample + 2]
                indices = trace.indices[table][cut[0] : cut[1]]
                operands = self.scheme.operands(table, indices, self.subtables)
                for i in range(len(indices)):
                    self._lookup([(o.subtable_id, int(o.rows[i])) for o in operands], tag, slot)
                    slot += 1
                if self.scope == "bag" or table == trace.tables - 1:
                    self._finish(tag)
        log = np.array(self.records, dtype=LOG_DTYPE)
        return Run(log, self.homes(), self.lut, trace, self.scheme, self.scope, self.merge)


def small_trace() -> LookupTrace:
    rng = np.random.default_rng(5)
    cardinalities = [40, 9, 25]
    sizes = [rng.integers(0, 6, 12) for _ in cardinalities]
    sizes[1][0] = 0
    offsets = [np.concatenate(([0], np.cumsum(s))).astype(np.int64) for s in sizes]
    indices = [
        rng.integers(0, n, int(o[-1])).astype(np.int64) for n, o in zip(cardinalities, offsets, strict=True)
    ]
    return LookupTrace.from_arrays(indices, offsets, cardinalities=np.array(cardinalities, dtype=np.int64))


def stream(scheme: Any = SCHEMES[1], scope: str = "bag", merge: bool = True) -> Run:
    return Stream(small_trace(), scheme, scope, merge).run()


@pytest.mark.parametrize("merge", [True, False], ids=["merge", "units"])
@pytest.mark.parametrize("scope", ["bag", "sample"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_a_right_stream_gives_the_ground_truth(scheme: Any, scope: str, merge: bool) -> None:
    run = stream(scheme, scope, merge)
    report = run.check()
    assert report.counts == {}
    assert report.first_mismatch is None
    assert report.granule_bytes == 32
    assert report.gnrs == (36 if scope == "bag" else 12)
    assert report.reads["PIM_RD"] > 20 and report.reads["RD"] > 20 and report.reads["PIM_RDRES"] > 20
    assert (report.reads["PIM_LUT"] > 5) == (scheme.compose is not None)
    assert (report.reads["PIM_MOV"] > 0) == merge
    report.require()


def test_the_sum_is_computed_from_the_log_and_not_from_the_trace() -> None:
    """One hand-made GnR: (row 1 of R) x (row 2 of Q), read by the host."""
    trace = LookupTrace.from_arrays(
        [np.array([7], dtype=np.int64)], cardinalities=np.array([9], dtype=np.int64)
    )
    scheme = QR(3, "multiply")
    homes = Homes(*(np.array(x) for x in ([0, 1], [1, 2], [0, 0], [0, 0], [3, 3], [8, 8], [0, 1])))
    log = np.zeros(2, dtype=LOG_DTYPE)
    log["bank"], log["row"], log["column"], log["role"], log["unit"] = 3, 8, [0, 1], [LOAD, MAC], 65535
    options: dict[str, Any] = {"trace": trace, "embedding": scheme, "vector_bytes": 64, "scope": "bag"}
    options |= {"burst_bytes_of_channel": {0: 64}, "locate": homes}
    assert check_functional(log, ["RD"], **options).ok
    r, q = (reference.row_values(t, np.array([row]), 1)[0, 0] for t, row in ((0, 1), (1, 2)))
    log["role"] = ACC
    first = check_functional(log, ["RD"], **options).first_mismatch
    assert first is not None
    assert first.expected == tuple(r * q) and first.got == tuple(r + q)
    assert str(first).startswith("GnR 0 (sample 0, table 0), granule 0: expected (")


def dropped(run: Run, name: str, which: int = 3, **where: int) -> np.ndarray:
    return np.delete(run.log, run.rows(name, **where)[which])


def repeated(run: Run, name: str, which: int = 3) -> np.ndarray:
    row = run.rows(name)[which]
    return np.insert(run.log, row + 1, run.log[row])


def changed(run: Run, name: str, field: str, value: int, which: int = 3) -> np.ndarray:
    log = run.log.copy()
    log[field][run.rows(name)[which]] = value
    return log


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize("name", ["RD", "PIM_RD", "PIM_LUT", "LLC_HIT", "PIM_MOV", "PIM_RDRES"])
def test_dropping_any_command_is_caught(name: str, exactly_once: bool) -> None:
    run = stream()
    report = run.check(dropped(run, name), exactly_once=exactly_once)
    assert report.counts["sum"] >= 1
    with pytest.raises(CheckError):
        report.require()
    rule = {"PIM_MOV": "left over", "PIM_RDRES": "left over"}.get(name, "pairing")
    assert rule in report.counts


def test_dropping_a_whole_lookup_is_caught() -> None:
    run = stream(Full())
    first = run.log[run.rows("PIM_RD")[0]]
    whole = (run.log["tag"] == first["tag"]) & (run.log["slot"] == first["slot"])
    report = run.check(run.log[~whole])
    assert {"sum", "operand"} <= set(report.counts)


@pytest.mark.parametrize("name", ["RD", "PIM_RD", "PIM_LUT", "LLC_HIT"])
def test_reading_twice_is_caught(name: str) -> None:
    run = stream(QR(3, "add"))
    assert {"sum", "operand"} <= set(run.check(repeated(run, name)).counts)
    run = stream()
    assert {"pairing", "sum", "operand"} <= set(run.check(repeated(run, name)).counts)


@pytest.mark.parametrize("merge", [True, False])
def test_a_result_leaves_once(merge: bool) -> None:
    run = stream(merge=merge)
    report = run.check(repeated(run, "PIM_RDRES"))
    assert report.counts == {"twice": 1}
    assert "a second time" in report.violations[0].message
    if merge:
        assert run.check(repeated(run, "PIM_MOV")).counts == {"twice": 1}


def test_swapped_remainder_rows_are_caught() -> None:
    run = stream()
    rows = run.rows("PIM_LUT")
    log = run.log.copy()
    a = rows[0]
    b = next(r for r in rows if log["row"][r] != log["row"][a] and log["tag"][r] != log["tag"][a])
    log["row"][[a, b]] = log["row"][[b, a]]
    report = run.check(log)
    assert report.counts["operand"] >= 4 and report.counts["sum"] >= 1
    # Also when the tables were swapped on loading: every LUT read then looks right by its number.
    table = run.lut.copy()
    table[0], table[1] = table[1], table[0]
    assert run.check(lut_rows=table).counts["sum"] >= 1


@pytest.mark.parametrize("name", ["RD", "PIM_RD", "PIM_LUT", "PIM_MOV", "PIM_RDRES", "LLC_HIT"])
def test_a_wrong_tag_is_caught(name: str) -> None:
    run = stream()
    which = run.rows(name)[3]
    other = int(run.log["tag"][which]) + 1
    assert not run.check(changed(run, name, "tag", other)).ok
    report = run.check(changed(run, name, "tag", 4_000_000))
    assert "tag" in report.counts or "empty" in report.counts


def test_a_wrong_unit_is_caught() -> None:
    run = stream()
    which = run.rows("PIM_RD")[3]
    report = run.check(changed(run, "PIM_RD", "unit", 1 - int(run.log["unit"][which])))
    assert "pairing" in report.counts
    run = stream(Full())
    single = next(
        i
        for i, row in enumerate(run.rows("PIM_RD"))
        if len(run.rows("PIM_MOV", tag=int(run.log["tag"][row]))) == 4
    )
    report = run.check(changed(run, "PIM_RD", "unit", 7, which=single))
    assert {"left over", "sum"} <= set(report.counts)


def test_a_wrong_role_is_caught() -> None:
    run = stream()
    assert {"pairing", "sum"} <= set(run.check(changed(run, "PIM_RD", "role", ACC)).counts)


def test_a_partial_that_leaves_too_early_is_caught() -> None:
    run = stream(Full())
    move = run.rows("PIM_MOV")[0]
    log = np.insert(np.delete(run.log, move), 0, run.log[move])
    report = run.check(log)
    assert {"order", "sum"} <= set(report.counts)


def test_a_result_read_before_its_partials_is_caught() -> None:
    run = stream()
    row = run.rows("PIM_RDRES")[0]
    log = np.insert(np.delete(run.log, row), 0, run.log[row])
    assert {"order", "sum"} <= set(run.check(log).counts)


def test_a_pe_cannot_multiply_before_it_has_loaded() -> None:
    run = stream()
    load = run.rows("PIM_LUT")[0]
    burst = VECTOR // BURSTS[0]
    order = np.arange(len(run.log))
    order[load : load + 1 + burst] = [*range(load + 1, load + 1 + burst), load]
    report = run.check(run.log[order])
    assert report.counts == {"pairing": burst}
    assert "comes before its LOAD" in report.violations[0].message


def test_the_host_may_get_its_factors_in_any_order() -> None:
    run = stream()
    host = np.isin(run.log["command"], [NAMES.index("RD"), NAMES.index("LLC_HIT")])
    order = np.concatenate((np.flatnonzero(~host), np.flatnonzero(host)[::-1]))
    assert run.check(run.log[order]).ok


def test_an_address_without_a_row_is_caught() -> None:
    run = stream()
    report = run.check(changed(run, "RD", "row", 12345))
    assert report.counts["address"] == 1 and report.counts["sum"] >= 1
    assert "row 12345" in next(v for v in report.violations if v.rule == "address").message
    report = run.check(changed(run, "PIM_LUT", "row", 999))
    assert report.counts["LUT"] == 1


def test_reading_another_row_is_caught() -> None:
    run = stream()
    a, b = run.rows("PIM_RD", channel=0)[[0, 20]]
    log = run.log.copy()
    for field in ("bank", "row", "column"):
        log[field][a] = log[field][b]
    assert "operand" in run.check(log).counts


def test_two_rows_in_one_place_are_a_collision() -> None:
    run = stream()
    columns = {f.name: getattr(run.homes, f.name).copy() for f in fields(Homes)}
    other = int(np.flatnonzero(columns["channel"] == columns["channel"][0])[-1])
    for name in ("bank", "dram_row", "column"):
        columns[name][other] = columns[name][0]
    with pytest.raises(CheckError, match=r"collision: .* both live in channel"):
        run.check(locate=Homes(**columns))
    # Saying the same thing twice is no collision.
    twice = Homes(**{f.name: np.tile(getattr(run.homes, f.name), 2) for f in fields(Homes)})
    assert run.check(locate=twice).ok


def test_a_replica_may_be_read_instead() -> None:
    run = stream()
    row = int(run.rows("PIM_RD")[3])
    moved = run.log[row]
    h = run.homes
    at = (h.channel == moved["channel"]) & (h.bank == moved["bank"]) & (h.dram_row == moved["row"])
    copy = {f.name: np.concatenate((getattr(h, f.name), getattr(h, f.name)[at])) for f in fields(Homes)}
    copy["dram_row"][len(h.row) :] = 7777
    log = changed(run, "PIM_RD", "row", 7777)
    assert run.check(log).counts["address"] == 1
    assert run.check(log, locate=Homes(**copy)).ok


def test_an_empty_trace_and_an_empty_log_are_legal() -> None:
    empty = [np.zeros(0, dtype=np.int64)] * 2
    trace = LookupTrace.from_arrays(
        empty, [np.zeros(4, dtype=np.int64)] * 2, cardinalities=np.array([5, 6], dtype=np.int64)
    )
    none = np.zeros(0, dtype=np.int64)
    run = replace(stream(), trace=trace, log=np.zeros(0, dtype=LOG_DTYPE), homes=Homes(*[none] * 7), lut=[])
    report = run.check()
    assert report.ok and report.gnrs == 6
    # A read that nobody asked for is not.
    busy = replace(run, homes=stream().homes, log=stream().log[stream().rows("RD")[:1]])
    assert not busy.check(lut_rows=stream().lut).ok


def test_bad_arguments_are_refused() -> None:
    run = stream()
    with pytest.raises(CheckError, match="channel 2"):
        run.check(burst_bytes_of_channel={0: 32, 1: 32})
    with pytest.raises(CheckError, match="smallest"):
        run.check(burst_bytes_of_channel=(32, 32, 48))
    with pytest.raises(CheckError, match="command_names"):
        run.check(changed(run, "RD", "command", 77))
    with pytest.raises(CheckError, match="has no home"):
        run.check(locate=Homes(*[getattr(run.homes, f.name)[:8] for f in fields(Homes)]))
    with pytest.raises(CheckError, match="without a gap"):
        run.check(lut_rows={0: (0, 0), 2: (0, 1)})
    with pytest.raises(CheckError, match="'role'"):
        run.check(run.log[[n for n in LOG_DTYPE.names or () if n != "role"]])
    with pytest.raises(CheckError, match="leaves the range"):
        Homes(*[np.array([-1])] * 7)
    with pytest.raises(CheckError, match="integer array"):
        Homes(*[np.array([1.0])] * 7)


def test_a_merge_node_may_exist_in_some_channels_only() -> None:
    merged, apart = stream(merge=True), stream(merge=False)
    parts = [merged.log[merged.log["channel"] != 1], apart.log[apart.log["channel"] == 1]]
    both = np.concatenate(parts)
    assert merged.check(both, merge={0: True, 1: False}).ok
    assert not merged.check(both, merge=True).ok
