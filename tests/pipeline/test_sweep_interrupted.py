# SPDX-License-Identifier: MIT
"""Sweeps on processes of this machine that are interrupted: they end, leave nobody behind, and go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.sweeping import POINTS, check_resumed, half_written, stored, sweeping, wait_for_points

pytestmark = pytest.mark.skipif(os.name != "posix", reason="interrupts by signal")


def wait_for_the_end_of_all(process: subprocess.Popen[str]) -> None:
    """Of the whole process group, which a killed parent may leave behind."""
    for _ in range(1200):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("worker processes outlive the sweep")


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_ctrl_c(tmp_path: Path, workers: str) -> None:
    """A terminal interrupts the whole group: the sweep ends at once, and says so once."""
    process = sweeping(tmp_path, "--workers", workers)
    wait_for_points(tmp_path, 3, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert err.strip() == "interrupted: nothing half-written was left; run the same command again."
    wait_for_the_end_of_all(process)
    assert half_written(tmp_path) == []
    before = stored(tmp_path)
    assert 3 <= len(before) < POINTS
    check_resumed(tmp_path, before, "--workers", workers)


@pytest.mark.slow
def test_an_interrupt_of_the_parent_alone(tmp_path: Path) -> None:
    process = sweeping(tmp_path)
    wait_for_points(tmp_path, 1, process)
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    wait_for_the_end_of_all(process)
    check_resumed(tmp_path, stored(tmp_path))


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    process = sweeping(tmp_path)
    wait_for_points(tmp_path, 3, process)
    process.kill()
    process.wait()
    wait_for_the_end_of_all(process)
    process.communicate()
    assert half_written(tmp_path) == []
    before = stored(tmp_path)
    assert 3 <= len(before) < POINTS
    check_resumed(tmp_path, before)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0, 1, 4, 8])
def test_killed_at_any_moment(tmp_path: Path, moment: int) -> None:
    """All of the group at once, from before the first point to after the last."""
    process = sweeping(tmp_path)
    if moment:
        wait_for_points(tmp_path, moment, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    check_resumed(tmp_path, stored(tmp_path))


# A hook around a fork is where Python loses exceptions.
DURING_A_FORK = """
import os, signal, sys
import heam_sim
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
trace = heam_sim.generate("criteo-kaggle", samples=20)
try:
    heam_sim.sweep(trace, base={"system": "host-dimm"}, grid={"vector_bytes": [64, 128]}, output=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_ctrl_c_during_a_fork_is_not_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DURING_A_FORK, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "interrupted\n", done.stderr
