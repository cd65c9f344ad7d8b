"""The storage account: containers, their protection, and what may be done in them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.doctor.judging.site import grant
from tuneops.permissions.roles import BLOBS

Access = Literal["private", "public", "missing", "forbidden"]
OWNER = BLOBS.name


@dataclass(frozen=True)
class Account:
    """The storage account, and who is to have a role there."""

    name: str
    id: str
    object_id: str


def judge_containers(seen: Mapping[str, Access], account: Account) -> list[Finding]:
    """Whether the containers are there, may be seen, and are closed to the public."""
    found = [_there(name, access, account) for name, access in seen.items()]
    return [*found, *(_closed(name, access, account) for name, access in seen.items())]


def _there(name: str, access: Access, account: Account) -> Finding:
    check, where = "storage.containers", f"container {name} of {account.name}"
    if access == "missing":
        mend = (
            f"az storage container create --name {name} --account-name {account.name} "
            "--auth-mode login"
        )
        return failed(check, "there is no such container", mend, where)
    if access == "forbidden":
        mend = grant(OWNER, account.object_id, account.id)
        said = "TuneOps may not read it, or the account's network does not let the app in"
        return failed(check, said, mend, where)
    return ok(check, "is there", where)


def _closed(name: str, access: Access, account: Account) -> Finding:
    check, where = "storage.public", f"container {name} of {account.name}"
    if access == "public":
        mend = (
            f"az storage container set-permission --name {name} --account-name {account.name} "
            "--public-access off"
        )
        return failed(check, "everybody may read it", mend, where)
    if access == "private":
        return ok(check, "is closed to the public", where)
    return skipped(check, "could not be looked at", where)


def judge_state(error: str, container: str, account: Account) -> Finding:
    """Whether a document could be leased and written."""
    where = f"container {container} of {account.name}"
    if error:
        mend = grant(OWNER, account.object_id, account.id)
        return failed("storage.state", f"no document can be written: {error}", mend, where)
    return ok("storage.state", "documents can be leased and written", where)


def judge_data(error: str, container: str, doing: str, account: Account) -> Finding:
    """Whether what is done with data can be done."""
    where = f"container {container} of {account.name}"
    if error:
        mend = grant(OWNER, account.object_id, account.id)
        return failed("storage.data", f"can't be {doing}: {error}", mend, where)
    return ok("storage.data", f"can be {doing}", where)


def judge_recovery(kept_days: int | None, hidden: bool, account: Account) -> Finding:
    """Whether what is deleted can be had back; no days: it can't."""
    check = "storage.recovery"
    if hidden:
        return skipped(check, "TuneOps may not see whether soft delete is on", account.name)
    if kept_days is None:
        mend = (
            f"az storage account blob-service-properties update --account-name {account.name} "
            "--enable-delete-retention true --delete-retention-days 14 --enable-versioning true"
        )
        said = "soft delete is off: documents and data that are deleted by mistake are lost"
        return warning(check, said, mend, account.name)
    return ok(check, f"what is deleted is kept for {kept_days} days", account.name)
