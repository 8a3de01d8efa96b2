"""People of the demo: who they are, and how each of them performs a score in one recording.

Turns the key poses of `stgcnlib.demo.actions` into smooth joint angles with a person's posture, tempo
and amplitude. `stgcnlib.demo.body` has bones and floor; `stgcnlib.demo` adds sensor noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from stgcnlib.demo.actions import Score
from stgcnlib.demo.body import ANGLES, COLUMN, anatomy, mirror_angles

__all__ = [
    "LONGEST",
    "SHORTEST",
    "Person",
    "left_handers",
    "make_person",
    "perform",
    "smooth_noise",
]

Floats = NDArray[np.float64]

FRAMES_PER_SECOND = 30
SHORTEST, LONGEST = 40, 120
HURRY = 0.75  # an action takes at least about this share of its usual time
_LEG = ("hip", "hip_abd", "hip_rot", "knee", "ankle")
_OTHER_ARM = [i for i, name in enumerate(ANGLES) if name.startswith("other.") and not name.endswith(_LEG)]
_LAGGING = [i for i, name in enumerate(ANGLES) if name.split(".")[-1] in {"elbow", "pron", "wrist"}]
_WANDER = {"pitch": 0.5, "roll": 0.5, "side": 1.0, "bend": 1.0, "twist": 2.5, "nod": 3.0, "tilt": 2.0, "turn": 8.0}
_ARM_WANDER = {"flex": 3.0, "abd": 2.0, "rot": 3.0, "elbow": 4.0, "wrist": 4.0}


@dataclass(frozen=True)
class Person:
    """What stays the same in all recordings of one subject.

    Attributes:
        offsets: (27, 3) metres, see `body.anatomy`.
        left_handed: whether one-sided actions are done with the left.
        rest: (D,) degrees, how this person stands.
        amplitude: factor on all excursions from rest.
        tempo: factor on all durations.
        facing: degrees, usual direction relative to the sensor.
    """

    offsets: Floats
    left_handed: bool
    rest: Floats
    amplitude: float
    tempo: float
    facing: float


def left_handers(subjects: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(S,) a quarter of the odd and a quarter of the even subjects, so that each half has left- and right-handers."""
    left = np.zeros(subjects, dtype=bool)
    for first in (0, 1):
        members = np.arange(first, subjects, 2)
        left[rng.permutation(members)[: round(len(members) / 4)]] = True
    return left


def make_person(rng: np.random.Generator, *, left_handed: bool) -> Person:
    """Draw one subject: anatomy, posture, amplitude, tempo."""
    rest = np.zeros(len(ANGLES))
    posture = {"pitch": rng.normal(0, 1.5), "bend": rng.uniform(-2, 10), "nod": rng.normal(2, 5)}
    arms = {"flex": rng.uniform(-4, 8), "abd": rng.uniform(6, 13), "elbow": rng.uniform(5, 20)}
    arms |= {"rot": rng.uniform(0, 20), "pron": rng.uniform(10, 50)}
    legs = {"hip_abd": rng.uniform(1, 7), "hip_rot": rng.uniform(-14, 0), "knee": rng.uniform(3, 8)}
    legs["hip"] = 0.5 * legs["knee"] + posture["pitch"]
    both = {f"{side}.{k}": v for side in ("main", "other") for k, v in (arms | legs).items()}
    for name, angle in (posture | both).items():
        rest[COLUMN[name]] = angle
    return Person(
        offsets=anatomy(rng),
        left_handed=left_handed,
        rest=rest,
        amplitude=float(rng.uniform(0.84, 1.1)),
        tempo=float(rng.uniform(0.85, 1.2)),
        facing=float(rng.normal(0, 12)),
    )


def perform(person: Person, score: Score, rng: np.random.Generator) -> Floats:
    """Joint angles (T, D) of one recording, T from 40 to 120 whatever the action.

    The number of frames is drawn first and the score fitted into it, so that length does not tell the
    class: some recordings begin with rest, some repeat the cycle, and some recordings stop before the end.
    """
    frames = int(np.clip(np.rint(rng.normal(78, 18) * person.tempo), SHORTEST, LONGEST))
    before = rng.uniform(0.02, 0.12) if rng.random() < 0.6 else rng.uniform(0.12, 0.32)
    after = 0.0 if rng.random() < 0.15 else rng.uniform(0.02, 0.2)
    seconds = frames / FRAMES_PER_SECOND
    once = score.enter + sum(step for step, _ in score.cycle)
    if (1 - before - after) * seconds < HURRY * (once + score.enter):
        after = 0.0  # a recording too short for the way back to rest stops during the action
    before = max(0.02, min(before, 1 - after - HURRY * once / seconds))
    rest = person.rest + _stance(rng)
    times, poses = _keys(score, rest, person, (1 - before - after) * seconds, rng)
    if after > 0:
        times = np.append(times, times[-1] + 0.9 * score.enter * rng.lognormal(0, 0.12))
        poses = np.concatenate([poses, [rest]])
    begin, end = before * frames, (1 - after) * frames
    knots = np.concatenate([[-2.0, 0.5 * begin], begin + times / times[-1] * (end - begin), [frames + 2.0]])
    poses = np.concatenate([[rest, rest], poses, poses[-1:]])

    spline = PchipInterpolator(knots, poses, axis=0)
    clock = np.arange(frames, dtype=np.float64)
    angles: Floats = spline(clock)
    angles[:, _LAGGING] = spline((clock - rng.uniform(0.5, 2.0)).clip(knots[0]))[:, _LAGGING]
    angles = gaussian_filter1d(angles, 1.5, axis=0, mode="nearest")
    angles += _idle(frames, rng)
    return mirror_angles(angles) if person.left_handed else angles


def smooth_noise(frames: int, columns: int, rng: np.random.Generator, *, width: float = 12.0) -> Floats:
    """(T, D) noise of unit variance that changes over about `width` frames."""
    padded = int(3 * width)
    white = rng.standard_normal((frames + 2 * padded, columns))
    smooth = gaussian_filter1d(white, width, axis=0, mode="nearest")[padded : padded + frames]
    unit: Floats = smooth * np.sqrt(2 * np.sqrt(np.pi) * width)
    return unit


def _keys(
    score: Score, rest: Floats, person: Person, seconds: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Times (K,) in seconds from the onset and poses (K, D), as many cycles as `seconds` hold; the first is rest."""
    beat = sum(step for step, _ in score.cycle)
    fits = (seconds / person.tempo - 2 * score.enter) / beat + rng.uniform(-0.4, 0.4)
    repeats = int(np.clip(np.rint(fits), 1, score.most))
    amplitude = person.amplitude * rng.uniform(0.9, 1.08)
    fixed = [COLUMN[name] for name in score.fixed]

    # If the other arm takes part, it leaves its stance.
    base = rest.copy()
    if {COLUMN[name] for _, pose in score.cycle for name in pose} & set(_OTHER_ARM):
        base[_OTHER_ARM] = person.rest[_OTHER_ARM]
    steps, poses = [0.0], [rest]
    for number in range(repeats):
        for place, (step, pose) in enumerate(score.cycle):
            target = base.copy()
            target[[COLUMN[name] for name in pose]] = list(pose.values())
            size = np.full(len(ANGLES), amplitude * rng.normal(1.0, 0.04))
            size[fixed] = 1.0
            poses.append(base + (target - base) * size)
            steps.append((score.enter if number == place == 0 else step) * rng.lognormal(0, 0.12))
    times: Floats = np.cumsum(steps)
    return times, np.array(poses)


def _stance(rng: np.random.Generator) -> Floats:
    """(D,) how standing differs in this recording: weight on one side, a hand on the hip or behind the back."""
    change = np.zeros(len(ANGLES))

    def add(**angles: float) -> None:
        for name, angle in angles.items():
            change[COLUMN[name.replace("__", ".")]] += angle

    lean = rng.normal(0, 1.2)
    add(roll=lean, side=-1.5 * lean, twist=rng.normal(0, 4), turn=rng.normal(0, 8), nod=rng.normal(0, 4))
    match int(rng.choice(4, p=[0.58, 0.16, 0.16, 0.1])):
        case 1:  # hand on the hip
            add(other__abd=38.0, other__flex=-12.0, other__rot=48.0, other__elbow=82.0)
        case 2:  # forearm in front of the belly
            add(other__flex=8.0, other__rot=48.0, other__elbow=72.0)
        case 3:  # hand behind the back
            add(other__flex=-24.0, other__rot=52.0, other__elbow=42.0, other__abd=6.0)
    return change


def _idle(frames: int, rng: np.random.Generator) -> Floats:
    """(T, D) sway, breathing and small random movements."""
    names = list(_WANDER) + [f"{side}.{name}" for side in ("main", "other") for name in _ARM_WANDER]
    sizes = list(_WANDER.values()) + 2 * list(_ARM_WANDER.values())
    idle = np.zeros((frames, len(ANGLES)))
    idle[:, [COLUMN[name] for name in names]] = smooth_noise(frames, len(names), rng) * sizes
    breath = np.sin(2 * np.pi * (rng.uniform(0.2, 0.32) * np.arange(frames) / FRAMES_PER_SECOND + rng.random()))
    idle[:, COLUMN["bend"]] -= 0.5 * breath
    idle[:, [COLUMN["main.shrug"], COLUMN["other.shrug"]]] += 1.2 * breath[:, None]
    return idle
