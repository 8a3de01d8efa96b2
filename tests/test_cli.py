"""The command line: what it prints, what it writes, how it complains."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_study import SMALL
from typer.testing import CliRunner

from stgcnlib import SequenceSet, __version__, cli
from stgcnlib.errors import StageError

runner = CliRunner()


def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `stgcnlib ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["stgcnlib", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


def test_version() -> None:
    result = runner.invoke(cli.app, ["--version"])
    assert result.exit_code == 0
    assert result.output.strip() == f"stgcnlib {__version__}"


def test_help_lists_the_commands() -> None:
    result = runner.invoke(cli.app, ["--help"])
    for command in ("run", "estimate", "keys", "compare", "report", "read", "embed"):
        assert command in result.output


def test_read_says_what_is_there_and_converts(small_set: SequenceSet, tmp_path: Path) -> None:
    small_set.save(tmp_path / "mine.npz")
    result = runner.invoke(cli.app, ["read", str(tmp_path / "mine.npz"), "-o", str(tmp_path / "copy")])
    assert result.exit_code == 0, result.output
    for word in ("8", "12 to 26", "kinect-v1, 20 joints, 3 channels", "4: 1, 2, 3, 4", "wave", "kick"):
        assert word in result.output
    assert SequenceSet.load(tmp_path / "copy.npz").fingerprint() == small_set.fingerprint()


def test_read_warns_and_skips(small_set: SequenceSet, tmp_path: Path) -> None:
    coords = [c * 1000 for c in small_set.coords]
    small_set.with_coords(coords).save(tmp_path / "mine.npz")
    (tmp_path / "skip.txt").write_text("\n".join(small_set.names[:3]))
    result = runner.invoke(cli.app, ["read", str(tmp_path / "mine.npz"), "--skip", str(tmp_path / "skip.txt")])
    assert result.exit_code == 0, result.output
    assert "recordings  5, " in result.stdout
    assert "warning: bodies are" in result.stderr
    assert "looks like millimetres" in result.stderr


def test_read_takes_tables_of_own_joints(tmp_path: Path) -> None:
    (tmp_path / "mouse.yml").write_text("joints: [snout, tail]\nbones: [[tail, snout]]\ndimensions: 2\n")
    for name, number in (("3_walk", 1), ("4_rest", 2)):
        (tmp_path / f"{name}.csv").write_text(f"{number},2,3,4\n{number},3,4,6\n")
    told = ["--layout", str(tmp_path / "mouse.yml"), "--pattern", "{subject}_{label}.csv"]
    result = runner.invoke(cli.app, ["read", str(tmp_path), *told, "-o", str(tmp_path / "out.npz")])
    assert result.exit_code == 0, result.output
    assert "mouse, 2 joints, 2 channels" in result.output
    data = SequenceSet.load(tmp_path / "out.npz")
    assert (data.class_names, data.groups["subject"].tolist()) == (("rest", "walk"), [3, 4])


def test_an_error_about_input_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = invoke(monkeypatch, capsys, "read", str(tmp_path / "[nothing]"))
    assert code == 2
    assert out == ""
    assert err.strip() == f"error: {tmp_path / '[nothing]'}: no such file or folder"


def test_a_place_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("x")
    SequenceSet([[[[1.0, 2, 3]] * 20]], layout="kinect-v1").save(tmp_path / "a.npz")
    for command in (
        ["read", str(tmp_path / "a.npz"), "-o", str(tmp_path / "taken" / "out")],
        ["run", "demo", "-o", str(tmp_path / "taken")],
        ["run", "demo", "-o", str(tmp_path / "taken" / "out")],
    ):
        code, _, err = invoke(monkeypatch, capsys, *command)
        assert code == 2
        last = err.strip().splitlines()[-1]
        assert last.startswith(f"error: {tmp_path}")
        assert "taken is a file, not a folder" in last


def test_outputs_are_probed_before_work_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def work(*_: Any, **__: Any) -> None:
        raise AssertionError("begun")

    for place in (
        "stgcnlib.report.study.run_stages", "stgcnlib.report.study.foresee", "stgcnlib.report.compare.compare_studies",
        "stgcnlib.pipeline.embed.read_study", "stgcnlib.pipeline.embed.open_study", "stgcnlib.readers.read",
    ):  # fmt: skip
        monkeypatch.setattr(place, work)
    file, folder, long = tmp_path / "file", tmp_path / "folder.npz", tmp_path / ("x" * 300)
    file.write_text("x")
    folder.mkdir()
    deep = tmp_path.joinpath(*["y" * 200] * 19)
    cases = [
        (["run", "demo"], [file, file / "out", long, deep], "is a file, not a folder"),
        (["compare", "a", "b"], [file, file / "out", long, deep], "is a file, not a folder"),
        (["embed", "demo"], [folder, file / "out", long, deep], "it is a folder; name a file"),
        (["read", "x"], [folder, file / "out", long, deep], "it is a folder; name a file"),
    ]
    for command, places, said in cases:
        for place, what in zip(places, [said, "is a file, not a folder", "too long", "too long"], strict=True):
            code, _, err = invoke(monkeypatch, capsys, *command, "-o", str(place))
            assert code == 2
            assert err.startswith(f"error: {place}")
            assert what in err
            assert err.endswith("; choose another place with --output\n")
            assert err.count("\n") == 1
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full())
    code, _, err = invoke(monkeypatch, capsys, "run", "demo", "-o", str(tmp_path / "out"))
    assert (code, "No space left" in err) == (2, True)
    assert sorted(tmp_path.iterdir()) == [file, folder]


def full() -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a/x"), "/a/x: Permission denied; change its permissions"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/a/x"), "/a/x: File name too long; choose a shorter"),
        (OSError(errno.EROFS, "Read-only file system", "/a", None, "/b"), "/a to /b: Read-only file system; it cannot"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; make room"),
        (OSError(errno.EMFILE, "Too many open files", b"/a/x"), "/a/x: Too many open files; allow more"),
        (OSError(errno.EIO, "Input/output error", 3), "Input/output error; the disk"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), "x: No such file; check that it exists"),
        (OSError("19 requested and\n 0 written"), "19 requested and 0 written (--debug"),
        (OSError(), "OSError (--debug"),
        (UnicodeEncodeError("utf-8", "../caf\udce9", 6, 7, "-"), r"'../caf\udce9' cannot be written as utf-8; if"),
        (MemoryError("cannot allocate 3 GiB"), "not enough memory (cannot allocate 3 GiB); end other"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("stgcnlib.report.html.render_report", refuse)
    code, out, err = invoke(monkeypatch, capsys, "report", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["stgcnlib", "--debug", "report", str(tmp_path)])
    with pytest.raises(type(error)):
        cli.main()


def test_a_fault_of_ours_is_no_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stumble(*_: Any, **__: Any) -> Any:
        raise AttributeError("x")

    monkeypatch.setattr("stgcnlib.report.html.render_report", stumble)
    with pytest.raises(AttributeError):
        invoke(monkeypatch, capsys, "report", "x")


def test_code_that_calls_exit_ends_no_command_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stgcnlib.report.html.render_report", lambda _: sys.exit(0))
    code, out, err = invoke(monkeypatch, capsys, "report", "x")
    assert (code, out) == (2, "")
    assert err.startswith("error: the network of the study called exit (SystemExit: 0); take that out of its code")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["stgcnlib", "--debug", "report", str(tmp_path)])
    with pytest.raises(StageError, match=r"study\.yml"):
        cli.main()


def test_run_refuses_a_wrong_study_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = tmp_path / "mine.yml"
    study.write_text("graph: {k: 20, sgima: 1}\n")
    code, _, err = invoke(monkeypatch, capsys, "run", str(study), "-o", str(tmp_path / "out"))
    assert code == 2
    assert "unknown key 'graph.sgima'; did you mean 'sigma'" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_run_passes_its_options_and_names_the_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def fake(study: str, output: str, **options: Any) -> Path:
        seen.update(study=study, output=output, **options)
        return Path(output) / "index.html"

    monkeypatch.setattr("stgcnlib.report.study.run_study", fake)
    options = ["-o", str(tmp_path), "--force", "04_geometry", "--workers", "3", "--scheduler", "tcp://a:1"]
    result = runner.invoke(cli.app, ["run", "demo", *options])
    assert result.exit_code == 0, result.output
    assert seen == {
        "study": "demo",
        "output": str(tmp_path),
        "force": "04_geometry",
        "workers": 3,
        "scheduler": "tcp://a:1",
    }
    assert result.output.replace("\n", "") == str(tmp_path / "index.html")


def test_run_prints_what_the_summary_warns_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("stgcnlib.report.study.run_study", lambda *_, **__: tmp_path / "index.html")
    home = tmp_path / "artefacts" / "summary"
    home.mkdir(parents=True)
    (home / "summary.json").write_text(json.dumps({"verdict": "Falls.", "warnings": ["9 of 40 are [equal]."]}))
    result = runner.invoke(cli.app, ["run", "demo", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert result.stderr == "warning: 9 of 40 are [equal].\n"
    assert result.stdout.replace("\n", "") == str(tmp_path / "index.html")


def test_report_of_a_folder_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = invoke(monkeypatch, capsys, "report", "no/such/folder")
    assert code == 2
    assert "no study.yml" in err


@pytest.mark.parametrize(
    ("number", "place", "command", "after"),
    [
        (signal.SIGINT, "stgcnlib.report.study.run_study", ["run", "demo"], "the same command goes on from here"),
        (signal.SIGTERM, "stgcnlib.report.study.run_study", ["run", "demo"], "the same command goes on from here"),
        (signal.SIGHUP, "stgcnlib.pipeline.embed.embed_study", ["embed", "demo", "-o", "y"], "goes on from here"),
        (signal.SIGTERM, "stgcnlib.pipeline.estimate.estimate", ["estimate", "demo"], "starts from the beginning"),
        (signal.SIGTERM, "stgcnlib.readers.read", ["read", "x"], "starts from the beginning"),
        (
            signal.SIGINT,
            "stgcnlib.report.compare.compare",
            ["compare", "x", "y", "-o", "z"],
            "starts from the beginning",
        ),
    ],
)
def test_an_interrupt_says_what_can_be_done_next(
    number: signal.Signals,
    place: str,
    command: list[str],
    after: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        signal.raise_signal(number)
        time.sleep(5)
        raise AssertionError("went on")

    monkeypatch.setenv("STGCNLIB_PROGRESS", "0")
    monkeypatch.setattr(place, interrupted)
    # A shell's background commands ignore SIGINT, and those of nohup SIGHUP.
    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        code, out, err = invoke(monkeypatch, capsys, *command)
    finally:
        signal.signal(number, before)
    assert (code, out) == (128 + number, "")
    assert err.startswith("interrupted; ")
    assert after in err
    assert err.count("\n") == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_that_is_ended_says_that_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(SMALL))
    start = "from stgcnlib.cli import main; main()"
    command = [sys.executable, "-c", start, "run", "mine.yml", "-o", "out"]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        while run.poll() is None and not (tmp_path / "out" / "study.yml").exists():
            time.sleep(0.05)
        run.terminate()
        _, err = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 128 + signal.SIGTERM, err
    assert "interrupted; what is finished is kept, and the same command goes on from here" in err
    assert "Traceback" not in err


def test_help_is_quick_to_import() -> None:
    script = "import sys, stgcnlib.cli; sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'papermill')))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
