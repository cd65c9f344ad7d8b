"""What the doctor finds. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["ok", "warning", "failed", "skipped"]


class Finding(BaseModel):
    """What came of one check of one thing.

    `where` names the thing, `mend` says what to do. `environment` is that of a source, None for
    what all of them share.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    check: str
    outcome: Outcome
    what: str
    where: str = ""
    mend: str = ""
    environment: str | None = None

    @property
    def area(self) -> str:
        """What the check belongs to."""
        return self.check.partition(".")[0]


class Report(BaseModel):
    """All findings of an examination, by the version of TuneOps that was examined."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether something is broken."""
        return any(finding.outcome == "failed" for finding in self.findings)


def ok(check: str, what: str, where: str = "") -> Finding:
    """It is as it should be."""
    return Finding(check=check, outcome="ok", what=what, where=where)


def warning(check: str, what: str, mend: str, where: str = "") -> Finding:
    """TuneOps works, but not as well as it could, or not for long."""
    return Finding(check=check, outcome="warning", what=what, where=where, mend=mend)


def failed(check: str, what: str, mend: str, where: str = "") -> Finding:
    """It is broken."""
    return Finding(check=check, outcome="failed", what=what, where=where, mend=mend)


def skipped(check: str, what: str, where: str = "", mend: str = "") -> Finding:
    """It could not be found out, or there is nothing to find out."""
    return Finding(check=check, outcome="skipped", what=what, where=where, mend=mend)
