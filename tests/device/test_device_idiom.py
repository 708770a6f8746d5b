# SPDX-License-Identifier: MIT
"""What the standards say about two commands, sentence by sentence, at the device of the C core.

Numbers are nCK of the standards' speed bins, written out here and not read from the files under test:
DDR4-3200AA 8 Gb x8 (JESD79-4), HBM2 at 2.0 Gb/s (JESD235 in the reading of the Ramulator 2.1 preset),
DDR5-4800 16 Gb x8 (JESD79-5). Commands that last two cycles (ACT in HBM2; ACT, RD and WR in DDR5) are logged
at their first, while some of their times count from the second: hence a + 1 or a - 1 here and there.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heam_sim._core import Device, SpecHandle
from heam_sim.dram import Spec, load_spec
from heam_sim.errors import ConfigError, CoreError
from heam_sim.testing import assert_earliest_ready_at as ready


class Memory:
    """A device and the names of its banks."""

    def __init__(self, name: str, **overrides: int) -> None:
        self.spec: Spec = load_spec(name, overrides=overrides)
        self.device = Device(SpecHandle(self.spec))

    def bank(self, *, outer: int = 0, group: int = 0, bank: int = 0) -> int:
        """Flat number of a bank: rank or pseudo channel, bank group, bank."""
        counts = self.spec.counts
        return (outer * counts["bank_group"] + group) * counts["bank"] + bank

    def activate(self, *banks: int, at: int = 0) -> None:
        """Open row 0 of some banks long enough before ``at`` that nothing of it matters at ``at``."""
        for i, bank in enumerate(banks):
            self.device.issue("ACT", bank, cycle=max(at - 2000 + 100 * i, 0))

    def issue(self, command: str, bank: int, at: int, *, row: int = 0) -> None:
        self.device.issue(command, bank, row=row, cycle=at)

    def ready(self, command: str, bank: int, at: int, *, row: int = 0) -> None:
        ready(self.device, command, bank, at, row=row)


def ddr4() -> Memory:
    return Memory("native/DDR4_8Gb_x8/DDR4_3200", rank=2)


def hbm2() -> Memory:
    return Memory("native/HBM2_4Gb/HBM2_2000")


def ddr5() -> Memory:
    return Memory("native/DDR5_16Gb_x8/DDR5_4800", rank=2)


ALL = pytest.mark.parametrize("make", [ddr4, hbm2, ddr5], ids=["DDR4-3200", "HBM2-2000", "DDR5-4800"])
Make = Callable[[], Memory]
T = 10_000


def values(make: Make, **of: int) -> int:
    """The value for the memory at hand: ``values(make, ddr4=..., hbm2=..., ddr5=...)``."""
    return of[make.__name__]


@ALL
def test_a_read_may_follow_tRCD_after_the_activate_of_its_bank(make: Make) -> None:
    memory, bank = make(), 0
    memory.issue("ACT", bank, T, row=7)
    # HBM2's ACT takes two cycles and its times count from the second.
    memory.ready("RD", bank, T + values(make, ddr4=22, hbm2=14 + 1, ddr5=34), row=7)


@ALL
def test_a_write_may_follow_tRCD_for_writes(make: Make) -> None:
    memory, bank = make(), 0
    memory.issue("ACT", bank, T, row=7)
    memory.ready("WR", bank, T + values(make, ddr4=22, hbm2=12 + 1, ddr5=34), row=7)


@ALL
def test_a_bank_stays_open_for_tRAS(make: Make) -> None:
    memory, bank = make(), 0
    memory.issue("ACT", bank, T)
    memory.ready("PREpb", bank, T + values(make, ddr4=52, hbm2=34 + 1, ddr5=77 + 1))
    memory.ready("PREab", bank, T + values(make, ddr4=52, hbm2=34 + 1, ddr5=77 + 1))


@ALL
def test_a_closed_bank_may_be_activated_tRP_after_its_precharge(make: Make) -> None:
    memory, bank = make(), 0
    memory.activate(bank, at=T)
    memory.issue("PREpb", bank, T)
    memory.ready("ACT", bank, T + values(make, ddr4=22, hbm2=14 - 1, ddr5=34 - 1))


@ALL
def test_two_activates_of_one_bank_are_tRC_apart(make: Make) -> None:
    # tRC 74 (DDR4) and 111 (DDR5) equal tRAS + tRP, and so does HBM2's 48: a shorter tRP shows tRC alone.
    spec = load_spec(make().spec.name)
    memory, bank = Memory(spec.name, nRP=5), 0
    memory.issue("ACT", bank, T)
    memory.issue("PREpb", bank, T + values(make, ddr4=52, hbm2=35, ddr5=78))
    memory.ready("ACT", bank, T + values(make, ddr4=74, hbm2=48, ddr5=111))


@ALL
def test_activates_of_one_bank_group_are_tRRD_L_apart(make: Make) -> None:
    memory = make()
    memory.issue("ACT", memory.bank(bank=0), T)
    memory.ready("ACT", memory.bank(bank=1), T + values(make, ddr4=8, hbm2=4, ddr5=12))


@ALL
def test_activates_of_two_bank_groups_are_tRRD_S_apart(make: Make) -> None:
    memory = make()
    memory.issue("ACT", memory.bank(group=0), T)
    memory.ready("ACT", memory.bank(group=1), T + values(make, ddr4=4, hbm2=4, ddr5=8))


@ALL
def test_a_fifth_activate_waits_for_tFAW(make: Make) -> None:
    memory = make()
    step = values(make, ddr4=4, hbm2=4, ddr5=8)
    for i in range(4):
        memory.issue("ACT", memory.bank(group=i), T + i * step)
    fifth = memory.bank(group=1, bank=1)
    # tFAW is 34 in DDR4. HBM2's 15 and DDR5's 32 are no longer than four tRRD_S, which then decide.
    memory.ready("ACT", fifth, T + values(make, ddr4=34, hbm2=16, ddr5=32))


def test_the_activation_window_is_the_ranks_own() -> None:
    memory = ddr4()
    for i in range(4):
        memory.issue("ACT", memory.bank(group=i), T + 4 * i)
    memory.ready("ACT", memory.bank(outer=1), 0)


@ALL
@pytest.mark.parametrize("same_group", [True, False], ids=["L", "S"])
def test_reads_are_tCCD_apart(make: Make, same_group: bool) -> None:
    memory = make()
    first = memory.bank()
    second = memory.bank(bank=1) if same_group else memory.bank(group=1)
    memory.activate(first, second, at=T)
    memory.issue("RD", first, T)
    long, short = values(make, ddr4=8, hbm2=4, ddr5=12), values(make, ddr4=4, hbm2=2, ddr5=8)
    memory.ready("RD", second, T + (long if same_group else short))


@ALL
@pytest.mark.parametrize("same_group", [True, False], ids=["L", "S"])
def test_writes_are_tCCD_apart(make: Make, same_group: bool) -> None:
    memory = make()
    first = memory.bank()
    second = memory.bank(bank=1) if same_group else memory.bank(group=1)
    memory.activate(first, second, at=T)
    memory.issue("WR", first, T)
    # DDR5 writes of one bank group are further apart: tCCD_L_WR2, max(16 nCK, 10 ns), for a x8 device.
    long, short = values(make, ddr4=8, hbm2=4, ddr5=24), values(make, ddr4=4, hbm2=2, ddr5=8)
    memory.ready("WR", second, T + (long if same_group else short))


@ALL
@pytest.mark.parametrize("same_group", [True, False], ids=["L", "S"])
def test_a_read_waits_tWTR_from_the_end_of_a_writes_burst(make: Make, same_group: bool) -> None:
    memory = make()
    first = memory.bank()
    second = memory.bank(bank=1) if same_group else memory.bank(group=1)
    memory.activate(first, second, at=T)
    memory.issue("WR", first, T)
    burst_ends = values(make, ddr4=16 + 4, hbm2=5 + 2, ddr5=32 + 8)
    long, short = values(make, ddr4=12, hbm2=8, ddr5=24), values(make, ddr4=4, hbm2=6, ddr5=6)
    memory.ready("RD", second, T + burst_ends + (long if same_group else short))


@ALL
def test_a_precharge_may_follow_tRTP_after_a_read(make: Make) -> None:
    memory, bank = make(), 0
    memory.activate(bank, at=T)
    memory.issue("RD", bank, T)
    memory.ready("PREpb", bank, T + values(make, ddr4=12, hbm2=5, ddr5=18 + 1))
    memory.ready("PREab", bank, T + values(make, ddr4=12, hbm2=5, ddr5=18 + 1))


@ALL
def test_a_precharge_waits_tWR_from_the_end_of_a_writes_burst(make: Make) -> None:
    memory, bank = make(), 0
    memory.activate(bank, at=T)
    memory.issue("WR", bank, T)
    memory.ready("PREpb", bank, T + values(make, ddr4=16 + 4 + 24, hbm2=5 + 2 + 16, ddr5=32 + 8 + 72 + 1))


TWO_RANKS = pytest.mark.parametrize("make", [ddr4, ddr5], ids=["DDR4-3200", "DDR5-4800"])
# Gaps on the shared data bus that the standards leave to the board (assumed, as in the files): two cycles
# between two ranks, and when the bus turns round two (DDR4) or four (DDR5).
SWITCH = 2


@TWO_RANKS
@pytest.mark.parametrize("command", ["RD", "WR"])
def test_bursts_of_two_ranks_are_a_rank_switch_apart(make: Make, command: str) -> None:
    memory = make()
    here, there = memory.bank(outer=0), memory.bank(outer=1)
    memory.activate(here, there, at=T)
    memory.issue(command, here, T)
    memory.ready(command, there, T + values(make, ddr4=4, ddr5=8) + SWITCH)


@TWO_RANKS
def test_a_write_to_another_rank_may_be_given_when_its_burst_follows_the_reads(make: Make) -> None:
    memory = make()
    here, there = memory.bank(outer=0), memory.bank(outer=1)
    memory.activate(here, there, at=T)
    memory.issue("RD", here, T)
    # The read's burst ends CL + BL after its command, the write's starts CWL after its own.
    memory.ready("WR", there, T + values(make, ddr4=(22 + 4) + 2 - 16, ddr5=(34 + 8) + 4 - 32))


@TWO_RANKS
def test_a_write_does_not_hold_up_reads_of_another_rank_for_tWTR(make: Make) -> None:
    memory = make()
    here, there = memory.bank(outer=0), memory.bank(outer=1)
    memory.activate(here, there, at=T)
    memory.issue("WR", here, T)
    # DDR4: (16 + 4) + 2 - 22 = 0. The data bus allows the same cycle; the command bus is another matter.
    memory.ready("RD", there, T + values(make, ddr4=0, ddr5=(32 + 8) + 4 - 34))


def test_pseudo_channels_have_nothing_to_do_with_each_other_but_the_command_bus() -> None:
    memory = hbm2()
    here, there = memory.bank(outer=0), memory.bank(outer=1)
    memory.activate(there, at=T - 2000)
    memory.issue("ACT", here, T - 100)
    memory.issue("RD", here, T)
    memory.ready("RD", there, T - 4000 + 15)


@ALL
def test_an_activate_waits_tRFC_after_a_refresh_of_its_rank_only(make: Make) -> None:
    memory = make()
    memory.issue("REFab", memory.bank(), T)
    # tRFC is 350 ns for DDR4 8 Gb, 260 ns for HBM2 4 Gb, 295 ns for DDR5 16 Gb.
    cycles = values(make, ddr4=560, hbm2=260 - 1, ddr5=706 - 1)
    memory.ready("ACT", memory.bank(group=3, bank=3), T + cycles)
    memory.ready("REFab", memory.bank(), T + values(make, ddr4=560, hbm2=260, ddr5=706))
    memory.ready("ACT", memory.bank(outer=1), 0)


@ALL
def test_a_refresh_waits_tRP_after_the_last_precharge(make: Make) -> None:
    memory, bank = make(), 0
    memory.activate(bank, at=T)
    memory.issue("PREpb", bank, T)
    memory.ready("REFab", bank, T + values(make, ddr4=22, hbm2=14, ddr5=34))


@ALL
def test_commands_need_the_right_state_of_their_bank(make: Make) -> None:
    device = make().device
    assert not device.probe("RD", 0, cycle=T)
    assert not device.probe("PREpb", 0, cycle=T)
    device.issue("ACT", 0, row=7, cycle=0)
    assert not device.probe("ACT", 0, cycle=T)
    assert not device.probe("RD", 0, row=6, cycle=T)
    assert not device.probe("REFab", 0, cycle=T)
    with pytest.raises(CoreError, match="cycle 10000"):
        device.issue("WR", 0, row=6, cycle=T)


def test_the_assertion_fails_when_the_cycle_is_wrong() -> None:
    memory = ddr4()
    memory.issue("ACT", 0, T)
    with pytest.raises(
        AssertionError, match=r"RD at bank 0 is not legal at cycle 10021; .* 10022 on \(row \d+\)"
    ):
        ready(memory.device, "RD", 0, T + 21)
    with pytest.raises(AssertionError, match="RD at bank 0 is legal before cycle 10023"):
        ready(memory.device, "RD", 0, T + 23)
    with pytest.raises(AssertionError, match="ACT at bank 0 is not legal"):
        ready(memory.device, "ACT", 0, T + 5000)
    with pytest.raises(ConfigError, match="'RED' is not one of"):
        ready(memory.device, "RED", 0, T)
    ready(memory.device, "RD", 0, T + 22)  # the failed ones have changed nothing
