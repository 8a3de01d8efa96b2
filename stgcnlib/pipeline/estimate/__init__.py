"""What a study will cost, said before it starts: seconds, memory and disk, from sizes and short measurements here.

`facts` finds sizes, `trials` measures units, `costs` says what each artefact takes of them, `forecast` adds them up,
and `room` compares that with what there is.
"""

from __future__ import annotations

from stgcnlib.pipeline.estimate.ask import estimate, foresee
from stgcnlib.pipeline.estimate.forecast import Forecast, StageForecast
from stgcnlib.pipeline.estimate.room import Room, check_room, find_room, size

__all__ = ["Forecast", "Room", "StageForecast", "check_room", "estimate", "find_room", "foresee", "size"]
