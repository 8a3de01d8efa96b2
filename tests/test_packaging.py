"""The lists of packages agree: pyproject (bounds), constraints (pins), environment.yml (conda)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("group", ["dependencies", "dev", "bench", "app", "cluster", "docs"])
def test_every_requirement_has_a_lower_bound_that_its_pin_meets(group: str) -> None:
    listed = PROJECT["dependencies"] if group == "dependencies" else PROJECT["optional-dependencies"][group]
    pinned = pins()
    for requirement in map(Requirement, listed):
        assert re.search(r">=", str(requirement.specifier)), f"{requirement.name} has no lower bound"
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_every_package_that_is_imported_is_required_by_name() -> None:
    """What comes along with a package that we require may leave it again."""
    modules: set[str] = set()
    for file in (ROOT / "stgcnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).partition(".")[0])
    homes = packages_distributions()
    used = {
        canonicalize_name(homes.get(name, [name])[0]) for name in modules - set(sys.stdlib_module_names) - {"stgcnlib"}
    }
    extras = PROJECT["optional-dependencies"]
    required = [*PROJECT["dependencies"], *extras["cluster"], *extras["animals"]]
    assert used <= {canonicalize_name(Requirement(line).name) for line in required}


def test_the_library_is_imported_without_its_extras() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; import stgcnlib, stgcnlib.report.study, stgcnlib.pipeline.jobs"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_is_pinned_to_the_version_that_has_a_cpu_wheel() -> None:
    assert pins()["torch"] == "2.13.0"


def test_conda_environment_installs_the_same_list() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["--constraint constraints.txt", "--editable .[dev]"]
    (python,) = [entry for entry in environment["dependencies"] if str(entry).startswith("python=")]
    assert PROJECT["requires-python"] == f">={python.removeprefix('python=')}"


def test_a_wheel_holds_what_is_read_beside_the_code() -> None:
    """Notebooks are copied into the package; scripts, styles and templates lie there, and no list leaves them out."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {
        "only-include": ["stgcnlib", "notebooks/stages", "notebooks/studies", "notebooks/workbench.ipynb"],
        "sources": {"notebooks": "stgcnlib/notebooks"},
    }
    workbench = ROOT / "stgcnlib" / "workbench"
    beside = [file for file in (ROOT / "stgcnlib").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {workbench / "assets" / "widget.js", workbench / "voila" / "templates" / "stgcnlib" / "page.html"} <= {
        *beside
    }
    names = "\n".join(str(file) for file in [*beside, *(ROOT / path for path in wheel["only-include"])])
    ignored = subprocess.run(["git", "check-ignore", "--stdin"], cwd=ROOT, input=names, capture_output=True, text=True)
    assert (ignored.returncode, ignored.stdout) == (1, "")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("stgcnlib", {"torch", "lightning", "numba", "matplotlib"}),
        # What every process that makes results imports.
        ("stgcnlib.pipeline.run", {"torch", "lightning", "matplotlib", "sklearn", "nbformat", "scipy.stats"}),
    ],
)
def test_importing_loads_no_heavy_library(module: str, heavy: set[str]) -> None:
    code = f"import {module}, sys; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


ROOMS = ["figures", "pipeline", "report", "studies", "tables", "verdicts", "workbench"]
LAZY = ["stgcnlib", *(f"stgcnlib.{room}" for room in ROOMS)]


@pytest.mark.parametrize("name", LAZY)
def test_every_public_name_is_there(name: str) -> None:
    module = import_module(name)
    assert dir(module) == sorted(module.__all__)
    for each in module.__all__:
        assert getattr(module, each) is not None
    with pytest.raises(AttributeError, match=rf"{name}.*nonsense"):
        module.nonsense  # noqa: B018


@pytest.mark.parametrize("name", LAZY)
def test_type_checkers_see_the_names_that_users_see(name: str) -> None:
    stub = files(name) / "__init__.pyi"
    lines = [re.fullmatch(r"from \.(\w*) import (\w+) as (\w+)", line) for line in stub.read_text().splitlines()]
    assert all(line and line[2] == line[3] for line in lines)
    assert sorted(line[2] for line in lines if line) == dir(import_module(name))
    assert (files("stgcnlib") / "py.typed").is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_lazy_room_loads_none_of_its_modules(room: str) -> None:
    code = f"import stgcnlib.{room}, sys; print([m for m in sys.modules if m.startswith('stgcnlib.{room}.')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """The linter looks at siblings; here are circles through a package's own names too, and imports for types alone."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ignored = {edge for contract in contracts for edge in contract.get("ignore_imports", ())}
    graph = grimp.build_graph("stgcnlib", cache_dir=None)
    imports = {
        name: {other for other in graph.find_modules_directly_imported_by(name) if f"{name} -> {other}" not in ignored}
        for name in graph.modules
    }
    TopologicalSorter(imports).prepare()
