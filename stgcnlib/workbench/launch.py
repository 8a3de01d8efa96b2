"""The command: JupyterLab on the workbench's notebook, or Voilà, which shows it as an application.

Both listen on this machine alone, ask for a token, and fetch nothing from a network: no news, no updates, no fonts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stgcnlib.errors import OutputError, StudyError
from stgcnlib.files import fingerprint, write_text
from stgcnlib.pipeline.finished import read_study
from stgcnlib.pipeline.notebooks import read_notebook
from stgcnlib.temporary import TemporaryFolder
from stgcnlib.trust import state_folder

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
    os.chdir(notebook.parent)  # servers read settings, which are code, where they start
    os.execve(command[0], command, {**os.environ, **environment})


def place_notebook(folders: Sequence[Path], *, keep: bool = True) -> Path:
    """The workbench's notebook for these studies, its parameters filled in.

    It lies outside of the studies, so that code that came with one does not run: in the user's state folder, as
    ``workbench.ipynb`` (``workbench-OTHER.ipynb`` with a second study) in a folder of the first study's own, where it
    is left as it is if it is there already. Where nothing can be written there, or with `keep` false, it lies in a
    temporary folder.
    """
    homes = [folder.resolve() for folder in folders]
    name = "-".join(["workbench", *(home.name for home in homes[1:])]) + ".ipynb"
    kept = state_folder() / "workbench" / f"{homes[0].name}-{fingerprint([str(home) for home in homes])[:8]}" / name
    if keep:
        if kept.is_file():
            return kept
        with suppress(OutputError):
            return _write(kept, homes)
    return _write(TemporaryFolder(inherited=True).path / name, homes)


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
    command = [*start, "jupyterlab", "--ip=127.0.0.1", *_QUIET, *wishes, f"--ServerApp.root_dir={notebook.parent}"]
    # The notebook alone on the screen; the View menu brings the rest of JupyterLab back.
    command.append(f"--LabApp.default_url=/doc/tree/{quote(notebook.name)}")
    if port is not None:
        command.append("--ServerApp.port_retries=0")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in containers; whoever starts this as root intends it
    return command, {"JUPYTER_CONFIG_PATH": _before(_HERE / "config", "JUPYTER_CONFIG_PATH")}


def workbench_notebook() -> Path:
    """The notebook to copy: in the repository, or inside the installed package."""
    installed = _HERE.parent / "notebooks" / "workbench.ipynb"
    return installed if installed.is_file() else _HERE.parents[1] / "notebooks" / "workbench.ipynb"


def _write(target: Path, folders: Sequence[Path]) -> Path:
    notebook: Any = read_notebook(workbench_notebook())
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    _, _, rest = cell.source.partition("\n")
    listed = ", ".join(json.dumps(str(folder), ensure_ascii=False) for folder in folders)
    cell.source = f"folders = [{listed}]  # of finished studies, one or two\n{rest}"
    write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return target


def _before(folder: Path, variable: str) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
