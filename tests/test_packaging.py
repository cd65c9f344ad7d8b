"""What is deployed: the files, the dependencies, and the bytes of the package."""

import json
import marshal
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.test_architecture import imported
from tools.package import project, wheels
from tools.package.archive import write_zip
from tools.package.build import MAX_MB, build, pins
from tools.package.bytecode import bytecode
from tools.package.purposes import PURPOSES
from tools.package.table import BEGIN, END, TableError, Wheel, replaced, table
from tools.package.target import Target, read_pins

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "packaging.md").read_text()
PYTHONS = ("3.11", "3.12", "3.13")
HASH = "--hash=sha256:[0-9a-f]{64}"


def test_what_runs_in_azure_is_deployed_and_nothing_else() -> None:
    names = project.deployed(ROOT)
    top = {"LICENSE", "function_app.py", "handlers", "host.json", "requirements.txt", "tuneops"}
    assert {name.split("/")[0] for name in names} == top
    assert not [name for name in names if name.startswith("tuneops/cli/")]
    kinds = {Path(name).suffix for name in names if name.startswith("tuneops/")}
    assert {".py", ".html", ".css"} <= kinds


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module that is deployed imports, by the module's name."""
    python = [name for name in project.deployed(ROOT) if name.endswith(".py")]
    return {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): set(
            imported(ROOT / name)
        )
        for name in python
    }


def test_what_is_deployed_imports_nothing_of_ours_that_is_not(
    imports: dict[str, set[str]],
) -> None:
    ours = ("tuneops", "handlers", "localcloud", "tests", "tools")
    missing = [
        f"{name} imports {module}"
        for name, modules in imports.items()
        for module in modules
        if module.split(".")[0] in ours and module not in imports
    ]
    assert missing == []


def test_the_folder_that_is_deployed_is_that_of_a_function_app() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    assert host["version"] == "2.0"
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())
    assert sample["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_what_is_ignored_is_so_at_the_top_alone() -> None:
    # The tools of Azure Functions would take it out of the dependencies as well.
    lines = (ROOT / project.IGNORED).read_text().split()
    assert [line for line in lines if not line.startswith("/")] == []


def test_the_functions_core_tools_leave_out_no_more_than_git() -> None:
    # To them a line is a pattern for the beginning of a name, and a star is at least one letter.
    lines = (ROOT / project.IGNORED).read_text().split()
    patterns = [re.escape(line[1:]).replace(r"\*", "[^/]+") for line in lines]
    left_out = [
        name
        for name in project.deployed(ROOT)
        if any(re.match(pattern, name) for pattern in patterns)
    ]
    assert left_out == []


def test_the_package_of_a_commit_has_the_same_bytes_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = build(ROOT, tmp_path / "one"), build(ROOT, tmp_path / "two")
    assert first.path.read_bytes() == again.path.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    dated = build(ROOT, tmp_path / "three")
    assert dated.digest != first.digest
    with ZipFile(dated.path) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(2023, 11, 14, 22, 13, 20)}
    assert [entry.filename for entry in entries] == project.deployed(ROOT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(project.ProjectError, match="whole seconds"):
        build(ROOT, tmp_path)


def test_a_zip_does_not_depend_on_the_order_of_what_is_put_in(tmp_path: Path) -> None:
    def zipped(name: str, *names: str) -> bytes:
        write_zip({each: each.encode for each in names}, tmp_path / name, 0)
        return (tmp_path / name).read_bytes()

    assert zipped("a.zip", "x", "y/z") == zipped("b.zip", "y/z", "x")


def test_each_requirement_is_pinned_and_hashed() -> None:
    text = (ROOT / "requirements.txt").read_text()
    found = read_pins(text)
    assert len(found) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    loose = [pin.name for pin in found if not str(pin.requirement.specifier).startswith("==")]
    assert loose == []
    assert [pin.name for pin in found if not pin.hashes] == []
    assert {
        each for pin in found for each in pin.hashes if len(each) != len("--hash=sha256:") + 64
    } == set()


@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_has_one_version_of_each_requirement(python: str) -> None:
    target = Target(python)
    names = [pin.name for pin in pins(ROOT) if target.needs(pin.requirement)]
    assert sorted(names) == sorted(set(names))
    assert {"azure-functions", "numpy", "uvicorn"} <= set(names)
    assert not {"httpx2-jsfetch", "pywin32"} & set(names)


def test_markers_are_those_of_the_target_and_not_of_this_python() -> None:
    older = Requirement("numpy==1 ; python_full_version < '3.12'")
    assert [Target(python).needs(older) for python in PYTHONS] == [True, False, False]
    extra = Requirement("trio ; extra == 'fast'")
    assert [Target("3.12").needs(extra), Target("3.12").needs(extra, ("", "fast"))] == [False, True]


Make = Callable[[str, Mapping[str, str]], ZipFile]


@pytest.fixture
def make_wheel(tmp_path: Path) -> Make:
    """Makes a wheel of a name and files."""

    def make(name: str, files: Mapping[str, str]) -> ZipFile:
        path = tmp_path / f"{name}.whl"
        said = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n"
        with ZipFile(path, "w") as archive:
            for inner, text in files.items():
                archive.writestr(inner.replace("X", f"{name}-1"), text)
            archive.writestr(f"{name}-1.dist-info/METADATA", said + files.get("METADATA", ""))
        return ZipFile(path)

    return make


def test_a_wheel_is_laid_out_as_pip_would(make_wheel: Make) -> None:
    wheel = make_wheel(
        "a",
        {
            "a/__init__.py": "",
            "a/tests/test_a.py": "",
            "a/include/a.h": "",
            "X.data/purelib/b.py": "b",
            "X.data/scripts/a": "#!python",
            "X.data/headers/a.h": "",
        },
    )
    found = wheels.merged([wheel])
    assert set(found) == {"a/__init__.py", "b.py", "a-1.dist-info/METADATA"}
    assert found["b.py"]() == b"b"


def test_wheels_may_share_a_file_but_not_a_name(make_wheel: Make) -> None:
    same = [make_wheel(name, {"azure/__init__.py": "1"}) for name in "ab"]
    assert "azure/__init__.py" in wheels.merged(same)
    with pytest.raises(wheels.WheelError, match="has another azure"):
        wheels.merged([*same, make_wheel("c", {"azure/__init__.py": "2"})])


def test_bytecode_is_made_of_what_this_python_reads_and_is_always_the_same() -> None:
    sources = {
        "a/__init__.py": b"",
        "a/b.py": b"VALUE = 6 * 7\n",
        "a/other.py": b"this is another language",
        "a/data.txt": b"",
        f"{wheels.SITE}/pandas/core.py": b"",
    }
    made = bytecode({name: partial(bytes, text) for name, text in sources.items()})
    code = {name: read() for name, read in made.items()}
    tag = sys.implementation.cache_tag
    assert set(code) == {f"a/__pycache__/{name}.{tag}.pyc" for name in ("__init__", "b")}
    magic, flags, digest, body = MAGIC_NUMBER, b"\1\0\0\0", source_hash(sources["a/b.py"]), 16
    found = code[f"a/__pycache__/b.{tag}.pyc"]
    assert found[:body] == magic + flags + digest
    space: dict[str, int] = {}
    exec(marshal.loads(found[body:]), space)
    assert space["VALUE"] == 42


def test_the_table_says_who_needs_what(make_wheel: Make) -> None:
    needs = "Requires-Dist: extra-one ; extra == 'httpx2'\nRequires-Dist: never ; os_name == 'nt'\n"
    known = [
        Wheel.of(make_wheel("gidgethub", {"METADATA": needs, "g.py": "x" * 2_000_000})),
        Wheel.of(make_wheel("extra_one", {})),
    ]
    made = table(known, ROOT, Target("3.12"))
    lines = made.splitlines()[2:]
    assert re.match(r"\| `gidgethub` \| 2\.0 \| GitHub's API .* and \d+ more \|$", lines[0])
    assert lines[1] == "| `extra-one` | 0.0 | comes along | `gidgethub` |"
    with pytest.raises(TableError, match="what never is for"):
        table([*known, Wheel.of(make_wheel("never", {}))], ROOT, Target("3.12"))
    assert replaced(f"a\n{BEGIN}old{END}\nb", "new\n") == f"a\n{BEGIN}new\n{END}\nb"


def test_the_table_in_the_docs_has_each_dependency() -> None:
    rows = re.findall(r"^\| `?([\w-]+)`? \| ([\d.]+) \| (.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
    target = Target("3.12")
    needed = {pin.name for pin in pins(ROOT) if target.needs(pin.requirement)}
    *listed, (word, total, _, _) = [row for row in rows if row[0] in {*needed, "all"}]
    assert {name for name, _, _, _ in listed} == needed, "run 'make package-table'"
    assert [name for name, _, what, _ in listed if not what] == []
    assert (word, float(total) <= MAX_MB) == ("all", True)


def test_each_dependency_of_ours_has_a_purpose_that_a_module_has_too(
    imports: dict[str, set[str]],
) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    asked = {Requirement(line).name for line in tomllib.loads(text)["project"]["dependencies"]}
    assert {name.replace(".", "-") for name in asked} == PURPOSES.keys()
    modules = set().union(*imports.values())
    unused = [
        purpose.module
        for purpose in PURPOSES.values()
        if not any(f"{module}.".startswith(purpose.module) for module in modules)
    ]
    assert unused == []
