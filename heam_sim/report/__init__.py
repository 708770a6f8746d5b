# SPDX-License-Identifier: MIT
"""A set of results as one page that needs nothing else: ``heam-sim report``."""

import lazy_loader

# The names stand in __init__.pyi. Lazily, because the list of works to cite needs no tables and figures.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
