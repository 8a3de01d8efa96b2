"""What a report's first page shows of a finished study, read from its summary and made safe to show.

A summary may be of another version, damaged, or not ours: parts that are missing or of another form are left out, every
text is escaped, and only pictures that lie in the summary's own folder are embedded.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import MANIFEST, checked, read_manifest
from stgcnlib.json_text import read_json_file
from stgcnlib.pipeline.summary import SUMMARY
from stgcnlib.report.cells import markdown

__all__ = ["check_results", "front", "read_json"]

PLACES = ("artefacts/summary", "summary")
"""Where the summary of a study, and that of a comparison, lie."""
_PICTURE = re.compile(r"[\w-]+\.png", re.ASCII)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check_results(folder: Path) -> None:
    """Check that what the first page reads of a finished study is as it was written.

    Raises:
        DamagedError: names the file, and what to do.
    """
    mend = f"make it again with: stgcnlib run {folder / 'study.yml'} -o {folder}"
    made = any((folder / "artefacts").glob(f"*{MANIFEST}"))
    for path in (folder / "artefacts" / "layers.json", folder / PLACES[0]):
        if checked(path, mend=mend) is None and made and path.exists():
            read_manifest(path, mend)  # raises: there is none


def front(folder: Path) -> dict[str, Any]:
    """The parts of the first page; empty without a summary.

    Returns:
        warnings, notes: sentences. verdict, claims: title, holds, sentence, details, tests (a table), picture (a
        figure or None). figures: title, source, width, alt. facts: label, value. table: columns, rows; empty without
        one.
    """
    home = next((home for place in PLACES if (home := folder / place).is_dir()), folder / PLACES[0])
    content = read_json(home / SUMMARY)
    if not isinstance(content, dict) or not content:
        return {}
    if "figures" not in content:
        content["figures"] = [{"file": "curve.png"}]  # earlier versions had one picture
    return {
        **{name: [each for each in _list(content, name) if isinstance(each, str)] for name in ("warnings", "notes")},
        "verdict": _verdict(home, content),
        "claims": [_verdict(home, each) for each in _listed(content, "claims")],
        "figures": [shown for each in _listed(content, "figures") if (shown := _picture(home, each))],
        "facts": [{"label": str(each.get("label")), "value": str(each.get("value"))}
                  for each in _listed(content, "facts")],
        "table": _table(content.get("table")),
    }  # fmt: skip


def _verdict(home: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    sentence = content.get("sentence", content.get("verdict", content.get("text", "")))  # earlier versions had one text
    return {
        "title": str(content.get("title", "")),
        "holds": holds if isinstance(holds := content.get("holds"), bool) else None,
        "sentence": markdown(str(sentence), escape=True),
        "details": markdown(str(content.get("details", "")), escape=True),
        "tests": _table(content.get("tests")),
        "picture": _picture(home, content.get("picture")),
    }


def _listed(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [each for each in _list(content, name) if isinstance(each, dict)]


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    given = content.get(name)
    return given if isinstance(given, list) else []


def _table(given: Any) -> dict[str, list[Any]]:
    """Columns and rows; empty unless every row has a cell for each column."""
    columns, rows = (given.get("columns"), given.get("rows")) if isinstance(given, dict) else (None, None)
    if not (isinstance(columns, list) and isinstance(rows, list) and rows):
        return {}
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        return {}
    return {"columns": columns, "rows": rows}


def _picture(home: Path, given: Any) -> dict[str, Any] | None:
    """A picture of this folder, embedded; None for any other."""
    name = given.get("file") if isinstance(given, dict) else None
    if not (isinstance(name, str) and _PICTURE.fullmatch(name)):
        return None
    path = home / name
    if path.is_symlink() or not path.is_file():
        return None
    data = path.read_bytes()
    if not data.startswith(_SIGNATURE):
        return None
    width = given.get("width")
    return {
        "title": str(given.get("title", "")),
        "source": f"data:image/png;base64,{base64.b64encode(data).decode()}",
        "width": width if isinstance(width, int) and not isinstance(width, bool) and 0 < width < 5000 else None,
        "alt": str(given.get("alt") or given.get("title") or "figure"),
    }


def read_json(path: Path) -> Any:
    """A JSON file's content; an empty mapping if there is none or it is damaged."""
    try:
        return read_json_file(path)
    except (OSError, ValueError):
        return {}
