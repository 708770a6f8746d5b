# SPDX-License-Identifier: MIT
"""A slow, obvious reference of the engine: one cycle after the other, plain Python, no event skipping.

It follows ``docs/engine.md`` sentence by sentence. The C core must issue exactly the same commands
and count the same.
"""
