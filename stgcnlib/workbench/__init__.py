"""The workbench: a finished study to explore in a notebook, recording by recording and layer by layer.

It reads what a study left behind and makes nothing on disk. The drawing is done in the browser (`stgcnlib.figures`);
here are the widget, what it asks the kernel for, and the command that opens it.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
