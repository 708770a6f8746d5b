# SPDX-License-Identifier: MIT
"""The page of ``heam-sim report`` in a real browser: silent, offline, sortable, on a phone and on paper.

Needs Playwright (``pip install 'heam-sim[browser]'``) and a Chromium on the path; ``.ci/run`` sees to both.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heam_sim
from heam_sim.experiments.reproduction import reproduce
from heam_sim.results import ResultSet

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
LARGEST = 3_000_000  # bytes of the quick study's page


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the quick study."""
    folder = tmp_path_factory.mktemp("study")
    reproduce(folder, selection="quick", samples=100)
    page = folder / "report.html"
    ResultSet.load(folder / "results.h5").report(page)
    return page


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Opens a page; when the test is over it must have said nothing and asked for nothing."""
    contexts, said, asked = [], [], []

    def go(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("file://")] == []
    assert len(asked) == len(contexts), "more than the page itself was asked for"


def column(page: Any, table: str, name: str) -> list[str]:
    """The values of a column in the rows that are shown, with all digits."""
    found: list[str] = page.evaluate(
        """([table, name]) => {
            const heads = [...document.querySelectorAll(`#${table} thead th`)];
            const at = heads.findIndex((head) => head.dataset.name === name);
            return [...document.querySelectorAll(`#${table} tbody tr:not([hidden])`)]
                .map((row) => row.cells[at].dataset.v ?? row.cells[at].textContent);
        }""",
        [table, name],
    )
    return found


def tools(page: Any, table: str) -> Any:
    return page.locator(f".table:has(#{table}) .tools")


def test_it_opens_without_a_word(study: Path, opened: Any) -> None:
    assert study.stat().st_size < LARGEST
    page = opened(study)
    assert page.locator("figure svg").count() == page.locator("figure").count() >= 10
    assert page.locator("table.data").count() > 10
    # Every figure has words, and paths that are really drawn: a policy could have taken their colours away.
    words = page.locator("figure svg > title").all_text_contents()
    assert len(words) >= 10 and all(len(text) > 30 for text in words)
    painted = page.evaluate(
        "getComputedStyle(document.querySelector('figure svg path[fill]:not([fill=\"none\"])')).fill"
    )
    assert painted.startswith("rgb")


def test_the_policy_forbids_whatever_is_not_in_the_page(study: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto(study.as_uri())
    outcome = page.evaluate(
        """async () => {
            const refused = [];
            const refuse = (event) => refused.push(event.effectiveDirective);
            document.addEventListener("securitypolicyviolation", refuse);
            await fetch("http://127.0.0.1:9/").catch(() => 0);
            const image = new Image();
            image.src = "http://127.0.0.1:9/x.png";
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(image, script);
            document.body.setAttribute("style", "color: red");
            await new Promise((done) => setTimeout(done, 200));
            return { refused, ran: window.ran === true };
        }"""
    )
    page.close()
    assert not outcome["ran"]
    assert {"connect-src", "img-src", "script-src-elem", "style-src-attr"} <= set(outcome["refused"])


def test_rows_are_sorted_by_a_head(study: Path, opened: Any) -> None:
    page = opened(study)
    name = "energy_per_sample_pJ"
    before = column(page, "runs", name)
    head = page.locator(f"#runs th[data-name={name}]")
    for order, wanted in (
        ("ascending", sorted(before, key=float)),
        ("descending", sorted(before, key=float, reverse=True)),
        (None, before),
    ):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        assert column(page, "runs", name) == wanted
    # From the keyboard, and text by text; what is not there comes last in both orders.
    head = page.locator("#runs th[data-name=system] button")
    head.focus()
    page.keyboard.press("Enter")
    systems = column(page, "runs", "system")
    assert systems == sorted(systems) and page.locator("#runs th[aria-sort]").count() == 1
    assert "sorted by system, ascending" in tools(page, "runs").get_by_role("status").inner_text()


def test_rows_are_filtered(study: Path, opened: Any) -> None:
    page = opened(study)
    every = column(page, "runs", "system")
    tools(page, "runs").get_by_role("searchbox").fill("RECNMP full")
    found = column(page, "runs", "system")
    assert set(found) == {"recnmp"} and 0 < len(found) < every.count("recnmp")
    assert set(column(page, "runs", "embedding")) == {"full"}
    assert tools(page, "runs").get_by_role("status").inner_text() == f"{len(found)} of {len(every)} rows"
    tools(page, "runs").get_by_role("searchbox").fill("")
    assert column(page, "runs", "system") == every


def test_columns_are_chosen_and_copied(study: Path, opened: Any) -> None:
    page = opened(study, permissions=["clipboard-read", "clipboard-write"])
    box = tools(page, "runs")
    assert not page.locator("#runs th[data-name=latency_mean_ns]").is_visible()
    box.locator("summary").click()
    box.get_by_label("latency mean (ns)").check()
    box.get_by_label("embedding", exact=True).uncheck()
    assert page.locator("#runs th[data-name=latency_mean_ns]").is_visible()
    assert not page.locator("#runs th[data-name=embedding]").is_visible()
    box.get_by_role("searchbox").fill("heam")
    box.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function(
        "document.querySelector('.table:has(#runs) .count').textContent.includes('copied')"
    )
    rows = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert rows and "embedding" not in rows[0] and {row["system"] for row in rows} == {"heam"}
    stored = ResultSet.load(study.with_name("results.h5"))
    means = {repr(one.latency_ns["mean"]) for one in stored if one.system == "heam"}
    assert {row["latency_mean_ns"] for row in rows} == means, "all digits"


def test_without_a_script_everything_is_there(study: Path, opened: Any) -> None:
    page = opened(study, java_script_enabled=False)
    assert page.locator("#runs th[data-name=latency_mean_ns]").is_visible()
    assert page.locator(".tools").count() == page.locator("th button").count() == 0
    assert page.locator("#claims tbody tr").count() > 20
    page.locator("details summary").first.click()
    assert page.locator("#comparisons").is_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_nothing_is_wider_than_a_phone(study: Path, opened: Any, script: bool) -> None:
    page = opened(study, java_script_enabled=script, **PHONE)
    for summary in page.locator("main > section > details > summary").all():
        summary.click()
    # Evaluation works from outside even where the page's own scripts are off.
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width == inner == 360
    table, box = (
        page.evaluate(
            f"(() => {{ const b = document.querySelector('.box:has(#runs)'); return b.{what}; }})()"
        )
        for what in ("scrollWidth", "clientWidth")
    )
    assert table > box, "the table scrolls in its box"
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('#runs td')).fontSize)")
    assert size >= 12


def test_on_paper(study: Path, opened: Any) -> None:
    page = opened(study)
    paper = page.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", paper))
    assert 5 < pages < 60
    page.emulate_media(media="print")
    assert page.locator(".tools:visible, nav:visible").count() == 0
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#claims thead')).display")
        == "table-header-group"
    )
    assert page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"
    # A4 without its margins, at 96 dots per inch.
    page.set_viewport_size({"width": 703, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 703


def test_figures_stay_on_white_in_the_dark(study: Path, opened: Any) -> None:
    def luminance(page: Any, selector: str, what: str) -> float:
        colour = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{what}")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765

    page = opened(study, color_scheme="dark")
    assert luminance(page, "body", "backgroundColor") < 0.2 < 0.8 < luminance(page, "body", "color")
    assert luminance(page, ".plate", "backgroundColor") == 1
    page = opened(study, color_scheme="light")
    assert luminance(page, "body", "backgroundColor") == 1 > 0.2 > luminance(page, "body", "color")


def test_names_from_files_do_nothing(opened: Any, tmp_path: Path) -> None:
    trace = heam_sim.generate("criteo-kaggle", samples=50)
    evil = "</title></script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    result = heam_sim.simulate(trace, system="host-dimm")
    named = dataclasses.replace(
        result, system=evil, provenance={**result.provenance, "trace": {"source": evil, evil: evil}}
    )
    ResultSet([named], provenance={"study": evil}).report(tmp_path / "report.html", title=evil)
    page = opened(tmp_path / "report.html")
    assert page.title() == f"{evil} – heam_sim"
    assert page.locator("img").count() == 0 and page.locator("script").count() == 1
    assert page.locator("h1").inner_text() == evil
