"""Alerts, the workbook and what the documents say of them are one."""

import json
import re
from functools import cache
from typing import Any

import pycep
import pytest

from tests import kql
from tests.documents import ROOT, anchors, blocks
from tests.served import functions

DOCS, MODULES = ROOT / "docs", ROOT / "infra" / "modules"
QUERIES = sorted((MODULES / "queries").glob("*.kql"))
WORKBOOK = json.loads((MODULES / "workbook.json").read_text())
METRICS = {
    "tuneops.reconcile.lag",
    "tuneops.phase.duration",
    "tuneops.events",
    "tuneops.azure.calls",
    "tuneops.azure.throttled",
    "tuneops.releases.ended",
    "tuneops.queue.poison",
    "tuneops.deliveries",
}
ATTRIBUTES = {"tuneops.project", "tuneops.release", "tuneops.commit", "tuneops.environment"}
ROW = re.compile(
    r"^\| `([\w-]+)`(?:, `[\w-]+`)? \| (\d) \| [^|]+ \| ?(?:`(\w+)`)? \| (\d+)"
    r" \| \[.+\]\(runbooks\.md#([\w-]+)\) \|$",
    re.MULTILINE,
)
"""Of the table in operations.md: name, severity, parameter, default and runbook."""
MINUTES = {"PT1M": 1, "PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60}


@cache
def bicep(name: str) -> Any:
    return pycep.BicepParser().parse(text=(MODULES / name).read_text())


def log_rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = bicep("alerts.bicep")["variables"]["logRules"]["value"]
    return rules


def query_of(rule: dict[str, Any]) -> str:
    file = rule["query"]["function"]["parameters"]["file_path"]
    return (MODULES / file).read_text()


def all_queries() -> list[tuple[str, str]]:
    shown = [
        (f"workbook.json: {item['name']}", item["content"]["query"])
        for item in WORKBOOK["items"]
        if item["type"] == 3
    ]
    told = [(str(block), block.text) for block in blocks() if block.language == "kusto"]
    return [*((file.name, file.read_text()) for file in QUERIES), *shown, *told]


# Queries


def test_queries_read_what_there_is() -> None:
    wrong = []
    for where, query in all_queries():
        try:
            kql.check(query)
        except kql.QueryError as error:
            wrong.append(f"{where}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("customMetric | take 1", "there is no table customMetric"),
        ("traces | were message == 'a'", "there is no operator were"),
        ("traces | where mesage == 'a'", "there is no column mesage"),
        ("traces | where tosting(message) == 'a'", "there is no function tosting"),
        ("traces | where (message == 'a'", ") is missing"),
        ("traces | summarize n = count() by message | project duration", "no column duration"),
        ("requests | extend a = b, b = 1", "there is no column b"),
        ("traces | where message == 'a", "is not understood"),
    ],
)
def test_a_wrong_query_is_found(query: str, said: str) -> None:
    with pytest.raises(kql.QueryError, match=re.escape(said)):
        kql.check(query)


def test_queries_ask_for_metrics_that_are_measured() -> None:
    named = {
        text for _, query in all_queries() for text in kql.strings(query) if "tuneops." in text
    }
    assert named <= METRICS | ATTRIBUTES
    source = (ROOT / "tuneops" / "telemetry" / "metrics.py").read_text()
    assert set(re.findall(r'"(tuneops\.[a-z.]+)"', source)) == METRICS
    shown = "".join(item["content"].get("query", "") for item in WORKBOOK["items"])
    assert {name for name in METRICS if f"'{name}'" not in shown} == set()


def test_queries_ask_for_functions_that_are_there() -> None:
    there = {each.get_function_name() for each in functions()}
    asked = {
        name
        for _, query in all_queries()
        for found in re.findall(r"eventKind (?:==|in) (\([^)]+\)|'\w+')", query)
        for name in re.findall(r"\w+", found)
    }
    assert {"resync", "sweep"} <= asked <= there


# Alerts


def test_a_rule_weighs_what_its_query_gives_and_leads_to_a_runbook() -> None:
    used = set()
    for rule in log_rules():
        found = kql.columns(query_of(rule))
        assert rule["column"] in found, rule["name"]
        assert not rule["dimension"] or rule["dimension"] in found, rule["name"]
        assert rule["runbook"] in anchors(DOCS / "runbooks.md"), rule["name"]
        assert rule["severity"] in range(5)
        assert rule["operator"] in ("GreaterThan", "LessThan")
        by_parameter = isinstance(rule["window"], dict)
        assert by_parameter or MINUTES[rule["frequency"]] <= MINUTES[rule["window"]], rule["name"]
        used.add(rule["query"]["function"]["parameters"]["file_path"])
    assert used == {f"queries/{file.name}" for file in QUERIES}
    text = (MODULES / "alerts.bicep").read_text()
    for anchor in re.findall(r"\$\{runbooks\}#([\w-]+)'", text):
        assert anchor in anchors(DOCS / "runbooks.md")


def test_the_table_of_the_alerts_is_true() -> None:
    parameters = bicep("alerts.bicep")["parameters"]
    text = (DOCS / "operations.md").read_text()
    rows = {name: rest for name, *rest in ROW.findall(text)}
    for rule in log_rules():
        severity, parameter, default, runbook = rows.pop(rule["name"])
        assert (int(severity), runbook) == (rule["severity"], rule["runbook"]), rule["name"]
        assert int(default) == parameters[parameter]["default"], rule["name"]
        silent = rule["name"] == "no-heartbeat"
        assert parameter == ("silentMinutes" if silent else rule["threshold"])
    assert rows["endpoint-fails-ENDPOINT"][1:3] == ["failedAnswers", "1"]
    assert parameters["failedAnswers"]["default"] == 1
    assert rows.keys() == {"endpoint-fails-ENDPOINT", "DeadLetteredCount-TOPIC"}


def test_every_threshold_is_a_parameter_with_a_default() -> None:
    parameters = bicep("alerts.bicep")["parameters"]
    needed = {name for name, each in parameters.items() if each.get("default") is None}
    assert needed == {"location", "tags", "prefix", "insightsId", "workspaceId"}
    secret = [d for d in parameters["webhookReceiver"]["decorators"] if d["type"] == "secure"]
    assert secret


# The workbook


def test_the_workbook_is_one() -> None:
    assert WORKBOOK["version"] == "Notebook/1.0"
    names = [item["name"] for item in WORKBOOK["items"]]
    assert len(names) == len(set(names))
    (parameters,) = [item for item in WORKBOOK["items"] if item["type"] == 9]
    given = {each["name"] for each in parameters["content"]["parameters"]}
    for item in WORKBOOK["items"]:
        assert item["type"] in (1, 3, 9)
        if item["type"] == 3:
            content = item["content"]
            assert content["timeContextFromParameter"] in given
            assert content["visualization"] in ("table", "barchart", "linechart")
            assert set(re.findall(r"\{(\w+):", content["query"])) <= given
    loaded = bicep("workbook.bicep")["resources"]["workbook"]["config"]["properties"]
    file = loaded["serializedData"]["function"]["parameters"]["file_path"]
    assert file == "workbook.json"


def test_every_runbook_says_how_to_see_it_and_how_to_know_that_it_is_over() -> None:
    text = (DOCS / "runbooks.md").read_text()
    pages = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(pages) >= 10
    for page in pages:
        for part in ("| Symptom |", "| Cause |", "\n1. ", "**Verify:**", "**Prevent:**"):
            assert part in page, page.splitlines()[0]
