"""Training, fine-tuning and evaluating networks of the zoo on recordings.

Networks are changed in place and left in evaluation mode.
"""

from __future__ import annotations

from stgcnlib.training.augment import Augmentation
from stgcnlib.training.calibration import calibrate_batch_norm
from stgcnlib.training.evaluation import Evaluation, TargetEvaluation, evaluate, evaluate_targets
from stgcnlib.training.fitting import FitResult, fine_tune, fit
from stgcnlib.training.preparations import preparation_advice, try_preparations

__all__ = [
    "Augmentation",
    "Evaluation",
    "FitResult",
    "TargetEvaluation",
    "calibrate_batch_norm",
    "evaluate",
    "evaluate_targets",
    "fine_tune",
    "fit",
    "preparation_advice",
    "try_preparations",
]
