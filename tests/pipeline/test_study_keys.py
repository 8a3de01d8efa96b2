"""The list of a study's keys: whole, by section, by word; and which key an unknown one is meant as."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from stgcnlib import cli
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.keys import find_keys, key_lines, key_names, key_sections, section_model
from stgcnlib.pipeline.study import Study


def written_out(values: Any, path: str = "") -> set[str]:
    """Dotted names of all keys in the plain values of a study."""
    if not isinstance(values, dict):
        return {path}
    below = [written_out(value, f"{path}.{name}" if path else name) for name, value in values.items()]
    return set().union({path} - {""}, *below)


def models(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The model of each section, with the section's name."""
    yield name, model
    for part, field in model.model_fields.items():
        if (inner := section_model(field.annotation)) is not None:
            yield from models(inner, f"{name}.{part}")


def test_every_key_of_a_study_is_listed_once() -> None:
    study = Study.load({"noise": {}, "sensitivity": {}, "transfer": {"source": {"classes": 3}}})
    names = key_names(Study)
    assert written_out(study.model_dump()) <= set(names)
    assert len(names) == len(set(names))


def test_a_row_says_values_default_and_what_it_is() -> None:
    rows = {key.name: key for section in key_sections(Study) for key in section.keys}
    assert rows["network.training.epochs"].values == "whole number or null, from 1"
    assert rows["network.training.epochs"].default == "`null`: 60"
    assert rows["dtw.metric"].values == "`euclidean` or `sqeuclidean` or `cosine`"
    assert rows["dtw.metric"].default == "`euclidean`"
    assert rows["transfer.source"].default == "must be given"
    assert rows["layers"].words == "names of the modules whose output is recorded; null: those that the network names"
    assert rows["explain.jitter"].words.endswith("as a share of a recording's spread of positions")
    assert all(section.words and "Args" not in section.words for section in key_sections(Study))


def test_every_key_has_its_own_words_and_no_word_is_of_an_unknown_key() -> None:
    keys = [key for section in key_sections(Study) for key in section.keys]
    assert [key.name for key in keys if len(key.words) < 10] == []
    assert [key.name for key in keys if "\n" in key.words or "|" in key.words or "  " in key.words] == []
    for name, model in models(Study):
        _, _, listed = inspect.cleandoc(model.__doc__ or "").partition("\n\nArgs:\n")
        described = re.findall(r"^ {4}(\w+): ", listed, re.MULTILINE)
        assert described == list(model.model_fields), name


def test_keys_are_found_by_section_and_by_word() -> None:
    assert [each.name for each in find_keys(Study, "network")] == [
        "network", "network.training", "network.training.augment",
    ]  # fmt: skip
    assert {key.name for each in find_keys(Study, "batch-size") for key in each.keys} == {
        "network.training.batch_size", "transfer.training.batch_size",
    }  # fmt: skip
    assert find_keys(Study) == key_sections(Study)
    with pytest.raises(StudyError, match=r"^keys: no section or key is named 'explian'; did you mean 'explain'\?$"):
        find_keys(Study, "explian")


def test_lines_have_one_key_each() -> None:
    lines = list(key_lines(Study, "explain"))
    assert lines[:2] == [
        "explain",
        "  Relevance maps: of which class, for how many recordings, and how they are put to the test.",
    ]
    (sequences,) = [line for line in lines if line.startswith("    explain.sequences ")]
    assert sequences.split() == ["explain.sequences", "24", "whole", "number,", "from", "2"]
    assert lines[lines.index(sequences) + 1] == "        number of recordings with which the maps are tested"


def test_the_command_prints_them() -> None:
    result = CliRunner().invoke(cli.app, ["keys", "epochs"])
    assert result.exit_code == 0, result.output
    assert "    network.training.epochs  null: 60  whole number or null, from 1\n" in result.output
    assert "    transfer.training.epochs  null: 15  whole number or null, from 1\n" in result.output
    assert "batch_size" not in result.output
    listed = CliRunner().invoke(cli.app, ["keys"]).output
    assert all(f"    {name} " in listed for name in key_names(Study))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network: {epochs: 3}", "unknown key 'network.epochs'; did you mean 'network.training.epochs'?"),
        ("network: {epoch: 3}", "unknown key 'network.epoch'; did you mean 'network.training.epochs'?"),
        (
            "epochs: 3",
            "unknown key 'epochs'; did you mean 'network.training.epochs' or 'transfer.training.epochs'?",
        ),
        ("network: {layers: [a]}", "unknown key 'network.layers'; did you mean 'layers' at the top of the file"),
        ("dtw: {windows: 3}", "unknown key 'dtw.windows'; did you mean 'window' or 'data.windows'"),
        ("data: {klasses: [a]}", "unknown key 'data.klasses'; did you mean 'classes'?"),
        ("graph: {sgima: 1}", "unknown key 'graph.sgima'; did you mean 'sigma'?"),
        ("data: {people: 2}", "unknown key 'data.people'; known keys: 'path', 'format'"),
    ],
)
def test_an_unknown_key_names_the_one_that_is_meant(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(text)
    with pytest.raises(StudyError) as caught:
        Study.from_file(file)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert str(caught.value).endswith("; 'stgcnlib keys' lists all keys")


def test_only_unknown_keys_lead_to_the_list(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"not 0$"):
        Study.load({"graph": {"k": 0}})
