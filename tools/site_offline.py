"""Open the built site in Chromium with no network: ``python tools/site_offline.py [docs/_build/html] [PICTURES]``.

Every page is opened as a file at 1400 and at 400 px. It says which requests leave the site or fail, what scripts
complain of, and which pages are wider than the screen; then it searches for a name. PICTURES is a folder for some.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, Request, sync_playwright

SHOWN = ("index", "method", "troubleshooting", "generated/study_file", "generated/api/stgcnlib.dtw", "formats")
WIDTHS = (1400, 400)


def main() -> int:
    """Check all pages; the exit code says whether something was found."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html").resolve()
    pictures = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    pages = [file.relative_to(site) for file in site.rglob("*.html") if file.relative_to(site).parts[0] != "_static"]
    names = sorted(str(page.with_suffix("")) for page in pages)
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        _listen(page, site, found)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for name in names:
                page.goto((site / f"{name}.html").as_uri(), wait_until="load")
                wide = page.evaluate("document.documentElement.scrollWidth")
                if wide > width + 1:
                    found.append(f"{name}: {wide} px wide on a screen of {width}")
                if pictures is not None and name in SHOWN:
                    page.wait_for_timeout(500)
                    page.screenshot(path=pictures / f"{name.replace('/', '_')}_{width}.png")
        page.goto((site / "method.html").as_uri())
        page.wait_for_selector("mjx-container svg", timeout=20_000, state="attached")
        page.goto((site / "search.html").as_uri() + "?q=dtw_distances")
        page.wait_for_selector("#search-results li a", timeout=20_000)
        browser.close()
    print(f"{len(names)} pages at {' and '.join(map(str, WIDTHS))} px: {len(found)} complaints")
    print(*sorted(set(found)), sep="\n")
    return bool(found)


def _listen(page: Page, site: Path, found: list[str]) -> None:
    def asked(request: Request) -> None:
        if not request.url.startswith((site.as_uri(), "data:", "blob:")):
            found.append(f"{page.url}: asks for {request.url}")

    page.on("request", asked)
    page.on("requestfailed", lambda request: found.append(f"{page.url}: {request.url} failed ({request.failure})"))
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))


if __name__ == "__main__":
    sys.exit(main())
