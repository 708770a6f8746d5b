# SPDX-License-Identifier: MIT
"""Sweeps as a shell runs them, to be interrupted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

POINTS = 10
_SIZES = [65536 << number for number in range(POINTS)]
STUDY = f"""
[traces.small]
samples = 3000
[base]
system = "host-dimm"
vector_bytes = 64
[grid]
"host.llc_bytes" = {_SIZES}
"""
SLOW_START_SECONDS = 120


def sweeping(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A sweep of ten points, in a process group of its own."""
    (folder / "study.toml").write_text(STUDY)
    program = "import sys; from heam_sim.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, "sweep", "study.toml", "--output", "out", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stored(folder: Path) -> dict[str, int]:
    """Finished points, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "out" / "points").glob("[0-9a-f]*.h5")}


def half_written(folder: Path) -> list[Path]:
    """Temporary files that are still there."""
    return list(folder.rglob("*.part*"))


def wait_for_points(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Return when so many points are finished."""
    end = time.monotonic() + SLOW_START_SECONDS
    while len(stored(folder)) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "the sweep does not begin"
        time.sleep(0.005)


def check_resumed(folder: Path, before: dict[str, int], *options: str) -> None:
    """The same command simulates what is missing, and touches nothing that was there."""
    again = sweeping(folder, *options)
    out, err = again.communicate(timeout=SLOW_START_SECONDS)
    assert again.returncode == 0 and err == ""
    assert f"{POINTS} results ({len(before)} were there), 0 failures" in out
    after = stored(folder)
    assert len(after) == POINTS and before.items() <= after.items()
