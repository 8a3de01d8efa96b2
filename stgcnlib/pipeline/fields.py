"""What all sections of a study are made of: a strict model, and types of numbers that refuse YAML's true and false."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Number", "Section", "Whole"]

Whole = Annotated[int, Field(strict=True)]


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


Number = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]


class Section(BaseModel):
    """A part of a study: unknown keys are refused, and fields cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
