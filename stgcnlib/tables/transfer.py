"""Tables of the transfer study: its task, the accuracy of each fit, and what the advice on freezing rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.groups import counted, plural
from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.words import spans

if TYPE_CHECKING:
    from stgcnlib.studies import TransferResult

__all__ = ["advice_table", "transfer_facts", "transfer_table"]


def transfer_facts(result: TransferResult, *, source: Any, data: SequenceSet) -> pd.DataFrame:
    """Source, target and budget, one per row, in the column "value".

    Args:
        result: of `stgcnlib.transfer_study`.
        source: the study's section `transfer.source`: its `classes`, `checkpoint` and `path`.
        data: all recordings of the study.
    """
    found = result.settings
    there = len(np.unique(data.labels))
    named = len(data.class_names)
    target = there
    if source.classes is not None:
        count = source.classes if isinstance(source.classes, int) else len(set(source.classes))
        origin = f"{count} of the {there} classes of these data" + _empty(there, named)
        target -= count
    else:
        origin = str(source.checkpoint or source.path)
    tests = "sampled test" if found.get("sampled") else "test"
    facts = {
        "source": origin,
        "target": f"{counted(target, 'class', 'classes')}{_empty(target, found['classes'])}, "
        f"{found['train_n']} training and {found['n']} {tests} recordings",
        "blocks": str(found["blocks"]),
        "frozen": ", ".join(map(str, found["frozen"])),
        "training of each fit": ", ".join(f"{name} {value}" for name, value in found["training"].items()),
        "fits": f"{len(result.fits)}, {result.fits['seconds'].sum() / 60:.1f} min",
        "seeds": ", ".join(map(str, found["seeds"])),
        "source networks": str(found["sources"]),
        "held out of each fit for validation": "about a fifth of the training part's "
        + ("recordings" if found["validation"] is None else plural(found["validation"])),
    }
    return pd.DataFrame({"value": facts})


def _empty(there: int, named: int) -> str:
    """' with recordings (27 are named)', where some classes have none."""
    return "" if there == named else f" with recordings ({named} are named)"


def transfer_table(result: TransferResult) -> pd.DataFrame:
    """Accuracy of each method and number of frozen blocks, with intervals."""
    table, least = result.table, int(result.settings["frozen"][0])
    names = [m if f < 0 else f"{f} frozen" for m, f in zip(table["method"], table["frozen"], strict=True)]
    return pd.DataFrame(
        {
            "fit": names,
            "accuracy": spans(table, "accuracy", "low", "high", "{:.1%}", missing=""),
            "validation": table["validation"].map("{:.1%}".format),
            "sd over seeds": table["seed_sd"].map(lambda v: "" if np.isnan(v) else f"{100 * v:.1f} points"),
            "against tuning all" if least == 0 else f"against {least} frozen": spans(
                table, "change", "change_low", "change_high", "{:+.1%}", missing=""
            ),
            "parameters trained": table["parameters"].map("{:,}".format),
            "seconds": table["seconds"].map("{:.1f}".format),
        }
    ).set_index("fit")


def advice_table(evidence: pd.DataFrame) -> pd.DataFrame:
    """What the advice on freezing rests on, one row per number of frozen blocks.

    Args:
        evidence: the `evidence` of `stgcnlib.advise_frozen`.
    """
    return pd.DataFrame(
        {
            "frozen": evidence["frozen"],
            "validation": evidence["validation"].map("{:.1%}".format),
            "behind": [f"{100 * v:.1f} points" for v in evidence["behind"]],
            "standard error": [f"{100 * v:.1f} points" for v in evidence["standard_error"]],
            "as good": evidence["as_good"].map({True: "yes", False: "no"}),
            "test accuracy": evidence["accuracy"].map("{:.1%}".format),
            "smoothness": evidence["smoothness"].map("{:.3f}".format),
        }
    ).set_index("frozen")
