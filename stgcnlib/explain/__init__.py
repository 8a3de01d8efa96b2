"""Which joints, at which times, made a layer speak for a class: L-STG-GradCAM relevance maps.

Maps are numbers here; `stgcnlib.figures` scales and draws them.
"""

from __future__ import annotations

from stgcnlib.explain.gradcam import RelevanceMap, grad_cam, grad_cam_set
from stgcnlib.explain.keep import load_relevance, save_relevance

__all__ = ["RelevanceMap", "grad_cam", "grad_cam_set", "load_relevance", "save_relevance"]
