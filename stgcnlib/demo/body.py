"""The kinematic body of the demo: bone lengths of a person, joint angles with limits, forward kinematics.

Body axes are x to the person's left, y backwards, z up, in metres; angles are degrees. It knows nothing
of actions (`stgcnlib.demo.actions`) or of sensors and people (`stgcnlib.demo.people`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

__all__ = ["ANGLES", "COLUMN", "anatomy", "joint_positions", "mirror_angles", "within_limits"]

Floats = NDArray[np.float64]

# Range of each angle (degrees; `hop` is metres). Positive means: flexion, outwards, inward rotation;
# for the trunk and head forwards, to the left, turned left. Ranges after Kapandji, rounded.
_AXIAL = {
    "pitch": (-40, 60), "roll": (-20, 20), "yaw": (-30, 30),
    "bend": (-25, 80), "side": (-35, 35), "twist": (-50, 50),
    "nod": (-50, 50), "tilt": (-35, 35), "turn": (-70, 70), "hop": (0, 0.5),
}  # fmt: skip
_ARM = {
    "shrug": (-10, 35), "flex": (-50, 175), "abd": (-35, 175), "rot": (-95, 90), "elbow": (0, 150),
    "pron": (-80, 90), "wrist": (-70, 75),
}  # fmt: skip
_LEG = {"hip": (-25, 120), "hip_abd": (-20, 45), "hip_rot": (-40, 40), "knee": (0, 145), "ankle": (-45, 32)}

LIMITS: dict[str, tuple[float, float]] = {
    **_AXIAL,
    **{f"{side}.{k}": v for side in ("main", "other") for k, v in _ARM.items()},
    **{f"{side}.{k}": v for side in ("main", "other") for k, v in _LEG.items()},
}
# A pose is a row of these angles. "main" is the preferred side: right for most people.
ANGLES: tuple[str, ...] = tuple(LIMITS)
COLUMN: dict[str, int] = {name: i for i, name in enumerate(ANGLES)}

_LATERAL = [COLUMN[name] for name in ("roll", "yaw", "side", "twist", "tilt", "turn")]
_MAIN, _OTHER = "main.", "other."

# (joint, parent, segment that carries the offset), parents first; joint 25 is the heel of the left foot,
# joint 26 of the right: the layout lacks them, but they touch the floor.
_TREE = (
    (1, 0, "pelvis"), (20, 1, "waist"), (2, 20, "chest"), (3, 2, "head"),
    (4, 20, "left clavicle"), (5, 4, "left arm"), (6, 5, "left forearm"), (7, 6, "left hand"),
    (21, 7, "left hand"), (22, 7, "left hand"),
    (8, 20, "right clavicle"), (9, 8, "right arm"), (10, 9, "right forearm"), (11, 10, "right hand"),
    (23, 11, "right hand"), (24, 11, "right hand"),
    (12, 0, "pelvis"), (13, 12, "left thigh"), (14, 13, "left shank"), (15, 14, "left foot"), (25, 14, "left foot"),
    (16, 0, "pelvis"), (17, 16, "right thigh"), (18, 17, "right shank"), (19, 18, "right foot"), (26, 18, "right foot"),
)  # fmt: skip
JOINTS = 25
_FEET = ((15, 25), (19, 26))


def anatomy(rng: np.random.Generator) -> Floats:
    """Offsets (27, 3) in metres from each joint's parent, for one person standing with arms hanging.

    Stature is drawn around 1.70 m; segments are shares of it (Drillis and Contini, 1966; Winter, 2009,
    table 4.1) that vary by some per cent, legs, arms and trunk each together. Rows 25 and 26 are the heels.
    """
    stature = float(np.clip(rng.normal(1.70, 0.10), 1.48, 1.96))
    leg, arm, trunk, breadth = rng.normal(1.0, 0.05, 4).clip(0.88, 1.12)
    own = rng.normal(1.0, 0.02, 12).clip(0.95, 1.05)
    offsets = np.zeros((JOINTS + 2, 3))
    offsets[1] = (0, 0, 0.145 * trunk * own[0])
    offsets[20] = (0, 0, 0.135 * trunk * own[1])
    offsets[2] = (0, 0, 0.040 * own[2])
    offsets[3] = (0, -0.012, 0.090 * own[3])
    for sign, shoulder, hip, heel in ((1, 4, 12, 25), (-1, 8, 16, 26)):
        hand_tip, thumb = (21, 22) if sign > 0 else (23, 24)
        offsets[shoulder] = (sign * 0.108 * breadth * own[4], 0, -0.022)
        offsets[shoulder + 1] = (0, 0, -0.180 * arm * own[5])
        offsets[shoulder + 2] = (0, 0, -0.148 * arm * own[6])
        offsets[shoulder + 3] = (0, 0, -0.045 * own[7])
        offsets[hand_tip] = (0, 0, -0.052 * own[8])
        offsets[thumb] = (0, -0.028, -0.018)
        offsets[hip] = (sign * 0.050 * breadth * own[9], 0, -0.025)
        offsets[hip + 1] = (0, 0, -0.238 * leg * own[10])
        offsets[hip + 2] = (0, 0, -0.236 * leg * own[11])
        offsets[hip + 3] = (0, -0.085, -0.042)
        offsets[heel] = (0, 0.030, -0.042)
    return offsets * stature


def within_limits(angles: Floats, *, width: float = 2.0) -> Floats:
    """Angles (F, D) kept inside `LIMITS` by a bend that is smooth over about `width` degrees."""
    low, high = np.array([LIMITS[name] for name in ANGLES]).T
    bend = np.where(np.array(ANGLES) == "hop", 0.002, width)
    above = low + bend * np.logaddexp(0, (angles - low) / bend)
    kept: Floats = np.maximum(high - bend * np.logaddexp(0, (high - above) / bend), low)
    return kept


def mirror_angles(angles: Floats) -> Floats:
    """The same motion (F, D) seen in a mirror, the limbs keeping their "main" and "other" names."""
    mirrored = angles.copy()
    mirrored[..., _LATERAL] *= -1
    return mirrored


def joint_positions(
    angles: Floats, offsets: Floats, left_handed: NDArray[np.bool_], start: NDArray[np.int64]
) -> Floats:
    """Joint positions (F, 25, 3) of bodies that stand on the floor z = 0.

    The root's position is computed: its height so that the lowest foot touches the floor (plus
    `hop`), its place so that the standing foot stays where it was in the recording's first frame.

    Args:
        angles: (F, D) degrees, columns `ANGLES`, of all recordings one after the other.
        offsets: (F, 27, 3) metres, `anatomy` of the person in each frame.
        left_handed: (F,) whether "main" is the left side in this frame.
        start: (F,) index of the first frame of the recording that this frame belongs to.
    """
    turned = _segments(within_limits(angles), left_handed)
    places = np.zeros((len(angles), JOINTS + 2, 3))
    for joint, parent, segment in _TREE:
        places[:, joint] = places[:, parent] + turned[segment].apply(offsets[:, joint])

    soles = np.stack([places[:, feet, 2].min(axis=1) for feet in _FEET], axis=1)
    lowest = soles.min(axis=1)
    weight = np.exp(-(soles - lowest[:, None]) / 0.02)
    weight /= weight.sum(axis=1, keepdims=True)
    toes = places[:, [feet[0] for feet in _FEET], :2]
    root = np.empty((len(angles), 3))
    root[:, :2] = (weight[:, :, None] * (toes[start] - toes)).sum(axis=1)
    root[:, 2] = angles[:, COLUMN["hop"]].clip(0) - lowest
    return places[:, :JOINTS] + root[:, None]


def _segments(angles: Floats, left_handed: NDArray[np.bool_]) -> dict[str, Rotation]:
    """Orientation of every rigid segment in each frame."""

    def turn(x: Floats, y: Floats, z: Floats, share: float = 1.0) -> Rotation:
        return Rotation.from_rotvec(share * np.stack([x, y, z], axis=1), degrees=True)

    def axial(*names: str, share: float = 1.0) -> Rotation:
        x, y, z = (angles[:, COLUMN[name]] for name in names)
        return turn(x, y, z, share)

    still = np.zeros(len(angles))
    pelvis = axial("pitch", "roll", "yaw")
    waist = pelvis * axial("bend", "side", "twist", share=0.5)
    chest = waist * axial("bend", "side", "twist", share=0.5)
    turned = {"pelvis": pelvis, "waist": waist, "chest": chest, "head": chest * axial("nod", "tilt", "turn")}
    for side, s in (("left", 1.0), ("right", -1.0)):
        is_main = left_handed == (side == "left")

        def of(name: str, is_main: NDArray[np.bool_] = is_main) -> Floats:
            return np.where(is_main, angles[:, COLUMN[_MAIN + name]], angles[:, COLUMN[_OTHER + name]])

        # Swing as one rotation vector, then twist: smooth everywhere but at arms turned fully round.
        clavicle = chest * turn(still, -s * of("shrug"), still)
        arm = chest * turn(-of("flex"), -s * of("abd"), still) * turn(still, still, -s * of("rot"))
        forearm = arm * turn(-of("elbow"), still, still)
        hand = forearm * turn(still, still, -s * of("pron")) * turn(still, s * of("wrist"), still)
        thigh = pelvis * turn(-of("hip"), -s * of("hip_abd"), still) * turn(still, still, -s * of("hip_rot"))
        shank = thigh * turn(of("knee"), still, still)
        # The foot follows the floor as far as the ankle allows.
        level = (angles[:, COLUMN["pitch"]] - of("hip") + of("knee") + of("ankle")).clip(*_LEG["ankle"])
        foot = shank * turn(-level, still, still)
        parts = {"clavicle": clavicle, "arm": arm, "forearm": forearm, "hand": hand}
        parts |= {"thigh": thigh, "shank": shank, "foot": foot}
        turned |= {f"{side} {name}": rotation for name, rotation in parts.items()}
    return turned
