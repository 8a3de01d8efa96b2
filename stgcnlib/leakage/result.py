"""Leakage: what the parts of a split share, as tables and as sentences."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stgcnlib.artefacts import is_described, read_described, read_table
from stgcnlib.errors import SequenceError, shorten
from stgcnlib.files import atomic_folder, write_json
from stgcnlib.groups import counted

__all__ = ["EQUAL", "NEAR_EQUAL", "SAME_PERFORMANCE", "Leakage"]

FORMAT = "stgcnlib-leakage"
EQUAL, NEAR_EQUAL, SAME_PERFORMANCE = "equal", "near-equal", "same performance"
_COLUMNS = {
    "pairs": {"kind": "s", "train": "s", "test": "s", "train_class": "s", "test_class": "s", "distance": "f",
              "why": "s", "train_index": "i", "test_index": "i"},
    "repeats": {"index": "i", "name": "s", "part": "s", "class_name": "s", "equals": "s", "equals_part": "s",
                "equals_class": "s"},
}  # fmt: skip
NAMED = 4  # classes or recordings that a sentence names


@dataclass(frozen=True, eq=False)
class Leakage:
    """What the parts of a split share.

    Attributes:
        pairs: one row per pair of a training and a test recording: kind ("equal", "near-equal", "same performance"),
            train, test (names), train_class, test_class, distance (as share of the median distance of all pairs; 0 for
            equal ones, NaN for "same performance"), why, train_index, test_index (in the two parts).
        repeats: as `stgcnlib.duplicates.repeated_recordings`: the recordings to leave out so that none occurs twice.
        facts: train (0: there is no training part), test (counts of recordings), class_counts (of the test part, by
            class that is in either part; empty in a set without classes), near (the share that was used), compared
            (whether near-equal ones were looked for), dropped (whether `repeats` have been left out of both parts).
    """

    pairs: pd.DataFrame
    repeats: pd.DataFrame
    facts: dict[str, Any]

    def of(self, kind: str) -> pd.DataFrame:
        """The pairs of one kind.

        `kind` is one of `EQUAL`, `NEAR_EQUAL` and `SAME_PERFORMANCE`.
        """
        return self.pairs[self.pairs["kind"] == kind]

    def sentences(self) -> list[str]:
        """What makes a result on this split doubtful, a sentence or two each; empty where nothing does."""
        return [*self._unknown(), *self._equal(), *self._near_equal(), *self._two_labels(), *self._without_test()]

    def notes(self) -> list[str]:
        """What else a reader should know of the split: what was left out, other views, what was not looked for."""
        return [*self._left_out(), *self._views(), *self._not_compared()]

    def in_short(self) -> str:
        """All of it in a few words, for a table of facts."""
        if not self.facts["train"]:
            return "not compared, since there is no training part"
        found = []
        for kind, adverb in ((EQUAL, ""), (NEAR_EQUAL, "nearly ")):
            if count := int(self.of(kind)["test_index"].nunique()):
                subject = counted(count, "test recording", "test recordings")
                found.append(f"{subject} {adverb}{_equals(count)} a training one")
        if self.facts["dropped"] and len(self.repeats):
            found.append(f"{counted(len(self.repeats), 'equal recording', 'equal recordings')} left out")
        return ", ".join(found) or "no equal or nearly equal recordings"

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write both tables (parquet) and a manifest into a folder, atomically.

        Raises:
            OutputError: something else than an earlier result lies there.
        """
        with atomic_folder(folder, ours=partial(is_described, form=FORMAT)) as temporary:
            self.pairs.to_parquet(temporary / "pairs.parquet")
            self.repeats.to_parquet(temporary / "repeats.parquet")
            write_json(temporary / "manifest.json", {"format": FORMAT, "facts": self.facts})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Leakage:
        """Read what `save` wrote.

        Raises:
            SequenceError: no Leakage folder, or an incomplete one.
        """
        home = Path(folder)
        try:
            manifest = read_described(home / "manifest.json", FORMAT, facts=dict)
            pairs, repeats = (read_table(home / f"{name}.parquet", columns) for name, columns in _COLUMNS.items())
        except (OSError, ValueError) as error:
            raise SequenceError(f"{home}: no complete Leakage ({error}); give a folder written by save") from error
        return cls(pairs, repeats, manifest["facts"])

    # -- sentences -----------------------------------------------------------------------------

    def _unknown(self) -> list[str]:
        if self.facts["train"]:
            return []
        return [
            "The study names no training part (data.split): it is not known on which of these recordings the "
            "network was trained. If it was trained on some, accuracy and smoothness are too good."
        ]

    def _equal(self) -> list[str]:
        if self.facts["dropped"]:
            return []
        rows, found = self.of(EQUAL).drop_duplicates("test_index"), []
        if len(rows):
            found.append(
                f"{self._share(len(rows))} {_equals(len(rows))} a training recording number for number. "
                f"{self._classes(rows)}Accuracy and smoothness on this test part are too good. "
                "data.drop_duplicates: true leaves these recordings out."
            )
        within = self.repeats[self.repeats["part"] == self.repeats["equals_part"]]
        for part, inside in within.groupby("part"):
            one = len(inside) == 1
            found.append(
                f"In the {part} part, {len(inside)} recording{' equals' if one else 's equal'} an earlier one number "
                f"for number ({_named(inside['name'])}), which therefore counts more than once. "
                "data.drop_duplicates: true keeps the first."
            )
        return found

    def _near_equal(self) -> list[str]:
        rows = self.of(NEAR_EQUAL).drop_duplicates("test_index")
        if not len(rows):
            return []
        return [
            f"{self._share(len(rows))} nearly {_equals(len(rows))} a training recording: their distance is at most "
            f"{self.facts['near']:.0%} of that of two usual recordings ({_named(rows['test'])}). {self._classes(rows)}"
            "Accuracy and smoothness on this test part are probably too good. Look at the recordings, and list copies "
            "in a file for data.skip."
        ]

    def _two_labels(self) -> list[str]:
        pairs = self.pairs[self.pairs["kind"].isin((EQUAL, NEAR_EQUAL))]
        pairs = pairs[pairs["train_class"] != pairs["test_class"]]
        said = [
            f"{row.test!r} ({row.test_class}) = {row.train!r} ({row.train_class})"
            for row in pairs.itertuples()
        ]  # fmt: skip
        repeats = self.repeats[self.repeats["class_name"] != self.repeats["equals_class"]]
        if not self.facts["dropped"]:
            repeats = repeats[repeats["part"] == repeats["equals_part"]]
        said += [
            f"{r.name!r} ({r.class_name}) = {r.equals!r} ({r.equals_class})" for r in repeats.itertuples(index=False)
        ]
        if not said:
            return []
        what = counted(len(said), "pair of equal recordings has", "pairs of equal recordings have")
        more = "; …" * (len(said) > NAMED)
        return [f"{what} two different labels, of which one must be wrong: {'; '.join(said[:NAMED])}{more}."]

    def _without_test(self) -> list[str]:
        counts = self.facts["class_counts"]
        absent = [name for name, count in counts.items() if not count]
        if not absent:
            return []
        one = len(absent) == 1
        left = " left" if set(absent) & self._emptied() else ""
        return [
            f"{len(absent)} of {len(counts)} classes {'has' if one else 'have'} no test recording{left}: "
            f"{shorten(absent, NAMED)}. What is measured on the test part says nothing about {'it' if one else 'them'}."
        ]

    def _emptied(self) -> set[str]:
        """Classes of test recordings that were left out."""
        if not self.facts["dropped"]:
            return set()
        return set(self.repeats["class_name"][self.repeats["part"] == "test"])

    def _left_out(self) -> list[str]:
        if not self.facts["dropped"]:
            return []
        found = []
        for part in ("train", "test"):
            rows = self.repeats[self.repeats["part"] == part]
            if not len(rows):
                continue
            of = f"of {self.facts[part] + len(rows)} {part} recordings"
            was = "was" if len(rows) == 1 else "were"
            found.append(
                f"{len(rows)} {of} {was} left out (data.drop_duplicates), because they equal a recording that stays: "
                f"{_named(rows['name'])}. By class: {_by_class(rows['class_name'])}."
            )
        return found

    def _views(self) -> list[str]:
        rows = self.of(SAME_PERFORMANCE).drop_duplicates("test_index")
        if not len(rows):
            return []
        return [
            f"{self._share(len(rows))} show{'s' if len(rows) == 1 else ''} a performance that was trained on from "
            "another view. Where the protocol asks for other views of known performances, this is no fault; the test "
            "then says nothing about performances that the network has never seen."
        ]

    def _not_compared(self) -> list[str]:
        if self.facts["compared"]:
            return []
        pairs = self.facts["train"] * self.facts["test"]
        return [f"Nearly equal recordings were not looked for: {pairs:,} pairs would take too long. Equal ones were."]

    def _share(self, count: int) -> str:
        total = self.facts["test"]
        return f"{count} of {total} test recordings ({count / total:.0%})"

    def _classes(self, rows: pd.DataFrame) -> str:
        """Which classes' test recordings are all among these."""
        counts = rows["test_class"].value_counts()
        whole = [name for name, count in self.facts["class_counts"].items() if counts.get(name, 0) == count > 0]
        if not whole:
            return ""
        classes = counted(len(whole), "class", "classes")
        return f"All test recordings of {classes} are among them: {shorten(whole, NAMED)}. "


def _equals(count: int) -> str:
    return "equals" if count == 1 else "equal"


def _named(names: pd.Series[str]) -> str:
    return shorten(list(names), NAMED)


def _by_class(classes: pd.Series[str]) -> str:
    counts = classes.value_counts(sort=False)
    return ", ".join(f"{count} of {name!r}" for name, count in counts.items())
