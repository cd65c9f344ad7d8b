"""Names of everything TuneOps creates, made from digests so that the same inputs meet again.

All names keep Azure ML's rules by construction: jobs and models ``[a-zA-Z0-9][a-zA-Z0-9-_]*`` up
to 255 characters, endpoints and deployments 3 to 32 characters that start with a letter.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

DIGEST_LENGTH = 12
DIGEST = rf"^[0-9a-f]{{{DIGEST_LENGTH}}}$"
ENVIRONMENT = r"^([a-z][a-z0-9-]{0,14})?$"
PROJECT_KEY = r"^([a-z][a-z0-9-]{0,14}\.)?[a-z][a-z0-9-]{0,22}[a-z0-9](~[1-9][0-9]{0,15})?$"
STREAM = rf"{PROJECT_KEY}|^([a-z][a-z0-9-]{{0,14}}\.)?_[a-z]+$"
"""What messages are of: a project, or what else an environment tells people."""

_PREVIEW = "~"
_MAX_ENDPOINT = 32
_ENDPOINT_DIGEST = 10
_JOB = re.compile(
    r"(?P<project>([a-z][a-z0-9-]*_)?[a-z][a-z0-9-]*)"
    rf"-[0-9a-f]{{{DIGEST_LENGTH}}}(-[0-9]+)?"
)

TAG_PROJECT = "tuneops.project"
TAG_RELEASE = "tuneops.release"
TAG_COMMIT = "tuneops.commit"
TAG_TRAINING = "tuneops.training"
TAG_PREVIEW = "tuneops.preview"
TAG_KEEP = "tuneops.keep"
"""Whatever its value: people want it as it is, though it belongs to nothing."""


def digest(*parts: Any) -> str:
    """A digest of JSON-like values: equal values give equal digests, whatever their key order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def project_key(environment: str, name: str) -> str:
    """What a project is called everywhere; in the environment without a name by its name alone."""
    return f"{environment}.{name}" if environment else name


def environment_of(project: str) -> str:
    """The environment of a project, empty for the one without a name."""
    return project.rpartition(".")[0]


def stream_of(environment: str, kind: str) -> str:
    """What an environment's messages of this kind are of, which are of no project."""
    return project_key(environment, f"_{kind}")


def preview_key(project: str, number: int) -> str:
    """What the preview of a project for a pull request is called."""
    return f"{project}{_PREVIEW}{number}"


def is_preview(project: str) -> bool:
    """Whether this is a project's preview; no environment or name has a ``~`` itself."""
    return _PREVIEW in project


def family(project: str) -> str:
    """The project whose preview this is, or the project itself: what they train is the same."""
    return project.partition(_PREVIEW)[0]


def asset_name(project: str) -> str:
    """The project's name where Azure allows no dot; no environment or name has a ``_`` itself.

    A preview has its project's: what it has trained need not be trained again after the merge.
    """
    return family(project).replace(".", "_")


def job_name(project: str, training_digest: str, attempt: int) -> str:
    """The name of the job that trains these inputs, the `attempt`-th time (from 1)."""
    suffix = f"-{attempt}" if attempt > 1 else ""
    return f"{asset_name(project)}-{training_digest}{suffix}"


def project_of_job(name: str) -> str | None:
    """The project whose job has this name; None when the name is not one of ours."""
    match = _JOB.fullmatch(name)
    return match["project"].replace("_", ".") if match else None


def model_version(training_digest: str) -> str:
    """The model version for this digest: a positive integer of 31 bits, as Azure ML wants it.

    Two digests may share a version; the tag `TAG_TRAINING` tells them apart.
    """
    return str(int(training_digest, 16) % (2**31 - 1) + 1)


def deployment_name(deployment_digest: str) -> str:
    """The name of the deployment with this digest."""
    return f"d-{deployment_digest}"


def endpoint_name(project: str, workspace_id: str) -> str:
    """The project's endpoint: names are unique in a region, so the workspace goes into it.

    A name with an environment, or a preview's, may be too long or that of another project, so a
    digest of it all tells them apart; it is longer than the one of the workspace alone, so it
    never looks like that.
    """
    if not environment_of(project) and not is_preview(project):
        return f"{project}-{digest(workspace_id.lower())[:6]}"
    own = digest(project, workspace_id.lower())[:_ENDPOINT_DIGEST]
    shown = project.replace(".", "-").replace(_PREVIEW, "-pr")
    shown = shown[: _MAX_ENDPOINT - 1 - _ENDPOINT_DIGEST]
    return f"{shown.rstrip('-')}-{own}"


def tags(project: str, release: int, commit: str) -> dict[str, str]:
    """The tags that everything we create carries."""
    number = project.partition(_PREVIEW)[2]
    preview = {TAG_PREVIEW: number} if number else {}
    return {TAG_PROJECT: project, TAG_RELEASE: str(release), TAG_COMMIT: commit, **preview}


def lost_tags(tags: Mapping[str, str] | None) -> tuple[str, ...]:
    """The tags of everything we create that these lack."""
    return tuple(n for n in (TAG_PROJECT, TAG_RELEASE, TAG_COMMIT) if n not in (tags or {}))


def is_ours(tags: Mapping[str, str] | None, project: str) -> bool:
    """Whether something with these tags was created for `project` by TuneOps."""
    return bool(tags) and (tags or {}).get(TAG_PROJECT) == project
