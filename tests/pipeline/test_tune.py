# SPDX-License-Identifier: MIT
"""The search for the best settings: same budget, repeatable, never worse than what is published."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from heam_sim import generate, simulate
from heam_sim.cli import main
from heam_sim.errors import ConfigError
from heam_sim.experiments import runner, search_space, tune
from heam_sim.experiments.tune import as_overrides, goal_value
from heam_sim.systems import known_systems, load_system
from heam_sim.trace import LookupTrace

TRIALS = 7
OPTIONS: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 64, "scope": "sample"}


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=60, seed=5)


def search(trace: LookupTrace, folder: Path, **changes: Any) -> Any:
    wanted = {"trials": TRIALS, "lookups": 500, "workers": 1, **OPTIONS, **changes}
    return tune("heam", trace, folder=folder, **wanted)


@pytest.fixture(scope="module")
def tuned(trace: LookupTrace, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return search(trace, tmp_path_factory.mktemp("tuned"))


@pytest.mark.parametrize("system", known_systems())
def test_the_space_holds_the_published_settings(system: str) -> None:
    described = load_system(system).to_dict()
    space = search_space(system)
    assert f"{described['tiers'][0]['name']}.address_map" in space
    for key, choices in space.items():
        assert len(choices) == len({repr(choice) for choice in choices}) > 1, key
    for tier in described["tiers"]:
        assert (f"{tier['name']}.pim.batch_tags" in space) == (tier["pim"] is not None)
    assert ("placement.hot_share" in space) == (described["placement"]["policy"] == "hot-cold")
    assert ("placement.replicate_share" in space) == (described["placement"]["replicate_share"] > 0)


@pytest.mark.parametrize(("system", "published"), [("heam", (131072, 0)), ("proactivepim", (0, 131072))])
def test_table_and_cache_share_the_published_bytes(system: str, published: tuple[int, int]) -> None:
    choices = search_space(system)["hbm.pim.lut_bytes + hbm.pim.cache_bytes"]
    assert published in choices and len(choices) > 2
    assert {sum(choice) for choice in choices} == {131072}
    halves = as_overrides({"hbm.pim.lut_bytes + hbm.pim.cache_bytes": (1, 2), "host.window_gnrs": 3})
    assert halves == {"hbm.pim.lut_bytes": 1, "hbm.pim.cache_bytes": 2, "host.window_gnrs": 3}


def test_a_cache_without_a_table_has_a_size_of_its_own() -> None:
    space = search_space("recnmp")
    assert 131072 in space["dimm.pim.cache_bytes"] and 2 in space["dimm.pim.cache_min_reads"]
    assert not any(" + " in key for key in space)
    assert "hbm.pim.prefetch" in search_space("proactivepim")
    assert "hbm.pim.prefetch" not in search_space("heam")


def test_every_choice_can_be_simulated_or_says_why(trace: LookupTrace) -> None:
    for key, choices in search_space("heam").items():
        for choice in choices:
            overrides = as_overrides({key: choice})
            result = simulate(trace.samples_slice(0, 6), system="heam", overrides=overrides, **OPTIONS)
            assert result.time_ns > 0


def test_the_first_trial_is_what_is_published(tuned: Any, trace: LookupTrace) -> None:
    first = tuned.trials.iloc[0]
    published = load_system("heam")
    assert first["hbm.pim.batch_tags"] == published.tier("hbm").pim.batch_tags  # type: ignore[union-attr]
    assert first["placement.hot_share"] == published.placement.hot_share
    assert tuned.published == simulate(trace, system="heam", **OPTIONS)


def test_the_best_is_the_least_of_the_trials(tuned: Any, trace: LookupTrace) -> None:
    trials = tuned.trials
    assert len(trials) == TRIALS and list(trials["number"]) == list(range(TRIALS))
    best = trials.loc[trials["value"].idxmin()]
    assert {key: value for key, value in tuned.overrides.items() if best[key] != value} == {}
    assert all(key in trials.columns for key in tuned.overrides)
    assert tuned.best == simulate(trace, system="heam", overrides=tuned.overrides, **OPTIONS)
    assert tuned.gain == goal_value(tuned.published, "time") / goal_value(tuned.best, "time")


def test_the_search_is_the_same_on_any_number_of_workers(
    tuned: Any, trace: LookupTrace, tmp_path: Path
) -> None:
    again = search(trace, tmp_path, workers=2)
    pd.testing.assert_frame_equal(tuned.trials, again.trials)
    assert tuned.overrides == again.overrides and tuned.best == again.best


def test_a_longer_search_begins_like_a_shorter_one(tuned: Any, trace: LookupTrace, tmp_path: Path) -> None:
    longer = search(trace, tmp_path, trials=TRIALS + 5)
    same = longer.trials.head(4)  # asked together with the first in both
    pd.testing.assert_frame_equal(same, tuned.trials.head(4))


def test_a_repeated_search_simulates_nothing(
    trace: LookupTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search(trace, tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr(runner, "simulate", refuse)
    pd.testing.assert_frame_equal(first.trials, search(trace, tmp_path).trials)


def test_settings_that_cannot_be_are_told_and_not_chosen(
    trace: LookupTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(trace: LookupTrace, **arguments: Any) -> Any:
        if arguments["overrides"]["hbm.pim.batch_tags"] > 4:
            raise ConfigError("too many tags.")
        return simulate(trace, **arguments)

    monkeypatch.setattr(runner, "simulate", picky)
    found = search(trace, tmp_path, trials=12)
    failed = found.trials["hbm.pim.batch_tags"] > 4
    assert failed.any() and not failed.all()
    assert (found.trials["reason"] == failed.map({True: "too many tags.", False: ""})).all()
    assert (found.trials["value"].isna() == failed).all()
    assert found.overrides.get("hbm.pim.batch_tags", 1) <= 4


def test_a_system_that_cannot_be_simulated_at_all(trace: LookupTrace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no setting could be simulated.*does not fit"):
        search(
            trace,
            tmp_path,
            overrides={"dimm.channels": 1, "dimm.memory": "native/DDR4_2Gb_x16/DDR4_3200"},
            vector_bytes=4096,
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "beauty"}, "goal"),
        ({"trials": 0}, "trials must be a whole number of at least 1, not 0"),
        ({"lookups": 0}, "lookups must be a whole number of at least 1, not 0"),
    ],
)
def test_wrong_options(trace: LookupTrace, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        search(trace, tmp_path / "none", **changes)
    assert not (tmp_path / "none").exists()


def test_without_optuna_the_error_says_what_to_install(
    trace: LookupTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "optuna":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"heam-sim\[tune\]"):
        search(trace, tmp_path)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "tune host-dimm --samples 40 --trials 2 --lookups 200 --workers 1 --scope sample --output"
    assert main([*words.split(), str(tmp_path / "out")]) == 0
    assert "host-dimm" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "tuned.csv")
    assert list(table["system"]) == ["host-dimm"] and table["gain"][0] > 0
    assert table["published_speedup"][0] == 1 and table["best_speedup"][0] == 1
    assert len(pd.read_csv(tmp_path / "out" / "trials-host-dimm-full.csv")) == 2
    assert (tmp_path / "out" / "results.h5").is_file()
    assert main([*words.split(), str(tmp_path / "out"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["system"] == "host-dimm" and row["gain"] == table["gain"][0]
