# SPDX-License-Identifier: MIT
"""The page of ``heam-sim report``: what it holds for each kind of results; nothing gets in or out of it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import shlex
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import heam_sim
from heam_sim.cli import main
from heam_sim.errors import ConfigError, OutputError
from heam_sim.experiments.claims import known_claims
from heam_sim.report import report_html, write_report
from heam_sim.report.configuration import changes, factors, labels
from heam_sim.report.redo import run_command, set_command
from heam_sim.report.sources import assumed_table, memories_table, sources_table
from heam_sim.report.svg import SvgSheet
from heam_sim.report.tables import page_table, shown
from heam_sim.results import Result, ResultSet
from tests.unit.results_cases import make_result, make_study

VOID = {"meta", "link", "br", "input"}
EVIL = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'


class Page(HTMLParser):
    """A page's elements with their attributes and texts; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data)

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    def heads(self) -> list[str]:
        return self.texts["h2"]


TRACE = heam_sim.generate("criteo-kaggle", samples=60, seed=2)


def simulated(system: str = "heam", *, vector_bytes: int = 64, **options: Any) -> Result:
    return heam_sim.simulate(TRACE, system=system, vector_bytes=vector_bytes, **options)


@pytest.fixture(scope="module")
def plain() -> Result:
    return simulated()


@pytest.fixture(scope="module")
def single() -> ResultSet:
    return ResultSet([simulated(embedding="qr:4", overrides={"hbm.pim.batch_tags": 2})])


@pytest.fixture(scope="module")
def study() -> ResultSet:
    """A corner of the reproduction study, with its provenance."""
    systems, embeddings = ("host-dimm", "heam"), ("full", "qr:4:multiply")
    results = [
        simulated(system, vector_bytes=128, embedding=name, scope="sample")
        for system in systems
        for name in embeddings
    ]
    said = {
        "study": "reproduction",
        "selection": "quick",
        "dataset": "criteo-kaggle",
        "seed": 2,
        "generated": True,
        "points": [["one-hot", "default"]] * 4,
        "cardinalities": {"one-hot": TRACE.cardinalities},
    }
    return ResultSet(results, provenance=said)


@pytest.fixture(scope="module")
def varied() -> ResultSet:
    """A sweep over settings of one system."""
    results = [
        simulated(embedding=name, overrides={"host.window_gnrs": window})
        for name in ("full", "qr:4")
        for window in (8, 64)
    ]
    return ResultSet(results, provenance={"study": "windows", "points": 5, "failures": 1})


@pytest.fixture(scope="module")
def single_page(single: ResultSet) -> str:
    return report_html(single)


@pytest.fixture(scope="module")
def study_page(study: ResultSet) -> str:
    return report_html(study)


@pytest.fixture(scope="module")
def varied_page(varied: ResultSet) -> str:
    return report_html(varied)


# -- what is there


def test_a_single_result(single: ResultSet, single_page: str) -> None:
    text = single_page
    page = Page(text)
    assert page.heads() == [
        *(
            "Before you quote a number",
            "Figures",
            "Results",
            "Configuration",
            "What it rests on",
            "Provenance",
        ),
    ]
    assert page.texts["h1"] == ["heam, qr:4:multiply, 64 B, scope bag"]
    assert text.count("<figure ") == 4, "energy, roofline, time parts and imbalance"
    assert 'id="claims"' not in text and 'id="runs"' not in text and "What varies" not in text
    assert single[0].provenance["trace_hash"] in text
    for said in ("generated", "hbm.pim.batch_tags", "kim2024heam", "host bus"):
        assert said in text


def test_a_study_has_its_claims(study_page: str) -> None:
    text = study_page
    page = Page(text)
    assert page.heads()[:3] == [
        "Before you quote a number",
        "Published claims and what was measured",
        "Figures",
    ]
    for claim in known_claims():
        assert claim.published.replace("'", "&#39;") in text
    for verdict in ("not reached", "not measured"):
        assert verdict in text
    assert 'id="figure-0-table"' in text and 'id="comparisons"' in text and 'id="speedup-one-hot"' in text
    assert "quick selection" in text and "Trace one-hot" in text
    assert (
        "heam-sim reproduce --quick --dataset criteo-kaggle --seed 2 --samples 60 --output results/" in text
    )


def test_a_sweep_says_what_varies(varied: ResultSet, varied_page: str) -> None:
    text = varied_page
    assert "<h1>Sweep “windows”</h1>" in text
    assert "failed and are not among these results: 1." in text
    assert factors(list(varied)) == {
        "embedding": ["full", "full", "qr:4:multiply", "qr:4:multiply"],
        "host.window_gnrs": [8, 64, 8, 64],
    }
    assert labels(list(varied))[1] == "full, window_gnrs 64"
    # Bars of one system that differ in a setting are numbered, and the caption has the key.
    assert "1: full, window_gnrs 8. 2: full, window_gnrs 64." in text
    assert text.count("<figure ") == 4


def test_a_search_has_both_ends(plain: Result) -> None:
    ends = [plain, simulated(overrides={"hbm.pim.batch_tags": 8})]
    searches = [
        {
            "system": "heam",
            "embedding": "full",
            "goal": "time",
            "trials": 7,
            "published_speedup": None,
            "best_speedup": None,
            "gain": 1.25,
            "changes": "hbm.pim.batch_tags = 8",
        }
    ]
    search = {"lookups": 500, "search_seed": 3, "settings": {"host.llc_bytes": 0}}
    provenance = {"study": "tune", "order": "published, best of each search"}
    found = ResultSet(ends, provenance=provenance | {"searches": searches, "search": search})
    text = report_html(found)
    assert "<h1>Published settings and the best found</h1>" in text and 'id="best"' in text
    assert 'data-v="1.25"' in text and "best found" in text
    assert text.count("<figure ") == 4, "without host-dimm there is no figure of speed-ups"
    assert set_command(found) == (
        "heam-sim tune heam --dataset criteo-kaggle --samples 60 --seed 2 --pooling 1 --embedding full "
        "--vector-bytes 64 --scope bag --profile 0.2 --goal time --trials 7 --lookups 500 --search-seed 3 "
        "--set host.llc_bytes=0 --output tuned/"
    )


def test_results_without_a_description_still_make_a_page(plain: Result) -> None:
    """As hand-made ones, or those of a version whose descriptions were others."""
    text = report_html(make_study(collisions=(4,), sizes=(64,)))
    assert "What it rests on" not in Page(text).heads()
    assert "known by hash only" in text
    strange = dataclasses.replace(
        plain, config={"system": {"name": "x", "tiers": [{"name": "dimm", "memory": "gone/A/B"}]}}
    )
    text = report_html([strange])
    assert "gone/A/B" in text and text.count("<figure ") == 3


def test_a_part_of_a_study_without_its_base_point(study: ResultSet, plain: Result) -> None:
    """As a merge of selections may be: what needs the base point is left out."""
    said = {**study.provenance, "points": [["one-hot", "default"]]}
    text = report_html(ResultSet([plain], provenance=said))
    assert 'id="claims"' in text and "hit-rates" not in text


def test_there_must_be_results() -> None:
    with pytest.raises(ConfigError, match="no results"):
        report_html([])


def test_a_study_of_an_older_version_is_refused(study: ResultSet) -> None:
    said = {key: value for key, value in study.provenance.items() if key != "cardinalities"}
    with pytest.raises(ConfigError, match="older versions"):
        report_html(ResultSet(study, provenance=said))


# -- one file, and nothing else


def test_the_same_results_give_the_same_bytes(single: ResultSet, single_page: str, tmp_path: Path) -> None:
    single.save(tmp_path / "results.h5")
    ResultSet.load(tmp_path / "results.h5").report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == single_page.encode()


def test_a_name_is_no_formula(plain: Result) -> None:
    named = r"a $\nothing{$ b"
    assert named in report_html([dataclasses.replace(plain, system=named)])


def test_nothing_is_fetched_and_nothing_foreign_runs(study_page: str) -> None:
    text = study_page
    page = Page(text)
    policy = next(
        str(attributes["content"])
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "base-uri", "form-action", "style-src", "script-src"}
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "image")
        for name, value in attributes.items():
            assert name != "style" and not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href"):
                assert str(value).startswith("#"), (tag, value)
    assert "@import" not in text and not re.search(r"url\((?!#)", text)


def test_ids_are_unique_and_references_lead_somewhere(study_page: str) -> None:
    text = study_page
    page = Page(text)
    ids = Counter(page.ids())
    assert [name for name, count in ids.items() if count > 1] == []
    wanted = {str(attributes["href"])[1:] for _, attributes in page.elements if "href" in attributes}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", text))
    wanted |= {
        str(attributes["aria-labelledby"])
        for _, attributes in page.elements
        if "aria-labelledby" in attributes
    }
    assert len(wanted) > 50 and wanted <= ids.keys()


def test_names_from_files_are_only_text(varied: ResultSet, tmp_path: Path) -> None:
    """Names of systems, traces, embeddings, notes and titles come from others; none becomes markup."""
    one = varied[0]
    config = dict(one.config)
    config["system"] = {**config["system"], "name": EVIL, "title": EVIL, "source": f"assumed {EVIL}"}
    evil = dataclasses.replace(
        one,
        system=EVIL,
        embedding=EVIL,
        config=config,
        notes=(f"capacity {EVIL}",),
        provenance={**one.provenance, "trace": {"source": "generated", "dataset": EVIL, EVIL: EVIL}},
        time_parts=[{"tier": EVIL, "resource": EVIL, "time_ns": one.time_ns, "waits": 1}],
    )
    for results in ([evil], [evil, varied[1]]):
        text = report_html(ResultSet(results, provenance={"study": EVIL}), title=EVIL)
        page = Page(text)
        assert Counter(tag for tag, _ in page.elements)["script"] == 1
        assert EVIL not in text and "<img" not in text
        assert "&lt;script&gt;" in text, "it is shown as it is"


def test_a_file_that_cannot_be_written_leaves_nothing(single: ResultSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(single, tmp_path / "file" / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_jinja_it_is_said_what_to_install(single: ResultSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigError, match=r"heam-sim\[report\]"):
        report_html(single)


# -- tables


def test_cells_show_four_digits_and_keep_all() -> None:
    frame = pd.DataFrame(
        {"time_ns": [1234567.25, 0.1 + 0.2, np.nan], "name": ["a", "b", "c"], "same": [1, 1, 1]}
    )
    table = page_table(frame, ident="t", caption="c", main=["name"])
    assert table is not None
    assert [(column.name, column.head, column.numeric, column.main) for column in table.columns] == [
        ("name", "name", False, True),
        ("time_ns", "time (ns)", True, False),
    ]
    assert [(row[1].text, row[1].value) for row in table.rows] == [
        ("1,234,567", "1234567.25"),
        ("0.3", "0.30000000000000004"),
        ("–", ""),
    ]
    assert table.same == (("same", "1"),) and table.main == 1
    assert page_table(frame.iloc[:0], ident="t", caption="c") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "–"), (float("nan"), "–"), (True, "yes"), (np.False_, "no"), (12345, "12,345")),
        *((np.int64(7), "7"), (0.00012345, "0.0001234"), (999.96, "1000"), (-2500.4, "-2,500")),
        *((float("inf"), "∞"), ("qr:4", "qr:4")),
    ],
)
def test_values_as_they_are_shown(value: Any, text: str) -> None:
    assert shown(value) == text


def test_what_the_run_table_holds_are_the_results(varied: ResultSet, varied_page: str) -> None:
    text = varied_page
    runs = text[text.index('id="runs"') :]
    runs = runs[: runs.index("</table>")]
    names = re.findall(r'data-name="([^"]*)"', runs)
    assert names[:3] == ["number", "embedding", "host.window_gnrs"]
    at = names.index("energy_per_sample_pJ")
    for row, result in zip(re.findall(r"<tr>(<td.*?)</tr>", runs), varied, strict=True):
        cells = re.findall(r'<td(?: data-v="([^"]*)")?', row)
        assert float(cells[at]) == result.energy_per_sample_pJ


# -- configuration and sources


def test_changes_are_held_against_the_description(varied: ResultSet, plain: Result) -> None:
    (change,) = changes(varied)
    assert (change.system, change.setting, change.shipped) == ("heam", "host.window_gnrs", "64")
    assert change.values == (("8", 2), ("64", 2))
    assert changes([plain]) == []


def test_everything_assumed_is_listed(plain: Result) -> None:
    results = [plain]
    assumed, published = assumed_table(results), sources_table(results)
    said = set(assumed["part"])
    assert {"description: host", "description: PEs of hbm", "energy: logic"} <= said
    assert any(part.startswith("trace ") for part in said)
    assert assumed["source"].str.lower().str.contains("assum").all()
    assert not published["source"].str.lower().str.contains("assum").any()
    logic = heam_sim.energy.load_power("logic")
    assert set(logic.assumed()) <= set(assumed.loc[assumed["part"] == "energy: logic", "of"])
    memories = memories_table(results)
    assert list(memories["memory"]) == [tier["memory"] for tier in results[0].config["system"]["tiers"]]
    assert (memories["peak_GBps_per_channel"] == [32.0, 25.6]).all()


def test_cautions_name_rankings_that_flip() -> None:
    first = make_result("one")
    other = dataclasses.replace(first, system="two", time_ns=first.time_ns)
    parts = dict(first.energy.components_pJ)
    key, part = next((key, part) for key, part in parts.items() if part.high > part.low)
    # The same energy under another name moves independently: either may be the smaller one.
    moved = {name: value for name, value in parts.items() if name != key} | {("other", key[1]): part}
    other = dataclasses.replace(other, energy=dataclasses.replace(first.energy, components_pJ=moved))
    assert "leave open which takes less energy per sample: one or two." in report_html([first, other])
    assert "leave open" not in report_html([first, dataclasses.replace(first, system="two")])


def test_cautions_name_other_versions_and_scaled_memories() -> None:
    old = make_result(
        provenance={"trace_hash": "ab", "software_version": "0.0.1"}, notes=("capacity of x scaled by 2",)
    )
    text = report_html([old])
    assert "results are of version 0.0.1" in text and "Capacity of x scaled by 2 (1 of 1 results)." in text
    assert "different versions" in report_html([old, make_result()])


# -- to run it again


@pytest.mark.parametrize(
    "options",
    [
        {"system": "heam", "embedding": "qr:4", "overrides": {"dimm.overrides": {"rank": 1}}},
        {"system": "recnmp", "scope": "sample", "profile": 0.5, "overrides": {"dimm.pim.res_latency": 9}},
    ],
    ids=lambda options: options["system"],
)
def test_the_command_gives_the_result_again(options: dict[str, Any], tmp_path: Path) -> None:
    result = simulated(**options)
    command = run_command(result)
    words = shlex.split(command)
    assert words[:2] == ["heam-sim", "simulate"]
    assert main([*words[1:], "--output", str(tmp_path / "again.h5")]) == 0
    assert ResultSet.load(tmp_path / "again.h5")[0] == result


def test_there_is_no_command_that_would_do_something_else(plain: Result) -> None:
    result = plain
    assert run_command(result)
    config = {**result.config, "memories": {}}  # not what this version resolves
    assert run_command(dataclasses.replace(result, config=config)) == ""
    assert run_command(dataclasses.replace(result, system="of-ours")) == ""
    loaded = dataclasses.replace(result, provenance={**result.provenance, "trace": {"source": "file"}})
    assert "--trace TRACE.h5" in run_command(loaded)


# -- figures


def test_figures_share_what_they_draw_with_and_have_no_styles() -> None:
    def drawn(colour: str) -> Figure:
        figure = Figure(figsize=(2, 1))
        axis = figure.add_subplot()
        axis.bar([1, 2], [0.123456789, 2], color=colour, hatch="//")
        axis.set_title("A & <b>")
        return figure

    sheet = SvgSheet()
    first, second = (sheet.add(drawn("red"), name=name, text="<b>") for name in ("a", "b"))
    assert first.replace('"a-text"', '"b-text"') == second
    defined = sheet.definitions()
    again = sheet.add(drawn("blue"), name="c", text="")
    assert len(sheet.definitions()) > len(defined), "another hatch"
    for markup in (first, again):
        assert "style=" not in markup and "<style" not in markup and "<defs" not in markup
        assert "url(#g" in markup and 'href="#g' in markup and "<b>" not in markup
        assert not re.search(r' d="[^"]*\.\d{3}', markup)
    assert "red" not in first and "#ff0000" in defined
