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
    counts = {"act": 3, "rd": 1, "ref": 1, "commands": 7}
    assert {key: number for key, number in found.counts.items() if number} == counts
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
    assert with_buses.total_pJ.value - report.total_pJ.value == pytest.approx(
        512 * 9.45 + 7 * 23 * 9.45  # a burst, and seven commands of 23 bits
    )


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


def test_refreshes_of_banks_cost_their_share_of_a_refresh_of_all():
    share = {"ref_bank": 8}, {"ref": 1}
    parts = [
        compute_energy(
            [
                TierActivity(
                    name="t",
                    power=POWER,
                    burst_bytes=64,
                    counts=counts,
                    ranks=1,
                    rank_active_ns=0,
                    ref_bank_share=1 / 8,
                )
            ],
            HostActivity(),
            1000.0,
        ).components_pJ
        for counts in share
    ]
    for component in ("refresh", "background"):
        assert parts[0]["t", component].value == pytest.approx(parts[1]["t", component].value)
    assert parts[0]["t", "refresh"].value > 0
    for wrong in (None, 0.0, 1.5):
        with pytest.raises(ConfigError, match="ref_bank_share"):
            standby(counts={"ref_bank": 1}, ref_bank_share=wrong)


@pytest.mark.parametrize(
    ("preset", "command", "all_banks", "power"),
    [
        # 16 banks of a pseudo channel; DDR5: 4 banks of a group, each of which is refreshed twice in a tREFI.
        ("native/HBM2_4Gb/HBM2_2000", "REFpb", 16, "hbm2-4gb-legacy"),
        ("native/DDR5_16Gb_x8/DDR5_4800", "REFsb", 8, "ddr5-4800-16gb-x8"),
    ],
)
def test_a_log_with_refreshes_of_banks(preset, command, all_banks, power):
    spec, names = load_spec(preset), ("ACT", "PREpb", command, "REFab")
    dtype = np.dtype([("clock", "u8"), ("command", "u1"), ("channel", "u2"), ("bank", "u2")])
    of_banks = np.array([(100 * i, 2, 0, i % 4) for i in range(all_banks)], dtype)
    at_once = np.array([(10, 3, 0, 0)], dtype)
    energies = [
        commands_energy(log, names, spec, load_power(power), cycles=10_000) for log in (of_banks, at_once)
    ]
    values = [energy.components_pJ["memory", "refresh"].value for energy in energies]
    assert values[0] == pytest.approx(values[1]) and values[0] > 0
    # An open row elsewhere stays open: the refresh closes nothing.
    opened = np.array([(0, 0, 0, 3), (1000, 2, 0, 0), (2000, 1, 0, 3)], dtype)
    activity = commands_activity(opened, names, spec, load_power(power), cycles=10_000)
    assert activity.rank_active_ns == pytest.approx(2000 * float(spec.tCK_ps) / 1000)


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
