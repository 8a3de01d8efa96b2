"""What a study that is refused says and leaves: its file is named, and a folder that was made for it is removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stgcnlib.errors import StgcnlibError
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
def nothing_left(output: Path) -> Iterator[None]:
    """Remove the folder of a study that is refused within the block, if it was not there before.

    So are folders above it that were made for it. What was there before stays, and so does a folder in which another
    run has begun.

    Args:
        output: the folder of the study.

    Raises:
        StgcnlibError: as the block raises it.
    """
    new = [folder for folder in (output, *output.parents) if not os.path.lexists(folder)]
    try:
        yield
    except StgcnlibError:
        if new and not (output / "study.yml").exists():
            shutil.rmtree(output, ignore_errors=True)
            for folder in new[1:]:
                with suppress(OSError):  # something else lies there by now
                    folder.rmdir()
        raise
