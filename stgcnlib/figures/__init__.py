"""Every picture of a report as a public function that returns a matplotlib Figure, one module per kind.

Figures are independent of pyplot: return one from a notebook cell, or call its `savefig`. A module is imported when one
of its functions is first used; ``__init__.pyi`` beside this file lists the functions.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
