# SPDX-License-Identifier: MIT
"""From a preset name to a resolved :class:`~heam_sim.dram.Spec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from heam_sim.dram.model import Spec
from heam_sim.dram.resolve import resolve_spec
from heam_sim.dram.standard_file import Block, StandardFile, parse_standard
from heam_sim.errors import SpecError, unknown_name
from heam_sim.numbers import whole_number

__all__ = [
    "OWN_FILE",
    "find_preset",
    "iter_standards",
    "list_presets",
    "load_spec",
    "own_file",
    "standard_text",
]

#: What ends the path of a standard of one's own in a preset's name: ``PATH.toml/ORGANIZATION/TIMING``.
OWN_FILE = ".toml/"


def list_presets(*, folder: Path | None = None) -> list[str]:
    """Return the names of all presets, sorted, as ``family/ORGANIZATION/TIMING``.

    Parameters
    ----------
    folder
        Folder that holds ``<family>/<standard>.toml``; by default the standards that come with the package.

    Returns
    -------
    list of str
        For :func:`load_spec`.

    Raises
    ------
    SpecError
        No such folder, or a broken file in it.
    """
    return sorted(f"{family}/{o}/{t}" for family, file in iter_standards(folder) for o, t in file.presets())


def load_spec(
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    capacity_scale: int = 1,
    folder: Path | None = None,
) -> Spec:
    """Load a memory standard and resolve it to cycles.

    Parameters
    ----------
    name
        A preset of :func:`list_presets`, e.g. ``"native/DDR4_8Gb_x8/DDR4_3200"``, or one in a file of your
        own, ``"PATH.toml/ORGANIZATION/TIMING"``.
    overrides
        Changes by name: a level below the channel (nodes per parent), ``"rows"``, a timing in cycles
        (``nXX``) or, where the file gives nanoseconds, in nanoseconds (``tXX_ns``). Everything that is
        derived follows afterwards; a derived ``nXX`` that is overridden keeps the given value. Cycles are
        clocks of the standard, also where the resolved clock is finer (HBM3: half clocks). Compatibility
        presets know Ramulator's own names of the levels as well (``bankgroup``, ``pseudochannel``, ``row``).
    capacity_scale
        Factor on the number of rows; timing does not change.
    folder
        As in :func:`list_presets`.

    Returns
    -------
    Spec
        Times in cycles of its own clock.

    Raises
    ------
    SpecError
        Unknown preset or override, a file that cannot be read, is incomplete or contradicts itself.
    """
    file, organization, timing = find_preset(name, folder)
    scale = whole_number("capacity_scale", capacity_scale, minimum=1, error=SpecError)
    return resolve_spec(
        file, organization, timing, name=name, overrides=overrides or {}, capacity_scale=scale
    )


def iter_standards(folder: Path | None = None) -> Iterator[tuple[str, StandardFile]]:
    """Yield (family, parsed file) of every standard, sorted by family and file name."""
    for family, entry in _entries(folder):
        yield family, _parse(family, entry, entry.read_text(encoding="utf-8"))


def find_preset(name: str, folder: Path | None = None) -> tuple[StandardFile, Block, Block]:
    """Return the parsed file, the organisation and the timing block of a preset.

    Raises
    ------
    SpecError
        Unknown preset (with the nearest known one), a broken file.
    """
    if not isinstance(name, str):
        raise SpecError(f"preset: {name!r} is no name of a memory preset; `heam-sim spec list` shows them.")
    if (own := own_file(name)) is not None:
        return _own_preset(name, own)
    family, _, rest = name.partition("/")
    organization, _, timing = rest.partition("/")
    for found, entry in _entries(folder):
        if found != family:
            continue
        text = entry.read_text(encoding="utf-8")
        # Only a file that has both headers can hold the preset: parsing all of them would cost far more.
        if f"[organization.{organization}]" in text and f"[timing.{timing}]" in text:
            file = _parse(family, entry, text)
            if (organization, timing) in file.presets():
                return file, file.organizations[organization], file.timings[timing]
    raise SpecError(str(_unknown(name, list_presets(folder=folder))))


def own_file(name: str) -> Path | None:
    """Return the path in the name of a preset ``PATH.toml/ORGANIZATION/TIMING``; None for a packaged one."""
    path, ending, _ = name.rpartition(OWN_FILE)
    return Path(f"{path}.toml") if ending else None


def standard_text(name: str) -> str:
    """Return the TOML file that holds a preset.

    Raises
    ------
    SpecError
        As :func:`find_preset`.
    """
    if (own := own_file(name)) is not None:
        return _read(own)
    where = find_preset(name)[0].where
    return next(
        entry.read_text(encoding="utf-8")
        for family, entry in _entries(None)
        if f"{family}/{entry.name}" == where
    )


def _own_preset(name: str, path: Path) -> tuple[StandardFile, Block, Block]:
    file = _parsed(_read(path), str(path))
    organization, _, timing = name.rpartition(OWN_FILE)[2].partition("/")
    known = file.presets()
    if (organization, timing) not in known:
        raise SpecError(
            str(unknown_name("preset", f"{organization}/{timing}", map("/".join, known), where=str(path)))
        )
    return file, file.organizations[organization], file.timings[timing]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as a memory standard: {error}.") from None


def _unknown(name: str, presets: list[str]) -> SpecError:
    # With hundreds of presets a list of all of them helps nobody; the nearest name or where to look does.
    short = str(unknown_name("memory preset", name, presets))
    if "did you mean" in short:
        return SpecError(short)
    return SpecError(f"unknown memory preset {name!r}; `heam-sim spec list` shows the {len(presets)} known.")


def _entries(folder: Path | None) -> Iterator[tuple[str, Traversable]]:
    root: Traversable = folder if folder is not None else resources.files(__package__) / "standards"
    if not root.is_dir():
        raise SpecError(f"folder {str(root)!r} does not exist; give one with <family>/<standard>.toml files.")
    for family in sorted(root.iterdir(), key=lambda entry: entry.name):
        if family.is_dir():
            for entry in sorted(family.iterdir(), key=lambda item: item.name):
                if entry.name.endswith(".toml"):
                    yield family.name, entry


def _parse(family: str, entry: Traversable, text: str) -> StandardFile:
    return _parsed(text, f"{family}/{entry.name}")


# A pure function of the text, and most of what a short run takes: sweeps and tests load the same few files.
@lru_cache(maxsize=16)
def _parsed(text: str, where: str) -> StandardFile:
    return parse_standard(text, where=where)
