# SPDX-License-Identifier: MIT
"""The page: what a set of results has to say, in sections, and how these become one file.

Nothing of the moment or the machine enters, so the same results give the same bytes. A content security
policy in the page itself forbids whatever is not in it: the browser refuses to fetch anything at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from heam_sim._version import __version__
from heam_sim.errors import ConfigError
from heam_sim.experiments.claims import claims_table, comparisons_table
from heam_sim.experiments.figure_texts import FIGURE_TEXTS
from heam_sim.experiments.stored import material_of, study_results
from heam_sim.report.cautions import cautions
from heam_sim.report.citations import bibtex, works_behind
from heam_sim.report.configuration import (
    changes,
    common,
    described,
    factors,
    labels,
    side_by_side,
    written,
)
from heam_sim.report.figures import alternative, drawable
from heam_sim.report.redo import run_command, set_command
from heam_sim.report.sources import assumed_table, memories_table, sources_table, traces_of
from heam_sim.report.svg import SvgSheet
from heam_sim.report.tables import PageTable, page_table
from heam_sim.results import Result, ResultSet, unit_of, write_atomically
from heam_sim.results.facts import result_facts, result_title

if TYPE_CHECKING:
    import jinja2

__all__ = ["report_html", "write_report"]

#: Results of whose counters, ceilings and power the page has tables; of more they are in the file.
_DETAILED = 8
#: Columns of what tells results apart that are shown at first, beside those of measures.
_FACTORS = 6
#: Results for which the command that redoes each of them is looked for.
_COMMANDS = 100
_MEASURES = (
    *("speedup_over_host_dimm", "lookups_per_second", "energy_per_sample_pJ"),
    *("energy_saved_over_host_dimm", "bound_by"),
)
_CLAIMS = (*("paper", "quantity", "published", "our_comparison", "measured", "verdict", "why"),)
_COMPARISONS = (
    *("system", "baseline", "trace", "scope", "embedding", "vector_bytes", "variant"),
    *("speedup", "energy_saved", "energy_ranking_flips", "reaches"),
)
_MEMORIES = ("memory", "changed", "standard", "data_rate_MTps", "peak_GBps_per_channel", "sources")


@dataclass(frozen=True)
class _Shown:
    """A figure on the page."""

    name: str
    what: str
    markup: str
    table: PageTable | None


def report_html(results: Iterable[Result], *, title: str | None = None) -> str:
    """Return the page as text.

    Parameters
    ----------
    results, title
        As for :func:`write_report`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    heam_sim.errors.ConfigError
        There are no results.
    """
    found = results if isinstance(results, ResultSet) else ResultSet(results)
    if not len(found):
        raise ConfigError("report: there are no results; give a set with at least one.")
    return _rendered(_Page(found).context(title))


def write_report(results: Iterable[Result], path: str | Path, *, title: str | None = None) -> None:
    """Write results as one self-contained HTML page, atomically.

    Parameters
    ----------
    results
        Of any simulations; a set with a study's provenance becomes the page of that study, with its claims.
    path
        The file to make or replace.
    title
        Heading of the page; by default what the results are.

    Raises
    ------
    heam_sim.errors.ConfigError
        No results, a study of an older version (see ``heam_sim.experiments.stored.material_of``), or
        Jinja is not installed.
    heam_sim.errors.OutputError
        The file cannot be written; nothing is left behind.
    """
    text = report_html(results, title=title)
    write_atomically(Path(path), lambda part: part.write_text(text, encoding="utf-8"))


class _Page:
    """Collects what the template shows."""

    def __init__(self, results: ResultSet) -> None:
        self.set = results
        self.results = list(results)
        self.material = material_of(results)
        self.study = study_results(results)
        self.varied = self._varied()
        self.names = labels(self.results, self.varied)
        self.sheet = SvgSheet()

    def _varied(self) -> dict[str, list[Any]]:
        """What tells results apart; a study says it in fewer words than its configurations."""
        found = factors(self.results)
        of_run = {key: values for key, values in found.items() if "." not in key}
        if self.study is not None:
            points = list(self.study.found)
            named = {"trace": [one.trace for one in points], "variant": [one.variant for one in points]}
            return of_run | {key: values for key, values in named.items() if len(set(values)) > 1}
        if self.set.provenance.get("study") == "tune" and len(self.results) % 2 == 0:
            return of_run | {"settings": ["published", "best found"] * (len(self.results) // 2)}
        return found

    def context(self, title: str | None) -> dict[str, Any]:
        """Return everything by the names that the template uses."""
        figures = list(self._figures())
        assumed = assumed_table(self.results)
        failures = int(self.set.provenance.get("failures") or 0)
        return {
            "title": title or self._title(),
            "version": __version__,
            "facts": self._facts(),
            "cautions": cautions(self.set, self.material, self.names, len(assumed), failures),
            "claims": self._claims(),
            "comparisons": self._comparisons(),
            "figures": figures,
            "definitions": self.sheet.definitions(),
            "runs": self._runs(),
            "best": self._best(),
            "single": self._single(),
            "details": list(self._details()),
            "factors": self._factors(),
            "systems": self._systems(),
            "changes": self._changes(),
            "side_by_side": self._side_by_side(),
            "common": self._common(),
            "memories": page_table(
                memories_table(self.results),
                ident="memories",
                caption="Memories and their sources",
                main=_MEMORIES,
                heads={
                    "peak_GBps_per_channel": "peak per channel (GB/s)",
                    "data_rate_MTps": "data rate (MT/s)",
                },
                fold=False,
            ),
            "assumed": page_table(
                assumed, ident="assumed", caption="Assumptions: everything whose source says so", fold=False
            ),
            "sources": page_table(
                sources_table(self.results), ident="sources", caption="Sources that are published", fold=False
            ),
            "works": [
                {"key": work["key"], "text": _reference(work), "bibtex": bibtex(work)}
                for work in works_behind(one.system for one in self.results)
            ],
            "traces": [
                {**trace, "provenance": [(key, written(value)) for key, value in trace["provenance"].items()]}
                for trace in traces_of(self.results, self._trace_names())
            ],
            "set_command": set_command(self.set),
            "commands": self._commands(),
        }

    def _title(self) -> str:
        if len(self.results) == 1:
            return result_title(self.results[0])
        study = self.set.provenance.get("study")
        if self.study is not None:
            return f"Reproduction study, selection “{self.set.provenance['selection']}”"
        if study == "tune":
            return "Published settings and the best found"
        return f"Sweep “{study}”" if study and study != "sweep" else f"{len(self.results)} results"

    def _facts(self) -> list[tuple[str, str]]:
        systems = dict.fromkeys(one.system for one in self.results)
        samples = sorted({one.samples for one in self.results})
        lookups = sorted({one.lookups for one in self.results})
        versions = dict.fromkeys(str(one.provenance.get("software_version", "?")) for one in self.results)
        return [
            ("results", f"{len(self.results):,}"),
            ("systems", ", ".join(systems)),
            ("samples timed", _span(samples)),
            ("lookups timed", _span(lookups)),
            ("traces", str(len({one.provenance.get("trace_hash") for one in self.results}))),
            ("simulated with", f"heam_sim {', '.join(versions)}"),
        ]

    def _claims(self) -> PageTable | None:
        if self.study is None:
            return None
        caption = "Published headlines beside this run"
        return page_table(claims_table(self.study), ident="claims", caption=caption, main=_CLAIMS, fold=False)

    def _comparisons(self) -> PageTable | None:
        if self.study is None:
            return None
        caption = "Every comparison that a headline is about, under all assumptions of the study"
        return page_table(
            comparisons_table(self.study), ident="comparisons", caption=caption, main=_COMPARISONS
        )

    def _figures(self) -> Iterator[_Shown]:
        for number, (name, drawn) in enumerate(drawable(self.material, self.names).items()):
            ident = f"figure-{number}"
            markup = self.sheet.add(drawn.figure, name=ident, text=alternative(drawn.kind, drawn.table))
            what = FIGURE_TEXTS[drawn.kind]
            trace = name.removeprefix(drawn.kind).removeprefix("-")
            caption = f"{what[0].upper()}{what[1:]}{f', trace {trace}' if trace else ''}."
            caption += "".join(f" {short}: {said}." for short, said in drawn.key)
            table = page_table(drawn.table, ident=f"{ident}-table", caption=f"Numbers of figure {number + 1}")
            yield _Shown(name, caption, markup, table)

    def _runs(self) -> PageTable | None:
        """A row per result: what tells it apart first, then the usual measures."""
        if len(self.results) == 1:
            return None
        frame = self.material.frame.copy()
        for key, values in reversed(self.varied.items()):
            if key not in frame.columns:
                frame.insert(0, key, [value if _plain(value) else written(value) for value in values])
        frame.insert(0, "number", range(1, len(frame) + 1))
        main = ("number", *list(self.varied)[:_FACTORS], *_MEASURES)
        return page_table(frame, ident="runs", caption=f"All {len(frame)} results", main=main)

    def _best(self) -> PageTable | None:
        if self.material.best is None:
            return None
        caption = "Published settings and the best that one search budget found"
        frame = self.material.best.drop(columns=["trace_hash"], errors="ignore")
        return page_table(frame, ident="best", caption=caption)

    def _single(self) -> list[tuple[str, str, str]]:
        return result_facts(self.results[0]) if len(self.results) == 1 else []

    def _details(self) -> Iterator[PageTable]:
        """Tables of what is inside of results."""
        if len(self.results) > _DETAILED:
            return
        frames = {
            "ceilings": ("Ceilings: the least time that each resource allows", self._inside("ceilings")),
            "times": ("What the time went to", self._inside("time_parts")),
            "power": ("Power by tier, and the area of LUTs and caches", self._inside("power")),
            "energies": ("Energy by tier and component", self._energies()),
            "counters": ("Counters", self._counters()),
        }
        for ident, (caption, frame) in frames.items():
            table = page_table(frame, ident=ident, caption=caption)
            if table is not None:
                yield table

    def _inside(self, field: str) -> pd.DataFrame:
        rows = [
            {**self._of(number), **row}
            for number, result in enumerate(self.results)
            for row in getattr(result, field)
        ]
        return pd.DataFrame(rows).drop(columns=["enforced"], errors="ignore")

    def _of(self, number: int) -> dict[str, str]:
        return {"result": self.names[number]} if len(self.results) > 1 else {}

    def _energies(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                **self._of(number),
                "tier": tier,
                "component": component,
                "energy_pJ": part.value,
                "low_pJ": part.low,
                "high_pJ": part.high,
            }
            for number, result in enumerate(self.results)
            for (tier, component), part in result.energy.components_pJ.items()
            if part.high > 0
        )

    def _counters(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                **self._of(number),
                "tier": tier,
                "counter": name,
                "value": count,
                "unit": unit_of(f"counters.{tier}.{name}"),
            }
            for number, result in enumerate(self.results)
            for tier, counters in result.counters.items()
            for name, count in counters.items()
            if count
        )

    def _factors(self) -> list[tuple[str, list[tuple[str, int]]]]:
        found = []
        for key, values in self.varied.items():
            counts: dict[str, int] = {}
            for value in values:
                if value is not None:
                    counts[written(value)] = counts.get(written(value), 0) + 1
            found.append((key, list(counts.items())))
        return found

    def _systems(self) -> list[dict[str, Any]]:
        """Every system in words; what is the same of all stands once, at the end."""
        first: dict[str, Result] = {}
        for result in self.results:
            first.setdefault(result.system, result)
        found = [described(result) for result in first.values() if result.config.get("system")]
        if len(found) < 2:
            return found
        shared = [line for line in found[0]["lines"] if all(line in one["lines"] for one in found)]
        for one in found:
            one["lines"] = [line for line in one["lines"] if line not in shared]
        rest = {"title": "In all systems", "name": "In all systems", "source": "", "lines": shared}
        return [*found, rest] if shared else found

    def _changes(self) -> PageTable | None:
        rows = [
            {
                "system": one.system,
                "setting": one.setting,
                "shipped": one.shipped,
                "here": "; ".join(f"{value} ({count})" for value, count in one.values),
            }
            for one in changes(self.results)
        ]
        heads = {"shipped": "as described", "here": "here (results)"}
        caption = "Settings that differ from their system's description, or between results of a system"
        return page_table(pd.DataFrame(rows), ident="changes", caption=caption, heads=heads, fold=False)

    def _side_by_side(self) -> PageTable | None:
        systems, rows = side_by_side(self.results)
        if len(systems) < 2:
            return None
        frame = pd.DataFrame(rows, columns=["setting", *systems])
        caption = f"The {len(frame)} settings in which the systems differ"
        return page_table(
            frame, ident="systems", caption=caption, heads={name: name for name in systems}, fold=False
        )

    def _common(self) -> PageTable | None:
        rows = [{"setting": key, "value": value} for key, value in common(self.results).items()]
        caption = f"The {len(rows)} settings that all results share"
        return page_table(pd.DataFrame(rows), ident="common", caption=caption, fold=False)

    def _trace_names(self) -> dict[str, str]:
        """Names of a study's traces by their hash."""
        if self.study is None:
            return {}
        return {str(one.provenance.get("trace_hash")): point.trace for point, one in self.study.found.items()}

    def _commands(self) -> PageTable | None:
        if len(self.results) > _COMMANDS:
            return None
        rows = [
            {"result": name, "command": run_command(result)}
            for name, result in zip(self.names, self.results, strict=True)
        ]
        frame = pd.DataFrame([row for row in rows if row["command"]])
        return page_table(frame, ident="commands", caption="One result again", fold=False)


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"


def _reference(work: dict[str, Any]) -> str:
    """A work on one line; braces are BibTeX's."""
    parts = [work.get(key) for key in ("author", "title", "booktitle", "year", "note")]
    said = ". ".join(str(part) for part in parts if part).replace("{", "").replace("}", "")
    if work.get("doi"):
        said += f". doi:{work['doi']}"
    if work.get("eprint"):
        said += f". arXiv:{work['eprint']}"
    return f"{said}, version {work['version']}." if work.get("version") else f"{said}."


def _rendered(context: dict[str, Any]) -> str:
    style, script = (_text(name) for name in ("report.css", "report.js"))
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template("report.html.j2")
    return template.render(context, style=style, script=script, policy=policy)


def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError:
        raise ConfigError("report: needs Jinja; install it with `pip install 'heam-sim[report]'`.") from None
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _text(name: str) -> str:
    return (resources.files("heam_sim.report") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Of a style sheet or script, as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
