"""The settings on a report's first page: what a key without a value means is said, and said rightly."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from stgcnlib.pipeline.no_value import NO_VALUE
from stgcnlib.pipeline.study import Study
from stgcnlib.report.settings import settings_rows


def nullable(model: type[BaseModel] = Study, prefix: str = "") -> Iterator[str]:
    """Dotted keys that may be null, sections included."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        if type(None) in kinds:
            yield f"{prefix}{name}"
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from nullable(kind, f"{prefix}{name}.")


@pytest.mark.parametrize("key", list(nullable()))
def test_every_key_that_may_be_null_has_words(key: str) -> None:
    nested: Any = None
    for part in reversed(key.split(".")):
        nested = {part: nested}
    ((name, text),) = settings_rows(nested)
    assert name == key
    assert text not in ("not set", "default", "None", "")


def test_the_defaults_of_a_training_are_those_of_fit() -> None:
    from stgcnlib.studies.transfer_plan import EPOCHS
    from stgcnlib.training import fine_tune, fit
    from stgcnlib.training.augment import Augmentation

    fitted = {name: each.default for name, each in inspect.signature(fit).parameters.items()}
    told = {key.removeprefix("training."): text for key, text in NO_VALUE.items() if key.startswith("training.")}
    for name, text in told.items():
        if not name.startswith("augment.") and fitted[name] is not None:
            assert text == str(fitted[name]), name
    assert {f"augment.{name}": str(value) for name, value in asdict(Augmentation()).items()}.items() <= told.items()
    assert NO_VALUE["transfer.training.epochs"] == str(EPOCHS)
    slower = inspect.signature(fine_tune).parameters["learning_rate"].default
    assert NO_VALUE["transfer.training.learning_rate"] == f"{slower}; from scratch {fitted['learning_rate']}"


def test_values_lists_and_unknown_keys() -> None:
    study = {"data": {"published": [], "skip": None, "windows": None}, "network": {"options": {}}, "mine": {"x": None}}
    rows = dict(settings_rows({**study, "k": [1, 2], "seed": 0, "off": False}))
    assert rows == {
        "data.published": "none", "data.skip": "none", "data.windows": "none: recordings are not cut",
        "network.options": "none", "mine.x": "not set", "k": "1, 2", "seed": "0", "off": "False",
    }  # fmt: skip
