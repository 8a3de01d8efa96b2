"""What numbers mean, in words: a rule decides each question, and its sentences are made from the numbers alone.

Every verdict is an `Outcome`. Nothing is measured or drawn here: numbers come from `stgcnlib.geometry`, `explain` and
`studies`.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
