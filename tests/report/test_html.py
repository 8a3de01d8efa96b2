"""Pages: everything escaped, nothing from the network, and what a reader needs to find the way."""

from __future__ import annotations

import base64
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from stgcnlib.errors import StageError
from stgcnlib.pipeline.study import Study
from stgcnlib.report.cells import _cleaned, _table
from stgcnlib.report.front import front
from stgcnlib.report.html import render_report

EVIL = "<script>alert(1)</script>"
SUMMARY = "artefacts/summary/summary.json"
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run, as the runner leaves it, with hostile names everywhere."""
    (tmp_path / "study.yml").write_text(Study.load({"name": f"Study {EVIL}"}).to_yaml())
    artefacts, summarized = tmp_path / "artefacts", tmp_path / "artefacts" / "summary"
    summarized.mkdir(parents=True)
    (artefacts / "layers.json").write_text(
        json.dumps([{"name": "input", "title": "input", "index": 0}, {"name": EVIL, "title": "layer 1", "index": 1}])
    )
    (tmp_path / "notebooks").mkdir()
    done = {}
    for name, layer in (("00_data", None), ("05_layer_00", "input"), ("05_layer_01", EVIL)):
        parameters = {"study": "../study.yml", "output": ".."} | ({"layer": layer} if layer else {})
        done[name] = {"seconds": 1.5, "finished": "2026-01-01T10:20:30+00:00", "parameters": parameters}
        nbformat.write(executed(name), tmp_path / "notebooks" / f"{name}.ipynb")
    (tmp_path / "stages.json").write_text(json.dumps({"notebooks": done}))
    for name in ("curve", "strip", "verdict"):
        (summarized / f"{name}.png").write_bytes(base64.b64decode(PIXEL))
    summary = {
        "sentence": f"It **holds** for {EVIL}.",
        "details": f"In numbers: {EVIL}.",
        "holds": False,
        "warnings": ["A warning.", EVIL],
        "notes": ["A note.", EVIL],
        "tests": {"columns": ["question", EVIL], "rows": [[EVIL, "0.1 to 0.2"]]},
        "picture": {"file": "verdict.png", "width": 700, "alt": EVIL},
        "figures": [{"file": "curve.png", "title": EVIL, "alt": EVIL, "width": 960}, {"file": "strip.png"}],
        "claims": [{"title": EVIL, "sentence": "More.", "details": "Numbers of it.", "holds": True}],
        "facts": [{"label": EVIL, "value": EVIL}],
        "table": {"columns": [EVIL, "S"], "rows": [[EVIL, "0.1"]]},
    }
    (summarized / "summary.json").write_text(json.dumps(summary))
    return tmp_path


def executed(name: str) -> nbformat.NotebookNode:
    def shown(**data: str) -> list[nbformat.NotebookNode]:
        return [new_output("display_data", data={key.replace("_", "/"): value for key, value in data.items()})]

    hidden = new_code_cell("study = 'secret default'", metadata={"tags": ["parameters"]})
    table = f"<style>b {{}}</style><table class='dataframe'><tr onclick='x()'><td>{EVIL}1</td></tr></table>"
    script = [new_output("display_data", data={"application/javascript": "alert(4)"})]
    svg = [new_output("display_data", data={"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>"})]
    cells = [
        new_markdown_cell(
            f"# Title {name}\nFirst *sentence*. Second.\n\n<img src=http://evil.example/x.png onerror=a()>"
        ),
        hidden,
        new_markdown_cell("## Bones & <i>joints</i>\nText about x < y."),
        new_code_cell(f"print('{EVIL}')", outputs=[new_output("stream", name="stdout", text=EVIL)], execution_count=1),
        new_code_cell("figure", outputs=shown(image_png=PIXEL, text_plain="Figure"), execution_count=2),
        new_code_cell("table", outputs=shown(text_html=table, text_plain="t"), execution_count=3),
        new_markdown_cell("## Second part\n[a](javascript:alert(5))"),
        new_code_cell(
            "md", outputs=shown(text_markdown=f"**bold** {EVIL} ![x](http://evil.example/y.png)"), execution_count=4
        ),
        new_code_cell("js", outputs=script, execution_count=5),
        new_code_cell("svg", outputs=svg, execution_count=6),
    ]
    return new_notebook(cells=cells)


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def pages(folder: Path) -> dict[Path, Reader]:
    render_report(folder)
    files = [folder / "index.html", *sorted((folder / "pages").glob("*.html"))]
    assert len(files) == 4
    return {file: Reader(file.read_text(encoding="utf-8")) for file in files}


def test_no_script_no_handler_no_network(folder: Path) -> None:
    for file, page in pages(folder).items():
        assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}, file
        for tag, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (file, tag)
            for name in ("href", "src"):
                value = attributes.get(name) or ""
                assert not re.match(r"\s*(https?:|//|javascript:)", value), (file, value)
            assert tag != "img" or str(attributes["src"]).startswith("data:image/")
        text = file.read_text(encoding="utf-8")
        assert "alert(4)" not in text
        assert "@import" not in text
        assert "url(" not in text


def test_policy_forbids_everything_but_embedded_images_and_style(folder: Path) -> None:
    for page in pages(folder).values():
        (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
        assert policy is not None
        assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
        assert "script-src" not in policy


def test_hostile_names_are_shown_as_text(folder: Path) -> None:
    index, *rest = pages(folder)
    text = index.read_text(encoding="utf-8")
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6  # title, name, verdict, fact, table, settings
    for page in rest:
        assert "&lt;script&gt;" in page.read_text(encoding="utf-8")


def test_contents_turns_and_titles(folder: Path) -> None:
    rendered = pages(folder)
    first = rendered[folder / "pages" / "00_data.html"]
    text = (folder / "pages" / "00_data.html").read_text(encoding="utf-8")
    ids = [attributes["id"] for attributes in first.all("h2")]
    assert ids == ["s1", "s2"]
    links = [attributes.get("href") for attributes in first.all("a")]
    assert links.count("#s1") == 2  # beside the pages on wide screens, above the text on narrow ones
    assert "Bones &amp; joints" in text
    assert [a["href"] for a in first.all("a") if a.get("rel") == "next"] == ["05_layer_00.html"]
    layer = (folder / "pages" / "05_layer_01.html").read_text(encoding="utf-8")
    assert "<h1>Layer 1</h1>" in layer
    assert layer.count("<h1") == 1
    last = rendered[folder / "pages" / "05_layer_01.html"]
    assert [a["href"] for a in last.all("a") if a.get("rel") == "prev"] == ["05_layer_00.html"]
    for link in [href for href in links if href and href.endswith((".html", ".ipynb"))]:
        assert (folder / "pages" / link).resolve().exists(), link


def test_relevance_stands_before_the_layers_that_show_its_maps(folder: Path) -> None:
    nbformat.write(executed("06_relevance"), folder / "notebooks" / "06_relevance.ipynb")
    record = json.loads((folder / "stages.json").read_text())
    record["notebooks"]["06_relevance"] = record["notebooks"]["00_data"]
    (folder / "stages.json").write_text(json.dumps(record))
    index = render_report(folder).read_text(encoding="utf-8")
    order = ["00_data", "06_relevance", "05_layer_00", "05_layer_01"]
    places = [index.index(f'href="pages/{name}.html"') for name in order]
    assert places == sorted(places)
    for before, after in itertools.pairwise(order):
        first, second = (
            Reader((folder / "pages" / f"{name}.html").read_text(encoding="utf-8")) for name in (before, after)
        )
        assert [a["href"] for a in first.all("a") if a.get("rel") == "next"] == [f"{after}.html"]
        assert [a["href"] for a in second.all("a") if a.get("rel") == "prev"] == [f"{before}.html"]


def test_code_is_folded_parameters_are_a_table_images_have_words(folder: Path) -> None:
    page = pages(folder)[folder / "pages" / "05_layer_01.html"]
    text = (folder / "pages" / "05_layer_01.html").read_text(encoding="utf-8")
    assert "secret default" not in text
    assert '<th scope="row">layer</th>' in text
    assert all("open" not in attributes for attributes in page.all("details"))
    assert [image["alt"] for image in page.all("img")] == ["Figure: Bones & <i>joints</i>", "Figure: Second part"]
    assert "Executed 2026-01-01 10:20 UTC in 1.5 s" in text


def test_index_leads_with_verdict_and_figure(folder: Path) -> None:
    pages(folder)
    text = (folder / "index.html").read_text(encoding="utf-8")
    words = (
        "A warning.", "does not hold on these data", "<strong>holds</strong>", "<th scope=\"col\">question</th>",
        'width="700"', 'width="960"', 'id="claims"', "More.", "Numbers of it.", "In numbers:", 'class="facts-row"',
        'id="pages"', 'id="study"',
    )  # fmt: skip
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert text.count("<figure>") == 3
    for link in re.findall(r'href="([^"#]+)"', text):
        assert (folder / link).exists(), link
    assert "graph.k" in text
    assert "numpy" in text


def test_an_unfinished_run_says_what_is_there(folder: Path) -> None:
    (folder / SUMMARY).unlink()
    (folder / "notebooks" / "05_layer_01.ipynb").rename(folder / "notebooks" / "05_layer_01.failed.ipynb")
    (folder / "pages").mkdir()
    (folder / "pages" / "05_layer_01.html").write_text("old")
    text = render_report(folder).read_text(encoding="utf-8")
    assert "No summary yet" in text
    assert "05_layer_01.failed" in text
    assert not (folder / "pages" / "05_layer_01.html").exists()


PARTS = ["warnings", "notes", "sentence", "details", "holds", "tests", "picture", "figures", "claims", "facts", "table"]


OTHERS = [None, 1, "words", [], [1, None], {}, {"columns": [1], "rows": [[1, 2]]}, [{"title": 1, "file": "curve.png"}]]


@pytest.mark.parametrize("part", PARTS)
def test_a_summary_may_lack_a_part(folder: Path, part: str) -> None:
    """Say one that another version wrote."""
    summary = json.loads((folder / SUMMARY).read_text())
    del summary[part]
    (folder / SUMMARY).write_text(json.dumps(summary))
    text = render_report(folder).read_text(encoding="utf-8")
    assert "No summary yet" not in text
    assert ('class="facts-row"' in text) == (part != "facts")
    assert ('id="numbers"' in text) == (part != "table")
    assert ("A warning." in text) == (part != "warnings")
    assert ("A note." in text) == (part != "notes")
    assert ('id="claims"' in text) == (part != "claims")
    assert ('<th scope="col">question</th>' in text) == (part != "tests")
    assert ('width="700"' in text) == (part != "picture")


@pytest.mark.parametrize("value", OTHERS)
def test_a_part_of_another_form_is_left_out(folder: Path, value: object) -> None:
    whole = json.loads((folder / SUMMARY).read_text())
    (folder / SUMMARY).write_text(json.dumps(dict.fromkeys(PARTS, value)))
    assert "No summary yet" not in render_report(folder).read_text(encoding="utf-8")
    for part in PARTS:
        (folder / SUMMARY).write_text(json.dumps(whole | {part: value}))
        assert front(folder).keys() == {"warnings", "notes", "verdict", "claims", "figures", "facts", "table"}


def test_a_summary_of_an_earlier_version_opens(folder: Path) -> None:
    """It had its words in one piece, and one picture."""
    old = {
        "verdict": "An old verdict.",
        "holds": True,
        "claims": [{"title": "Noise", "text": "Old words.", "holds": None}],
    }
    (folder / SUMMARY).write_text(json.dumps(old))
    text = render_report(folder).read_text(encoding="utf-8")
    assert "An old verdict." in text
    assert "Old words." in text
    assert text.count("<figure>") == 1


@pytest.mark.parametrize(
    "file", ["../secret.png", "/etc/secret.png", "sub/secret.png", "secret.svg", "link.png", "text.png", "..", "", 7]
)
def test_pictures_of_other_places_are_not_embedded(folder: Path, file: object) -> None:
    home = (folder / SUMMARY).parent
    secret = base64.b64decode(PIXEL) + b"secret"
    (home / "sub").mkdir()
    for path in (home.parent / "secret.png", home / "sub" / "secret.png", home / "secret.svg"):
        path.write_bytes(secret)
    (home / "link.png").symlink_to(home.parent / "secret.png")
    (home / "text.png").write_text("secret")
    summary = json.loads((folder / SUMMARY).read_text())
    summary["figures"] = [{"file": file}, {"file": "curve.png"}]
    summary["picture"] = {"file": file}
    (folder / SUMMARY).write_text(json.dumps(summary))
    assert render_report(folder).read_text(encoding="utf-8").count("<figure>") == 1


@pytest.mark.parametrize("content", ["[]", "[1]", '"words"', "{", "{}"])
def test_a_damaged_summary_is_none(folder: Path, content: str) -> None:
    (folder / SUMMARY).write_text(content)
    assert "No summary yet" in render_report(folder).read_text(encoding="utf-8")


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no study\.yml"):
        render_report(tmp_path)


def test_the_name_of_an_index_stands_above_its_column() -> None:
    import pandas as pd

    table = pd.DataFrame({"S": [0.1], "null": [0.9]}, index=pd.Index(["input"], name="layer"))
    head = _cleaned(table._repr_html_()).partition("</thead>")[0]  # type: ignore[operator]
    assert re.findall(r"<th>(.*?)</th>", head) == ["layer", "S", "null"]
    assert head.count("<tr>") == 1


def test_an_interval_in_a_table_stays_on_one_line() -> None:
    shown = _table("<table><tr><td>0.14 (-0.04 to 0.27)</td><td>10% to 20%</td><td>way to go</td></tr></table>")
    assert "(-0.04\xa0to\xa00.27)" in shown
    assert "10%\xa0to\xa020%" in shown
    assert "way to go" in shown
