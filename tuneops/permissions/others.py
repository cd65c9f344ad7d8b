"""What others need, beside the app's own identity. Pure."""

from tuneops.permissions.role import Need
from tuneops.permissions.roles import (
    DEAD_LETTERS,
    DEPLOY,
    ENDPOINT_IMAGES,
    ENDPOINT_MODELS,
    JOB_DATA,
    JOB_UPLOADS,
    UPLOADERS,
)
from tuneops.permissions.storage import CONTAINERS

_ELSEWHERE = "not TuneOps's own call"

OTHERS = (
    Need(
        f"{CONTAINERS}/blobs/read",
        ENDPOINT_MODELS,
        "Azure ML, when a deployment starts",
        "the registered model",
        data=True,
        unseen=_ELSEWHERE,
    ),
    Need(
        "Microsoft.ContainerRegistry/registries/pull/read",
        ENDPOINT_IMAGES,
        "Azure ML, when a deployment starts",
        "the container image",
        unseen=_ELSEWHERE,
    ),
    Need(
        f"{CONTAINERS}/blobs/read",
        JOB_UPLOADS,
        "data/job: the job's input",
        "uploaded data",
        data=True,
        unseen=_ELSEWHERE,
    ),
    Need(
        f"{CONTAINERS}/blobs/read",
        JOB_DATA,
        "the job's inputs",
        "training data",
        data=True,
        unseen=_ELSEWHERE,
    ),
    Need(
        f"{CONTAINERS}/blobs/write",
        JOB_DATA,
        "data/job: the job's output",
        "prepared data",
        data=True,
        unseen=_ELSEWHERE,
    ),
    Need(
        f"{CONTAINERS}/blobs/write",
        DEAD_LETTERS,
        "Event Grid",
        "events that could not be delivered",
        data=True,
        unseen=_ELSEWHERE,
    ),
    Need(
        "Microsoft.Web/sites/*",
        DEPLOY,
        "Azure/functions-action",
        "the package of a new version",
        unseen=_ELSEWHERE,
    ),
    Need(
        f"{CONTAINERS}/blobs/write",
        UPLOADERS,
        "az storage blob upload, or any other way",
        "training data",
        data=True,
        unseen=_ELSEWHERE,
    ),
)
