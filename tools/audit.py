"""Known weaknesses of what is pinned: `python -m tools.audit` has pip-audit look at every lock.

`tools/audit.toml` says what is accepted, why, and until when. A lock of which a package could not
be looked up is not taken for a good one. Needs nothing but Python, and pip-audit beside it.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
ACCEPTED = ROOT / "tools" / "audit.toml"
LOCKS = (
    "requirements.txt",
    "requirements.lock",
    "validate/requirements.txt",
    ".github/audit/requirements.txt",
    ".github/release/requirements.txt",
)
UNKNOWN = 2
"""The exit code when nothing is known: the service was not reached, or a file is wrong."""


class AuditError(Exception):
    """It is not known whether there is a weakness."""


class Weakness(NamedTuple):
    """One that is known of a package that a lock pins, by all its names."""

    lock: str
    package: str
    version: str
    ids: tuple[str, ...]
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        mended = f"mended in {' or '.join(self.mended_in)}" if self.mended_in else "not mended yet"
        return f"{self.lock}: {self.package} {self.version} has {', '.join(self.ids)}, {mended}"


class Accepted(NamedTuple):
    """A weakness that does no harm here, as somebody says until a day."""

    id: str
    package: str
    reason: str
    until: date

    def covers(self, weakness: Weakness, today: date) -> bool:
        """Whether the weakness is this one, and the day has not passed."""
        same = self.id in weakness.ids and self.package == weakness.package
        return same and today <= self.until


class Verdict(NamedTuple):
    """What there is to do about, and what is accepted."""

    open: list[Weakness]
    passed: list[tuple[Weakness, Accepted]]
    needless: list[Accepted]


def accepted(text: str) -> list[Accepted]:
    """What is accepted.

    Raises:
        AuditError: an entry does not say what, why or until when.
    """
    try:
        entries = tomllib.loads(text).get("accepted", [])
        found = [Accepted(**entry) for entry in entries]
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise AuditError(f"{ACCEPTED.name}: {error}") from error
    for each in found:
        if not each.reason.strip() or type(each.until) is not date:
            raise AuditError(f"{ACCEPTED.name}: {each.id} needs a reason, and a day as `until`")
    return found


def weaknesses(lock: str, report: dict[str, Any]) -> Iterator[Weakness]:
    """What pip-audit reports of a lock.

    Raises:
        AuditError: it could not look a package up.
    """
    packages = report["dependencies"]
    skipped = [each["skip_reason"] for each in packages if "skip_reason" in each]
    if skipped or not packages:
        why = skipped[0] if skipped else "no package was found in it"
        raise AuditError(f"{lock}: {len(skipped)} of {len(packages)} packages not audited: {why}")
    for package in packages:
        for known in package["vulns"]:
            ids = (known["id"], *known.get("aliases", ()))
            mended_in = tuple(known["fix_versions"])
            yield Weakness(lock, package["name"], package["version"], ids, mended_in)


def judge(found: Sequence[Weakness], known: Sequence[Accepted], today: date) -> Verdict:
    """Which of the weaknesses are accepted, and which entries are of none."""
    cover = {
        each: next((entry for entry in known if entry.covers(each, today)), None) for each in found
    }
    used = {entry for entry in cover.values() if entry}
    return Verdict(
        [each for each, entry in cover.items() if entry is None],
        [(each, entry) for each, entry in cover.items() if entry],
        [entry for entry in known if entry not in used],
    )


def look(lock: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """What pip-audit says of a lock; every package stands in it, so nothing is resolved.

    Raises:
        AuditError: it says nothing that can be read.
    """
    path = ROOT / lock
    how = "--require-hashes" if "--hash=" in path.read_text() else "--no-deps"
    line = [str(Path(sys.executable).parent / "pip-audit"), "--format=json", "--desc=off"]
    line += ["--aliases=on", "--progress-spinner=off", "--disable-pip", how, *options]
    done = subprocess.run([*line, f"--requirement={path}"], capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise AuditError(f"{lock}: pip-audit failed: {said}") from error
    return dict(report)


def main(options: Sequence[str]) -> int:
    """Tell of every lock; gives the exit code. `options` are passed to pip-audit."""
    today = datetime.now(UTC).date()
    try:
        known = accepted(ACCEPTED.read_text())
        found = [each for lock in LOCKS for each in weaknesses(lock, look(lock, options))]
    except AuditError as error:
        print(f"not audited: {error}", file=sys.stderr)
        return UNKNOWN
    verdict = judge(found, known, today)
    for weakness, entry in verdict.passed:
        print(f"{weakness}: accepted until {entry.until}: {entry.reason}")
    for each in verdict.needless:
        print(
            f"{ACCEPTED.name}: {each.id} of {each.package} has passed, or is not found: take it out"
        )
    print(*verdict.open, sep="\n")
    print(f"{len(LOCKS)} locks: {len(verdict.open)} weaknesses, {len(verdict.passed)} accepted")
    return 1 if verdict.open or verdict.needless else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
