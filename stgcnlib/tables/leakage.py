"""What the parts of a split share, as a table for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from stgcnlib.leakage import Leakage

__all__ = ["leakage_table"]


def leakage_table(leakage: Leakage, *, most: int = 10) -> pd.DataFrame:
    """What the parts share, a row per kind and class of the test recording, with some of the pairs; may be empty.

    Columns: kind, class, test recordings (how many), of (how many the class has), for example (up to three pairs).

    Args:
        leakage: of the two parts.
        most: rows to show.
    """
    rows = []
    for (kind, name), pairs in leakage.pairs.groupby(["kind", "test_class"], sort=False):
        first = pairs.drop_duplicates("test_index")
        row: dict[str, Any] = {"kind": kind, "class": name, "test recordings": len(first)}
        row |= {"of": leakage.facts["class_counts"].get(str(name), leakage.facts["test"])}
        shown = [f"{test} and {train}" for test, train in zip(first["test"], first["train"], strict=True)]
        rows.append(row | {"for example": ", ".join(shown[:3]) + ", …" * (len(shown) > 3)})
    columns = ["kind", "class", "test recordings", "of", "for example"]
    return pd.DataFrame(rows, columns=columns).head(most).set_index("kind")
