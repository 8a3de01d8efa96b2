"""SLEAP's predictions and labels of animals, ``*.slp`` (Pereira et al., Nature Methods 2022).

They are read by the package `sleap-io`, which the extra ``animals`` installs: ``pip install 'stgcnlib[animals]'``. A
file holds videos, each of which becomes a recording, with the skeleton's nodes as joints and its edges as bones;
instances are people, by their tracks where there are any, else by nearness. Pixels, y down; the third channel is the
score.

Classes come from a ``labels.csv`` in the folder (name, label, groups), or from subfolders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, add_labels, gather
from stgcnlib.readers.joints import layout_of
from stgcnlib.readers.tracks import MOST_FRAMES, Detection, tracked
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.slp (SLEAP)"
MOST_BYTES = 2**30


def recognises(file: Path) -> bool:
    """Whether a file is SLEAP's by its suffix."""
    return file.suffix.lower() == ".slp"


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per video of each file, named by the file, and by the video's name where there are several.

    Raises:
        SkeletonFormatError: if `sleap-io` is not installed, or naming the first file that is damaged or of other nodes.
    """
    try:
        import sleap_io
    except ImportError:
        raise SkeletonFormatError(
            f"{files[0]}: SLEAP's files are read by the package sleap-io; pip install 'stgcnlib[animals]'"
        ) from None
    recordings: list[Recording] = []
    folders: list[str] = []
    skeleton: SkeletonLayout | None = None
    for file in files:
        try:
            if (size := file.stat().st_size) > MOST_BYTES:
                raise SkeletonFormatError(f"{file}: {size} bytes is too large; export the predictions without pictures")
            labels = sleap_io.load_slp(str(file), open_videos=False)
        except SkeletonFormatError:
            raise
        except Exception as error:  # h5py and sleap-io raise exceptions of many kinds for damaged files
            raise SkeletonFormatError(
                f"{file}: damaged, or no file of SLEAP ({type(error).__name__}: {str(error)[:200]}); export it again"
            ) from None
        own = _layout(labels, file)
        if skeleton is not None and own != skeleton:
            raise SkeletonFormatError(f"{file}: has the nodes {shorten(own.joints)}, others {shorten(skeleton.joints)}")
        skeleton = own
        for video in labels.videos:
            name = file.stem if len(labels.videos) == 1 else f"{file.stem}/{Path(str(video.filename)).name}"
            recordings.append(Recording(name, _coords(labels, video, file)))
            folders.append(file.parent.name)
    assert skeleton is not None
    add_labels(recordings, folders, source)
    return gather(recordings, layout=skeleton, source=source)


def _layout(labels: Any, file: Path) -> SkeletonLayout:
    if len(labels.skeletons) != 1:
        raise SkeletonFormatError(f"{file}: has {len(labels.skeletons)} skeletons; expected one")
    described = labels.skeletons[0]
    bones = [(child, parent) for parent, child in described.edge_inds]  # SLEAP's edges lead from the parent
    nodes = list(described.node_names)
    return layout_of(str(described.name or f"sleap-{len(nodes)}"), nodes, bones, dimensions=2, where=str(file))


def _coords(labels: Any, video: Any, file: Path) -> NDArray[np.float32] | None:
    """(T, V, 3) or (M, T, V, 3) of one video; `None` where nobody was found."""
    by_track = bool(labels.tracks)
    if not any(frame.video is video for frame in labels):
        return None
    try:
        points = np.asarray(labels.numpy(video=video, untracked=not by_track, return_confidence=True), np.float32)
    except Exception as error:
        raise SkeletonFormatError(f"{file}: its points cannot be read ({type(error).__name__}: {error})") from None
    if len(points) > MOST_FRAMES:
        raise SkeletonFormatError(f"{file}: {len(points)} frames are more than {MOST_FRAMES}; cut it into actions")
    there: NDArray[np.bool_] = np.any(np.isfinite(points[..., :2]).all(axis=3), axis=2)
    detections = [
        [
            Detection(person, k if by_track else None, float(np.nansum(person[:, 2])))
            for k, person in enumerate(frame)
            if found[k]
        ]
        for frame, found in zip(points, there, strict=True)
    ]
    return tracked(detections, axes=2, source=file)
