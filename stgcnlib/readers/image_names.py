"""Which video and which frame an image's name stands for, inferred from all names of a file together.

A name may have several numbers: of the take, the camera, the picture's size, the frame. The frame's is the one that
varies from image to image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stgcnlib.errors import shorten, warn
from stgcnlib.readers.content import natural

__all__ = ["frames_of_images"]

NUMBER = re.compile(r"\d{1,15}")
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")


def frames_of_images(names: Iterable[str], source: object) -> dict[str, tuple[str, int | str]]:
    """Image name -> its video and frame: a number, or the name itself where names have no number in common.

    Each folder is a video. If each holds one image and the paths differ in numbers only, all are one video. In a
    folder, names that differ in more than their numbers are separate videos; so are names with different values of a
    second number that varies independently. No two images get the same frame.

    Args:
        names: of images, with or without folders.
        source: the file, for messages.

    Warns:
        UserWarning: if several numbers vary, so that which of them is the frame's is a guess.
    """
    folders: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(names):
        folder, _, image = name.replace("\\", "/").rpartition("/")
        folders.setdefault(folder, {})[name] = SUFFIX.sub("", image)
    if len(folders) > 1 and all(len(images) == 1 for images in folders.values()):
        whole = {name: f"{folder}/{image}" for folder, images in folders.items() for name, image in images.items()}
        if len({_form(text) for text in whole.values()}) == 1:
            folders = {"": whole}
    found: dict[str, tuple[str, int | str]] = {}
    for folder, images in folders.items():
        placed = _in_folder(folder, images, source)
        if len(set(placed.values())) < len(placed):  # such as 1.jpg beside 01.jpg or 1.png
            placed = {name: (folder, name) for name in images}
        found.update(placed)
    return found


def _form(text: str) -> str:
    return NUMBER.sub("#", text)


def _in_folder(folder: str, images: dict[str, str], source: object) -> dict[str, tuple[str, int | str]]:
    forms: dict[str, dict[str, list[int]]] = {}
    for name, text in images.items():
        forms.setdefault(_form(text), {})[name] = [int(number) for number in NUMBER.findall(text)]
    if len(forms) > 1 and any("#" not in form or len(members) == 1 for form, members in forms.items()):
        return {name: (folder, text) for name, text in images.items()}
    found: dict[str, tuple[str, int | str]] = {}
    for form, members in forms.items():
        if "#" not in form:
            found.update({name: (folder, images[name]) for name in members})
            continue
        video = folder if len(forms) == 1 else _joined(folder, form)
        found.update(_of_one_form(folder, video, form, members, source))
    return found


def _of_one_form(
    folder: str, video: str, form: str, members: dict[str, list[int]], source: object
) -> dict[str, tuple[str, int | str]]:
    columns = list(zip(*members.values(), strict=True))
    varying = [c for c, column in enumerate(columns) if len(set(column)) > 1] or [len(columns) - 1]
    # The frame's number is the one with most values; in a tie, the one with the smallest range; then the last.
    frame = min(varying, key=lambda c: (-len(set(columns[c])), max(columns[c]) - min(columns[c]), -c))
    others = [c for c in varying if c != frame]
    rest = {name: tuple(numbers[c] for c in others) for name, numbers in members.items()}
    if len(set(zip(columns[frame], rest.values(), strict=True))) == len(set(columns[frame])):
        return {name: (video, numbers[frame]) for name, numbers in members.items()}  # such as a time stamp
    found: dict[str, tuple[str, int | str]] = {}
    for name, numbers in members.items():
        own = iter("#" if c == frame else str(number) for c, number in enumerate(numbers))
        found[name] = (_joined(folder, re.sub("#", lambda _, own=own: next(own), form)), numbers[frame])  # type: ignore[misc]
    videos = sorted({own for own, _ in found.values()}, key=natural)
    warn(
        f"{source}: {len(others) + 1} numbers vary in image names such as {next(iter(members))[:80]!r}; read as "
        f"{len(videos)} videos, {shorten(videos, 3)}, whose frames are numbered at '#'"
    )
    return found


def _joined(folder: str, form: str) -> str:
    return f"{folder}/{form}" if folder else form
