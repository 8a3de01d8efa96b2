"""YAML 1.2: what is written is read back, and no value becomes another one by a rule of 1.1."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stgcnlib.yaml_text import YAMLError, read_yaml, write_yaml

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


def test_merging_a_mapping_still_works() -> None:
    assert read_yaml("a: &x {k: 1}\nb:\n  <<: *x\n  m: 2\n") == {"a": {"k": 1}, "b": {"k": 1, "m": 2}}


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
