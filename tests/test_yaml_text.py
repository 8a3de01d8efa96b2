"""YAML 1.2: what is written is read back, and no value becomes another one by a rule of 1.1."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stgcnlib.yaml_text import YAMLError, read_yaml, read_yaml_file, write_yaml

WORDS = [
    "yes", "No", "on", "OFF", "y", "n", "010", "0o10", "0x1F", "12:30", "1_000", "1e3", ".5", "~", "<<", "=", "null",
    "true", "2024-01-31", ".inf", "-.INF", ".nan", "+1", "1.", "", " a ", "- a", "a: b", "#",
]  # fmt: skip
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=["Cc"]), max_size=12)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.sampled_from(WORDS)
)  # fmt: skip


@given(st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)))
@example({"a": ["no", "010", "1e3", 1e-05, 10, True, None]})
def test_what_is_written_is_read_back(value: Any) -> None:
    text = write_yaml(value)
    assert read_yaml(text) == value


@given(PLAIN)
def test_text_that_is_written_is_the_same_for_readers_of_1_1(value: Any) -> None:
    assert yaml.safe_load(write_yaml({"a": value}))["a"] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10), ("-007", -7), ("0", 0), ("0o10", 8), ("0x1F", 31), ("1_000", "1_000"), ("12:30", "12:30"),
        ("190:20:30.15", "190:20:30.15"), ("yes", "yes"), ("No", "No"), ("on", "on"), ("OFF", "OFF"), ("y", "y"),
        ("true", True), ("False", False), ("TRUE", True), ("tRUE", "tRUE"), ("null", None), ("~", None), ("", None),
        ("1e-3", 1e-3), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("-.inf", -math.inf), ("2024-01-31", "2024-01-31"),
        ("=", "="), ("0b11", "0b11"), ("089", 89), ("[001, 002, 010]", [1, 2, 10]), ("'010'", "010"),
        ("{no: 1, 010: 2}", {"no": 1, 10: 2}), ("!!int '12'", 12), ("+.5e1", 5.0),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    found = read_yaml(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("read", [read_yaml, partial(read_yaml, plain_texts=True)])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x {k: 1}\nb:\n  <<: *x\n", r"alias \*x"),
        ("a: &x [*x]", r"alias \*x"),
        ("\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]), r"alias \*a0"),
        ("[" * 31 + "]" * 31, "30 levels"),
        ("[" * 100_000, "30 levels"),
        ("{a: " * 60_000, "30 levels"),
        ("- " * 100_000, "30 levels"),
        ("".join(" " * i + f"k{i}:\n" for i in range(500)), "30 levels"),
        ("? " * 10_000, "30 levels"),
        ("a" * (2**18 + 1), "too many"),
    ],
)
def test_bombs_are_refused_at_once(read: Callable[[str], Any], text: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(YAMLError, match=said):
        read(text)
    assert time.monotonic() - began < 5


def test_a_file_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    with file.open("wb") as stream:
        stream.truncate(2**40)  # takes no room
    with pytest.raises(YAMLError, match="too many"):
        read_yaml_file(file)
    with pytest.raises(IsADirectoryError):
        read_yaml_file(tmp_path)
    os.mkfifo(tmp_path / "fifo.yml")
    with pytest.raises(YAMLError, match="regular"):
        read_yaml_file(tmp_path / "fifo.yml")
    file.write_bytes(b"a: \xff")
    with pytest.raises(YAMLError, match="byte 3 is no UTF-8"):
        read_yaml_file(file)
    file.write_bytes(b"\xef\xbb\xbfa: 010")
    assert read_yaml_file(file) == {"a": 10}


def test_what_occurs_twice_is_written_out() -> None:
    twice = [1, {"a": "b"}]
    assert read_yaml(write_yaml({"x": twice, "y": twice})) == {"x": twice, "y": twice}


def test_what_is_allowed_goes_deep_enough() -> None:
    assert read_yaml("[" * 28 + "1" + "]" * 28)
    assert read_yaml("&unused [010]") == [10]
    assert read_yaml("a: [010, no]", plain_texts=True) == {"a": ["010", "no"]}


@pytest.mark.parametrize("read", [read_yaml, partial(read_yaml, plain_texts=True)])
@pytest.mark.parametrize("text", [r'a: "\ud800"', r'"\udfff": 1', r'a: ["\ud83d\ude00"]'])
def test_half_a_character_is_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(YAMLError, match=r"(?s)cannot be written as UTF-8; write the character itself.*line 1"):
        read(text)
    assert read('a: "\U0001f600"') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "[" * 5000,
        "!!python/object/apply:os.system ['x']",
        "a: [1",
        "9" * 5000,
        "? [a]\n: 1",
        "!!int abc",
        "!!float x",
        "!!bool maybe",
        "!!timestamp x",
        "!!map [a]",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(YAMLError):
        read_yaml(text)
