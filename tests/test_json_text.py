"""JSON of others' files: what would fill memory or overflow a stack is refused, what is real is read."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from stgcnlib.json_text import DEEPEST, MOST_LISTS, parse_json, read_json_file


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "levels deep"),
        (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "levels deep"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "levels deep"),
        (b"[" + b"[]," * MOST_LISTS + b"1]", "lists and objects"),
        (b'{"a": 1', "delimiter"),
        (b"\xff", "utf-8"),
        (b"9" * 5000, "digits"),
        (rb'{"a": ["one", "two \ud800"]}', r"^'two \\ud800' cannot be written as UTF-8$"),
        (rb'{"\uDFFF": 1}', "cannot be written"),
        (rb'"\ude00\ud83d"', "cannot be written"),
    ],
)
def test_what_is_refused(content: bytes, said: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said):
            parse_json(content)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_what_is_read() -> None:
    assert parse_json(b"\xef\xbb\xbf" + b"[" * DEEPEST + b"]" * DEEPEST)
    assert parse_json('{"é": [1, {"b": NaN}]}'.encode())["é"][0] == 1
    assert parse_json(rb'["\ud83d\ude00", "\\ud800"]') == ["\U0001f600", r"\ud800"]


def test_a_file_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(ValueError, match="at most"):
        read_json_file(tmp_path / "large.json")
    os.mkfifo(tmp_path / "fifo.json")
    with pytest.raises(ValueError, match="no regular file"):
        read_json_file(tmp_path / "fifo.json")
    with pytest.raises(IsADirectoryError):
        read_json_file(tmp_path)
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json_file(tmp_path / "a.json") == {"a": 1}
