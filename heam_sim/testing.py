# SPDX-License-Identifier: MIT
"""Assertions for tests of memory standards, ours and those that users bring along."""

from __future__ import annotations

from heam_sim._core import Device

__all__ = ["assert_earliest_ready_at"]


def assert_earliest_ready_at(device: Device, command: str, bank: int, cycle: int, *, row: int = 0) -> None:
    """Assert that a command is not legal one cycle before, and legal now.

    Parameters
    ----------
    device
        The bare device of one channel, as earlier commands have left it; it is only probed.
    command
        Name of the command in the device's standard, e.g. ``"RD"``.
    bank
        Flat bank number in the channel, outermost level most significant; for commands of a wider scope any
        bank of the node.
    cycle
        The expected earliest cycle of the channel's clock. At 0 there is no cycle before.
    row
        Row of the bank, for commands that address one.

    Raises
    ------
    AssertionError
        The command is illegal at `cycle`, or legal already at ``cycle - 1``; the message names the earliest
        cycle that the constraint rows allow, and the number of the row that sets it.
    ConfigError
        `command`, `bank`, `row` or `cycle` is not what the device can have.
    """
    earliest, by = device.earliest(command, bank)
    told = f"the rows allow it from cycle {earliest} on (row {by})"
    if not device.probe(command, bank, row=row, cycle=cycle):
        raise AssertionError(f"{command} at bank {bank} is not legal at cycle {cycle}; {told}")
    if cycle > 0 and device.probe(command, bank, row=row, cycle=cycle - 1):
        raise AssertionError(f"{command} at bank {bank} is legal before cycle {cycle}; {told}")
