"""The command line: run a study, compare finished ones, render a report again, summarise a folder of recordings.

It only parses, calls the library, and turns an error about input into one clear line.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from stgcnlib.endings import Commands, end_in_one_line
from stgcnlib.errors import OutputError, StudyError
from stgcnlib.terminal import complain, facts_table, show, show_summary
from stgcnlib.version import __version__

if TYPE_CHECKING:
    from stgcnlib.pipeline.study import Study

__all__ = ["app", "main"]

Trusted = Annotated[
    bool, typer.Option("--trust", help="Run the study's own network, code that you have read; remembered.")
]

app = typer.Typer(
    name="stgcnlib",
    cls=Commands,
    help="What did each layer of a spatio-temporal graph network learn?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        typer.echo(f"stgcnlib {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="A study file, or the name of a bundled study such as demo.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Folder for everything made; reports/NAME if left out.")
    ] = None,
    force: Annotated[
        str | None, typer.Option("--force", metavar="STAGE", help="Repeat this stage and those that build on it.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Results and notebooks at a time.")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask's: its address or scheduler file; its workers make results.")
    ] = None,
    *,
    trust: Trusted = False,
) -> None:
    """Run a study from recordings to report; what is there already is skipped."""
    from stgcnlib.report.front import front
    from stgcnlib.report.study import run_study

    _allow(study, trust=trust)
    index = run_study(study, output, force=force, workers=workers, scheduler=scheduler)
    page = front(index.parent)
    complain("warning", page.get("warnings", ()))
    complain("note", page.get("notes", ()))
    typer.echo(str(index))


@app.command()
def estimate(
    study: Annotated[str, typer.Argument(help="A study file, or the name of a bundled study such as demo.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Its folder: what is there is not made again.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Results and notebooks at a time.")] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON: seconds, bytes, and the keys that shorten it.")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Say what a study would take of time, memory and disk, from short measurements here; nothing is written."""
    import json
    from dataclasses import asdict

    from stgcnlib.pipeline.board import tell
    from stgcnlib.pipeline.estimate import check_room, find_room
    from stgcnlib.pipeline.estimate import estimate as measure
    from stgcnlib.pipeline.estimate.shorter import shorter_lines, shorter_stages
    from stgcnlib.pipeline.estimate.shown import forecast_lines, forecast_table, load_now
    from stgcnlib.pipeline.finding import study_folder
    from stgcnlib.pipeline.study import Study
    from stgcnlib.progress import name_steps

    loaded = Study.load(study)
    _allow(loaded, trust=trust)
    folder, load = study_folder(loaded, output), load_now()
    tell("measuring how fast this machine reads recordings, passes them through the network and compares them: "
         "about a minute")  # fmt: skip
    with name_steps("looking at the study") as step:
        found = measure(study, folder, workers=workers, tell=step)
    room = find_room(folder)
    if as_json:
        shorter = [asdict(stage) for stage in shorter_stages(found, loaded)]
        typer.echo(json.dumps({**found.plain(), "shorter": shorter}, indent=1))
    else:
        show(forecast_table(found), *forecast_lines(found, room, folder, load=load), *shorter_lines(found, loaded))
    complain("warning", check_room(found, room, loaded, folder))


@app.command()
def keys(
    section: Annotated[
        str, typer.Argument(help="A section such as network.training, or part of a key's name; all if left out.")
    ] = "",
) -> None:
    """List the keys of a study file: what each may hold, and what holds where it is left out."""
    from stgcnlib.pipeline.keys import key_lines
    from stgcnlib.pipeline.study import Study

    for line in key_lines(Study, section):
        typer.echo(line)


@app.command()
def compare(
    studies: Annotated[list[Path], typer.Argument(help="Folders of finished studies, two or more.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the report; the studies' names if left out.")] = None,
) -> None:
    """Show finished studies side by side, with tests on the recordings that they share."""
    from stgcnlib.report.compare import compare as compare_folders

    typer.echo(str(compare_folders(studies, output, name=name)))


@app.command()
def explore(
    studies: Annotated[
        list[Path] | None, typer.Argument(help="Folders of finished studies, one or two; the nearest one if left out.")
    ] = None,
    *,
    as_app: Annotated[bool, typer.Option("--app", help="Without code, by Voilà; needs the extra 'app'.")] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="A free one if left out.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open finished studies in the workbench: JupyterLab on this machine, offline."""
    from stgcnlib.pipeline.finding import nearest_study
    from stgcnlib.workbench.launch import launch

    launch(studies or [nearest_study()], app=as_app, port=port, browser=not no_browser)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Folder that 'run' wrote to.")]) -> None:
    """Render the pages again from the executed notebooks."""
    from stgcnlib.report.html import render_report

    typer.echo(str(render_report(folder)))


@app.command()
def verify(folder: Annotated[Path, typer.Argument(help="Folder that 'run' wrote to.")]) -> None:
    """Say whether all files that a study left are as they were written, and whether it is finished."""
    from stgcnlib.pipeline.verify import verify_study

    health = verify_study(folder)
    for line in health.problems:
        typer.echo(line)
    counted = f"{health.artefacts} artefacts, {health.files} files, {health.size / 2**20:.1f} MiB"
    if health.problems:
        typer.echo(f"{counted}: {len(health.problems)} problems", err=True)
        if health.unfinished:
            typer.echo(health.unfinished, err=True)
        raise typer.Exit(1)
    typer.echo(f"{counted}: every file equals its checksum" + ("" if health.unfinished else "; the study is complete"))
    if health.unfinished:
        typer.echo(health.unfinished)


@app.command()
def embed(
    study: Annotated[str, typer.Argument(help="The folder of a finished study, a study file, or a bundled name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The parquet file to write.")],
    part: Annotated[
        str, typer.Option("--part", help="nodes (whose features the study keeps), train, test or all.")
    ] = "nodes",
    *,
    trust: Trusted = False,
) -> None:
    """Write features for other tools: a parquet row per recording and layer, averaged over frames and joints."""
    from stgcnlib.pipeline.embed import Part, embed_study

    file = Path(study) / "study.yml"
    if file.is_file() or not Path(study).is_dir():
        _allow(file if file.is_file() else study, trust=trust)
    typer.echo(str(embed_study(study, output, part=cast(Part, part))))


@app.command()
def doctor(
    folder: Annotated[Path, typer.Argument(help="Where studies are to lie; reports if left out.")] = Path("reports"),
) -> None:
    """Say what this machine offers a study, and what would stop one; nothing is changed."""
    from stgcnlib.doctor import examine

    findings = list(examine(folder))
    show(facts_table((finding.name, finding.found) for finding in findings))
    problems = [finding.problem for finding in findings if finding.problem]
    complain("problem", problems)
    if problems:
        raise typer.Exit(1)
    typer.echo("nothing here would stop a study")


@app.command(name="compile")
def compile_ahead() -> None:
    """Compile the numerical kernels for this processor; the first study would do so on the way."""
    import time

    from stgcnlib.dsgraph.compiled import compile_kernels

    typer.echo("compiling kernels for this processor (about a minute, longer beside other programs) …", err=True)
    began = time.monotonic()
    compile_kernels()
    typer.echo(f"kernels are compiled for this processor, in {time.monotonic() - began:.0f} s")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="A folder of recordings, or of recorded activations.")],
) -> None:
    """Measure DTW and DS-Graphs beside other libraries; further options go to benchmarks/dtw_peers.py."""
    import runpy
    import sys

    script = Path(__file__).resolve().parents[1] / "benchmarks" / "dtw_peers.py"
    if not script.exists():
        raise StudyError("bench: the benchmarks lie in the repository, not in the installed package; run it in a clone")
    sys.argv = [str(script), str(data), *context.args]
    runpy.run_path(str(script), run_name="__main__")


@app.command()
def read(
    path: Annotated[Path, typer.Argument(help="A file or folder of recordings.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write them as one stgcnlib npz.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="If it can't be told from the names.")] = None,
    skip: Annotated[
        Path | None, typer.Option("--skip", metavar="FILE", help="Recordings to leave out, a name a line.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="Of the joints, by name or as a YAML file, where data do not say it.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", help="Of your own tables' paths: '{subject}/{label}_{trial}.csv'.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", metavar="FILE", help="Of the recordings, a line each, where a file has none."),
    ] = None,
    end_sites: Annotated[bool, typer.Option("--end-sites", help="BVH: keep the ends of the hierarchy.")] = False,  # noqa: FBT002
) -> None:
    """Say what recordings hold and what looks wrong in them, and convert them."""
    import warnings

    from stgcnlib.files import probe_output
    from stgcnlib.readers import read as read_recordings
    from stgcnlib.summary import summarize

    if output is not None:
        if output.name in ("", ".."):
            raise OutputError(f"{output}: is a folder; name a file")
        output = output if output.suffix == ".npz" else output.with_name(output.name + ".npz")
        probe_output(output, file=True, option="--output")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_recordings(
            path, format=format, skip=skip, layout=layout, pattern=pattern, names=names, end_sites=end_sites
        )
    summary = summarize(data)
    complain("warning", [*(str(warning.message) for warning in caught), *summary.warnings])
    show_summary(summary)
    if output is not None:
        data.save(output)
        show(f"written to {output}")


def _allow(study: Study | str | Path, *, trust: bool) -> None:
    """Let a study's own network run if its user says so, by the option or in the terminal."""
    from stgcnlib.pipeline.own_code import asked_for, trust_study
    from stgcnlib.pipeline.study import Study

    loaded = Study.load(study)
    if (own := asked_for(loaded)) is None:
        return
    name, file = own
    asked = f"{file} is code that the study runs as its network {name!r}. Have you read it, and may it run?"
    if trust or (sys.stdin.isatty() and typer.confirm(asked, err=True)):
        trust_study(study)


def main() -> None:
    """Entry point."""
    # numba reads settings from the working directory, and its cache is code: no file there may choose the cache folder.
    os.environ.setdefault("NUMBA_CACHE_DIR", "")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text in this encoding
    end_in_one_line(app)
