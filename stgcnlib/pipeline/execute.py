"""The worker process that runs notebooks with papermill, one after the other: ``python -m stgcnlib.pipeline.execute``.

Jobs come as lines of JSON on stdin, events go out as lines of JSON; each notebook has a kernel of its own.
When stdin closes, the parent process exited or asked for a stop: the kernel is killed and the unfinished
notebook removed.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from stgcnlib.paths import without_paths
from stgcnlib.pipeline.kernels import LAUNCHER, PROVISIONER

__all__ = ["limit_memory", "main", "partial_path"]

ENGINE = "stgcnlib-save-once"
GIB = 2**30
SHOWN_LINES = 6


class SameInterpreter(AsyncKernelManager):
    """Kernels of the Python that runs this process, whatever kernels Jupyter has registered."""

    started: AsyncKernelManager | None = None

    @property
    def kernel_spec(self) -> KernelSpec:
        """ipykernel of this interpreter."""
        SameInterpreter.started = self
        # Neither Python (-P) nor IPython looks for modules in the folder where the notebook runs.
        argv = [
            sys.executable,
            "-P",
            "-m",
            LAUNCHER,
            "-f",
            "{connection_file}",
            "--InteractiveShellApp.ignore_cwd=True",
        ]
        forked = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
        return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python", metadata=forked)


def partial_path(target: Path) -> Path:
    """Where a notebook is written while it runs."""
    return target.with_name(f".{target.stem}.partial.ipynb")


def main() -> None:
    """Execute the jobs that stdin describes until it closes."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a kernel writes directly to stdout must not mix with the events
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    current: list[Path] = []
    threading.Thread(target=_listen, args=(orders, current), daemon=True).start()

    def send(**event: Any) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    while True:
        job = orders.get()
        os.environ.update(job.get("environment", {}))
        limit_memory(job.get("memory_limit"))
        current[:] = [partial_path(Path(job["target"]))]
        send(**_execute(job, send))
        SameInterpreter.started = None
        current.clear()


def _execute(job: dict[str, Any], send: Any) -> dict[str, Any]:
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _save_once()
    target = Path(job["target"])
    partial, failed = partial_path(target), target.with_name(f"{target.stem}.failed.ipynb")
    notebook = nbformat.read(job["notebook"], as_version=4)
    count = len(notebook.cells) + 1  # papermill adds the cell with our parameters

    begun = 0

    def show(*, cell: Any, cell_index: int) -> None:
        nonlocal begun
        begun = cell_index + 1
        send(cell=begun, of=count)

    def run() -> None:
        papermill.execute_notebook(
            job["notebook"],
            partial,
            parameters=job["parameters"],
            engine_name=ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=120,
            kernel_manager_class=SameInterpreter,
            on_cell_start=show,
        )

    os.chdir(target.parent)
    failed.unlink(missing_ok=True)
    try:
        try:
            run()
        except (RuntimeError, TimeoutError):
            if begun:
                raise
            run()  # kernels that start at the same time may pick the same port: once more
    except PapermillExecutionError as error:
        partial.replace(failed)
        lines = [line for line in error.source.splitlines() if line.strip()][-SHOWN_LINES:]
        message = f"{error.ename}: {error.evalue}" if error.evalue else error.ename + _printed(failed)
        return {"failed": message, "execution": error.exec_count, "source": lines, "kept": str(failed)}
    except Exception as error:
        if partial.exists():
            partial.replace(failed)
        kept = str(failed) if failed.exists() else None
        message = f"{type(error).__name__}: {error}" + (f" (in cell {begun} of {count})" if begun else "")
        return {"failed": message, "execution": None, "source": [], "kept": kept}
    with partial.open("rb+") as stream:
        os.fsync(stream.fileno())
    partial.replace(target)
    return {"done": True}


def _save_once() -> None:
    """Let papermill write a notebook only at its end; by default it does so twice per cell, megabytes each time."""
    from papermill.engines import NBClientEngine, papermill_engines

    class SaveOnce(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            path, nb_man.output_path = nb_man.output_path, None
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.output_path = path  # papermill saves once more, whatever happened
                _forget_paths(nb_man.nb)

    papermill_engines.register(ENGINE, SaveOnce)


def _forget_paths(notebook: Any) -> None:
    """Remove this machine's paths from papermill's metadata, warnings and tracebacks: notebooks may be passed on."""
    about = notebook.metadata.get("papermill", {})
    for name in ("input_path", "output_path"):
        about[name] = Path(about.get(name) or "").name
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = without_paths(output.text)
            elif output.output_type == "error":
                output.evalue = without_paths(output.evalue)
                output.traceback = [without_paths(line) for line in output.traceback]


def _printed(failed: Path) -> str:
    """What the failing cell printed last, for errors without a message."""
    import nbformat

    for cell in nbformat.read(failed, as_version=4).cells:
        if cell.metadata.get("papermill", {}).get("exception"):
            text = "".join(str(output.get("text", "")) for output in cell.get("outputs", []))
            return "".join(f"\n    {line}" for line in text.splitlines()[-SHOWN_LINES:])
    return ""


def limit_memory(gib: float | None) -> None:
    """Limit the memory that this process and its kernel may each allocate, to `gib` GiB; only on Linux."""
    if gib is None or not sys.platform.startswith("linux"):
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (int(gib * GIB), resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _listen(orders: queue.SimpleQueue[dict[str, Any]], current: list[Path]) -> None:
    """Pass orders on; at the end of stdin, kill the kernel, remove the unfinished notebook and leave."""
    with os.fdopen(os.dup(0), encoding="utf-8") as lines:
        for line in lines:
            orders.put(json.loads(line))
    started = SameInterpreter.started
    pid = getattr(getattr(started, "provisioner", None), "pid", None)
    if pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # a kernel leads its own group
    if started is not None:
        started.cleanup_connection_file()  # it holds the key to the kernel
    for path in current:
        path.unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    main()
