"""What must stay true of the code as a whole."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE_FOLDERS = (
    "tuneops/doctor/judging",
    "tuneops/evaluation",
    "tuneops/permissions",
    "tuneops/phases",
    "tuneops/rollout",
)


def python_files(*folders: str) -> list[Path]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return files


def imported(file: Path) -> Iterator[str]:
    """Every module that the file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("tuneops", ("localcloud", "handlers", "function_app", "tests")),
        ("handlers", ("localcloud", "function_app", "tests")),
        ("localcloud", ("tuneops", "handlers", "function_app", "tests")),
    ],
)
def test_imports_run_one_way(folder: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in python_files(folder)
        for module in imported(file)
        if any(within(module, package) for package in forbidden)
    ]
    assert wrong == []


def test_only_one_package_knows_the_azure_ml_sdk() -> None:
    allowed = (ROOT / "tuneops" / "azureml", ROOT / "tuneops" / "cli")
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in python_files("tuneops", "handlers")
        if not file.is_relative_to(allowed[0]) and not file.is_relative_to(allowed[1])
        for module in imported(file)
        if within(module, "azure.ai.ml") or within(module, "mlflow")
    ]
    assert wrong == []


def test_the_pure_modules_do_no_io() -> None:
    pure = (
        "actions",
        "api_version",
        "approvals",
        "audit/entry",
        "autoscaling",
        "behaviour/comparison",
        "behaviour/progress",
        "behaviour/record",
        "behaviour/rows",
        "behaviour/scoring",
        "behaviour/settings",
        "behaviour/text",
        "cause",
        "chart/description",
        "chart/plan",
        "chart/style",
        "chart/ticks",
        "cost/bill",
        "cost/ledger",
        "cost/limit",
        "cost/machines",
        "cost/room",
        "cost/text",
        "decide",
        "desired",
        "doctor/checks",
        "doctor/finding",
        "difference",
        "disclosed",
        "drift",
        "events/effect",
        "events/record",
        "gitops/commands",
        "gitops/outage",
        "gitops/question_text",
        "globs",
        "healing",
        "hosting",
        "looks",
        "message",
        "migrations",
        "names",
        "notify/channels/adaptive_card",
        "notify/channels/blocks",
        "notify/channels/guard",
        "notify/channels/published",
        "notify/channels/reading",
        "notify/channels/settings",
        "notify/channels/signature",
        "notify/channels/words",
        "notify/chosen",
        "notify/digests",
        "notify/endings",
        "notify/figures",
        "notify/following",
        "notify/letter",
        "notify/links",
        "notify/mailbox",
        "notify/messages",
        "notify/model",
        "notify/pauses",
        "notify/plain",
        "notify/routing",
        "notify/turns",
        "notify/why",
        "observed",
        "orders",
        "overview/card",
        "overview/document",
        "page/access",
        "page/answer",
        "page/asked",
        "page/overview_view",
        "page/way",
        "page/words",
        "parameters",
        "patterns",
        "phase",
        "pinning",
        "places",
        "prepared",
        "previews/judgement",
        "previews/register",
        "previews/terms",
        "previews/text",
        "previews/wanted",
        "project",
        "provisioning",
        "loss_curves",
        "reading/comparing",
        "reading/positions",
        "release",
        "release_note",
        "schema_versions",
        "sources",
        "superseded",
        "telemetry/addresses",
        "telemetry/carried",
        "training_progress",
        "suspension",
    )
    allowed = ("tuneops", "collections", "dataclasses", "datetime", "typing", "enum", "pydantic")
    standard = (
        "ast",
        "base64",
        "binascii",
        "codecs",
        "difflib",
        "email",
        "fnmatch",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "re",
        "statistics",
        "unicodedata",
        "zoneinfo",
        "urllib",
    )
    known = (*allowed, *standard, "markupsafe", "pydantic_core", "rapidfuzz", "re2")
    exactly = ("http", "urllib.parse")
    files = [ROOT / "tuneops" / f"{name}.py" for name in pure]
    files += [
        ROOT / "tuneops" / "sweep" / f"{name}.py"
        for name in ("finding", "holding", "record", "resource", "restoring", "text")
    ]
    for file in (*files, *python_files(*PURE_FOLDERS)):
        for module in imported(file):
            pure_enough = module.split(".")[0] in known or module in exactly
            assert pure_enough, f"{file} imports {module}"


def test_nothing_waits_for_azure() -> None:
    waiting = re.compile(r"\.(result|wait)\(\)|time\.sleep\(|\.stream\(")
    wrong = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in [ROOT / "function_app.py", *python_files("tuneops", "handlers")]
        if not file.is_relative_to(ROOT / "tuneops" / "cli")
        for line in file.read_text().splitlines()
        if waiting.search(line)
    ]
    assert wrong == []


def pins(file: str) -> set[str]:
    """Each package with its version, without the platforms it is for and without its hashes."""
    lines = (ROOT / file).read_text().splitlines()
    return {re.split(r" [;\\]", line)[0] for line in lines if re.match(r"\w", line)}


def test_threads_inherit_the_context_of_whoever_gives_them_work() -> None:
    of_telemetry_itself = ROOT / "tuneops" / "telemetry" / "providers.py"
    starts, inherits = re.compile(r"ThreadPoolExecutor\(|\bThread\("), "inheriting("
    wrong = [
        str(file.relative_to(ROOT))
        for file in python_files("tuneops", "handlers")
        if file != of_telemetry_itself
        and starts.search(file.read_text())
        and inherits not in file.read_text()
    ]
    assert wrong == []


def test_the_runtime_installs_a_part_of_the_lock() -> None:
    runtime = pins("requirements.txt")
    assert runtime <= pins("requirements.lock")
    names = {re.split(r"[=\[ ;]", pin)[0] for pin in runtime}
    assert {"azure-ai-ml", "azure-identity", "azure-functions", "pydantic"} <= names
    assert not {"torch", "pytest", "typer", "transformers"} & names


def test_the_schemas_are_current() -> None:
    from tuneops import config_file, policy_file
    from tuneops.notify.channels import published

    made_by = (("project", config_file), ("policy", policy_file), ("message", published))
    for name, made in made_by:
        kept = (ROOT / "schemas" / f"{name}.schema.json").read_text()
        assert kept == made.json_schema(), "run 'make schema'"


def test_the_diagram_of_the_phases_is_current() -> None:
    from tuneops.diagram import replaced

    kept = (ROOT / "docs" / "rollout.md").read_text()
    assert kept == replaced(kept), "run 'make diagram'"
