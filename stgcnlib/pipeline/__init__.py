"""Studies: one file says what is measured, stage notebooks measure and explain it.

Pages of the executed notebooks are made in `stgcnlib.report`.

A name is imported when it is first asked for: each notebook has its own process, which imports only what it needs.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
