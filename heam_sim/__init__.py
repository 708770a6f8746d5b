# SPDX-License-Identifier: MIT
"""heam_sim: how fast, and with how much energy, does a memory system serve recommendation embeddings?"""

import lazy_loader

# The names stand in __init__.pyi, which type checkers read too; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
