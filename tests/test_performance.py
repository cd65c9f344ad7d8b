"""The document of the benchmarks is made from their results, and their parts are there."""

import json
from pathlib import Path

from bench.release import Call, counted
from tools.performance import DOCUMENT, RESULTS, SECTIONS, document

ROOT = Path(__file__).parents[1]


def test_the_document_is_what_the_results_give() -> None:
    results = json.loads(RESULTS.read_text())
    assert results.keys() >= SECTIONS.keys()
    assert DOCUMENT.read_text() == document(results), "run 'python -m tools.performance'"


def test_each_part_is_a_program_of_its_own() -> None:
    assert [name for name in SECTIONS if not (ROOT / "bench" / f"{name}.py").is_file()] == []


def test_what_is_read_again_counts_until_something_is_written() -> None:
    asked = "GET /a", "GET /b", "GET /a", "PUT /a", "GET /a", "GET /a", "GET /b"
    calls = [Call(0, *each.split()) for each in asked]
    assert counted(calls) == {"calls": 7, "read_again": 2}
