"""Transfer: accuracy against the number of frozen blocks, above the smoothness of the target's labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stgcnlib.errors import StudyError
from stgcnlib.figures.style import GOOD, LEFT, MIDDLE, MUTED, RIGHT, SHARE, band, direct_labels, new_figure, styled

__all__ = ["transfer_curve"]


@styled
def transfer_curve(table: pd.DataFrame, smoothness: pd.DataFrame, *, advised: int | None = None) -> Figure:
    """Accuracy when the first f blocks are frozen, and label smoothness of the target at layer f of the source network.

    Above: test accuracy with its interval, one small dot per seed where `table` holds fits, beside training from
    scratch and a linear probe. Below: the target's labels on the source network before any fine-tuning.

    Args:
        table: `TransferResult.table`.
        smoothness: `TransferResult.smoothness`.
        advised: number of blocks to mark, such as that of `verdicts.advise_frozen`.

    Raises:
        StudyError: if the table has no fit with frozen blocks.
    """
    frozen = table[table["method"] == "frozen"].sort_values("frozen")
    if frozen.empty:
        raise StudyError("the transfer study has no fit with frozen blocks")
    figure = new_figure(5.6, alt="Accuracy against frozen blocks, and label smoothness of the target by layer.")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.35, 1])
    x = frozen["frozen"].to_numpy(dtype=float)
    curve = smoothness.sort_values("index")
    layers = curve["index"].to_numpy(dtype=float)
    right = float(max(x.max(), layers.max()))

    ends = []
    for method, color, style in (("from scratch", RIGHT, (0, (5, 2))), ("linear probe", MIDDLE, (0, (1.5, 1.5)))):
        for row in table[table["method"] == method].to_dict("records"):
            if method == "from scratch":
                band(upper, [-0.3, right + 0.3], [row["low"]] * 2, [row["high"]] * 2, color, alpha=0.09, bounds=SHARE)
            upper.plot([-0.3, right + 0.3], [row["accuracy"]] * 2, color=color, linewidth=1.4, linestyle=style)
            ends.append((float(row["accuracy"]), method, color))
    band(upper, x, frozen["low"], frozen["high"], LEFT, bounds=SHARE)
    upper.plot(x, frozen["accuracy"], color=LEFT, linewidth=2.6, marker="o", markersize=6, zorder=3)
    ends.append((float(frozen["accuracy"].iloc[-1]), "fine-tuned", LEFT))
    shown = table[["low", "accuracy"]].min().min(), table[["high", "accuracy"]].max().max()
    margin = 0.06 * (shown[1] - shown[0]) or 0.02
    upper.set_ylim(max(0.0, shown[0] - margin), min(1.03, shown[1] + 2.5 * margin))
    upper.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    upper.set_ylabel("test accuracy on the target")
    direct_labels(upper, right + 0.3, ends)

    band(lower, layers, curve["low"], curve["high"], LEFT, bounds=SHARE)
    lower.plot(layers, curve["smoothness"], color=LEFT, linewidth=2.2, marker="o", markersize=5)
    lowest, highest = np.fmin(curve["low"], curve["smoothness"]), np.fmax(curve["high"], curve["smoothness"])
    limits = float(lowest.min()), float(highest.max())  # intervals may be missing
    pad = 0.1 * (limits[1] - limits[0]) or 0.02
    lower.set_ylim(max(0.0, limits[0] - pad), limits[1] + pad)
    if float(curve["null_mean"].min()) < limits[1] + pad:
        lower.plot(layers, curve["null_mean"], color=MUTED, linewidth=1.2, linestyle=(0, (1.5, 1.5)))
        direct_labels(lower, right + 0.3, [(float(curve["null_mean"].iloc[-1]), "shuffled labels", MUTED)])
    lower.set_ylabel("label smoothness of the target\n(lower = smoother)")
    lower.set_xlabel("first blocks frozen; layer of the source network (0 = input)")
    lower.set_xticks(np.arange(0, right + 1))
    for ax in (upper, lower):
        ax.grid(axis="y")
        ax.set_axisbelow(True)
        if advised is not None:
            ax.axvline(advised, color=GOOD, linewidth=1.6, alpha=0.8, zorder=1)
    if advised is not None:
        upper.annotate(
            f"advice: freeze {advised}", (advised, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
            textcoords="offset points", va="top", color=GOOD,
        )  # fmt: skip
        side = "right" if advised > 0.7 * right else "left"
        upper.texts[-1].set_ha(side)
        upper.texts[-1].set_x(-4 if side == "right" else 4)
    lower.set_xlim(-0.3, right + 0.3)
    upper.tick_params(axis="x", length=0)
    return figure
