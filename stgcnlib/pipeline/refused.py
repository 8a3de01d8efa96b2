"""What a study that is refused says and leaves: its file is named, and a folder that was made for it is removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import Artefacts
from stgcnlib.errors import StgcnlibError
from stgcnlib.pipeline.guard import in_use
from stgcnlib.pipeline.keys import key_names
from stgcnlib.pipeline.study import Study, study_file

__all__ = ["file_named", "nothing_left"]


@contextmanager
def file_named(study: Study | Mapping[str, Any] | str | os.PathLike[str]) -> Iterator[None]:
    """Errors about a key of a study begin with the name of its file, as those of `Study.from_file` do.

    An error is about a key if its message begins with it.

    Args:
        study: as it was given, also the folder of a finished one; errors of a `Study` and of fields stay as they are.

    Raises:
        StgcnlibError: the same error, with the file's name.
    """
    try:
        yield
    except StgcnlibError as error:
        begins = re.match(r"[a-z_]+(\.[a-z_]+)*(?=[: ])", str(error))
        if isinstance(study, str | os.PathLike) and begins and begins[0] in key_names(Study):
            file = study_file(study)
            error.args = (f"{file / 'study.yml' if file.is_dir() else file}: {error}",)
        raise


@contextmanager
def nothing_left(made: Artefacts, new: Sequence[Path], *, held: bool = False) -> Iterator[None]:
    """Remove the folder of a study that is refused within the block, if this command made it.

    So are folders above it that were made for it. What was there before stays, and so does a folder in which another
    command has written: a run, or a notebook.

    Args:
        made: the artefacts of the study, with which the block makes what it needs.
        new: the folders that were missing when the command began, that of the study first, as of
            `stgcnlib.files.missing_folders`.
        held: whether this command holds the lock of the folder (`stgcnlib.pipeline.guard.alone`).

    Raises:
        StgcnlibError: as the block raises it.
    """
    try:
        yield
    except (StgcnlibError, SystemExit):  # the latter from code of the user's own
        if new and made.folder.is_dir() and (held or not in_use(made.folder)) and not _used(made):
            shutil.rmtree(made.folder, ignore_errors=True)
            for folder in new[1:]:
                with suppress(OSError):  # something else lies there by now
                    folder.rmdir()
        raise


def _used(made: Artefacts) -> bool:
    """Whether something lies in the folder of a study that this process has not written."""
    names = {path.name for path in made.folder.iterdir()}
    return not names <= {"artefacts", "tables"} or made.store.has_others()
