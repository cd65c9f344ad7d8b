"""A pull request's preview from its opening to what is left after the merge."""

import pytest

from tests.cloud import QUICK, Cloud, config, some_rows
from tuneops.previews import text

pytestmark = [pytest.mark.slow, pytest.mark.soak]

NAME = "tried"
PREVIEW = {"preview": {"hours": 2}}


def jobs(cloud: Cloud) -> list[str]:
    """The jobs that have trained for the project, whoever has begun them."""
    names = (str(job.name) for job in cloud.ml.jobs.list())
    return [name for name in names if name.startswith(f"{NAME}-")]


def told(cloud: Cloud, pull: int) -> str:
    """What the pull request is told of its preview."""
    start = text.mark(f"{NAME}~{pull}")
    bodies = [str(each["body"]) for each in cloud.github(f"issues/{pull}/comments")]
    (found,) = [body for body in bodies if body.startswith(start)]
    return found


def test_a_preview_answers_before_the_merge_and_is_gone_after_it(cloud: Cloud) -> None:
    cloud.merge({f"{NAME}.yaml": config(NAME, **PREVIEW)})
    cloud.upload(f"{NAME}/chats.jsonl", some_rows())
    live = cloud.until_phase(NAME, 1, "Live").release
    assert live is not None
    serving = {live.deployment: 100}

    other = {"parameters": {**QUICK, "max_steps": 3}}
    tried = config(NAME, training=other, endpoint={"name": live.endpoint}, **PREVIEW)
    head = cloud.propose("try", {f"{NAME}.yaml": tried})
    pull = cloud.github("pulls", {"title": "Try", "head": "try", "base": "main"})["number"]
    preview = f"{NAME}~{pull}"
    seen = cloud.until_phase(preview, 1, "Live")
    assert seen.release is not None
    assert seen.preview is not None
    assert seen.preview.number == pull
    assert seen.release.endpoint != live.endpoint
    assert cloud.traffic(seen.release.endpoint) == {seen.release.deployment: 100}
    assert cloud.traffic(live.endpoint) == serving
    tags = cloud.ml.online_endpoints.get(seen.release.endpoint).tags
    assert (tags["tuneops.project"], tags["tuneops.preview"]) == (preview, str(pull))
    assert cloud.messages(preview) == []
    cloud.until(preview, lambda _: "answers" in told(cloud, pull))
    for said in (f"`{seen.release.endpoint}`", "- answer `", "| `eval_loss` |", "It lasts until"):
        assert said in told(cloud, pull)
    (status, *_) = cloud.github(f"commits/{head}/statuses")
    assert (status["context"], status["state"]) == (f"tuneops/{preview}", "success")
    trained = jobs(cloud)
    assert len(trained) == 2

    cloud.github(f"pulls/{pull}/merge", {}, method="PUT")
    release = cloud.until_phase(NAME, 2, "Live").release
    assert release is not None
    assert release.job == seen.release.job
    assert sorted(jobs(cloud)) == sorted(trained)
    owners = {str(each.tags["tuneops.project"]) for each in cloud.ml.models.list(name=NAME)}
    assert owners == {NAME}

    cloud.until(NAME, lambda _: cloud.status(preview) is None)
    assert cloud.traffic(seen.release.endpoint) is None
    assert f"pull request {pull} was merged" in told(cloud, pull)
    assert set(cloud.traffic(live.endpoint) or {}) >= {release.deployment}
    assert len(cloud.models(NAME)) == 2
