"""stgcnlib: what did each layer of a spatio-temporal graph network learn?

The public API is what ``__init__.pyi`` beside this file names. A name is imported when it is first asked for, so that
importing the package is quick.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
