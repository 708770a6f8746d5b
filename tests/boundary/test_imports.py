# SPDX-License-Identifier: MIT
"""What is loaded when: names come when they are used, and heavy libraries only where they work."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import heam_sim
from heam_sim import analysis, experiments

#: Libraries that take long to load, or much memory.
HEAVY = ("h5py", "matplotlib", "numpy", "optuna", "pandas", "pyarrow", "rich", "torch")
#: Those that no simulation needs.
TABLES = ("matplotlib", "optuna", "pandas", "pyarrow", "torch")


def loaded(code: str, *, of: tuple[str, ...]) -> list[str]:
    """Which libraries a fresh interpreter has loaded after some code."""
    tail = f"\nimport sys\nprint(*(name for name in {of!r} if name in sys.modules), sep=',')"
    command = [sys.executable, "-c", code + tail]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [name for name in done.stdout.splitlines()[-1].split(",") if name]


@pytest.mark.parametrize(
    "code",
    [
        "import heam_sim; heam_sim.__version__",
        "import heam_sim.experiments, heam_sim.analysis",
        "from heam_sim.cli import main; main(['--help'])",
        "from heam_sim.cli import main; main(['completion', 'bash'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str) -> None:
    assert loaded(code, of=HEAVY) == []


@pytest.mark.parametrize(
    "code",
    [
        "import heam_sim; heam_sim.simulate(heam_sim.generate('criteo-kaggle', samples=20), system='heam')",
        "import heam_sim.experiments; heam_sim.experiments.run_points",  # what a worker of a sweep loads
        "import heam_sim.experiments.runner, heam_sim.exchange, heam_sim.check, heam_sim.testing",
        "from heam_sim.cli.main import program as p; [p.get_command(None, n) for n in p.list_commands(None)]",
        "from heam_sim.cli import main; main(['spec', 'list', '--family', 'native'])",
    ],
)
def test_tables_and_figures_are_loaded_only_for_tables_and_figures(code: str) -> None:
    assert loaded(code, of=TABLES) == []


def test_the_probe_sees_what_is_loaded() -> None:
    code = "import heam_sim.experiments.figures"
    assert {"matplotlib", "pandas"} <= set(loaded(code, of=HEAVY))


@pytest.mark.parametrize("package", [heam_sim, analysis, experiments], ids=lambda package: package.__name__)
def test_every_name_is_there(package: object) -> None:
    names = dir(package)
    assert len(names) > 10
    for name in names:
        assert getattr(package, name) is not None


def test_a_room_is_there_without_an_import_of_its_own() -> None:
    code = "import heam_sim; print(heam_sim.energy.load_power, heam_sim.traffic.Requests)"
    assert "numpy" in loaded(code, of=HEAVY)
    assert not {"energy", "trace", "results"} & set(heam_sim.__all__)


def test_a_name_is_the_function_also_where_a_module_has_it_too() -> None:
    importlib.import_module("heam_sim.experiments.explain")
    importlib.import_module("heam_sim.experiments.tune")
    assert callable(experiments.explain) and callable(experiments.tune)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="simulat"):
        heam_sim.simulat  # type: ignore[attr-defined]  # noqa: B018
