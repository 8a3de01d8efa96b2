"""The command line: what it prints, what it writes, how it complains."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
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
    for command in ("run", "estimate", "compare", "report", "read", "embed"):
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


def test_what_the_system_refuses_is_one_line_and_a_fault_of_ours_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "x"))

    def stumble(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")

    monkeypatch.setattr("stgcnlib.report.html.render_report", refuse)
    code, _, err = invoke(monkeypatch, capsys, "report", str(tmp_path))
    assert code == 2
    assert err.strip() == f"error: [Errno {errno.EACCES}] Permission denied: '{tmp_path / 'x'}'"
    monkeypatch.setattr("stgcnlib.report.html.render_report", stumble)
    with pytest.raises(FileNotFoundError):
        invoke(monkeypatch, capsys, "report", str(tmp_path))


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


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("stgcnlib.report.study.run_study", interrupted)
    code, _, err = invoke(monkeypatch, capsys, "run", "demo")
    assert code == 130
    assert "Traceback" not in err


def test_help_is_quick_to_import() -> None:
    script = "import sys, stgcnlib.cli; sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'papermill')))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
