# SPDX-License-Identifier: MIT
"""What traces are like: popularity, reuse, distances, caches; and recipes that imitate them."""

import lazy_loader

# The names stand in __init__.pyi. Lazily, because few of them need pandas.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
