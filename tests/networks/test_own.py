"""Networks of one's own: found where they lie, called with what they take, and refused in one clear line."""

from __future__ import annotations

import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from stgcnlib.errors import StudyError
from stgcnlib.modules import module_file
from stgcnlib.networks import load_network
from stgcnlib.networks.own import import_path
from stgcnlib.skeleton import layout

SOURCE = """
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, layout, classes, *, width=3):
        super().__init__()
        self.first = nn.Linear(len(layout), width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.first(x.mean(dim=(1, 2, 4))))

def make(**given):
    network = Plain(given["layout"], given["classes"])
    network.given = given
    network.classes = "mine"
    return network

def broken():
    raise RuntimeError("no such luck")

def number():
    return 3

VALUE = 5
made_elsewhere = nn.Linear
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a package of networks; what it imports is forgotten afterwards."""
    (tmp_path / "roadnets" / "inner").mkdir(parents=True)
    (tmp_path / "roadnets" / "__init__.py").write_text("")
    (tmp_path / "roadnets" / "inner" / "__init__.py").write_text("")
    (tmp_path / "roadnets" / "inner" / "plain.py").write_text(SOURCE)
    (tmp_path / "roadnets" / "typo.py").write_text("import torch\nthis is no Python\n")
    (tmp_path / "roadnets" / "needs.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "roadnets" / "raises.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    assert sys.path == before
    for name in [name for name in sys.modules if name.partition(".")[0] == "roadnets"]:
        del sys.modules[name]


def test_a_class_in_the_working_directory(folder: Path) -> None:
    network = load_network("roadnets.inner.plain:Plain", layout="coco-17", classes=4, channels=2, width=5, seed=1)
    assert network.first.weight.shape == (5, 17)
    assert (network.layout, network.classes, network.channels) == (layout("coco-17"), 4, 2)
    assert not network.training
    again = load_network("roadnets.inner.plain:Plain", layout="coco-17", classes=4, width=5, seed=1)
    assert torch.equal(network.head.weight, again.head.weight)


def test_a_factory_gets_what_is_given_and_keeps_what_it_says_itself(folder: Path) -> None:
    network = load_network("roadnets.inner.plain:make", layout="coco-17", classes=4, depth=2)
    assert network.given == {"layout": layout("coco-17"), "classes": 4, "depth": 2}
    assert network.classes == "mine"


def test_a_checkpoint_is_loaded_into_it(folder: Path) -> None:
    saved = load_network("roadnets.inner.plain:Plain", layout="coco-17", classes=4)
    torch.save({"state_dict": {f"module.{k}": v for k, v in saved.state_dict().items()}}, folder / "w.pt")
    loaded = load_network("roadnets.inner.plain:Plain", layout="coco-17", classes=4, checkpoint=folder / "w.pt")
    assert torch.equal(loaded.head.weight, saved.head.weight)


def test_another_folder_can_be_named(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "lonely_network.py").write_text("from torch import nn\n\ndef make():\n    return nn.Identity()\n")
    with pytest.raises(StudyError, match=r"no module 'lonely_network'; looked in .* and in the installed packages"):
        load_network("lonely_network:make")
    with import_path(elsewhere):
        assert isinstance(load_network("lonely_network:make"), nn.Identity)
    (folder / "lonely_network.py").write_text("def make():\n    return None\n")
    with pytest.raises(StudyError, match=r"'lonely_network' is loaded already, from .*elsewhere.*rename"):
        load_network("lonely_network:make")
    del sys.modules["lonely_network"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("roadnets.nowhere:make", r"there is no module 'roadnets\.nowhere'; looked in"),
        ("roadnets.needs:make", r"no module 'a_package_that_is_not_there'; roadnets\.needs itself needs it"),
        ("roadnets.typo:make", r"importing roadnets\.typo failed with SyntaxError: .*line 2"),
        ("roadnets.raises:make", "failed with ZeroDivisionError"),
        ("roadnets.inner.plain:Plane", r"has no 'Plane'; did you mean 'Plain'"),
        ("roadnets.inner.plain:VALUE", "is int, expected a function or class"),
        ("roadnets.inner.plain:torch.nn", "is module, expected a function or class"),
        ("roadnets.inner.plain:made_elsewhere", r"from elsewhere; .*: 'torch\.nn\.modules\.linear:Linear'"),
        ("os:system", "is builtin_function_or_method, expected a function or class"),
        ("roadnets.inner.plain:number", r"made a int; it must make a torch\.nn\.Module"),
        ("roadnets.inner.plain:broken", "RuntimeError: no such luck"),
        ("roadnets.inner.plain:Plain", "needs layout, classes; give it to load_network"),
        ("roadnets/inner/plain.py:Plain", r"give 'package\.module:factory'"),
        ("roadnets:", r"give 'package\.module:factory'"),
    ],
)
def test_every_failure_is_one_clear_error(folder: Path, name: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        load_network(name)


def test_wrong_options_are_named(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"no option 'widht'; did you mean 'width'\? Its options are .*width"):
        load_network("roadnets.inner.plain:Plain", layout="coco-17", classes=4, widht=5)


def test_a_module_is_found_without_running_anything(folder: Path) -> None:
    (folder / "roadnets" / "__init__.py").write_text("raise SystemExit('imported')")
    found = module_file("roadnets.inner.plain", [folder])
    assert found == (folder / "roadnets" / "inner" / "plain.py").resolve()


def test_only_the_named_module_goes_before_installed_ones(folder: Path) -> None:
    """A file beside it that has the name of an installed module stays a file; helpers of its own are found."""
    (folder / "wave.py").write_text("raise SystemExit('the wrong wave')")
    (folder / "helper_of_mine.py").write_text("WIDTH = 7\n")
    (folder / "chunk_network.py").write_text(
        "import wave\nimport helper_of_mine\nfrom torch import nn\n\n"
        "def make():\n    return nn.Linear(helper_of_mine.WIDTH, 1)\n"
    )
    for name in ("wave", "helper_of_mine", "chunk_network"):
        sys.modules.pop(name, None)
    try:
        assert load_network("chunk_network:make").weight.shape == (1, 7)
        assert Path(sys.modules["wave"].__file__ or "").parent != folder
    finally:
        for name in ("helper_of_mine", "chunk_network"):
            sys.modules.pop(name, None)


def test_compiled_files_beside_the_source_are_neither_read_nor_written(folder: Path) -> None:
    """What someone has read is what runs, whatever a cache in the folder holds."""
    source = folder / "honest_network.py"
    source.write_text("raise SystemExit('from the cache')")
    cached = py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    source.write_text("from torch import nn\n\ndef make():\n    return nn.Identity()\n")
    assert cached is not None
    before = Path(cached).read_bytes()
    try:
        assert isinstance(load_network("honest_network:make"), nn.Identity)
    finally:
        sys.modules.pop("honest_network", None)
    assert Path(cached).read_bytes() == before
    load_network("roadnets.inner.plain:make", layout="coco-17", classes=4)
    assert not list((folder / "roadnets").rglob("__pycache__"))
