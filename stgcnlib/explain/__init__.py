"""Which joints, at which times, made a layer speak for a class, and how far to trust the answer.

L-STG-GradCAM and other attributions give relevance maps; deletion, randomisation and the other checks judge them.
Maps are numbers here; `stgcnlib.verdicts` says what they mean, `stgcnlib.figures` scales and draws them.
"""

from __future__ import annotations

from stgcnlib.explain.attribution import attributions
from stgcnlib.explain.checks import contrastivity, map_smoothness, randomisation, stability
from stgcnlib.explain.evaluation import MapEvaluation, evaluate_maps
from stgcnlib.explain.faithfulness import Faithfulness, faithfulness
from stgcnlib.explain.gradcam import RelevanceMap, grad_cam, grad_cam_set
from stgcnlib.explain.keep import load_relevance, save_relevance
from stgcnlib.explain.limbs import limb_share, limb_shares, one_armed

__all__ = [
    "Faithfulness",
    "MapEvaluation",
    "RelevanceMap",
    "attributions",
    "contrastivity",
    "evaluate_maps",
    "faithfulness",
    "grad_cam",
    "grad_cam_set",
    "limb_share",
    "limb_shares",
    "load_relevance",
    "map_smoothness",
    "one_armed",
    "randomisation",
    "save_relevance",
    "stability",
]
