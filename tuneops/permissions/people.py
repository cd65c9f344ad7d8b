"""What people have who work with TuneOps, as docs/permissions.md says it."""

_POLICY = "`tuneops-policy.yaml`"
_ENTRA = "Entra ID, App roles of the application ([page](page.md))"

PEOPLE: tuple[tuple[str, str, str], ...] = (
    (
        "whoever changes configs",
        "the right to push to the tracked branch, or to merge; `changes` in the policy says "
        "who may change what",
        f"GitHub, {_POLICY} ([gitops](gitops.md))",
    ),
    (
        "whoever approves",
        "what `approvals` in the policy names: a login, a team, an environment's reviewers",
        f"GitHub, {_POLICY}",
    ),
    (
        "whoever looks at the page",
        "a login; with `TUNEOPS_PAGE_READER_ROLE` the app role that it names",
        _ENTRA,
    ),
    ("whoever gives orders on the page", "the app role `TuneOps.Operator`", _ENTRA),
    ("whoever calls the API, or uses `tuneops`", "a key of the function app", "App keys"),
    (
        "whoever sets TuneOps up",
        "*Contributor* and *Role Based Access Control Administrator* on the resource group; for "
        "the custom roles, and *TuneOps Region Reader*, the right to write role definitions and "
        "assignments of the subscription",
        "the subscription",
    ),
)
