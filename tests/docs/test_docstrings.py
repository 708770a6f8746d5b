# SPDX-License-Identifier: MIT
"""Every public name says what it is, in numpydoc's form: the API reference is made of these docstrings."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import heam_sim

validate = pytest.importorskip(
    "numpydoc.validate",
    reason="needs numpydoc: pip install 'heam-sim[docs]'; the section `docs` of .ci/run has it",
).validate

#: Rooms between which only heam_sim itself stands; what they export is for other rooms.
INNER = {"cli", "lowering", "placement"}
ROOMS = [
    *sorted(
        f"heam_sim.{room.name}"
        for room in pkgutil.iter_modules(heam_sim.__path__)
        if (room.ispkg or room.name in ("errors", "testing")) and room.name not in INNER | {"_core"}
    ),
    "heam_sim",
]
# Form; parameters that exist, in their order, each described; what is returned or yielded. Left out: types
# (annotations have them), examples and "see also", and the mood of the first verb.
FORM = {"GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "SS01", "SS04"}
PARAMETERS = {"PR02", "PR03", "PR05", "PR07", "PR10", "RT03", "YD01"}
# A method of one sentence may leave these to the sentence.
WHOLE = {"PR01", "RT01"}


def public() -> Iterator[tuple[str, Any, bool]]:
    """Path and object of every public class, function and method, and whether it is a method."""
    seen: set[int] = set()
    for room in ROOMS:
        for name in import_module(room).__all__:
            thing = getattr(import_module(room), name)
            if id(thing) in seen or not (inspect.isclass(thing) or inspect.isroutine(thing)):
                continue
            seen.add(id(thing))
            yield f"{room}.{name}", thing, False
            for inner, member in vars(thing).items() if inspect.isclass(thing) else ():
                kinds = (property, classmethod, staticmethod)
                if not inner.startswith("_") and (inspect.isfunction(member) or isinstance(member, kinds)):
                    yield f"{room}.{name}.{inner}", member, True


NAMES = {path: (thing, method) for path, thing, method in public()}


def faults(path: str, thing: Any, method: bool) -> list[str]:
    found = validate(path)
    text = found["docstring"]
    wanted = FORM | PARAMETERS
    if not method and not _is_declared(thing, text):
        wanted = wanted | WHOLE
    return [f"{path}: {code} {what}" for code, what in found["errors"] if code in wanted]


def _is_declared(thing: Any, text: str) -> bool:
    """Errors and protocols take no parameters of their own; records may call theirs attributes."""
    if not inspect.isclass(thing):
        return False
    return (
        issubclass(thing, Exception)
        or getattr(thing, "_is_protocol", False)
        or "\nAttributes\n" in inspect.cleandoc(text)
    )


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings(room: str) -> None:
    mine = {path: found for path, found in NAMES.items() if path.startswith(f"{room}.")}
    if room == "heam_sim":
        mine = {path: found for path, found in mine.items() if path.count(".") == 1}
    assert not [fault for path, found in mine.items() for fault in faults(path, *found)]


def test_records_describe_all_their_fields() -> None:
    missing = []
    for path, (thing, _) in NAMES.items():
        _, title, section = (inspect.getdoc(thing) or "").partition("\nAttributes\n")
        if inspect.isclass(thing) and title:
            heads = [line for line in section.partition("\n\n")[0].splitlines() if line[0] not in " -"]
            described = {name.strip() for head in heads for name in head.split(",")}
            fields = {name for name in inspect.get_annotations(thing) if not name.startswith("_")}
            missing += [f"{path}.{name}" for name in sorted(fields - described)]
    assert not missing


def test_something_is_looked_at() -> None:
    assert len(NAMES) > 350
    assert faults("heam_sim.simulate", heam_sim.simulate, False) == []


def undescribed(number: int) -> int:
    """Double a number."""
    return 2 * number


def test_a_bad_docstring_is_found() -> None:
    found = faults(f"{__name__}.undescribed", undescribed, False)
    assert [fault.split()[1] for fault in found] == ["PR01", "RT01"]
    assert not faults(f"{__name__}.undescribed", undescribed, True)
