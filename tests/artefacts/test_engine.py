"""The engine of artefacts, on a small line of its own: what is made, when again, and what may be read."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from stgcnlib.artefacts import ARRAY, JSON, Artefact, Artefacts, Axis, Event, Form, Line, make_all, table_of, tables_of
from stgcnlib.artefacts.schedule import make_one
from stgcnlib.artefacts.sources import source_parts
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.errors import ArtefactError, StudyError

MADE: list[str] = []
FAILING: set[str] = set()
STARTED = threading.Event()


class Inner(BaseModel):
    size: int = 3
    unused: int = 0


class Settings(BaseModel):
    seed: int = 0
    inner: Inner = Inner()
    extra: Inner | None = None
    names: tuple[str, ...] = ("a", "b/c")
    file: str = "here"
    compute: str = "cpu"


def note(name: str) -> None:
    if name in FAILING:
        raise ValueError("broken on purpose")
    MADE.append(name)


def numbers(settings: Any) -> Any:
    note("numbers")
    return np.arange(settings.inner.size) + settings.seed


def name_parts(settings: Any) -> list[str]:
    return list(settings.names)


def scaled(numbers: Any, part: str) -> Any:
    note(f"scaled {part}")
    return numbers * len(part)


def total(scaled: dict[str, Any], extra: Any) -> dict[str, Any]:
    note("total")
    return {"sums": {name: int(each.sum()) for name, each in scaled.items()}, "extra": extra}


def doubled(numbers: Any) -> Any:
    note("doubled")
    return 2 * numbers


def rows(doubled: Any, compute: str) -> pd.DataFrame:
    note("rows")
    return pd.DataFrame({"value": doubled, "where": compute})


def extra(settings: Any) -> int:
    note("extra")
    return int(settings.extra.size)


def text(settings: Any) -> str:
    note("text")
    return Path(settings.file).read_text() if Path(settings.file).is_absolute() else str(settings.file)


def streamed(numbers: Any, path: Path, scratch: Path) -> None:
    note("streamed")
    (scratch / "half").write_text("kept")
    note("streamed to its end")
    path.mkdir()
    (path / "a.txt").write_text(str(numbers.tolist()))


def read_streamed(path: Path) -> str:
    return (path / "a.txt").read_text()


ARTEFACTS = (
    Artefact("numbers", numbers, ARRAY, settings=("seed", "inner.size")),
    Artefact("scaled/{part}", scaled, ARRAY, needs={"numbers": "numbers"}),
    Artefact("total", total, JSON, needs={"scaled": "scaled/*", "extra": "extra?"}),
    Artefact("doubled", doubled, needs={"numbers": "numbers"}),
    Artefact("rows", rows, table_of({"value": "i", "where": "s"}), needs={"doubled": "doubled"}, tables={"rows": ""}),
    Artefact("extra", extra, JSON, settings=("extra",), section="extra"),
    Artefact("text", text, JSON, files=("file",)),
    Artefact("streamed", streamed, Form("", read_streamed, None), needs={"numbers": "numbers"}),
)
LINE = Line(ARTEFACTS, {"part": Axis(name_parts, settings=("names",))})


@pytest.fixture(autouse=True)
def fresh() -> None:
    MADE.clear()
    FAILING.clear()


def opened(folder: Path, **settings: Any) -> Artefacts:
    return Artefacts(LINE, Settings(**settings), folder)


def made(folder: Path, *names: str, **settings: Any) -> list[str]:
    """What is made in a new process that asks for these artefacts."""
    MADE.clear()
    study = opened(folder, **settings)
    for name in names:
        study[name]
    return list(MADE)


def test_each_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    study = opened(tmp_path)
    assert study["total"] == {"sums": {"a": 3, "b/c": 9}, "extra": None}
    assert MADE == ["numbers", "scaled a", "scaled b/c", "total"]
    assert made(tmp_path, "total", "scaled/*") == []
    np.testing.assert_array_equal(opened(tmp_path)["scaled/*"]["b/c"], [0, 3, 6])
    assert sorted(p.name for p in (tmp_path / "artefacts" / "scaled").glob("*.npy")) == ["a.npy", "b%2Fc.npy"]


def test_a_setting_makes_again_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    everything = ("total", "rows", "text", "streamed")
    made(tmp_path, *everything)
    assert made(tmp_path, *everything, inner={"unused": 5}, compute="gpu") == []
    assert made(tmp_path, *everything, names=("a", "b/c", "d")) == ["scaled d", "total"]
    made(tmp_path, *everything)
    assert made(tmp_path, *everything, extra={}) == ["extra", "total"]
    assert set(made(tmp_path, *everything, seed=1)) == {
        "numbers", "scaled a", "scaled b/c", "total", "doubled", "rows", "streamed", "streamed to its end",
    }  # fmt: skip


def test_keys_are_known_before_anything_is_made(tmp_path: Path) -> None:
    study = opened(tmp_path)
    keys = {name: study.key(name) for name in ("numbers", "scaled/a", "scaled/*", "total", "doubled", "rows")}
    assert MADE == []
    assert len(set(keys.values())) == len(keys)
    assert opened(tmp_path / "elsewhere").key("total") == keys["total"]


def test_what_is_missing_is_told_before_anything_is_made(tmp_path: Path) -> None:
    study = opened(tmp_path)
    assert study.missing("total") == ["numbers", "scaled/a", "scaled/b%2Fc", "total"]
    assert study.missing("doubled") == ["numbers"]
    assert (MADE, list(tmp_path.iterdir())) == ([], [])
    study["scaled/a"]
    assert study.missing("total") == ["scaled/b%2Fc", "total"]
    assert study.missing("rows") == ["rows"]
    study["total"]
    assert study.missing("total") == study.missing("scaled/*") == study.missing("doubled") == []


def test_what_is_missing_is_told_where_an_axis_is_not_known_yet(tmp_path: Path) -> None:
    """Two artefacts for each value of an axis that is computed from what is missing."""
    parts = Axis(lambda numbers: [str(each) for each in numbers], needs={"numbers": "numbers"})
    each = (Artefact(f"{name}/{{part}}", scaled, ARRAY, needs={"numbers": "numbers"}) for name in ("one", "other"))
    both = Artefact("both", lambda one, other: len(one) + len(other), JSON, needs={"one": "one/*", "other": "other/*"})
    study = Artefacts(Line((ARTEFACTS[0], *each, both), {"part": parts}), Settings(), tmp_path)
    assert study.missing("both") == ["numbers", "one/*", "other/*", "both"]
    assert MADE == []
    study["numbers"]
    assert study.missing("both") == [*(f"{name}/{k}" for name in ("one", "other") for k in range(3)), "both"]


def test_a_function_can_read_only_what_is_declared(tmp_path: Path) -> None:
    def greedy(settings: Any) -> int:
        return int(settings.inner.unused)

    line = Line((Artefact("greedy", greedy, JSON, settings=("inner.size",)),), {})
    with pytest.raises(ArtefactError, match=r"'greedy' reads the setting 'inner\.unused', which it does not declare"):
        Artefacts(line, Settings(), tmp_path)["greedy"]
    assert not (tmp_path / "artefacts" / "greedy.json").exists()


@pytest.mark.parametrize(
    ("artefacts", "words"),
    [
        ((Artefact("doubled", doubled, ARRAY),), r"takes numbers, which is not declared"),
        ((Artefact("numbers", numbers, settings=("seed",), needs={"more": "numbers"}),), "declares more, which"),
        ((Artefact("numbers", numbers, settings=("seed",)),) * 2, "declared twice"),
        ((Artefact("doubled", doubled, needs={"numbers": "nmbers"}),), "no artefact is named 'nmbers'"),
        ((Artefact("doubled", doubled, needs={"numbers": "doubled"}),), "circle: doubled -> doubled"),
        ((Artefact("scaled/{size}", scaled, needs={"numbers": "scaled/{size}"}),), "no axis is named 'size'"),
        ((Artefact("text", streamed, JSON, needs={"numbers": "text"}),), "takes 'path', but its form is written"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_as_it_is_made(artefacts: tuple[Artefact, ...], words: str) -> None:
    with pytest.raises(ArtefactError, match=words):
        Line(artefacts, {"part": Axis(("a",))})


def test_unknown_names_and_missing_sections(tmp_path: Path) -> None:
    study = opened(tmp_path)
    with pytest.raises(ArtefactError, match="no artefact is named 'totl'; did you mean 'total'"):
        study["totl"]
    with pytest.raises(StudyError, match="no section 'extra'; add it to the study file"):
        study["extra"]
    assert study.get("extra") is None
    assert opened(tmp_path, extra={"size": 8}).get("extra") == 8


def test_kinds_tell_artefacts_apart_that_differ_in_their_axis_only(tmp_path: Path) -> None:
    def from_numbers(numbers: Any, learned: str) -> str:
        return f"{learned} of {numbers.size}"

    def fresh_one(fresh: str) -> str:
        return fresh

    def all_names(settings: Any) -> list[str]:
        return ["learned", "learned-2", "fresh"]

    def size(net: str) -> int:
        return len(net)

    line = Line(
        (
            ARTEFACTS[0],
            Artefact("net/{learned}", from_numbers, needs={"numbers": "numbers"}),
            Artefact("net/{fresh}", fresh_one),
            Artefact("size/{any}", size, needs={"net": "net/{any}"}),
        ),
        {
            "learned": Axis(all_names, settings=("names",), kinds=("learned",)),
            "fresh": Axis(all_names, settings=("names",), kinds=("fresh",)),
            "any": Axis(all_names, settings=("names",), kinds=("learned", "fresh")),
        },
    )
    kept = {name: line.find(f"net/{name}").artefact.name for name in ("learned", "learned-12", "fresh", "fresh-2")}
    assert list(kept.values()) == ["net/{learned}"] * 2 + ["net/{fresh}"] * 2
    for name in ("learned-x", "learned-", "unlearned", "other"):
        with pytest.raises(ArtefactError, match="no artefact is named"):
            line.find(f"net/{name}")
    assert line.needed_by("size/{any}") == {"size/{any}", "net/{learned}", "net/{fresh}", "numbers"}
    assert Artefacts(line, Settings(), tmp_path)["size/*"] == {"learned": 12, "learned-2": 14, "fresh": 5}


def test_files_count_by_content(tmp_path: Path) -> None:
    """Equal size and time with other content count, another time or place does not."""
    file, folder = tmp_path / "input.txt", tmp_path / "out"
    file.write_text("one")
    stamp = file.stat()
    assert made(folder, "text", file=str(file)) == ["text"]
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 10**9))
    assert made(folder, "text", file=str(file)) == []
    moved = tmp_path / "other" / "input.txt"
    moved.parent.mkdir()
    file.rename(moved)
    assert made(folder, "text", file=str(moved)) == []
    before = moved.stat()
    moved.write_text("two")
    os.utime(moved, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert made(folder, "text", file=str(moved)) == ["text"]
    assert opened(folder, file=str(moved))["text"] == "two"
    moved.unlink()
    with pytest.raises(ArtefactError, match=r"input\.txt: cannot be read \(no such file or folder\)"):
        opened(folder, file=str(moved))["text"]


def test_a_name_that_is_no_path_counts_as_it_is(tmp_path: Path) -> None:
    assert made(tmp_path, "text", file="here") == ["text"]
    assert made(tmp_path, "text", file="there") == ["text"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "more", "manifest", "no manifest"])
def test_a_damaged_artefact_is_made_again(damage: str, tmp_path: Path) -> None:
    study = opened(tmp_path)
    before = study["streamed"]
    file, manifest = study.path("streamed") / "a.txt", tmp_path / "artefacts" / "streamed.manifest.json"
    match damage:
        case "flip":
            file.write_text(before.replace("1", "7"))
        case "cut":
            file.write_text(before[:-2])
        case "gone":
            file.unlink()
        case "more":
            (file.parent / "b.txt").write_text("")
        case "manifest":
            manifest.write_text(manifest.read_text()[:-20])
        case "no manifest":
            manifest.unlink()
    assert made(tmp_path, "streamed") == ["streamed", "streamed to its end"]
    assert opened(tmp_path)["streamed"] == before
    assert made(tmp_path, "streamed") == []


def test_a_copied_folder_is_checked_by_its_sums(tmp_path: Path) -> None:
    import shutil

    made(tmp_path / "a", "total", "rows")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert made(tmp_path / "b", "total", "rows") == []


def test_what_fails_leaves_nothing_but_its_scratch(tmp_path: Path) -> None:
    FAILING.add("streamed to its end")
    with pytest.raises(ValueError, match="on purpose"):
        opened(tmp_path)["streamed"]
    assert not (tmp_path / "artefacts" / "streamed").exists()
    unfinished = tmp_path / "artefacts" / ".unfinished"
    assert [file.read_text() for file in unfinished.rglob("half")] == ["kept"]  # found again by the next
    FAILING.clear()
    opened(tmp_path)["streamed"]
    assert not list(unfinished.rglob("*"))


def test_a_manifest_says_what_it_was_made_from(tmp_path: Path) -> None:
    opened(tmp_path, seed=4)["scaled/a"]
    manifest = json.loads((tmp_path / "artefacts" / "numbers.npy.manifest.json").read_text())
    assert manifest["from"]["settings"] == {"seed": 4, "inner.size": 3}
    needed = json.loads((tmp_path / "artefacts" / "scaled" / "a.npy.manifest.json").read_text())["from"]
    assert needed["needs"] == {"numbers": manifest["key"]}
    assert needed["axes"] == {"part": "a"}


def test_tables_for_users_come_back(tmp_path: Path) -> None:
    opened(tmp_path)["rows"]
    file = tmp_path / "tables" / "rows.parquet"
    assert pd.read_parquet(file)["value"].tolist() == [0, 2, 4]
    file.unlink()
    assert made(tmp_path, "rows") == []
    assert file.exists()


def test_forms_give_back_what_was_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    values: list[tuple[Form, Any]] = [
        (ARRAY, np.linspace(0, 1, 7)),
        (JSON, {"a": [0.1, 1e-300, None], "ü": float("inf")}),
        (table_of({"a": "f", "b": "s"}), table),
        (tables_of({"two": {}, "one": {"b": "s"}}), {"one": table, "two": table.head(1)}),
    ]
    for number, (form, value) in enumerate(values):
        assert form.save is not None
        path = tmp_path / f"{number}{form.suffix}"
        form.save(value, path)
        found = form.load(path)
        match value:
            case pd.DataFrame():
                pd.testing.assert_frame_equal(found, value)
            case {"one": _}:
                assert list(found) == ["one", "two"]
                pd.testing.assert_frame_equal(found["two"], value["two"])
            case np.ndarray():
                np.testing.assert_array_equal(found, value)
            case _:
                assert found == value


def test_forgetting_makes_again_all_values_of_an_axis(tmp_path: Path) -> None:
    made(tmp_path, "total")
    opened(tmp_path).forget("scaled/{part}")
    assert made(tmp_path, "scaled/*") == ["scaled a", "scaled b/c"]


# -- the schedule ------------------------------------------------------------------------------


def scheduled(study: Artefacts, *names: str, workers: int = 2) -> list[Event]:
    events: list[Event] = []
    with ThreadPoolExecutor(workers) as executor:
        make_all(study, names, executor, workers=workers, watch=events.append)
    return events


def test_the_schedule_makes_needs_first_and_only_what_is_missing(tmp_path: Path) -> None:
    events = scheduled(opened(tmp_path), "total", "rows")
    order = [event.name for event in events if event.state == "made"]
    assert set(order) == {"numbers", "scaled/a", "scaled/b%2Fc", "total", "rows"}
    assert order.index("numbers") == 0
    assert order.index("total") > order.index("scaled/b%2Fc")
    assert max(event.running for event in events) == 2
    assert opened(tmp_path)["total"]["sums"] == {"a": 3, "b/c": 9}
    assert scheduled(opened(tmp_path), "total", "rows") == []


def test_the_schedule_stops_at_a_failure_and_names_it(tmp_path: Path) -> None:
    FAILING.add("scaled a")
    with pytest.raises(ArtefactError, match="scaled/a: making it failed with ValueError: broken on purpose"):
        scheduled(opened(tmp_path), "total", workers=1)
    assert "total" not in MADE
    FAILING.clear()
    scheduled(opened(tmp_path), "total")
    assert MADE.count("numbers") == 1  # what was made stays


def test_an_interrupt_drops_what_has_not_begun(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.state == "made":
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        make_all(opened(tmp_path), ["total"], executor, watch=stop)
    assert MADE == ["numbers"]


class Broken(Executor):
    """Processes that die."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("gone"))
        return future


def test_a_process_that_died_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"numbers: the process that made it died, .* because memory ran out"):
        make_all(opened(tmp_path), ["total"], Broken())


class Elsewhere(Executor):
    """Another machine, whose files are seen here later than its answers, or never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds

    def submit(self, function: Any, artefacts: Artefacts, name: str, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result((artefacts.path(name), 0.0))
        if self.seconds is not None:
            threading.Timer(self.seconds, opened(artefacts.folder).make, (name,)).start()
        return future


def test_what_another_machine_made_is_waited_for(tmp_path: Path) -> None:
    make_all(opened(tmp_path), ["total"], Elsewhere(0.2), workers=9, patience=30)
    assert sorted(MADE) == ["numbers", "scaled a", "scaled b/c", "total"]
    with pytest.raises(ArtefactError, match=r"numbers: was made on another machine, and .* does not see it as .*same"):
        make_all(opened(tmp_path / "other"), ["total"], Elsewhere(None), workers=9, patience=0.3)


def test_a_task_makes_nothing_that_another_machine_was_to_make(tmp_path: Path) -> None:
    """It waits for what it needs, and makes only what it was asked for."""
    with ThreadPoolExecutor(1) as executor:
        late = executor.submit(make_one, opened(tmp_path), "scaled/a", None, 30.0)
        time.sleep(0.3)
        assert MADE == []
        opened(tmp_path).make("numbers")
        late.result()
    assert MADE == ["numbers", "scaled a"]
    with pytest.raises(ArtefactError, match="numbers: was made on another machine"):
        make_one(opened(tmp_path / "other"), "scaled/a", None, 0.3)
    assert MADE == ["numbers", "scaled a"]


def test_two_makers_of_one_artefact_wait_for_each_other(tmp_path: Path) -> None:
    def slow(settings: Any) -> int:
        STARTED.set()
        time.sleep(0.3)
        note("slow")
        return int(settings.seed)

    line = Line((Artefact("slow", slow, JSON, settings=("seed",)),), {})
    first, second = (Artefacts(line, Settings(), tmp_path) for _ in range(2))
    thread = threading.Thread(target=lambda: first["slow"])
    thread.start()
    assert STARTED.wait(10)
    assert second["slow"] == 0
    thread.join()
    assert MADE == ["slow"]


def test_a_finished_maker_takes_nothing_from_one_that_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that both write in is there when the second looks, and stays."""
    mkdir, others = os.mkdir, [opened(tmp_path)]

    def slow(path: Any, *args: Any, **kwargs: Any) -> None:
        mkdir(path, *args, **kwargs)
        if Path(path).name == ".unfinished" and others:
            _ = others.pop()["text"]  # begins and ends before the first goes on

    monkeypatch.setattr(os, "mkdir", slow)
    assert len(opened(tmp_path)["numbers"]) == 3
    assert not others


def test_what_another_process_made_from_other_settings_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path, seed=5)
    assert [first["numbers"][0], second["numbers"][0]] == [0, 5]
    first.release()
    assert first["numbers"][0] == 0
    opened(tmp_path, seed=5).forget("numbers")
    assert made(tmp_path, "numbers") == ["numbers"]


@pytest.mark.parametrize("content", ["{", "[]", '{"x": [["a"], 1]}', '{"x": 3}', "\x00", '{"x": [["a"], "b"]}'])
def test_a_damaged_list_of_stamps_is_as_if_there_were_none(content: str, tmp_path: Path) -> None:
    file, cache = tmp_path / "input.txt", tmp_path / "stamps.json"
    file.write_text("one")
    cache.write_text(content)
    assert Stamps(cache).of(file) == Stamps(None).of(file)


def test_of_a_function_made_within_another_the_whole_module_counts() -> None:
    """It has no statement of its own in the module."""
    pieces, files = source_parts(partial(len, "stgcnlib.files:made.within"))
    assert "stgcnlib.files" in files
    assert not [name for name in pieces if name.startswith("stgcnlib.files:")]
