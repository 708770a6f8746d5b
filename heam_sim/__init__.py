# SPDX-License-Identifier: MIT
"""heam_sim: how fast, and with how much energy, does a memory system serve recommendation embeddings?"""

import importlib.util

import lazy_loader

# The names stand in __init__.pyi, which type checkers read too; each is imported when it is first used.
_find_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Import what is asked for: one of the names, or a room (``heam_sim.results``)."""
    try:
        return _find_name(name)
    except AttributeError:
        room = f"{__name__}.{name}"
        if name.startswith("_") or importlib.util.find_spec(room) is None:
            raise
    return importlib.import_module(room)
