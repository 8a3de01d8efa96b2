"""Reports: executed notebooks as pages, an index that is there while a study runs, finished studies side by side.

Notebooks are run in `stgcnlib.pipeline`; here their outputs become pages.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
