"""The workbench without a browser: what is sent, asked, chosen, and left when it is closed."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from small_line import wait_for
from workbench_source import RecordedComm, SmallSource, recorded

from stgcnlib.errors import ArtefactError, StudyError
from stgcnlib.workbench.widget import widget_script, widget_source
from stgcnlib.workbench.workbench import Workbench


@pytest.fixture
def comms() -> Iterator[list[RecordedComm]]:
    with recorded() as opened:
        yield opened


@pytest.fixture
def source() -> SmallSource:
    return SmallSource()


@pytest.fixture
def workbench(source: SmallSource, comms: list[RecordedComm]) -> Iterator[Workbench]:
    opened = Workbench(source)
    yield opened
    opened.close()


def channel(workbench: Workbench) -> RecordedComm:
    assert isinstance(workbench.widget.comm, RecordedComm)
    return workbench.widget.comm


def test_content_travels_once_as_bytes(workbench: Workbench) -> None:
    kind, data, buffers = channel(workbench).messages[0]
    assert kind == "comm_open"
    state = data["state"]
    assert state["content"]["maps"][0]["points"] == {"dtype": "float32", "shape": [1, 5, 2], "buffer": 2}
    assert bytes(buffers[2]) == np.arange(10, dtype="<f4").tobytes()
    assert "base64" not in json.dumps(state["content"])


def test_the_script_of_the_widget_is_one_module_that_travels_packed() -> None:
    source, script = widget_source(), widget_script()
    assert source.count("export default") == 1
    assert re.search(r"^\s*import\b|\bimport\(|\bexport \{", source, re.MULTILINE) is None
    packed = re.search(r'PACKED = "([A-Za-z0-9+/=]+)"', script)
    assert packed is not None
    assert gzip.decompress(base64.b64decode(packed[1])).decode() == source
    assert len(script) < 60_000


def test_a_recording_is_opened_and_its_arrays_travel_as_bytes(workbench: Workbench, source: SmallSource) -> None:
    channel(workbench).ask("q1", "open", node="a", map="trained", layer=0)
    ((answer, buffers),) = channel(workbench).customs
    assert source.asked == [("open", "a", "trained", 0)]
    assert answer["id"] == "q1"
    assert answer["reply"]["costs"] == {"dtype": "uint8", "shape": [2, 2], "buffer": 0}
    assert [bytes(buffer) for buffer in buffers] == [bytes(4)]


def test_the_first_click_finds_everything_loaded(workbench: Workbench, source: SmallSource) -> None:
    workbench.prepare()
    wait_for(lambda: source.asked == [("open", "a", "trained", 0)])
    assert channel(workbench).customs == []


@pytest.mark.parametrize(
    ("kind", "payload", "says"),
    [
        ("open", {"node": "a", "map": "trained"}, "KeyError: 'layer'"),
        ("nonsense", {}, "unknown question 'nonsense'"),
        ("map", {"key": "lost"}, "no map 'lost'"),
    ],
)
def test_what_fails_is_answered_in_a_line(
    workbench: Workbench, kind: str, payload: dict[str, object], says: str
) -> None:
    channel(workbench).ask("q1", kind, **payload)
    wait_for(lambda: channel(workbench).customs)
    ((answer, _),) = channel(workbench).customs
    assert answer["id"] == "q1"
    assert says in answer["error"]


def test_a_map_is_made_beside_the_kernel_once(workbench: Workbench, source: SmallSource) -> None:
    for id in ("q1", "q2"):
        channel(workbench).ask(id, "map", key="untrained")
    wait_for(lambda: sum("reply" in message for message, _ in channel(workbench).customs) == 2)
    assert source.asked == [("map", "untrained")]
    assert [m["payload"] for m, _ in channel(workbench).customs if "push" in m] == [
        {"id": "q1", "share": 0.5, "text": "half a map"}
    ]


def test_long_work_is_told_and_cancelled(workbench: Workbench, source: SmallSource) -> None:
    source.go = lambda: time.sleep(0.005) is not None
    (bar,) = workbench.children[0].children
    assert bar.layout.display == "none"
    channel(workbench).ask("q1", "relevance", node="a", map="trained", layer=0)
    wait_for(lambda: channel(workbench).customs)
    assert channel(workbench).customs[0][0]["payload"] == {"id": "q1", "share": 0.25, "text": "a quarter"}
    assert (bar.children[0].value, bar.children[1].value, bar.layout.display) == (0.25, "a quarter", "flex")
    channel(workbench).ask("q2", "cancel", id="q1")
    wait_for(lambda: any("error" in message for message, _ in channel(workbench).customs))
    answers = {m["id"]: m for m, _ in channel(workbench).customs if "push" not in m}
    assert answers == {"q1": {"id": "q1", "error": "cancelled"}, "q2": {"id": "q2", "reply": None}}
    wait_for(lambda: bar.layout.display == "none")


def test_chosen_recordings_are_a_table(workbench: Workbench) -> None:
    assert list(workbench.table.index) == list("abcde")
    assert workbench.selection == []
    workbench.state = {"subset": ["d", "b"]}
    assert workbench.selection == ["d", "b"]
    assert list(workbench.table.index) == ["b", "d"]
    assert workbench.table.loc["b"].to_dict() == {"class": "<b>kick</b>", "frames": 1.0}
    assert workbench.table["class"].isna().to_list() == [False, True]


def test_another_study_is_put_beside_and_taken_away(source: SmallSource, comms: list[RecordedComm]) -> None:
    both = SmallSource()
    both.figure.content["nodes"]["names"][:] = list("vwxyz")

    def broken(progress: Callable[[float, str], None]) -> SmallSource:
        progress(0.5, "reading")
        raise ArtefactError("it has no geometry")

    with_other = Workbench(source, others={"other": lambda progress: both, "broken": broken})
    chooser, work = with_other.children[0].children
    assert [value for _, value in chooser.options] == ["", "other", "broken"]
    with_other.state = {"colour": "class"}
    chooser.value = "other"
    wait_for(lambda: list(with_other.table.index) == list("vwxyz"))
    sent = [data["state"] for kind, data, _ in channel(with_other).messages if "content" in data.get("state", ())]
    assert [state["content"]["nodes"]["names"] for state in sent] == [list("abcde"), list("vwxyz")]
    assert with_other.state == {"colour": "class"}
    chooser.value = "broken"
    wait_for(lambda: work.children[1].value == "it has no geometry")
    assert work.layout.display == "flex"
    chooser.value = ""
    wait_for(lambda: list(with_other.table.index) == list("abcde"))
    with_other.close()


def test_a_page_holds_the_maps_that_it_shows(workbench: Workbench) -> None:
    panels = [{"map": "trained", "at": 0.0}, {"map": "untrained", "at": 0.0}]
    page = workbench.to_html({"panels": panels, "subset": ["a"]})
    assert page.count('"title":"untrained network"') == 1
    assert '"offered":[]' in page
    assert "<b>kick" not in page
    channel(workbench).ask("q1", "html", state={"panels": panels[:1]})
    ((answer, _),) = channel(workbench).customs
    assert "untrained network" not in answer["reply"]["text"]


def test_an_unknown_part_of_a_state_is_refused(source: SmallSource, comms: list[RecordedComm]) -> None:
    with pytest.raises(StudyError, match=r"'color'.*did you mean 'colour'"):
        Workbench(source, {"color": "class"})
    assert comms == []


def test_closing_frees_channels_buffers_and_threads(source: SmallSource, comms: list[RecordedComm]) -> None:
    widgets, threads = len(_instances), threading.active_count()
    workbench = Workbench(source)
    source.go = lambda: time.sleep(0.005) is not None
    channel(workbench).ask("q1", "relevance", node="a", map="trained", layer=0)
    asked = source.asked
    wait_for(lambda: asked)
    assert threading.active_count() == threads + 1
    freed = [weakref.ref(thing) for thing in (workbench, workbench.widget, source)]
    workbench.close()
    workbench.close()
    assert threading.active_count() == threads
    assert len(_instances) == widgets
    assert all(comm._closed for comm in comms)
    with pytest.raises(StudyError, match="closed"):
        workbench.to_html()
    # A notebook's Out may keep the object, but neither content nor study.
    assert (workbench.widget.buffers, workbench.widget.content, workbench._source) == ([], {}, None)
    del workbench, source
    comms.clear()
    gc.collect()
    assert [reference() for reference in freed[:2]] == [None, None]


def test_a_cell_shows_the_picture_that_stays_without_a_kernel(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    workbench._ipython_display_()
    picture, live = shown
    assert {"text/html", "image/png"} <= set(picture)
    assert "&lt;b&gt;as a map" in picture["text/html"]
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == workbench.model_id
