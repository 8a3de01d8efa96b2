"""The widget stays small: what grows it must be worth it."""

from __future__ import annotations

import gzip

from stgcnlib.workbench.widget import widget_script

MOST, MOST_PACKED = 110_000, 36_000  # bytes; 104 KB and 33 KB when this was written


def test_the_widget_is_a_hundred_kilobytes_of_readable_code() -> None:
    script = widget_script().encode()
    assert len(script) < MOST
    assert len(gzip.compress(script)) < MOST_PACKED
