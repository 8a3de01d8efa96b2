"""The paper's experiments as functions: noise on the input, transfer to another task, several studies side by side.

Each gives tables with intervals, and keeps its results so that a stop costs little. What the numbers mean is said in
`stgcnlib.verdicts`, pictures are drawn in `stgcnlib.figures`, stages are run in `stgcnlib.pipeline`. A name
is imported when it is first asked for, so that processes of a study import only what they need.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
