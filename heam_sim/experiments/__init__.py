# SPDX-License-Identifier: MIT
"""Studies: many simulations, their tables and figures."""

import lazy_loader

# The names stand in __init__.pyi. Lazily, because workers of a sweep need neither tables nor figures.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
