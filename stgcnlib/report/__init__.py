"""Reports: executed notebooks as pages, an index that is there while a study runs, finished studies side by side.

What the notebooks say is their own business, running them that of `stgcnlib.pipeline`.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
