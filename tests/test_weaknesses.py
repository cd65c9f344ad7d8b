"""What is said of known weaknesses: found, accepted for a while, or not known at all."""

import re
from datetime import date
from typing import Any

import pytest

from tools.audit import ACCEPTED, LOCKS, ROOT, AuditError, Weakness, accepted, judge, weaknesses
from tools.package.target import read_pins

TODAY = date(2026, 1, 31)
FOUND = Weakness("requirements.txt", "a", "1.0", ("GHSA-1", "CVE-1"), ("1.1",))
ENTRY = '[[accepted]]\nid = "CVE-1"\npackage = "a"\nreason = "never called"\nuntil = 2026-01-31\n'


def report(*vulns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What pip-audit 2.10 writes of two packages."""
    good = {"name": "b", "version": "2", "vulns": []}
    return {"dependencies": [good, {"name": "a", "version": "1.0", "vulns": [*vulns]} | more]}


def test_what_pip_audit_found_is_told_with_all_its_names() -> None:
    vuln = {"id": "GHSA-1", "fix_versions": ["1.1"], "aliases": ["CVE-1"]}
    assert [*weaknesses("requirements.txt", report(vuln))] == [FOUND]
    assert str(FOUND) == "requirements.txt: a 1.0 has GHSA-1, CVE-1, mended in 1.1"
    assert str(FOUND._replace(mended_in=())).endswith("not mended yet")
    assert [*weaknesses("requirements.txt", report())] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dependencies": []}, "no package"),
        (
            {"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]},
            "1 of 1 packages not audited: not found on PyPI",
        ),
    ],
)
def test_what_was_not_looked_up_is_not_good(given: dict[str, Any], said: str) -> None:
    with pytest.raises(AuditError, match=said):
        list(weaknesses("requirements.txt", given))


@pytest.mark.parametrize(
    ("found", "today", "left"),
    [
        pytest.param(FOUND, TODAY, ([], 1, 0), id="accepted"),
        pytest.param(FOUND, date(2026, 2, 1), ([FOUND], 0, 1), id="its-day-has-passed"),
        pytest.param(FOUND._replace(package="b"), TODAY, None, id="of-another-package"),
        pytest.param(FOUND._replace(ids=("GHSA-2",)), TODAY, None, id="another-one"),
    ],
)
def test_a_weakness_is_accepted_until_a_day(
    found: Weakness, today: date, left: tuple[list[Weakness], int, int] | None
) -> None:
    verdict = judge([found], accepted(ENTRY), today)
    expected = left or ([found], 0, 1)
    assert (verdict.open, len(verdict.passed), len(verdict.needless)) == expected


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.replace("never called", " "),
        ENTRY.replace("2026-01-31", '"soon"'),
        ENTRY.replace("reason", "because"),
        ENTRY.replace("package", "#"),
        "[[accepted",
    ],
)
def test_an_entry_says_what_why_and_until_when(text: str) -> None:
    with pytest.raises(AuditError, match=ACCEPTED.name):
        accepted(text)


def test_every_lock_is_looked_at() -> None:
    accepted(ACCEPTED.read_text())
    locks = {str(path.relative_to(ROOT)) for path in ROOT.glob("*requirements*")}
    inner = {
        str(path.relative_to(ROOT))
        for folder in (ROOT / "validate", ROOT / ".github")
        for path in folder.rglob("requirements.txt")
    }
    assert set(LOCKS) == locks | inner


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.endswith(".txt")])
def test_what_is_installed_by_a_lock_is_pinned_and_hashed(lock: str) -> None:
    pinned = read_pins((ROOT / lock).read_text())
    loose = [pin for pin in pinned if not str(pin.requirement.specifier).startswith("==")]
    assert loose == []
    assert [pin.name for pin in pinned if not pin.hashes] == []


def test_what_developers_install_is_pinned() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.lstrip().startswith("#")]
    assert len(pins) > 150
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+(\[.+\])?==\S+( ; .+)?$", pin)] == []
