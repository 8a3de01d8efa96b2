"""Table of the layer statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from stgcnlib.tables.words import spans

if TYPE_CHECKING:
    from stgcnlib.geometry import LayerStatistics

__all__ = ["statistics_table"]


def statistics_table(statistics: LayerStatistics) -> pd.DataFrame:
    """One row per layer, one column per statistic that was measured: value and interval of the trained network."""
    from stgcnlib.geometry.statistics import STATISTICS

    rows = statistics.table[statistics.table["network"] == "trained"]
    titles = rows.drop_duplicates("index").sort_values("index").set_index("index")["title"]
    table = pd.DataFrame({"layer": titles})
    for name, title in STATISTICS.items():
        mine = rows[rows["statistic"] == name].set_index("index")
        if mine["value"].notna().any():
            table[title] = spans(mine.loc[titles.index], "value", "low", "high", "{:z.2f}")
    return table.set_index("layer")
