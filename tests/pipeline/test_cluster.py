"""Artefacts made by the workers of a Dask scheduler: the same bytes, whatever is killed, and clear errors."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import pandas as pd
import pytest
import torch
from distributed import Client, LocalCluster
from small_artefacts import BEGAN, LINE, SLOW, SPREADING, TASKS, WAITING
from small_line import alive, importable, wait_for, write_notebook
from small_study import SMALL, small_study

from stgcnlib.artefacts import Event
from stgcnlib.errors import ArtefactError, ClusterError
from stgcnlib.pipeline import remote
from stgcnlib.pipeline.cluster import Cluster
from stgcnlib.pipeline.jobs import Crew
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.stages import Stage
from stgcnlib.pipeline.study import Study

SHOWN = ("geometry",)
"""What the small study makes here."""


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    with (
        importable(),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module")
def address(dask: LocalCluster) -> str:
    return str(dask.scheduler_address)


def opened(folder: Path, **settings: Any) -> StudyRun:
    return StudyRun(Study.load({"name": "small", **settings}), folder, SPREADING)


def make(study: StudyRun, scheduler: str, *names: str) -> tuple[list[str], list[str]]:
    """Names of the artefacts that were made, in this order, and what was said."""
    events: list[Event] = []
    said: list[str] = []
    with Crew(1, scheduler=scheduler) as crew:
        crew.say = said.append
        crew.make(study, names, events.append)
    return [event.name for event in events if event.state == "made"], said


@contextmanager
def making(study: StudyRun, scheduler: str, *names: str) -> Iterator[Future[tuple[list[str], list[str]]]]:
    """`make` in a thread, once it has begun to make "explained", which waits for a file."""
    outcome: Future[tuple[list[str], list[str]]] = Future()

    def work() -> None:
        try:
            outcome.set_result(make(study, scheduler, *names))
        except Exception as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for(lambda: began(study) or tasks(study) or outcome.done())
        yield outcome
    finally:
        go_on(study)
        thread.join()


def began(study: StudyRun) -> list[int]:
    """Processes that have begun to make "explained", while it is not made."""
    return [int(line) for file in study.output.glob(BEGAN) for line in file.read_text().split()]


def go_on(study: StudyRun) -> None:
    for file in study.output.glob("artefacts/.unfinished/*/*/began.txt"):
        file.with_name("go-on").touch()


def slow(folder: Path) -> StudyRun:
    return opened(folder, explain={"steps": SLOW})


def contents(home: Path) -> dict[str, str]:
    """Checksums of all files of all artefacts, but of those that hold times."""
    found = {}
    for manifest in (home / "artefacts").rglob("*.manifest.json"):
        about = json.loads(manifest.read_text())
        for file, (total, _) in about["files"].items():
            if file not in ("zarr.json", "network.pt", "history.parquet"):
                found[f"{about['artefact']}/{file}"] = total
    return found


def test_a_study_is_the_same_byte_for_byte(
    address: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = small_study(tmp_path_factory)
    study = StudyRun(Study.load({**SMALL, "compute": {"scheduler": address}}), tmp_path)
    make(study, study.study.compute.scheduler, *SHOWN)
    there, expected = contents(tmp_path), contents(here)
    assert there == {name: expected[name] for name in there}
    assert len([name for name in there if name.startswith(("curves/", "distances/"))]) >= 15
    weights = [torch.load(home / "artefacts/training/trained/network.pt") for home in (tmp_path, here)]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0]["state_dict"].items():
        assert value.numpy().tobytes() == weights[1]["state_dict"][name].numpy().tobytes()
    fits = [pd.read_parquet(home / "artefacts/training/trained/history.parquet") for home in (tmp_path, here)]
    pd.testing.assert_frame_equal(*(fit.drop(columns="seconds") for fit in fits))
    assert make(study, address, *SHOWN)[0] == []
    assert not (tmp_path / "artefacts" / ".clusters").exists()


def test_a_run_takes_the_scheduler_of_the_study_and_its_notebooks_stay_here(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 'import os\nwith open(output + "/trace.txt", "a") as trace:\n    trace.write(str(os.getppid()))'
    write_notebook(tmp_path / "notebooks", "00_data", told)
    monkeypatch.chdir(tmp_path)  # where the workers are not
    study = Study.load({"name": "small", "compute": {"scheduler": address}})
    for each in (study, study, Study.load({"name": "small"})):  # where it was made is no setting that counts
        run_stages(
            each, Path("out"), (Stage("00_data", ("layers",)),), tmp_path / "notebooks", line=LINE, progress=False,
            fork=False,
        )  # fmt: skip
        assert (tmp_path / "out" / "artefacts" / "layers.json").exists()
    assert not list(tmp_path.glob("out/artefacts/.clusters"))
    assert (tmp_path / "out" / "trace.txt").read_text().isdigit()  # it ran once


def test_a_worker_that_is_killed_costs_only_what_it_was_making(dask: LocalCluster, tmp_path: Path) -> None:
    study = slow(tmp_path)
    with making(study, dask.scheduler_address, "explained", "width/*") as outcome:
        (pid,) = began(study)
        with Client(dask.scheduler_address, set_as_default=False) as client:
            wait_for(lambda: sum(map(len, client.processing().values())) == 1)
            (worker,) = (each for each, keys in client.processing().items() if keys)
            os.kill(client.run(os.getpid)[worker], signal.SIGKILL)
        wait_for(lambda: len(began(study)) == 2)
        wait_for(lambda: not alive(pid))  # nothing goes on behind the back of the new one
        go_on(study)
        made, said = outcome.result(60)
    assert sorted(made) == ["explained", "layers", "seeded", "width/block %3C0%3E", "width/input"]
    assert len(study["explained"]) == 2
    assert said[1:] == [f"worker {worker} is lost; other workers repeat its 1 unfinished task"]


def test_a_process_that_is_killed_is_replaced(address: str, tmp_path: Path) -> None:
    study = slow(tmp_path)
    with making(study, address, "explained") as outcome:
        os.kill(began(study)[0], signal.SIGKILL)
        wait_for(lambda: len(began(study)) == 2)
        go_on(study)
        assert outcome.result(60)[0] == ["seeded", "layers", "explained"]


def test_one_that_dies_every_time_is_told_as_such(address: str, tmp_path: Path) -> None:
    cluster = Cluster(address, tmp_path)
    with pytest.raises(BrokenExecutor):
        cluster.submit(os._exit, 3).result(60)
    assert cluster.submit(pow, 2, 5).result(60) == 32
    cluster.shutdown()


def test_errors_come_as_they_are_and_once(address: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"^seeded: making it failed with ValueError: 13 is unlucky$"):
        make(opened(tmp_path, seed=13), address, "explained")
    cluster = Cluster(address, tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        cluster.submit(subprocess.run, f"echo called >> {tmp_path}/calls; false", shell=True, check=True).result(60)
    cluster.shutdown()
    assert (tmp_path / "calls").read_text() == "called\n"


def test_an_interrupt_ends_what_runs_on_the_workers(address: str, tmp_path: Path) -> None:
    study = slow(tmp_path)

    def interrupt(event: Event) -> None:
        if event.name == "explained":
            wait_for(lambda: began(study))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Crew(1, scheduler=address) as crew:
        crew.make(study, ["explained"], interrupt)
    (pid,) = began(study)
    wait_for(lambda: not alive(pid), 10)
    with making(study, address, "explained") as outcome:  # and the workers are good for another run
        wait_for(lambda: len(began(study)) == 2)
    assert outcome.result()[0] == ["explained"]


def test_its_processes_have_one_thread_and_the_limit_of_the_study(address: str, tmp_path: Path) -> None:
    cluster = Cluster(address, tmp_path, memory_limit=4)
    assert cluster.submit(os.getenv, "OMP_NUM_THREADS").result(60) == "1"
    assert cluster.submit(numba.get_num_threads).result(60) == cluster.submit(torch.get_num_threads).result(60) == 1
    if sys.platform.startswith("linux"):
        import resource

        assert cluster.submit(resource.getrlimit, resource.RLIMIT_DATA).result(60)[0] == 4 * 2**30
    cluster.shutdown()


# -- an artefact whose tasks others run ------------------------------------------------------------


def tasks(study: StudyRun) -> list[tuple[int, int]]:
    """(item, process) of the tasks of "squares" that have begun, while it is not made; `all_tasks` has all of them."""
    files = study.output.glob("artefacts/.unfinished/squares/*/began.txt")
    return [(int(line.split()[0]), int(line.split()[1])) for file in files for line in file.read_text().splitlines()]


def all_tasks(study: StudyRun) -> list[tuple[int, int]]:
    """(item, process) of all tasks that were begun for "squares", once it is made."""
    return [(item, process) for item, process in study["squares"]["began"]]


@contextmanager
def squaring(study: StudyRun, scheduler: str) -> Iterator[Future[tuple[list[str], list[str]]]]:
    """`make` in a thread, once the tasks of "squares" are done but for one, which waits, and perhaps those after it."""
    with making(study, scheduler, "squares") as outcome:
        wait_for(lambda: WAITING in dict(tasks(study)) or outcome.done())
        yield outcome


SQUARES = [sum(item**2 for item in range(3)), *(item**2 for item in range(3, TASKS))]


def test_tasks_of_one_artefact_run_on_all_workers_and_none_twice(address: str, tmp_path: Path) -> None:
    study = opened(tmp_path)
    with squaring(study, address) as outcome:
        wait_for(lambda: len(tasks(study)) == TASKS)  # the other worker goes on
        os.kill(dict(tasks(study))[WAITING], signal.SIGKILL)
        wait_for(lambda: len(tasks(study)) == TASKS + 1)
        go_on(study)
        assert outcome.result(60)[0] == ["squares"]
    done = all_tasks(study)
    assert sorted(item for item, _ in done) == sorted([*range(TASKS), WAITING])
    assert len({process for item, process in done if item == WAITING}) == 2  # whose other one may be either worker's
    assert study["squares"]["values"] == SQUARES


def test_a_search_for_neighbours_runs_in_tasks_and_is_the_same_byte_for_byte(
    address: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Study.load({**SMALL, "graph": {"k": 4, "distances": "neighbours"}})
    here, there = (
        StudyRun(settings, shutil.copytree(small_study(tmp_path_factory), tmp_path / name)) for name in ("a", "b")
    )
    assert here["neighbours/trained/*"]
    made, _ = make(there, address, "neighbours/trained/*")
    assert len([name for name in made if name.startswith("neighbours/trained/")]) == 4
    expected = {name: total for name, total in contents(here.output).items() if name.startswith("neighbours")}
    assert len(expected) >= 4
    assert {name: contents(there.output)[name] for name in expected} == expected


# -- two runs on one worker ----------------------------------------------------------------------


def test_a_run_that_leaves_a_worker_idle_may_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run ends its idle processes, and no others. The run itself is ended by `dismiss` alone."""
    worker = SimpleNamespace(address="tcp://worker", state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    monkeypatch.setattr(remote, "_source", SimpleNamespace(path="", fork=lambda *_: None))  # processes start as usual
    monkeypatch.setattr(remote, "_crews", {})
    monkeypatch.setattr(remote, "_ended", set())
    monkeypatch.setattr(remote, "IDLE_SECONDS", 0.0)

    def ask(run: str) -> tuple[bool, Any]:
        terms = remote.Terms(run, str(written(tmp_path / run, run)), remote.identity(), None)
        return remote.carry_out(terms, pickle.dumps((os.getpid, (), {})))

    try:
        good, first = ask("a")
        assert good
        assert ask("a") == (True, first)
        assert ask("b")[0]
        wait_for(lambda: not alive(first))
        good, second = ask("a")
        assert good, second
        assert second != first
        remote._crews["a"].tasks += 1  # now it is not idle
        assert ask("b")[0]
        assert ask("a") == (True, second)
        remote.dismiss("a")
        wait_for(lambda: not alive(second))
        good, error = ask("a")
        assert (good, str(error)) == (False, "the run has ended")
    finally:
        remote.dismiss("b")


# -- a scheduler of its own ----------------------------------------------------------------------


@contextmanager
def started(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """A scheduler that writes its address to a file, and a worker that reads it there, as on a cluster."""
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    options = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0"],
        "worker": ["--nthreads", "1", "--no-nanny", "--death-timeout", "60", "--local-directory", str(file.parent)],
    }
    processes = []
    with importable():
        for what, more in options.items():
            command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *common, *more]
            processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            wait_for(file.exists)
    try:
        yield processes[0], processes[1]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_scheduler_that_is_killed_costs_only_what_was_being_made(tmp_path: Path) -> None:
    """Of an artefact that spreads, only its task. The worker has one place, which the artefact leaves to its tasks."""
    study, file = opened(tmp_path / "out"), tmp_path / "scheduler.json"
    with started(file) as (scheduler, worker), squaring(study, str(file)) as outcome:
        before = tasks(study)
        scheduler.kill()
        with pytest.raises(ClusterError, match=r"^the scheduler tcp://127\.0\.0\.1:\d+ is lost; .*same command"):
            outcome.result(60)
        worker.wait(60)  # it goes with its scheduler, and what it was making with it
        wait_for(lambda: not any(alive(process) for _, process in before))
    finished = {item for item, _ in before} - {WAITING}
    assert not (tmp_path / "out" / "artefacts" / "squares.json").exists()
    with pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:\d+ .*start one"):
        make(study, str(file), "squares")
    file.unlink()
    with started(file):
        assert make(study, str(file), "squares")[0] == ["squares"]  # nothing waits: the file "go-on" is there
    after = all_tasks(study)
    assert after[: len(before)] == before
    assert len(finished) == len(before) - 1
    assert sorted(item for item, _ in after[len(before) :]) == sorted({*range(TASKS)} - finished)
    assert study["squares"]["values"] == SQUARES


# -- what stands against a run -------------------------------------------------------------------


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgcnlib.pipeline.cluster.SECONDS_TO_ANSWER", 0.5)
    for scheduler, match in {
        "tcp://127.0.0.1:9": r"^compute\.scheduler: no scheduler answers at tcp://127\.0\.0\.1:9 .*'dask scheduler'",
        "odd://127.0.0.1": r"no scheduler answers at odd://127\.0\.0\.1 .*odd",
        str(tmp_path / "none.json"): r"there is no scheduler file .*none\.json; start one with .*--scheduler-file",
        str(written(tmp_path / "empty.json", "{}")): r"empty\.json is no scheduler file \(KeyError: 'address'\)",
        str(written(tmp_path / "text.json", "tcp://")): r"text\.json is no scheduler file \(JSONDecodeError",
    }.items():
        with pytest.raises(ClusterError, match=match):
            Cluster(scheduler, tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"needs the package distributed; .*stgcnlib\[cluster\]"):
        Cluster("tcp://127.0.0.1:9", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.json", "text.json"]


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def test_workers_of_another_version_are_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = remote.identity()
    monkeypatch.setattr("stgcnlib.pipeline.cluster.identity", lambda: {**mine, "stgcnlib": "9.9"})
    with pytest.raises(
        ClusterError, match=r"^worker tcp://\S+ has stgcnlib .* and the run has stgcnlib 9\.9 .*install"
    ):
        Cluster(address, tmp_path)
    monkeypatch.setattr(Cluster, "_check", lambda self: None)  # a worker that comes later is asked with its first task
    with pytest.raises(ClusterError, match=r"^worker tcp://\S+ has stgcnlib .* and the run has stgcnlib 9\.9"):
        make(opened(tmp_path), address, "seeded")


def test_a_run_whose_workers_do_not_fit_leaves_nothing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(tmp_path / "notebooks", "00_data", "1")
    mine = remote.identity()
    monkeypatch.setattr("stgcnlib.pipeline.cluster.identity", lambda: {**mine, "stgcnlib": "9.9"})
    with pytest.raises(ClusterError, match=r"^worker tcp://\S+ has stgcnlib "):
        run_stages(
            Study.load({"name": "small"}), tmp_path / "reports" / "out", (Stage("00_data", ("layers",)),),
            tmp_path / "notebooks", line=LINE, progress=False, fork=False, scheduler=address,
        )  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["notebooks"]


def test_workers_that_do_not_see_the_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 1.0)
    mark = tmp_path / "out" / "artefacts" / ".clusters" / "abc"
    terms = remote.Terms("abc", str(mark), remote.identity(), None)
    complaint = remote.unfit(terms)
    assert complaint == (
        f"does not see the folder of the run, {tmp_path / 'out'}; give --output a folder that all machines share under "
        "the same path"
    )
    mark.parent.mkdir(parents=True)
    threading.Timer(0.05, mark.write_text, ("abc",)).start()  # a shared folder may show it late
    assert remote.unfit(terms) is None


def test_a_scheduler_file_is_looked_for_beside_the_study_file(tmp_path: Path) -> None:
    def scheduler(value: str) -> str:
        (tmp_path / "study.yml").write_text(f"compute: {{scheduler: '{value}'}}\n")
        return Study.from_file(tmp_path / "study.yml").compute.scheduler

    assert scheduler("s.json") == str(tmp_path / "s.json")
    assert scheduler("${NO_SUCH:-here}/s.json") == str(tmp_path / "here" / "s.json")
    assert scheduler("tcp://a:1") == "tcp://a:1"
    assert scheduler("local") == "local"
