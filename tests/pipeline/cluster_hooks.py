# SPDX-License-Identifier: MIT
"""Loaded by the workers of the tests' clusters: they write down what they do, and some points kill them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from heam_sim.experiments import jobs
from heam_sim.simulation import simulate

#: Where workers write, and how long a point takes at least.
FOLDER, SECONDS = "HEAM_SIM_TEST_FOLDER", "HEAM_SIM_TEST_SECONDS"
#: Vectors of this size kill the worker that simulates them.
DEADLY_BYTES = 512
#: Vectors of this size, beside a cache that no study has, take until the folder has a file of this name.
HELD_BYTES, HELD_LLC_BYTES, GO = 128, 65536, "go"


def dask_setup(worker: Any) -> None:
    """Called by a worker that starts."""

    def watched(trace: Any, **arguments: Any) -> Any:
        system = arguments["system"]
        name = f"{system.name} {arguments['vector_bytes']} {system.host.llc_bytes}"
        note(f"start {os.getpid()} {name}")
        if arguments["vector_bytes"] == DEADLY_BYTES:
            os.kill(os.getpid(), signal.SIGKILL)
        held = (arguments["vector_bytes"], system.host.llc_bytes) == (HELD_BYTES, HELD_LLC_BYTES)
        while held and not Path(os.environ[FOLDER], GO).exists():
            time.sleep(0.01)
        time.sleep(float(os.environ.get(SECONDS, "0")))
        result = simulate(trace, **arguments)
        note(f"end {os.getpid()} {name}")
        return result

    jobs.simulate = watched  # type: ignore[attr-defined]  # a name that the module imports


def note(line: str) -> None:
    """Append a line; lines of several processes do not mix."""
    with Path(os.environ[FOLDER], "log.txt").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
