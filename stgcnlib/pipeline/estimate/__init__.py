"""What a study will cost, said before it starts: seconds, memory and disk, from sizes and short measurements here.

`facts` finds sizes, `trials` measures units, `costs` says what each artefact takes of them, `forecast` adds them up.
"""

from __future__ import annotations
