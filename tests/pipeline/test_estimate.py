"""What a study is said to cost: sizes against what it left on disk, what is counted, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy.io import savemat
from small_study import SMALL, small_study
from typer.testing import CliRunner

from stgcnlib import cli, open_study, run_study
from stgcnlib.artefacts import Onlooker
from stgcnlib.errors import ArtefactError, StudyError
from stgcnlib.networks.batches import equal_batches
from stgcnlib.pipeline.estimate import Forecast, Room, check_room, find_room, foresee, room, shown, size
from stgcnlib.pipeline.estimate import facts as facts_module
from stgcnlib.pipeline.estimate.cost import NO_AXES, activations_on_disk, recorded_again
from stgcnlib.pipeline.estimate.costs import COSTS, PAGES, USUAL, WITHOUT_RECORDINGS, cost_of
from stgcnlib.pipeline.estimate.facts import Facts, Part, find_facts, looked_at
from stgcnlib.pipeline.estimate.forecast import due_artefacts, forecast
from stgcnlib.pipeline.estimate.shown import busy_line, forecast_lines, forecast_table
from stgcnlib.pipeline.estimate.trials import Units, measure_units
from stgcnlib.pipeline.keys import key_names
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import STAGES, TARGET_STAGES, stages_of
from stgcnlib.pipeline.study import Study

STUDY = Study.load(SMALL)
GB = 10**9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory)


@pytest.fixture(scope="module")
def facts(folder: Path) -> Facts:
    return find_facts(Onlooker(LINE, STUDY, folder), STUDY)


def forecast_of(folder: Path, facts: Facts, *, workers: int = 1, study: Study = STUDY) -> Forecast:
    return forecast(
        Onlooker(LINE, study, folder), facts, Units.usual(facts), stages_of(study), sources=notebook_folder(),
        workers=workers, threads=1,
    )  # fmt: skip


def bytes_of(*paths: Path) -> int:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


# -- sizes ---------------------------------------------------------------------------------------


def test_sizes_are_those_of_what_was_recorded(folder: Path, facts: Facts) -> None:
    recorded = folder / "artefacts" / "activations" / "trained.zarr"
    chunks = [file for file in recorded.rglob("*") if file.is_file() and file.name != "zarr.json"]
    assert activations_on_disk(facts) == bytes_of(*chunks)
    stored = Onlooker(LINE, STUDY, folder)["activations/trained"]
    assert [layer.name for layer in facts.layers] == list(stored.layers)
    for layer in facts.layers:
        assert (layer.rows, layer.width) == stored[layer.name].features.shape
    for name in stored.layers:
        matrix = folder / "artefacts" / "all-pairs" / "trained" / f"{name}.npz"
        axes = {"network": "trained", "layer": name}
        said = cost_of("all-pairs/{network}/{layer}", axes, facts, Units.usual(facts)).disk
        assert said == pytest.approx(bytes_of(matrix), abs=1000)


def test_disk_is_within_a_third_of_what_there_is(folder: Path, facts: Facts, tmp_path: Path) -> None:
    # Without pages: the folder has none. What is said of curves and maps is a rule of thumb.
    empty = Onlooker(LINE, STUDY, tmp_path / "none")
    said = made = 0.0
    for stage in stages_of(STUDY):
        for place in due_artefacts(empty, facts, stage):
            path = folder / "artefacts" / f"{place.name}{place.artefact.form.suffix}"  # type: ignore[union-attr]
            if path.exists() and not place.name.startswith("activations"):
                said += cost_of(place.artefact.name, place.axes, facts, Units.usual(facts)).disk
                made += bytes_of(path)
    assert 0.67 * made < said < 1.5 * made


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2)), min_size=1, max_size=30), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_batches_are_counted_as_they_are_made(sizes: list[tuple[int, int]], most: int) -> None:
    class Sized:
        lengths = np.array([length for length, _ in sizes])
        people_counts = np.array([people for _, people in sizes])

    part = Part(Sized.lengths, Sized.people_counts)
    assert part.passes(most) == len(equal_batches(Sized, most))  # type: ignore[arg-type]


# -- what is counted -----------------------------------------------------------------------------


def test_everything_is_due_in_a_new_folder(facts: Facts, tmp_path: Path) -> None:
    made = Onlooker(LINE, STUDY, tmp_path / "none")
    due = [place.name for stage in stages_of(STUDY) for place in due_artefacts(made, facts, stage)]
    networks = STUDY.controls.untrained + STUDY.controls.initial + STUDY.network.seeds
    found = forecast_of(tmp_path / "none", facts)
    assert len({name for name in due if name.startswith("all-pairs/")}) == networks * len(facts.layers)
    assert sum(stage.results for stage in found.stages) == len(set(due))  # each counted once, with its first stage
    assert sum(stage.pages for stage in found.stages) == len(stages_of(STUDY)) - 1 + len(facts.layers)
    assert not (tmp_path / "none").exists()


def test_what_is_there_takes_nothing(folder: Path, facts: Facts, tmp_path: Path) -> None:
    before = state(folder)
    there, fresh = forecast_of(folder, facts), forecast_of(tmp_path / "none", facts)
    assert state(folder) == before
    by_name = {stage.name: stage for stage in there.stages}
    assert by_name["03_ds_graphs"].results == 0
    assert by_name["03_ds_graphs"].pages == 1  # the folder has results and no pages
    assert there.disk < fresh.disk - 2 * activations_on_disk(facts)
    assert there.seconds < fresh.seconds
    # What is left are results that the folder's makers did not ask for.
    assert 0 < sum(stage.results for stage in there.stages) < 12


def test_a_stage_of_which_all_is_there_takes_nothing(
    folder: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stgcnlib.pipeline.estimate.forecast._pages_due", lambda *_: 0)
    stage = {stage.name: stage for stage in forecast_of(folder, facts).stages}["03_ds_graphs"]
    assert (stage.results, stage.pages, stage.seconds, stage.disk) == (0, 0, 0, 0)


def test_more_processes_take_less_time_and_more_memory(facts: Facts, tmp_path: Path) -> None:
    one, two = (forecast_of(tmp_path, facts, workers=workers) for workers in (1, 2))
    assert two.seconds < one.seconds
    assert two.memory > one.memory
    assert (two.process, two.disk) == (one.process, one.disk)


def test_more_recordings_take_more(facts: Facts, tmp_path: Path) -> None:

    part = Part(np.tile(facts.nodes.lengths, 100), np.tile(facts.nodes.people, 100))
    layers = tuple(replace(layer, rows=100 * layer.rows) for layer in facts.layers)
    large = replace(facts, nodes=part, layers=layers)
    units = Units.usual(facts)
    for name in COSTS:
        if not name.startswith(("noise", "transfer", "sensitivity", "variant", "rounding")):
            few, many = (cost_of(name, NO_AXES, each, units) for each in (facts, large))
            assert all(value >= 0 for value in (few.seconds, few.memory, few.disk, few.scratch))
            assert many.seconds >= few.seconds
            assert many.memory >= few.memory
            assert many.disk >= few.disk
    assert forecast_of(tmp_path, large).disk > 90 * activations_on_disk(facts) * 3


def test_of_many_nodes_no_square_is_kept(facts: Facts) -> None:

    units = Units.usual(facts)
    part = Part(np.full(20_000, 80), np.ones(20_000, dtype=np.int64))
    layers = tuple(replace(layer, rows=80 * 20_000) for layer in facts.layers)
    large, axes = replace(facts, nodes=part, layers=layers, k=50), {"network": "trained", "layer": "input"}
    searched = cost_of("neighbours/{network}/{layer}", axes, large, units)
    assert cost_of("all-pairs/{network}/{layer}", axes, large, units).seconds < 1
    assert 50 * 20_000 * 12 < searched.disk < 0.2 * 4 * 20_000**2
    wide = replace(large, layers=tuple(replace(layer, width=1600) for layer in layers))
    assert cost_of("neighbours/{network}/{layer}", axes, wide, units).memory < 0.4 * wide.layers[0].bytes
    whole = replace(large, study=Study.load({**SMALL, "graph": {"k": 4, "distances": "all"}}))
    assert cost_of("all-pairs/{network}/{layer}", axes, whole, units).disk > 4 * 20_000**2
    assert cost_of("neighbours/{network}/{layer}", axes, whole, units).seconds < 1
    assert cost_of("curves/{network}", axes, large, units).memory < 0.1 * 24 * 20_000**2
    half = replace(facts, study=Study.load({**SMALL, "activations": {"dtype": "float16"}}))
    assert activations_on_disk(half) == pytest.approx(activations_on_disk(facts) / 2, rel=0.1)


def test_every_cost_is_of_something_that_there_is(facts: Facts) -> None:
    assert set(COSTS) <= set(LINE.artefacts)
    assert set(PAGES) <= {stage.name for stage in (*STAGES, *TARGET_STAGES)}
    unknown = cost_of("no such artefact", NO_AXES, facts, Units.usual(facts))
    assert unknown.disk == USUAL.disk
    assert unknown.memory > USUAL.memory  # it may read the recordings
    assert unknown.seconds > USUAL.seconds
    assert set(WITHOUT_RECORDINGS) <= set(LINE.artefacts)


# -- a folder of very many files -------------------------------------------------------------------


def test_of_very_many_files_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, few = np.random.default_rng(0), 40
    for action in range(1, 4):
        for person in range(1, 9):
            for trial in range(1, 5):
                name = f"a{action}_s{person}_t{trial}_skeleton.mat"
                savemat(tmp_path / name, {"d_skel": rng.normal(size=(20, 3, 12 + trial))})
    study = Study.load({**SMALL, "data": {"path": str(tmp_path), "split": SMALL["data"]["split"]}})
    monkeypatch.setattr(facts_module, "MOST_FILES", few)
    with looked_at(study, tmp_path / "none", LINE) as (look, share):
        found = find_facts(look, study, share)
        assert len(look["sequences"]) == few
    assert share == pytest.approx(few / 96)
    assert len(found.every) == 96
    assert abs(len(found.nodes) - 72) <= 12  # six of eight people test
    monkeypatch.setattr(facts_module, "MOST_FILES", 96)
    with looked_at(study, tmp_path / "none", LINE) as (look, share):
        assert share == 1
        assert len(find_facts(look, study, share).nodes) == 72


# -- nothing is written ----------------------------------------------------------------------------


def test_an_onlooker_reads_what_is_there_and_makes_the_rest_in_memory(folder: Path, tmp_path: Path) -> None:
    before = state(folder)
    there, nowhere = Onlooker(LINE, STUDY, folder), Onlooker(LINE, STUDY, tmp_path / "none")
    assert there["prepared"].fingerprint() == nowhere["prepared"].fingerprint()
    assert there.key("geometry") == nowhere.key("geometry")
    with pytest.raises(ArtefactError, match="training/trained: does not exist, and making it writes to its scratch"):
        nowhere["training/trained"]
    with pytest.raises(ArtefactError, match="making it writes to its tasks"):
        nowhere[f"neighbours/trained/{there['layers'][0]['name']}"]
    assert state(folder) == before
    assert not (tmp_path / "none").exists()


def test_the_command_measures_and_writes_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study.yml").write_text(STUDY.to_yaml(), encoding="utf-8")
    before = state(folder)
    monkeypatch.setenv("STGCNLIB_PROGRESS", "1")
    result = CliRunner().invoke(cli.app, ["estimate", str(tmp_path / "study.yml"), "-o", folder.as_uri(), "--json"])
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("measuring how fast this machine reads recordings, ")
    told = json.loads(result.stdout)
    assert state(folder) == before
    assert [stage["name"] for stage in told["stages"]] == [stage.name for stage in stages_of(STUDY)]
    assert told["facts"]["nodes"] == len(Onlooker(LINE, STUDY, folder)["nodes"])
    stages, names = {stage["name"] for stage in told["stages"]}, set(key_names(Study))
    for each in told["shorter"]:
        assert set(each) == {"stage", "keys", "section"}
        assert each["stage"] in stages
        assert {key["key"] for key in each["keys"]} <= names
        assert all(set(key) == {"key", "value", "larger"} for key in each["keys"])
    for name in ("seconds", "memory", "process", "disk", "most_disk"):
        each = told["together"][name]
        assert 0 < each["low"] < each["expected"] < each["high"]


def test_units_are_measured_here(folder: Path, facts: Facts) -> None:
    units = measure_units(Onlooker(LINE, STUDY, folder), facts, trains=False)
    assert units.read == 0  # the recordings are prepared
    assert units.train == 0
    assert set(units.pairs) == {layer.name for layer in facts.layers}
    numbers = [units.record.frame, units.forward.frame, units.node, units.cam, units.speed, *units.pairs.values()]
    assert all(0 < number < 10 for number in numbers)


# -- what is shown ---------------------------------------------------------------------------------


def test_the_table_and_its_lines(facts: Facts, tmp_path: Path) -> None:
    found = forecast_of(tmp_path / "none", facts)
    console = Console(width=100, record=True, file=(tmp_path / "shown.txt").open("w"))
    console.print(forecast_table(found))
    text = console.export_text()
    assert text.splitlines()[0].split() == ["stage", "results", "pages", "time", "memory", "disk"]
    row = next(line for line in text.splitlines() if line.startswith("05_layer"))
    assert row.split()[1:3] == ["2", str(len(facts.layers))]  # topologies, receptive fields
    place = Room(disk=50 * GB, temporary=50 * GB, same=True, memory=16 * GB, free=12 * GB)
    lines = forecast_lines(found, place, tmp_path)
    assert f"{len(facts.nodes)} nodes" in lines[0]
    assert [line.partition(":")[0] for line in lines[1:4]] == ["time", "memory", "disk"]
    assert "16 GB here, of which 12 GB free now" in lines[2]
    assert "50 GB free" in lines[3]


@pytest.mark.parametrize(
    ("load", "ticks", "said"),
    [
        (0.1, [(100, 100), (200, 100)], 0),  # nothing was at work in the last minute
        (9.0, [(100, 100), (110, 190)], 0),  # something was, and has ended
        (9.0, [(100, 100), (190, 110)], 1),
        (9.0, [OSError()], 1),  # no such file here: the load alone counts
    ],
)
def test_other_programs_at_work_are_said_once(
    load: float, ticks: list[Any], said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown.os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(shown, "_ticks", Mock(side_effect=ticks))
    monkeypatch.setattr(shown, "MOMENT", 0.0)
    monkeypatch.setattr(shown, "cores", lambda: 2)
    monkeypatch.setattr(shown.os, "cpu_count", lambda: 2)
    line = (
        "Other programs use the 2 processors now (load 9.0). Expected times are those of an idle machine; now, beside "
        "other programs, about 6 times longer."
    )
    assert busy_line() == [line] * said


@pytest.mark.parametrize(
    ("load", "processors", "times"),
    [(1.0, 2, "1.5"), (4.0, 2, "3.0"), (5.1, 2, "4"), (32.0, 64, "1.5")],  # 2 of the 64 are this process's
)
def test_how_much_longer_beside_other_programs(
    load: float, processors: int, times: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "_share_in_use", lambda: 1.0)
    monkeypatch.setattr(shown, "cores", lambda: 2)
    monkeypatch.setattr(shown.os, "cpu_count", lambda: processors)
    assert f"beside other programs, about {times} times longer." in busy_line(load)[0]
    assert busy_line(0.5) == []


def test_the_use_of_the_processors_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(
        "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 10 20 4 5 6 100 100\ncpu7 8 8 8 8 8 8 8 8 0 0\n"
    )
    monkeypatch.setattr(shown, "STAT", tmp_path / "stat")
    monkeypatch.setattr(shown.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert shown._ticks() == (21, 30)


def test_a_run_says_that_other_programs_are_at_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(study: Study, output: Path, *, check: Callable[[StudyRun], object], **_: Any) -> None:
        check(StudyRun(study, output))

    monkeypatch.setenv("STGCNLIB_PROGRESS", "1")
    monkeypatch.setattr("stgcnlib.report.study.run_stages", check)
    monkeypatch.setattr("stgcnlib.report.study.StudyRun.check", lambda _: None)
    monkeypatch.setattr("stgcnlib.report.study.foresee", lambda *_, **__: Forecast((), {}, 1, 1))
    monkeypatch.setattr("stgcnlib.report.study.busy_line", lambda: ["Others are at work."])
    run_study(SMALL, tmp_path / "out")
    said = capsys.readouterr().err
    assert said.count("Others are at work.\n") == 1
    assert re.search(r"^finished in \d+\.\d s$", said.splitlines()[-1])
    run_study(SMALL, tmp_path / "out", scheduler="tcp://a:1")
    assert "Others" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 MB"), (34.6e6, "35 MB"), (126e6, "130 MB"), (949e6, "950 MB"), (951e6, "1.0 GB"), (9.94e9, "9.9 GB"),
     (9.96e9, "10 GB"), (132.4e9, "132 GB")],
)  # fmt: skip
def test_sizes_in_words(count: float, text: str) -> None:
    assert size(count) == text


# -- what is refused -------------------------------------------------------------------------------

PLENTY = Room(disk=1000 * GB, temporary=1000 * GB, same=False, memory=1000 * GB, free=1000 * GB)


def test_what_fits_is_not_complained_about(facts: Facts, tmp_path: Path) -> None:
    assert check_room(forecast_of(tmp_path, facts), PLENTY, STUDY, tmp_path) == []


@pytest.mark.parametrize(
    ("short", "what", "mend"),
    [
        ("disk", "the output's disk: about .* needed .* free for .*", "give --output on a larger disk"),
        ("disk", "the output's disk: ", "take fewer nodes with graph.sample"),
        ("memory", "memory, for all processes together: about .* here", "use --workers 1"),
    ],
)
def test_what_cannot_fit_is_refused(short: str, what: str, mend: str, facts: Facts, tmp_path: Path) -> None:

    found = forecast_of(tmp_path, facts, workers=2)
    need = found.most_disk if short == "disk" else found.memory
    for there, refused in ((0.5 * need, True), (1.05 * need, False), (1.5 * need, False)):
        place = replace(PLENTY, **{short: int(there)})
        if refused:
            with pytest.raises(StudyError, match=f"the study does not fit. {what}.*; .*{mend}"):
                check_room(found, place, STUDY, tmp_path)
        else:
            warned = check_room(found, place, STUDY, tmp_path)
            assert len(warned) == (there < 1.09 * need)


def test_a_disk_that_holds_no_more_files_is_refused(facts: Facts, tmp_path: Path) -> None:
    found = forecast_of(tmp_path, facts)
    assert 12 * 50 < found.files < 10_000
    with pytest.raises(StudyError, match=r"files on the output's disk: about \d+ needed, the disk can hold 20 more"):
        check_room(found, replace(PLENTY, files=20), STUDY, tmp_path)
    assert len(check_room(found, replace(PLENTY, files=found.files), STUDY, tmp_path)) == 1
    assert check_room(found, replace(PLENTY, files=2 * found.files), STUDY, tmp_path) == []


def test_the_limit_of_a_process_and_busy_memory(facts: Facts, tmp_path: Path) -> None:

    found = forecast_of(tmp_path, facts)
    limited = Study.load({**SMALL, "compute": {"memory_limit": 0.1}})
    with pytest.raises(StudyError, match=r"for one process: .* allowed by compute.memory_limit; raise compute"):
        check_room(found, PLENTY, limited, tmp_path)
    busy = replace(PLENTY, memory=int(2 * found.memory), free=int(0.5 * found.memory))
    assert "end other programs first" in check_room(found, busy, STUDY, tmp_path)[0]


def test_the_room_of_this_machine(tmp_path: Path) -> None:
    there = find_room(tmp_path / "not" / "there")
    assert there.disk == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    assert there.memory is None or 0 < (there.free or 0) <= there.memory


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux has groups of processes with limits")
@pytest.mark.parametrize(
    ("line", "names", "home"),
    [
        ("0::/slurm/job_7", ("memory.max", "memory.current"), "."),
        ("9:cpu,memory:/slurm/job_7", ("memory.limit_in_bytes", "memory.usage_in_bytes"), "memory"),
    ],
)
def test_limits_of_jobs_count(
    line: str, names: tuple[str, str], home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, job = tmp_path / "own", tmp_path / "groups" / home / "slurm" / "job_7"
    job.mkdir(parents=True)
    own.write_text(f"12:pids:/slurm/job_7\n{line}\n")
    monkeypatch.setattr(room, "OWN_GROUPS", own)
    monkeypatch.setattr(room, "GROUPS", tmp_path / "groups")
    whole = find_room(tmp_path)
    assert whole.memory is not None
    for group, limit in ((job, "max"), (job.parent, str(10**9))):  # the job above has the limit
        (group / names[0]).write_text(limit)
        (group / names[1]).write_text(str(4 * 10**8))
    found = find_room(tmp_path)
    assert (found.memory, found.free) == (min(whole.memory, 10**9), min(whole.free or 0, 6 * 10**8))
    (job / names[0]).write_text(str(5 * 10**8))
    assert find_room(tmp_path).memory == 5 * 10**8


def test_a_run_that_does_not_fit_starts_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: Usage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(StudyError, match=r"does not fit\. the output's disk"):
        run_study(SMALL, tmp_path / "out", progress=False)
    assert not list((tmp_path / "out").rglob("*.ipynb"))
    assert not (tmp_path / "out" / "study.yml").exists()


def test_a_run_is_told_what_its_stages_will_take(folder: Path, tmp_path: Path) -> None:
    made = Onlooker(LINE, STUDY, tmp_path / "none")
    told = foresee(made, STUDY, workers=1).foreseen()
    assert set(told.stages) == {stage.name for stage in stages_of(STUDY)}
    assert told.stages["01_network"] > told.artefacts["training/trained"] > 0
    graphs = [seconds for name, seconds in told.artefacts.items() if name.startswith(("all-pairs/", "curves/"))]
    assert 0 < sum(graphs) <= sum(told.stages.values())


# -- features that are not kept ------------------------------------------------------------------


def test_networks_are_kept_while_they_take_a_third_of_what_is_free(facts: Facts) -> None:
    size = activations_on_disk(facts)
    assert recorded_again(facts) == 0  # nobody asked what is free
    assert recorded_again(replace(facts, free=10**15)) == 0
    assert recorded_again(replace(facts, free=0)) == 1
    assert recorded_again(replace(facts, free=3 * size)) == pytest.approx(2 / 3)  # the first of three takes the third
    assert recorded_again(replace(facts, free=4 * size)) == pytest.approx(1 / 3)
    for mode, share in (("keep", 0), ("recompute", 1)):
        chosen = Study.load({**SMALL, "compute": {"activations": mode}})
        assert recorded_again(replace(facts, study=chosen, free=2 * size)) == share


def test_what_is_recorded_again_takes_time_in_place_of_disk(facts: Facts, tmp_path: Path) -> None:
    chosen = Study.load({**SMALL, "compute": {"activations": "recompute"}})
    kept, again = (forecast_of(tmp_path, replace(facts, study=study), study=study) for study in (STUDY, chosen))
    recipe = facts.weights + 4 * facts.nodes.frames * facts.joints * facts.channels
    assert kept.disk - again.disk == pytest.approx(3 * (activations_on_disk(facts) - recipe), rel=0.05)
    assert again.seconds > kept.seconds
    run = open_study(chosen, tmp_path / "made")
    assert run["activations/trained"].layers
    assert bytes_of(run.path("activations/trained")) == pytest.approx(recipe, rel=0.25)
