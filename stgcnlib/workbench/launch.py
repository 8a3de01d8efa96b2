"""The command: JupyterLab on the workbench's notebook, or Voilà, which shows it as an application.

Both listen on this machine alone, ask for a token, and fetch nothing from a network: no news, no updates, no fonts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stgcnlib.errors import StudyError
from stgcnlib.files import write_text
from stgcnlib.pipeline.finished import read_study
from stgcnlib.pipeline.notebooks import read_notebook
from stgcnlib.temporary import TemporaryFolder

__all__ = ["launch", "place_notebook", "server_command", "workbench_notebook"]

_HERE = Path(__file__).resolve().parent
_QUIET = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)

# A page that is closed ends its kernel; that of a browser that crashed ends after an hour.
_CULLED = ("--MappingKernelManager.cull_idle_timeout=3600", "--MappingKernelManager.cull_interval=300")


def launch(folders: Sequence[Path], *, app: bool = False, port: int | None = None, browser: bool = True) -> None:
    """Serve the workbench on finished studies until it is interrupted; this process becomes the server.

    Args:
        folders: of finished studies, one or two.
        app: Voilà instead of JupyterLab; needs the extra `app`.
        port: `None` takes the first free one from 8888 on, or 8866 with `app`.
        browser: open it there.

    Raises:
        StudyError: a folder holds no finished study, or Voilà is not installed.
    """
    if app and find_spec("voila") is None:
        raise StudyError("explore --app needs Voilà; install it with: pip install 'stgcnlib[app]'")
    for folder in folders:
        read_study(folder)  # a study without results is refused here, not in a browser
    notebook = place_notebook(folders, keep=not app)
    command, environment = server_command(notebook, app=app, port=port, browser=browser)
    os.execve(command[0], command, {**os.environ, **environment})


def place_notebook(folders: Sequence[Path], *, keep: bool = True) -> Path:
    """The workbench's notebook for these studies, its parameters filled in.

    It lies in the first study's folder as ``workbench.ipynb`` (``workbench-OTHER.ipynb`` with a second study) and is
    left as it is where it is there already. Where that folder cannot be written, or with `keep` false, it lies in a
    temporary folder.
    """
    home = folders[0].resolve()
    name = "-".join(["workbench", *(folder.resolve().name for folder in folders[1:])]) + ".ipynb"
    if (home / name).is_file():
        return home / name
    if keep and os.access(home, os.W_OK):
        places = [os.path.relpath(folder.resolve(), home) for folder in folders]
        return _write(home / name, places)
    return _write(TemporaryFolder(inherited=True).path / name, [str(folder.resolve()) for folder in folders])


def server_command(
    notebook: Path, *, app: bool, port: int | None, browser: bool
) -> tuple[list[str], Mapping[str, str]]:
    """What to run, with absolute paths, and what to add to its environment."""
    # -P: code that lies in the working directory is not imported by the server.
    start = [sys.executable, "-P", "-m"]
    wishes = ([] if browser else ["--no-browser"]) + ([] if port is None else [f"--port={port}"])
    if app:
        command = [
            *start,
            "voila",
            str(notebook),
            "--token",
            "--Voila.ip=127.0.0.1",
            "--template=stgcnlib",
            *_CULLED,
            *wishes,
        ]
        return command, {"JUPYTER_PATH": _before(_HERE, "JUPYTER_PATH")}
    here = Path.cwd()
    root = here if notebook.is_relative_to(here) else notebook.parent
    command = [*start, "jupyterlab", "--ip=127.0.0.1", *_QUIET, *wishes, f"--ServerApp.root_dir={root}"]
    # The notebook alone on the screen; the View menu brings the rest of JupyterLab back.
    command.append(f"--LabApp.default_url=/doc/tree/{quote(notebook.relative_to(root).as_posix())}")
    if port is not None:
        command.append("--ServerApp.port_retries=0")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in containers; who started this as root meant it
    return command, {"JUPYTER_CONFIG_PATH": _before(_HERE / "config", "JUPYTER_CONFIG_PATH")}


def workbench_notebook() -> Path:
    """The notebook to copy: in the repository, or inside the installed package."""
    installed = _HERE.parent / "notebooks" / "workbench.ipynb"
    return installed if installed.is_file() else _HERE.parents[1] / "notebooks" / "workbench.ipynb"


def _write(target: Path, folders: list[str]) -> Path:
    notebook: Any = read_notebook(workbench_notebook())
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    _, _, rest = cell.source.partition("\n")
    listed = ", ".join(json.dumps(folder, ensure_ascii=False) for folder in folders)
    cell.source = f"folders = [{listed}]  # of finished studies, one or two\n{rest}"
    write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return target


def _before(folder: Path, variable: str) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
