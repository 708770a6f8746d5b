# SPDX-License-Identifier: MIT
"""Builds ``heam_sim._core._heam`` from the C core (cffi API mode, stable ABI).

The interface is written once, in ``csrc/include/heam_sim.h``: what stands there between the two marker
comments is handed to cffi as it is, without the export macro. ``setup.py`` runs this file in the root of the
source tree; it is not part of the library's interface and needs the C sources beside the package.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

__all__ = ["ffibuilder", "interface"]

ROOT = Path(__file__).resolve().parents[2]
HEADER = Path("csrc/include/heam_sim.h")
SOURCES = Path("csrc/src")
BEGIN = "/* cffi-begin */"
END = "/* cffi-end */"
# One portable build: what needs a newer processor is chosen at run time. The extension exports its init only,
# and has no debugging information, which would hold the paths of the build (CMake is for debugging).
CFLAGS = ["-O3", "-g0", "-std=c11", "-fvisibility=hidden"]
MACROS = [("HEAM_API", "")]

DEFINE = re.compile(r"#\s*define\s+[A-Za-z_]\w*\s+-?(?:0[xX][0-9a-fA-F]+|\d+)\s*(?:/\*.*\*/\s*)?")


def interface(header: str) -> str:
    """Cut the declarations for cffi out of the header's text.

    Parameters
    ----------
    header
        Text of ``heam_sim.h``.

    Returns
    -------
    str
        Everything between the marker comments, without ``HEAM_API``.

    Raises
    ------
    RuntimeError
        If the markers are not there exactly once, or a preprocessor line between them does more than name
        a number.
    """
    if header.count(BEGIN) != 1 or header.count(END) != 1 or header.index(BEGIN) > header.index(END):
        raise RuntimeError(f"{HEADER}: needs one '{BEGIN}' followed by one '{END}'.")
    body = header.split(BEGIN)[1].split(END)[0]
    first = header.split(BEGIN)[0].count("\n") + 1
    for number, line in enumerate(body.split("\n"), start=first):
        if line.lstrip().startswith("#") and not DEFINE.fullmatch(line.strip()):
            raise RuntimeError(
                f"{HEADER}:{number}: only '#define NAME number' may stand between the markers; move it above."
            )
    return re.sub(r"\bHEAM_API\s+", "", body)


def make_builder(root: Path) -> FFI:
    """Describe the extension module to cffi.

    Parameters
    ----------
    root
        Root of the source tree; paths given to the compiler are relative to it, as setuptools wants them.
    """
    sources = sorted(path.relative_to(root).as_posix() for path in (root / SOURCES).glob("*.c"))
    if not sources:
        raise RuntimeError(f"{SOURCES}: no C sources; build from a full source tree or an sdist.")
    headers = sorted(path.relative_to(root).as_posix() for path in (root / "csrc").rglob("*.h"))
    builder = FFI()
    builder.cdef(interface((root / HEADER).read_text(encoding="utf-8")))
    builder.set_source(
        "heam_sim._core._heam",
        '#include "heam_sim.h"\n',
        sources=sources,
        include_dirs=[HEADER.parent.as_posix()],
        depends=headers,
        extra_compile_args=CFLAGS,
        define_macros=MACROS,
        py_limited_api=True,
    )
    return builder


ffibuilder = make_builder(ROOT)
