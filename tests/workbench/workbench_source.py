"""A small source of a workbench, and what goes to the browser without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import comm
import numpy as np
from comm.base_comm import BaseComm

from stgcnlib.errors import ArtefactError
from stgcnlib.figures.live import LiveFigure


def small_map(key: str, n: int = 5) -> dict[str, Any]:
    return {
        "key": key,
        "title": f"{key} network",
        "study": "small",
        "layers": [{"name": "input", "title": "input", "index": 0}],
        "points": np.arange(2 * n, dtype=np.float32).reshape(1, n, 2),
        "smoothness": np.ones((1, n), np.float32),
        "edges": {
            "starts": np.zeros((1, n + 1), np.uint32),
            "ends": np.zeros(0, np.uint32),
            "weights": np.zeros(0, np.float32),
        },
        "classes": None,
        "curve": np.ones(1, np.float32),
    }


def small_content() -> dict[str, Any]:
    """Five recordings, one of them of no known class, in one layer of one map; another map is on offer."""
    names = list("abcde")
    codes = np.array([0, 1, 0, 65535, 1], np.uint16)
    numbers = [{"key": "frames", "title": "frames", "values": np.arange(5, dtype=np.float32)}]
    looks = {"colours": ["#332288", "#cc6677"], "markers": ["o", "s"]}
    categories = [{"key": "class", "title": "class", "values": ["wave", "<b>kick</b>"], "codes": codes, **looks}]
    return {
        "version": 1,
        "title": "small",
        "subtitle": "of a test",
        "nodes": {"count": 5, "names": names, "categories": categories, "numbers": numbers},
        "maps": [small_map("trained")],
        "offered": [{"key": "untrained", "title": "untrained network"}],
        "poses": None,
        "lists": [],
        "code": {},
        "state": {},
    }


class SmallSource:
    """Answers at once; relevance waits for `go`."""

    def __init__(self) -> None:
        self.figure = LiveFigure("explorer", small_content(), b"\x89PNG", 300, "Five recordings <b>as a map</b>.")
        self.asked: list[tuple[Any, ...]] = []
        self.go: Callable[[], bool] = lambda: True

    def map(self, key: str, progress: Callable[[float, str], None]) -> Mapping[str, Any]:
        self.asked.append(("map", key))
        if key != "untrained":
            raise ArtefactError(f"no map {key!r}")
        progress(0.5, "half a map")
        return small_map(key)

    def open(self, node: str, key: str, layer: int) -> Mapping[str, Any]:
        self.asked.append(("open", node, key, layer))
        return {"neighbours": [{"node": "b", "weight": 1.0}], "costs": np.zeros((2, 2), np.uint8)}

    def relevance(self, node: str, key: str, layer: int, progress: Callable[[float, str], None]) -> Mapping[str, Any]:
        self.asked.append(("relevance", node, key, layer))
        while not self.go():
            progress(0.25, "a quarter")
        return self.open(node, key, layer)


class RecordedComm(BaseComm):
    """A channel to a browser that is not there."""

    opened: list[RecordedComm]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.messages: list[tuple[str, dict[str, Any], list[bytes]]] = []
        RecordedComm.opened.append(self)
        super().__init__(*arguments, **options)

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        self.messages.append((msg_type, data or {}, list(buffers or [])))

    @property
    def customs(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Messages that are neither state nor opening."""
        return [(d["content"], buffers) for _, d, buffers in self.messages if d.get("method") == "custom"]

    def ask(self, id: str, kind: str, /, **payload: Any) -> None:
        """A message as the browser sends it."""
        content = {"id": id, "kind": kind, "payload": payload}
        self.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@contextmanager
def recorded() -> Iterator[list[RecordedComm]]:
    """Widgets made meanwhile have recorded channels."""
    RecordedComm.opened = []
    with mock.patch.object(comm, "create_comm", RecordedComm):
        yield RecordedComm.opened
