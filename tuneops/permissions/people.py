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
        "*Owner*, or *Contributor* with *User Access Administrator*, as roles are made and granted "
        "([Azure](azure.md))",
        "the subscription",
    ),
)
