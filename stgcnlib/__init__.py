"""stgcnlib: what did each layer of a spatio-temporal graph network learn?

The public API is what ``__init__.pyi`` beside this file names. A name is imported when it is first asked for, so that
importing the package is quick.

Some parameters mean the same everywhere:

- `network`: a torch module that takes batches (N, C, T, V, M); in results, the name of a measured network, such as
  "trained" or "untrained".
- `labels`: (N,) class indices from 0, whole numbers.
- `class_names`: the name of each class, in the order of the labels.
- `seed`: of all random numbers that a function draws; a whole number from 0.
- `confidence`: of intervals, between 0 and 1.
- `device`: where the network runs, "cpu" or "cuda".
- `progress`: whether to draw a bar; None: on a terminal only.
- `title`: of the figure; None: the figure chooses.
- `path`: of a file or folder on disk.
- `folder`: its path on disk.
- `layer`: the module name of a layer; "input" is what the network reads.

Array-like arguments may be nested lists: labels and indices hold whole numbers, groups numbers or text, all others real
numbers. Annotations tell the dtypes of what is returned.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
