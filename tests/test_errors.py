"""Messages of errors."""

from __future__ import annotations

import pickle

import pytest

from stgcnlib.errors import END, LONGEST, ArtefactError, StgcnlibError, StudyError


@pytest.mark.parametrize("kind", [StgcnlibError, ArtefactError, StudyError])
def test_of_a_message_of_any_length_the_middle_is_left_out(kind: type[StgcnlibError]) -> None:
    message = "data.path: /" + "x" * 10_000 + ": cannot be read; write where it lies"
    said = str(kind(message))
    assert len(said) < LONGEST + 50
    assert said.startswith("data.path: /xxx")
    assert said.endswith("xxx: cannot be read; write where it lies")
    assert f"({len(message) - LONGEST} more characters)" in said
    assert str(pickle.loads(pickle.dumps(kind(message)))) == said


def test_a_message_of_usual_length_stays() -> None:
    message = "y" * (LONGEST + END)
    assert str(StudyError(message)) == message
