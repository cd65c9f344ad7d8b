"""What the command sees of a function app before that says anything of itself. Pure."""

from urllib.parse import urlsplit

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning

OK, NOT_FOUND, LOCKED = 200, 404, (401, 403)


def judge_answer(status: int, error: str, url: str) -> list[Finding]:
    """Whether something answers there, takes the key, and is TuneOps; status 0 is no answer."""
    if status in LOCKED:
        return [ok("app.answers", "answers", url), _locked(url)]
    if status == OK and not error:
        return [ok("app.answers", "answers", url), ok("app.key", "takes the key", url)]
    no_key = skipped("app.key", "not known before it answers", url)
    name, what = _app(url), f"answers with status {status}" if status else "does not answer"
    if status == NOT_FOUND:
        what, mend = "has no doctor", "deploy this version of TuneOps there, or mend --url"
    elif status:
        mend = f"its log says why: az webapp log tail --name {name} --resource-group GROUP"
    else:
        mend = (
            "for the local cloud: tuneops local up; in Azure: mend --url, or az functionapp start "
            f"--name {name} --resource-group GROUP"
        )
    return [failed("app.answers", f"{what}{f' ({error})' if error else ''}", mend, url), no_key]


def judge_version(theirs: str, ours: str, url: str) -> Finding:
    """Whether both are of the same version."""
    if theirs == ours:
        return ok("app.version", f"is {theirs}, as this command", url)
    mend = "install the version that is deployed, or deploy the one that is installed"
    return warning("app.version", f"is {theirs}, this command {ours}", mend, url)


def judge_data(error: str, container: str, account: str) -> Finding:
    """Whether your own login reads the data; it is what `tuneops data` works with."""
    check, where = "login.data", f"container {container} of {account}"
    if error:
        mend = (
            "az login, and have the role Storage Blob Data Contributor granted to you: az role "
            "assignment create --role 'Storage Blob Data Contributor' --assignee YOU --scope "
            f"$(az storage account show --name {account} --query id -o tsv)"
        )
        return failed(check, f"you can't read it: {error}", mend, where)
    return ok(check, "you can read it", where)


def judge_no_account() -> Finding:
    """What is said where no storage account was named."""
    mend = "name it with --account-url or TUNEOPS_STORAGE_ACCOUNT_URL"
    return skipped("login.data", "no storage account is named", mend=mend)


def _locked(url: str) -> Finding:
    mend = (
        f"az functionapp keys list --name {_app(url)} --resource-group GROUP --query "
        "functionKeys.default -o tsv shows it; give it with --key or TUNEOPS_FUNCTION_KEY"
    )
    return failed("app.key", "the function key is not taken", mend, url)


def _app(url: str) -> str:
    """The app's name as its address has it."""
    host = urlsplit(url).hostname or ""
    return host.partition(".")[0] if host.endswith(".azurewebsites.net") else "APP"
