"""The widget's side in the browser, with a model in place of a kernel: questions, answers, state, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from explorer_pages import explorer_content, write_page

WIDGET = (files("stgcnlib.workbench") / "assets" / "widget.js").read_text().replace("export default", "const module =")
START = f"""
{WIDGET}
class Model {{
  constructor(traits) {{ this.traits = traits; this.heard = []; this.sent = []; this.saved = 0; }}
  get(key) {{ return this.traits[key]; }}
  set(key, value) {{ this.traits[key] = value; this.tell("change:" + key); }}
  save_changes() {{ this.saved++; }}
  on(event, callback) {{ this.heard.push([event, callback]); }}
  off(event, callback) {{ this.heard = this.heard.filter(([e, c]) => e !== event || c !== callback); }}
  tell(event, ...given) {{ for (const [e, c] of [...this.heard]) if (e === event) c(...given); }}
  send(message) {{ if (this.broken) throw new Error("no channel"); this.sent.push(message); }}
}}
const bytes = Uint8Array.from(atob(content.nodes.numbers[0].values.data), (c) => c.charCodeAt(0));
content.nodes.numbers[0].values = {{ dtype: "float32", shape: [content.nodes.count], buffer: 0 }};
const model = new Model({{ content, buffers: [new DataView(bytes.buffer)], state: {{ colour: "subject" }} }});
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const outcome = (promise) => promise.then((reply) => ({{ reply }}), (error) => ({{ error: error.message }}));
Object.assign(window, {{ content, model, render: module.render, kernelLink, later, outcome, root }});
"""
Open = Callable[[], Any]


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened = browser.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(write_page(tmp_path / "widget.html", explorer_content(6, 2), START))
    yield opened
    opened.close()
    assert complaints == []


def test_each_question_gets_its_own_answer(page: Any) -> None:
    answers = page.evaluate(
        """async () => {
          const link = kernelLink(model), other = kernelLink(model);
          const [a, b, c] = [link.ask("open", {node: "a"}), link.ask("open", {node: "b"}), other.ask("map")];
          const [first, second, third] = model.sent.map((message) => message.id);
          model.tell("msg:custom", {id: "of nobody", reply: 0}, []);
          model.tell("msg:custom", {id: third, reply: {points: {dtype: "uint8", shape: [2], buffer: 0}}},
            [new DataView(Uint8Array.of(9, 7, 8).buffer, 1)]);
          model.tell("msg:custom", {id: second, reply: "b"}, []);
          model.tell("msg:custom", {id: first, error: "flat tyre"}, []);
          return [new Set([first, second, third]).size, model.sent[0].kind, model.sent[0].payload,
            await outcome(a), await outcome(b), [...(await c).points]];
        }"""
    )
    assert answers == [3, "open", {"node": "a"}, {"error": "flat tyre"}, {"reply": "b"}, [7, 8]]


def test_a_silent_or_broken_kernel_is_said_and_progress_counts_as_speaking(page: Any) -> None:
    said = page.evaluate(
        """async () => {
          const link = kernelLink(model, 150), silent = outcome(link.ask("open"));
          const told = [], off = link.on("progress", (payload) => told.push(payload.share));
          for (const share of [0.1, 0.2, 0.3]) {
            await later(80);
            model.tell("msg:custom", {push: "progress", payload: {share}}, []);
            if (share === 0.2) off();
          }
          const before = await Promise.race([silent, later(20).then(() => "waits")]);
          model.broken = true;
          return [before, told, (await silent).error, (await outcome(link.ask("open"))).error];
        }"""
    )
    assert said == ["waits", [0.1, 0.2], "The kernel does not answer; it is busy or gone.",
                    "The kernel cannot be asked: no channel"]  # fmt: skip


def test_state_goes_both_ways_without_echo(page: Any) -> None:
    page.evaluate("void render({model, el: root})")
    assert page.evaluate("root.firstChild.explorer.store.state.colour") == "subject"
    assert page.evaluate("[...root.firstChild.explorer.store.nodes.numbers[0].values].length") == 6
    page.evaluate("for (const node of [0, 1, 2]) root.firstChild.explorer.store.choose([node], 'add')")
    page.wait_for_timeout(300)
    assert page.evaluate("[model.saved, model.get('state').subset.length]") == [1, 3]
    page.evaluate("model.set('state', {...model.get('state'), colour: 'seconds', subset: ['a04']})")
    page.wait_for_timeout(300)
    assert page.evaluate("(s => [s.state.colour, s.state.subset])(root.firstChild.explorer.store)") == [
        "seconds",
        ["a04"],
    ]
    assert page.evaluate("model.saved") == 1


def test_closing_leaves_nothing(page: Any) -> None:
    left = page.evaluate(
        """async () => {
          const close = render({model, el: root}), explorer = root.firstChild.explorer;
          const asked = outcome(explorer.store.link.ask("open"));
          explorer.store.choose([0], "replace");
          await later(0);
          close();
          await later(300);
          return [model.heard.length, model.saved, root.children.length, explorer.store.listeners.size,
            (await asked).error];
        }"""
    )
    assert left == [0, 0, 0, 0, "The view was closed."]


def test_a_model_that_the_kernel_closed_shows_nothing(page: Any) -> None:
    page.evaluate("void render({model, el: root})")
    assert page.evaluate("root.children.length") == 1
    page.evaluate("model.traits.buffers = []; model.set('content', {})")
    assert page.evaluate("[root.children.length, model.heard.filter(([e]) => e === 'msg:custom').length]") == [0, 0]


def test_the_theme_is_that_of_where_the_notebook_puts_it(page: Any) -> None:
    page.evaluate("root.dataset.jpThemeLight = 'false'; window.later_on = document.createElement('div')")
    page.evaluate("void render({model, el: later_on})")
    assert page.evaluate("later_on.children.length") == 0
    page.evaluate("void root.append(later_on)")
    page.wait_for_function("later_on.children.length === 1")
    assert page.evaluate("later_on.firstChild.style.colorScheme") == "dark"
