# SPDX-License-Identifier: MIT
"""Energy of command streams: open times to the cycle, standby by open banks, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from heam_sim.dram import load_spec
from heam_sim.energy import (
    HostActivity,
    TierActivity,
    commands_activity,
    commands_energy,
    compute_energy,
    event_energies,
    load_power,
)
from heam_sim.energy.power import _parse
from heam_sim.errors import ConfigError, SpecError

SPEC = load_spec("native/DDR4_8Gb_x8/DDR4_2400", overrides={"rank": 2})
POWER, DDR5 = load_power("ddr4-2400-8gb-x8"), load_power("ddr5-4800-16gb-x8")
NAMES = ("ACT", "PREpb", "PREab", "RD", "WR", "REFab")
DEEP = [("rank", "i2"), ("bank_group", "i2"), ("bank", "i2")]


def stream(*rows, fields=DEEP):
    """(clock, name, channel, then the fields) per command."""
    dtype = [("clock", "u8"), ("command", "u1"), ("channel", "u2"), *fields]
    return np.array(
        [(clock, NAMES.index(name), *where) for clock, name, *where in rows], dtype=np.dtype(dtype)
    )


TWO_BANKS = stream(
    (10, "ACT", 0, 0, 0, 0),
    (14, "ACT", 0, 0, 1, 3),
    (20, "ACT", 0, 1, 0, 0),
    (26, "RD", 0, 0, 0, 0),
    (60, "PREpb", 0, 0, 0, 0),
    (90, "PREab", 0, 0, -1, -1),
    (120, "REFab", 0, 0, -1, -1),
)


def cycles(activity):
    period = float(SPEC.tCK_ps) / 1000
    return activity.rank_active_ns / period, activity.bank_active_ns / period


def test_open_times_by_rank_and_by_bank():
    found = commands_activity(TWO_BANKS, NAMES, SPEC, POWER, cycles=150)
    # Rank 0: 10 to 90; rank 1: 20 to the end. Banks: 50 + 76 + 130.
    assert cycles(found) == pytest.approx((80 + 130, 50 + 76 + 130))
    assert {key: number for key, number in found.counts.items() if number} == {"act": 3, "rd": 1, "ref": 1}
    assert found.ranks == 2


def test_the_flat_bank_of_a_log_says_the_same():
    flat = [(int(row["clock"]), NAMES[row["command"]], 0) for row in TWO_BANKS]
    banks = [0, 7, 16, 0, 0, 0, 0]
    log = stream(*((*row, bank) for row, bank in zip(flat, banks, strict=True)), fields=[("bank", "u2")])
    deep, shallow = (commands_activity(which, NAMES, SPEC, POWER, cycles=150) for which in (TWO_BANKS, log))
    assert cycles(deep) == cycles(shallow)


def test_channels_are_apart_and_idle_ones_stand_by():
    rows = stream((5, "ACT", 1, 0, 0, 0), (6, "ACT", 0, 0, 0, 0), (50, "PREpb", 0, 0, 0, 0))
    found = commands_activity(rows, NAMES, SPEC, POWER, cycles=100, channels=3)
    assert cycles(found) == pytest.approx((95 + 44, 95 + 44))
    idle = commands_energy(rows[:0], NAMES, SPEC, POWER, cycles=1200, channels=3).total_pJ.value
    assert idle == pytest.approx(1000 * 6 * event_energies(POWER).idle_mW.value)


def test_energy_of_a_stream_by_hand():
    report = commands_energy(TWO_BANKS, NAMES, SPEC, POWER, cycles=600, interface=False)
    parts = {key[1]: part.value for key, part in report.components_pJ.items() if part.value}
    assert not {"io", "dram_bus", "tsv"} & parts.keys()
    assert parts["activation"] == pytest.approx(3 * 9.6 * (48 * 55 - 43 * 39 - 34 * 16) * 5 / 6)
    assert parts["cell"] + parts["on_die_movement"] == pytest.approx(9.6 * (135 - 43) * 10 / 3)
    assert parts["refresh"] == pytest.approx(9.6 * (250 - 43) * 350)
    # Of 600 cycles rank 0 is open for 80 and refreshes for 420, rank 1 is open for 580; VPP always.
    standby = 9.6 * (43 * (80 + 420 + 580) + 34 * (100 + 20)) * 5 / 6
    assert parts["background"] == pytest.approx(standby + 60 * 1000)
    with_buses = commands_energy(TWO_BANKS, NAMES, SPEC, POWER, cycles=600)
    assert with_buses.total_pJ.value - report.total_pJ.value == pytest.approx(512 * 9.45)


def standby(power=DDR5, **changes):
    fields = {
        "name": "t",
        "power": power,
        "burst_bytes": 64,
        "counts": {},
        "ranks": 1,
        "rank_active_ns": 40.0,
    }
    report = compute_energy([TierActivity(**(fields | changes))], HostActivity(), 100.0)
    return report.components_pJ["t", "background"]


def test_standby_grows_with_open_banks():
    # Rank of four: 1.1 V x (92, 117 shared, 142 all of 32 banks) mA, and 1.8 V x 3 mA always.
    closed, pump = 4 * 1.1 * 92 * 60, 4 * 5.4 * 100
    assert standby(bank_active_ns=40.0).value == pytest.approx(closed + 4 * 1.1 * (117 + 25 / 32) * 40 + pump)
    assert standby(bank_active_ns=32 * 40.0).value == pytest.approx(closed + 4 * 1.1 * 142 * 40 + pump)
    unknown = standby()
    assert unknown.low == pytest.approx(standby(bank_active_ns=40.0).value)
    assert unknown.value == unknown.high == pytest.approx(standby(bank_active_ns=1280.0).value)


def test_refresh_is_charged_as_open_and_never_beyond_the_run():
    assert standby(POWER, counts={"ref": 1}).value == pytest.approx(
        100 * event_energies(POWER).active_mW.value
    )


def test_ddr5_activation_leaves_one_bank_of_standby_out():
    found = event_energies(DDR5).activate_pJ.value
    assert found == pytest.approx(4.4 * (122 * 46.25 - (117 + 25 / 32) * 77 / 2.4 - 92 * 34 / 2.4), rel=1e-9)


@pytest.mark.parametrize("open_ns", [39.0, 33 * 40.0])
def test_impossible_bank_times_are_refused(open_ns):
    with pytest.raises(ConfigError, match="bank_active_ns"):
        standby(bank_active_ns=open_ns)


@pytest.mark.parametrize(
    ("commands", "arguments", "message"),
    [
        (TWO_BANKS, {"cycles": 119}, "ends before the last command"),
        (TWO_BANKS, {"channels": 0}, "at least 1"),
        (stream((1, "ACT", 2, 0, 0, 0)), {}, "lies outside 1 channels"),
        (stream((1, "ACT", 0, 2, 0, 0)), {}, "lies outside 1 channels"),
        (stream((1, "ACT", 0, 0, 0), fields=DEEP[:2]), {}, "'bank' is missing"),
    ],
)
def test_wrong_streams_are_refused(commands, arguments, message):
    with pytest.raises(ConfigError, match=message):
        commands_energy(commands, NAMES, SPEC, POWER, **arguments)


def test_wrong_names_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'REFab'"):
        commands_energy(TWO_BANKS, (*NAMES[:-1], "REFabs"), SPEC, POWER)
    with pytest.raises(ConfigError, match="has no name"):
        commands_energy(TWO_BANKS, NAMES[:-1], SPEC, POWER)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("banks_per_rank = { value = 16", "banks_per_rank = { value = 1.5", "whole number"),
        ("standby_shared_ratio = { value = 1.0", "standby_shared_ratio = { value = 1.1", "from 0 to 1"),
    ],
)
def test_wrong_standby_values_are_refused(old, new, message):
    from importlib import resources

    text = (resources.files("heam_sim.energy") / "power" / "ddr4-2400-8gb-x8.toml").read_text(
        encoding="utf-8"
    )
    assert old in text
    with pytest.raises(SpecError, match=message):
        _parse(text.replace(old, new), where="mine")
