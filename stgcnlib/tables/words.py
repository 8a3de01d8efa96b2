"""Numbers with their intervals as one text per cell."""

from __future__ import annotations

import math

import pandas as pd

from stgcnlib.verdicts.outcome import directed, directed_span, known

__all__ = ["change", "changes", "span", "spans"]


def span(value: float, low: float, high: float, form: str) -> str:
    """``"0.31 (0.28 to 0.35)"`` by a format such as "{:.2f}", or the value alone where there is no interval."""
    ends = f" ({form.format(low)} to {form.format(high)})" if known(low, high) else ""
    return form.format(value) + ends


def spans(table: pd.DataFrame, value: str, low: str, high: str, form: str, *, missing: str | None = None) -> list[str]:
    """`span` of each row, from the columns of these names.

    Args:
        missing: what stands for a NaN value; `None` writes it as a number.
    """
    return [
        missing if missing is not None and math.isnan(v) else span(v, a, b, form)
        for v, a, b in zip(table[value], table[low], table[high], strict=True)
    ]


def change(value: float, low: float, high: float, form: str, ways: tuple[str, str]) -> str:
    """A change as ``"0.17 (0.10 to 0.24)"``; a negative one as ``"rises by 0.17 (rises by 0.51 to falls by 0.18)"``.

    Args:
        value, low, high: the change and its interval; a change without an interval stands alone.
        form: a format such as "{:z.2f}".
        ways: words before values above 0 and before values below, as `stgcnlib.verdicts.outcome.FALLS`.
    """
    ends = directed_span(low, high, form.format, ways, unknown="")
    return directed(form.format(value), ways) + (f" ({ends})" if ends else "")


def changes(
    table: pd.DataFrame,
    value: str,
    low: str,
    high: str,
    form: str,
    ways: tuple[str, str],
    *,
    missing: str | None = None,
) -> list[str]:
    """`change` of each row, from the columns of these names.

    Args:
        missing: what stands for a NaN value; `None` writes it as a number.
    """
    return [
        missing if missing is not None and math.isnan(v) else change(v, a, b, form, ways)
        for v, a, b in zip(table[value], table[low], table[high], strict=True)
    ]
