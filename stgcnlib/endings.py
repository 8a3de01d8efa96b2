"""How a command that fails or is interrupted ends: one line says what stopped it and what can be done next.

Errors about input and errors of the system give exit code 2; Ctrl-C gives 130, and SIGTERM 143.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from stgcnlib.errors import StgcnlibError, StudyError

__all__ = ["Commands", "end_in_one_line", "what_the_system_said"]

GOES_ON = ("run", "embed")
"""Commands that keep what they have finished."""
PROGRAMS = ("bench",)
"""Commands that run another program, which ends by itself."""
_MENDS = {
    errno.ENOSPC: "make room on that disk (bytes, or the number of files), or choose another",
    errno.EDQUOT: "make room within your quota, or choose another disk",
    errno.EROFS: "it cannot be written to; choose another place",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name or path",
    errno.EMFILE: "allow more open files with 'ulimit -n', or use fewer workers",
    errno.ENFILE: "end other programs that hold files open",
    errno.EIO: "the disk or its connection fails; copy what is on it to another one",
    errno.ENOMEM: "end other programs, or use fewer workers",
    errno.ENOTDIR: "a file lies where a folder should be",
    errno.EISDIR: "give a file, not a folder",
    errno.ENOENT: "check that it exists and that the path is right",
}


class Commands(TyperGroup):
    """A group of commands; when one is interrupted, it says what the same command would do if started again."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for; SIGTERM and a closed terminal end it as Ctrl-C does."""
        from stgcnlib.pipeline.guard import stoppable

        try:
            with stoppable():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            if ctx.invoked_subcommand in GOES_ON:
                after = "what is finished is kept, and the same command goes on from here"
            else:
                after = "no file is left half-written; the same command starts from the beginning"
            _say(f"interrupted; {after}", "yellow")
            number = signal.Signals[interrupt.args[0]] if interrupt.args else signal.SIGINT
            raise typer.Exit(128 + number) from None
        except SystemExit as end:  # of code that a study names; what ends our own commands has other names
            if ctx.invoked_subcommand in PROGRAMS:
                raise
            raise StudyError(
                f"the network of the study called exit (SystemExit: {end}); take that out of its code (--debug after "
                "'stgcnlib' shows where)"
            ) from end


def end_in_one_line(app: Callable[[], object]) -> None:
    """Run the command line; an error about input, or of the system, ends as one line on stderr and exit code 2.

    With ``--debug`` the error comes as it is, with its traceback.
    """
    try:
        app()
    except (StgcnlibError, OSError, MemoryError, UnicodeEncodeError) as error:
        if "--debug" in sys.argv:
            raise
        _refuse(error)


def what_the_system_said(error: OSError) -> str:
    """An error of the system as one line: the path, if it names one, the cause, and the mend, if there is one."""
    cause = " ".join((error.strerror or str(error) or type(error).__name__).split())
    paths = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    mend = _MENDS.get(error.errno or 0)
    return " to ".join(paths) + ": " * bool(paths) + cause + (f"; {mend}" if mend else "")


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, StgcnlibError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{what_the_system_said(error)} (--debug after 'stgcnlib' shows where)"
    elif isinstance(error, UnicodeEncodeError):
        shown = ascii(error.object[max(0, error.start - 60) : error.end + 20])
        text = (
            f"{shown} cannot be written as {error.encoding}; if it is the name of a file or folder, rename that "
            "(--debug after 'stgcnlib' shows where)"
        )
    else:
        text = f"not enough memory ({' '.join(str(error).split()) or 'none is left'}); end other programs, or take less"
    _say(f"error: {text}", "red")
    sys.exit(2)


def _say(text: str, style: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style=style))
