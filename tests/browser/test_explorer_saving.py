"""What can be taken away from an explorer: tables, pictures, pages, code, its state."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_opened import L, N, Opened, answered, put, saved, waiting
from explorer_pages import HOSTILE
from explorer_studies import CLASSES, study_content
from small_study import small_study

from stgcnlib.figures.live import LiveFigure
from stgcnlib.workbench.pair import PairSource
from stgcnlib.workbench.studies import StudySource


def copied(page: Any, kind: str) -> str:
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=" + kind + "]").click()
    page.evaluate("settled()")
    return page.locator(".explorer-paper").input_value()


def test_the_table_taken_away_has_everything_known_of_those_chosen(opened: Opened) -> None:
    names = ["r001", "r004", HOSTILE]
    page = opened(state={"subset": names, "panels": [{"map": "trained", "at": 1}, {"map": "trained", "at": 3}]})
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv").decode())))
    content = study_content(N, L)
    assert [row["recording"] for row in rows] == names
    assert list(rows[0]) == [
        "recording", "class", "predicted class", "subject", "frames",
        "label smoothness, trained network, layer 1", "degree, trained network, layer 1",
        "label smoothness, trained network, layer 3", "degree, trained network, layer 3",
    ]  # fmt: skip
    assert rows[1]["class"] == CLASSES[4]
    assert rows[2]["class"] == ""
    assert float(rows[1]["frames"]) == content["nodes"]["numbers"][0]["values"][4]
    smooth = content["maps"][0]["smoothness"]
    assert float(rows[0]["label smoothness, trained network, layer 1"]) == pytest.approx(smooth[1, 1], rel=1e-5)
    degrees = page.evaluate("[...store.degree('trained', 3)]")
    assert [int(row["degree, trained network, layer 3"]) for row in rows] == [degrees[1], degrees[4], degrees[N - 1]]


def test_smoothness_of_a_real_target_is_called_so(opened: Opened) -> None:
    page = opened(study_content(N, L) | {"measured": "target"}, state={"colour": "smoothness"})
    assert "target smoothness" in page.get_by_label("colour").text_content()
    assert "target smoothness, layer 3" in page.locator(".explorer-legend").inner_text()
    (columns, *_) = csv.reader(io.StringIO(saved(page, "csv").decode()))
    assert [name for name in columns if "smoothness" in name] == ["target smoothness, trained network, layer 3"]


def test_without_a_choice_the_table_has_all(opened: Opened) -> None:
    page = opened()
    assert len(list(csv.DictReader(io.StringIO(saved(page, "csv").decode())))) == N


def test_pictures_taken_away_show_maps_and_legend(opened: Opened) -> None:
    from xml.etree import ElementTree

    from PIL import Image

    page = opened(state={"panels": [{"map": "trained", "at": 3}, {"map": "trained", "at": 1}]})
    image = Image.open(io.BytesIO(saved(page, "png")))
    svg = saved(page, "svg").decode()
    root = ElementTree.fromstring(svg)
    size = (int(root.get("width", "")), int(root.get("height", "")))
    assert image.size == (2 * size[0], 2 * size[1])
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("trained network, layer 3", "trained network, layer 1", "<i>pick up</i>", "unknown"):
        assert text in texts
    colours = {node.get("fill") for node in root.iter("{http://www.w3.org/2000/svg}path")}
    assert set(page.evaluate("store.colours().palette")) <= colours
    seen = np.asarray(image.convert("RGB")).reshape(-1, 3)
    wave = [int(page.evaluate("store.colours().palette[0]")[k : k + 2], 16) for k in (1, 3, 5)]
    assert (np.abs(seen.astype(int) - wave).max(axis=1) < 30).sum() > 100
    put(page, colour="degree")
    texts = [
        node.text
        for node in ElementTree.fromstring(saved(page, "svg").decode()).iter("{http://www.w3.org/2000/svg}text")
    ]
    for layer in (3, 1):
        assert any(text and text.startswith(f"trained network: degree, layer {layer}: ") for text in texts)


def test_the_opened_recording_is_taken_away_as_gif(opened: Opened) -> None:
    from PIL import Image

    page = opened()
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=gif]").click()
    waiting(page, "explorer.leaving.told.textContent === 'Not saved: no recording is open'")
    put(page, open="r001")
    answered(page)
    assert Image.open(io.BytesIO(saved(page, "gif"))).n_frames > 10


def test_pages_come_from_the_kernel_or_are_this_one(opened: Opened) -> None:
    page = opened(state={"open": "r001"})
    assert saved(page, "html") == b'<p>"r001"</p>'
    page.evaluate("kernel.fail.html = 'the study is gone'")
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=html]").click()
    waiting(page, "explorer.leaving.told.textContent === 'Not saved: the study is gone'")
    page = opened(state={"open": "r002"}, kernel=False)
    assert json.loads(saved(page, "html"))["open"] == "r002"


def test_state_and_code_are_copied_and_make_the_same_again(opened: Opened) -> None:
    state = {"open": "r001", "subset": ["r001", HOSTILE], "search": 'say "wave"\\', "from": 1}
    page = opened(state=state)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    kept = json.loads(copied(page, "state"))
    assert kept == page.evaluate("store.json()")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == kept
    code = copied(page, "code")
    calls: list[Any] = []

    class Library:
        @staticmethod
        def explore(*folders: str, state: Any = None) -> Any:
            calls.append((folders, state))
            return Library

        table = None

    view = code[code.index("# The same view") :]
    exec(compile(view, "copied", "exec"), {"stgcnlib": Library})
    assert calls == [(("reports/small",), kept)]
    again = opened(state=kept)
    assert again.evaluate("store.json()") == kept


def test_where_a_page_may_not_copy_the_text_is_shown(opened: Opened) -> None:
    page = opened()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    text = copied(page, "state")
    paper = page.locator(".explorer-paper")
    assert paper.is_visible()
    assert paper.evaluate("p => p.value.slice(p.selectionStart, p.selectionEnd)") == text
    page.keyboard.press("Escape")
    assert not paper.is_visible()


def test_content_without_a_study_offers_no_code(opened: Opened) -> None:
    page = opened({**study_content(N, L), "code": {}})
    page.get_by_text("Take away").click()
    assert page.locator(".explorer-top .player-menu button[value=code]").count() == 0


def test_a_live_figure_is_a_page_that_keeps_its_state(browser: Any, tmp_path: Path) -> None:
    content = study_content(N, L)
    figure = LiveFigure(
        "explorer", {**content, "offered": [], "code": {}}, b"\x89PNG\r\n\x1a\n", 300, "Maps of layers."
    )
    figure.save(tmp_path / "figure.html")
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.extend([message.text] * (message.type == "error")))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector("figure.live[data-ready=yes]")
    page.evaluate(
        "document.querySelector('figure.live').explorer.store.set({ open: 'r003', subset: ['r003', 'r004'] })"
    )
    (tmp_path / "again.html").write_bytes(saved(page, "html"))
    page.goto((tmp_path / "again.html").as_uri())
    page.wait_for_selector("figure.live[data-ready=yes]")
    state = page.evaluate("document.querySelector('figure.live').explorer.store.state")
    assert (state["open"], state["subset"]) == ("r003", ["r003", "r004"])
    page.close()
    assert complaints == []


def test_the_copied_code_runs_on_a_finished_study(
    opened: Opened, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_study(tmp_path_factory)
    monkeypatch.chdir(folder)  # paths in the code go from where the kernel runs
    source = StudySource(folder)
    names = list(source.figure.content["nodes"]["names"])
    page = opened(dict(source.figure.content), state={"open": names[2], "subset": names[1:4], "colour": "degree"})
    answered(page)
    results: dict[str, Any] = {}
    exec(compile(page.evaluate("explorer.leaving.code"), "copied", "exec"), results)
    assert results["workbench"].table.index.tolist() == names[1:4]
    assert results["workbench"].state == page.evaluate("store.json()")
    assert list(results["chosen"].names) == names[1:4]
    assert results["layer"] == source.figure.content["maps"][0]["layers"][-1]["name"]
    assert len(results["graph"]) == len(names)
    results["workbench"].close()


def test_the_copied_code_of_two_studies_takes_each_map_from_its_own(
    opened: Opened, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = small_study(tmp_path_factory)
    pair = PairSource(StudySource(folder), StudySource(folder))
    maps = [each["key"] for each in pair.figure.content["maps"]]
    names = list(pair.figure.content["nodes"]["names"])
    panels = [{"map": maps[0], "at": 0}, {"map": maps[1], "at": 2}]
    page = opened(dict(pair.figure.content), state={"panels": panels, "subset": names[2:4]})
    code = page.evaluate("explorer.leaving.code")
    named = re.findall(r'stgcnlib\.read_study\("([^"]+)"\)', code)
    assert [Path(os.path.expandvars(each)).expanduser().resolve() for each in named] == [folder.resolve()] * 2
    results: dict[str, Any] = {}
    exec(compile(code, "copied", "exec"), results)
    assert (results["network"], results["layer"]) == ("trained", pair.figure.content["maps"][1]["layers"][2]["name"])
    assert list(results["chosen"].names) == names[2:4]
    assert results["workbench"].state["panels"] == panels
    results["workbench"].close()
