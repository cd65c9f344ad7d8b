"""docs/reliability.md: each promise has its proof, and the page is short enough to be read."""

import re

from tests.documents import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
PROMISES = PAGE.partition("## What is promised")[2].partition("\n## ")[0]
PROMISE = re.compile(r"^\| ([A-Z].+?) \| (.+) \| (.*) \|$", re.MULTILINE)
PROOF = re.compile(r"`tests/[\w/]+\.py::test_\w+`")


def test_every_promise_has_a_proof() -> None:
    promises = PROMISE.findall(PROMISES)
    assert len(promises) > 15
    assert [promise for promise, _, proof in promises if not PROOF.search(proof)] == []


def test_people_can_read_it() -> None:
    assert len(PAGE.splitlines()) <= 150
