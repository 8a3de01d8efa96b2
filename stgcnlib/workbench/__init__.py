"""The workbench: a finished study to explore in a notebook, recording by recording and layer by layer.

It reads a study's results and does not change them. The browser draws (`stgcnlib.figures`); this package has the
widget, the answers of the kernel to its questions, and the command that opens it.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
