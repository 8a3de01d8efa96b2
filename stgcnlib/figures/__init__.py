"""Every picture of a report as a public function that returns a matplotlib Figure, one module per kind.

Figures belong to no pyplot state: return one from a notebook cell, or call its `savefig`. A kind is imported when one
of its pictures is first asked for; the pictures are named in ``__init__.pyi`` beside this file.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
