# SPDX-License-Identifier: MIT
"""`heam-sim bound`: the ceilings of every resource of every system, beside what is achieved."""

from __future__ import annotations

import re

import pytest

from heam_sim.cli import main
from heam_sim.systems import known_systems, load_system

ARGUMENTS = ("--samples", "25", "--pooling", "4", "--vector-bytes", "128", "--embedding")
HOST = {"host issue", "host adder"}
PLAIN = {"host-side bus"}
PES = {"PE column reads", "ALU", "LUT port", "instruction path", "host-side bus (results)"}
ADDER = {"merge node", "partials on their way"}
ESTIMATE = " (estimate)"
ACTIVATIONS = "activation window"
ROW = re.compile(r"^│ (.+?) +│ (\w+) +│ +([\d,.]+) │ +(\d*) ?%? ?│", re.MULTILINE)


def tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> dict[str, tuple[str, list[tuple[str, str, float, str]]]]:
    """Title and rows (resource, tier, least time, share) by system."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["bound", *arguments]) == 0
    found = {}
    for part in re.split(r"\n(?= *[\w-]+: least times)", "\n" + capsys.readouterr().out)[1:]:
        title = part.strip().splitlines()[0].strip()
        rows = [(a, b, float(c.replace(",", "")), d) for a, b, c, d in ROW.findall(part)]
        found[title.split(":")[0]] = (title, rows)
    return found


@pytest.mark.parametrize("embedding", ["qr:4", "qr:4:pool-first"])
def test_every_resource_of_every_system_has_a_ceiling_that_no_run_beats(
    embedding: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tables(capsys, monkeypatch, *ARGUMENTS, embedding)
    assert set(found) == set(known_systems())
    for system, (title, rows) in found.items():
        achieved = float(re.fullmatch(r".*; achieved ([\d,.]+) ns", title)[1].replace(",", ""))  # type: ignore[index]
        wanted = {("host", name) for name in HOST}
        for tier in load_system(system).tiers:
            names = {ACTIVATIONS} | (PLAIN if tier.pim is None else PES)
            if tier.pim is not None and tier.pim.merge_level:
                names |= ADDER
            if tier.pim is not None and tier.pim.delivery == "two-stage":
                names |= {"second instruction path"}
            wanted |= {(tier.name, name) for name in names}
        sure = {(tier, name): time for name, tier, time, _ in rows if not name.endswith(ESTIMATE)}
        assert wanted <= {(tier, name.removesuffix(ESTIMATE)) for name, tier, _, _ in rows}
        assert max(sure.values()) > 0.1 * achieved, "some resource says something"
        assert max(sure.values()) <= achieved, system
        for name, _, time, share in rows:
            assert abs(int(share) - 100 * time / achieved) < 1, name


def test_ceilings_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_run = tables(capsys, monkeypatch, "recnmp", *ARGUMENTS, "qr:4")
    alone = tables(capsys, monkeypatch, "recnmp", *ARGUMENTS, "qr:4", "--no-run")
    assert alone["recnmp"][0] == "recnmp: least times"
    assert [row[:3] for row in alone["recnmp"][1]] == [row[:3] for row in with_run["recnmp"][1]]
    assert all(row[3] == "" for row in alone["recnmp"][1])
