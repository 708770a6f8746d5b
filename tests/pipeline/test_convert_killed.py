# SPDX-License-Identifier: MIT
"""A conversion that is killed leaves the old file or none, and the next one clears up behind it."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heam_sim.datasets import convert_dataset
from heam_sim.trace import LookupTrace

ROWS = 60_000
SLOW_START_SECONDS = 120


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("source") / "train.txt.gz"
    with gzip.open(path, "wt", compresslevel=1) as stream:
        for _ in range(ROWS):
            values = (f"{rng.choice([rng.randrange(2**32), rng.randrange(50)]):08x}" for _ in range(26))
            stream.write("\t".join(["1", *["4"] * 13, *values]) + "\n")
    return path


def converting(source: Path, output: Path) -> subprocess.Popen[bytes]:
    program = "import sys; from heam_sim.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "trace", "convert", "criteo-kaggle", str(source), str(output)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_temporary(folder: Path, running: subprocess.Popen[bytes]) -> None:
    """Return when the conversion has begun to write."""
    end = time.monotonic() + SLOW_START_SECONDS
    while running.poll() is None and not any(item.name.endswith(".tmp") for item in folder.iterdir()):
        assert time.monotonic() < end, "the conversion does not begin"
        time.sleep(0.005)


def check_kills(source: Path, folder: Path, times: int) -> None:
    output = folder / "trace.h5"
    wanted = None
    old = LookupTrace.from_arrays([[1, 2, 3]])
    rng = random.Random(times)
    killed = 0
    for attempt in range(times):
        if attempt % 2:
            output.unlink(missing_ok=True)
        else:
            old.save(output)
        before = output.read_bytes() if output.exists() else None
        running = converting(source, output)
        try:
            wait_for_temporary(folder, running)
            time.sleep(rng.uniform(0, 1.2))
        finally:
            running.send_signal(signal.SIGKILL)
            killed += running.wait() == -signal.SIGKILL
        if (output.read_bytes() if output.exists() else None) != before:
            # It was faster, or was killed after the renaming: a whole file.
            trace = LookupTrace.load(output)
            assert trace.samples == ROWS, running.stderr.read() if running.stderr else ""
            wanted = wanted or trace.content_hash
            assert trace.content_hash == wanted
        else:
            assert running.returncode == -signal.SIGKILL, running.stderr.read() if running.stderr else ""
        assert {item.name for item in folder.iterdir() if not item.name.startswith(".")} <= {"trace.h5"}
    assert killed > 0
    report = convert_dataset("criteo-kaggle", source, output)
    assert [item.name for item in folder.iterdir()] == ["trace.h5"]
    assert LookupTrace.load(output).content_hash == report.hashes[0] == (wanted or report.hashes[0])


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_killed(source: Path, tmp_path: Path) -> None:
    check_kills(source, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_killed_twenty_times(source: Path, tmp_path: Path) -> None:
    check_kills(source, tmp_path, 20)


@pytest.mark.skipif(os.name != "posix", reason="interrupts by signal")
def test_interrupted(source: Path, tmp_path: Path) -> None:
    """After Ctrl-C nothing is left at all."""
    running = converting(source, tmp_path / "trace.h5")
    wait_for_temporary(tmp_path, running)
    running.send_signal(signal.SIGINT)
    assert running.wait() == 130
    assert list(tmp_path.iterdir()) == []
