"""What a module of one's own imports is found from its text, without importing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from stgcnlib.modules import imported_files, module_file
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "mine.py": "import torch\nimport json\nfrom parts import block, helper as h\nfrom numpy import linalg",
        "parts/__init__.py": "raise SystemExit('imported')",
        "parts/block.py": "def make():\n    from .deep import layer\n    import last",
        "parts/helper.py": "from . import block",
        "parts/deep/__init__.py": "",
        "parts/deep/layer.py": "from ...nowhere import x\nfrom ..helper import y",
        "parts/unused.py": "x = 1",
        "last.py": "this is no Python",
        "json_like.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(folder: Path, module: str) -> list[str]:
    file = module_file(module, [folder])
    assert file is not None
    return [path.relative_to(folder).as_posix() for path in imported_files(module, file)]


def test_all_that_is_imported_from_the_same_folder(folder: Path) -> None:
    inside = ["parts/__init__.py", "parts/block.py", "parts/deep/__init__.py", "parts/deep/layer.py", "parts/helper.py"]
    assert names(folder, "mine") == ["last.py", *inside]
    assert names(folder, "parts.helper") == ["last.py", *(name for name in inside if name != "parts/helper.py")]
    assert names(folder, "last") == []


def test_of_an_installed_module_its_own_package() -> None:
    file = module_file("yaml.loader")
    assert file is not None
    found = imported_files("yaml.loader", file)
    assert {path.parent for path in found} == {file.parent}
    assert file.with_name("reader.py") in found


def test_a_helper_that_changes_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    def key() -> str:
        study = Study.load({"network": {"name": "mine:make", "folder": "."}})
        return StudyRun(study, folder / "out").key("network/trained")

    before = key()
    (folder / "parts" / "deep" / "layer.py").write_text("x = 2")
    after = key()
    assert after != before
    (folder / "parts" / "unused.py").write_text("x = 2")
    assert key() == after
