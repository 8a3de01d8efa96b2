"""Which joints, at which times, made a layer support a class, and how far to trust the answer.

L-STG-GradCAM and other attributions give relevance maps; deletion, randomisation and the other checks judge them.
This package computes numbers; `stgcnlib.verdicts` interprets them, `stgcnlib.figures` scales and draws maps.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
