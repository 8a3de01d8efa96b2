"""Make the pictures of docs/gallery.md by the code on that page: ``python tools/gallery.py reports/demo``.

Below a heading, the last line of a block of Python is a figure; it becomes docs/pictures/HEADING.png, and the page
shows it below the block. The first block is the set-up; the folder of the study in it is replaced by the one given.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n!\[[^\n]*\n)?", re.M | re.S)


def main() -> None:
    """Write all pictures, and the page with them."""
    page = DOCS / "gallery.md"
    begin, *sections = re.split(r"(?=^## )", page.read_text(encoding="utf-8"), flags=re.M)
    names: dict[str, Any] = {}
    study = sys.argv[1] if len(sys.argv) > 1 else "reports/demo"
    exec(BLOCK.search(begin)[1].replace("reports/demo", study), names)
    page.write_text(begin + "".join(drawn(section, names) for section in sections), encoding="utf-8")


def drawn(section: str, names: dict[str, Any]) -> str:
    """A section with its picture, which is written."""
    title = section.partition("\n")[0].removeprefix("## ")
    code = BLOCK.search(section)[1]
    figure = value_of(code, names)
    file = DOCS / "pictures" / f"{title.lower().replace(' ', '_')}.png"
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=80, bbox_inches="tight")
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB", flush=True)
    return BLOCK.sub(lambda _: f"```python\n{code}```\n\n![{title}](pictures/{file.name})\n", section)


def value_of(code: str, names: dict[str, Any]) -> Figure:
    """Run code; what its last expression gives."""
    body = ast.parse(code)
    last = body.body.pop()
    assert isinstance(last, ast.Expr), "the last line of a block is a figure"
    exec(compile(body, "gallery.md", "exec"), names)
    return eval(compile(ast.Expression(last.value), "gallery.md", "eval"), names)


if __name__ == "__main__":
    main()
