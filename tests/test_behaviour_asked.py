"""Evaluation sets asked of real deployments in the local workspace, and read from real storage."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model

from tests.faults import Faults
from tests.planned import NOW, come_to, desired, release, until
from tuneops import actions, documents, planning, smoke
from tuneops.act import act
from tuneops.azureml import endpoints, scoring
from tuneops.azureml.errors import UnavailableError
from tuneops.azureml.questions import ask_in_turn
from tuneops.azureml.workspace import Workspace
from tuneops.behaviour import answers
from tuneops.behaviour.progress import Progress, Side
from tuneops.behaviour.sets import MAX_SET_BYTES, missing, read_kept
from tuneops.config import SmokeTest
from tuneops.data.errors import DataError, DataUnavailableError
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release, SampleAnswer, Smoke
from tuneops.services import Services

pytestmark = pytest.mark.slow
ROWS = 22
PATH = "sets/answers.jsonl"
QUESTIONS = [{"prompt": f"word{n}", "expected": f"WORD{n}", "pattern": "."} for n in range(ROWS)]
BASE = (
    "compute: {name: serverless}\nendpoint: {name: behaving}\n"
    "deployment: {instance_type: Standard_DS3_v2}\nrollout: {keep_failed_for_minutes: 60}\n"
)
MODEL = """
import mlflow

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [item["messages"][-1]["content"].CASE() for item in model_input]

mlflow.models.set_model(Echo())
"""
SMOKED = Smoke(
    answers=(
        SampleAnswer(
            passed=True, status=200, seconds=1, at=NOW, question="q", request="{}", answer="a"
        ),
    )
)


def sets(*wanted: dict[str, Any], **more: Any) -> str:
    """The config's section with these sets."""
    given = [{"name": "answers", "path": PATH, **each} for each in wanted]
    return f"behaviour: {json.dumps({'sets': given, **more})}\n"


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def put(services: Services, content: bytes, path: str = PATH) -> None:
    container = services.settings.datasets_container
    services.blobs.get_blob_client(container, path).upload_blob(content, overwrite=True)


@dataclass
class Place:
    """An endpoint with the deployment of release 1, which is live, and another one beside it.

    The live one answers with the question in capitals, the other one in small letters.
    """

    live: Release
    new: Release
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(2, 100)))

    def tested(self, extra: str) -> Release:
        """One more release that has the deployment beside the live one, and this section."""
        made = release(f"{BASE}{extra}").replace(
            number=next(self.numbers), training=self.new.training, smoke=SMOKED
        )
        return come_to(made, Phase.TESTING, datetime.now(UTC), "it is ready")

    def reconcile(self, services: Services, made: Release, extra: str, live: Release) -> Release:
        """Reconcile the project with this release as its newest; gives what has become of it."""
        git = desired(f"{BASE}{extra}")
        made = made.replace(fingerprint=git.fingerprint)
        project = Project(name="bot", current=made.number).promote(live, NOW)
        services.store.write(documents.desired("bot"), git, etag=None)
        services.store.write(documents.project("bot"), project, etag=None)
        for each in (live, made):
            services.store.write(documents.release("bot", each.number), each, etag=None)
        return reconciled(services, made.number)


def reconciled(services: Services, number: int) -> Release:
    """What a release has become after one more look at its project."""
    reconcile_project(ProjectRequest(project="bot"), services)
    stored = services.release("bot", number)
    assert stored is not None
    return stored.value


@pytest.fixture(scope="module")
def place(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Place:
    planned = release(BASE)
    planned = planned.replace(training=planning.plan(workspace, planned))
    live = planned.replace(training=planned.plan.replace(digest="0" * 12))
    new = planned.replace(number=2, training=planned.plan.replace(digest="1" * 12))
    endpoints.begin_create(workspace, live)
    for made, case in ((live, "upper"), (new, "lower")):
        register(workspace, made, case, tmp_path_factory.mktemp(case))
    until(lambda: endpoint(workspace).state == "Succeeded", 60)
    for made in (live, new):
        endpoints.begin_deploy(workspace, made)
    until(lambda: [d.state for d in endpoint(workspace).deployments] == ["Succeeded"] * 2, 180)
    endpoints.begin_shift(workspace, live.endpoint, live.deployment_name)
    until(lambda: dict(endpoint(workspace).traffic) == {live.deployment_name: 100}, 60)
    return Place(come_to(live, Phase.LIVE, NOW, "it is live"), new)


def endpoint(workspace: Workspace) -> Any:
    return endpoints.observe(workspace, "behaving", "bot")


def register(workspace: Workspace, made: Release, case: str, folder: Path) -> None:
    import mlflow

    (folder / "echo.py").write_text(MODEL.replace("CASE", case))
    mlflow.pyfunc.save_model(
        folder / "model", python_model=str(folder / "echo.py"), pip_requirements=[]
    )
    model = Model(
        name=made.model_name,
        version=made.model_version,
        type=AssetTypes.MLFLOW_MODEL,
        path=str(folder / "model"),
    )
    workspace.ml.models.create_or_update(model)


def progress(made: Release) -> Progress:
    assert made.behaviour is not None
    return made.behaviour


def kept_answers(services: Services, made: Release) -> list[answers.Answer]:
    return answers.read(services.storage, answers.path_of(made, 0))


def test_a_worse_model_fails_before_it_gets_traffic(
    workspace: Workspace, place: Place, working: Services
) -> None:
    extra = sets({}, {"name": "any answer", "score": "regex"}, concurrency=2)
    put(working, jsonl(QUESTIONS))
    failed = place.reconcile(working, place.tested(extra), extra, place.live)

    assert failed.phase == Phase.FAILED
    assert failed.reason == (
        "behaviour: answers: exact match 0 (live 1), fail: 1 below the live deployment, 0.05 may be"
    )
    assert dict(endpoint(workspace).traffic) == {place.live.deployment_name: 100}
    first, second = progress(failed).comparisons
    assert (first.verdict, first.new, first.live) == ("fail", 0, 1)
    assert (second.verdict, second.new, second.live) == ("pass", 1, 1)
    assert progress(failed).requests == 4 * ROWS
    example = progress(failed).worst["answers"][0]
    assert (example.row, example.question, example.expected) == (1, "word0", "WORD0")
    assert (example.answer, example.live_answer) == ("word0", "WORD0")
    told = next(message for message in failed.outbox if message.event == "failed")
    assert "exact match 0 (live 1)" in told.text
    links = {name: url for entry in failed.history for name, url in entry.links.items()}
    assert links["answers of answers"].endswith(answers.path_of(failed, 0))
    assert "?" not in links["answers of any answer"]
    kept = kept_answers(working, failed)
    assert len(kept) == 2 * ROWS
    assert {(each.deployment, each.score) for each in kept} == {
        (failed.deployment_name, 0),
        (place.live.deployment_name, 1),
    }


def begun(place: Place, working: Services, extra: str, live: str) -> Release:
    put(working, jsonl(QUESTIONS))
    made = act(actions.ReadSets(), place.tested(extra), working, NOW)
    return act(actions.BeginSets(live), made, working, NOW)


def ask(made: Release, working: Services) -> Release:
    return act(actions.AskSets(), made, working, datetime.now(UTC))


def sides(made: Release) -> list[Side]:
    asked = progress(made).sets[0]
    return [asked.new, asked.live]


def answered(made: Release) -> list[int]:
    return [len(side.scores) for side in sides(made)]


def finish(made: Release, working: Services) -> Release:
    """Ask all that is left, as the decision would."""
    limit = made.config.behaviour.max_requests
    while progress(made).turn is not None and progress(made).requests < limit:
        made = ask(made, working)
    return made


def test_a_crash_repeats_a_batch_and_no_more(place: Place, working: Services) -> None:
    first = begun(place, working, sets({}), place.live.deployment_name)
    lost, again = ask(first, working), ask(first, working)
    done = finish(again, working)
    assert sides(done) == [Side(scores=(0,) * ROWS), Side(scores=(1,) * ROWS)]
    assert progress(done).requests == 2 * ROWS
    assert all(
        side.scores == end.scores[: len(side.scores)]
        for side, end in zip(sides(lost), sides(done), strict=True)
    )
    found = kept_answers(working, done)
    assert len({(each.row, each.deployment) for each in found}) == len(found) == 2 * ROWS


def test_a_question_that_gets_no_answer_is_asked_again_and_then_passed_over(
    place: Place, working: Services, faults: Faults
) -> None:
    made = begun(place, working, sets({}), "")
    faults.ask("scoring", "fail", f"behaving/{made.deployment_name}", status=503, times=4)
    tries = []
    for _ in range(3):
        made = ask(made, working)
        tries.append((answered(made)[0], sides(made)[0].attempts))
        resume = progress(made).sets[0].replace(new=sides(made)[0].replace(not_before=None))
        made = made.replace(behaviour=progress(made).with_set(0, resume))
    assert tries == [(0, 1), (0, 2), (1, 0)]
    made = ask(made, working)
    assert (sides(made)[0].scores, sides(made)[0].failure) == ((None,), "status 503")
    assert sides(made)[0].not_before is not None
    assert progress(made).sets[0].due(NOW) == ()
    made = ask(made, working)
    assert answered(made) == [1, 0]
    (kept,) = kept_answers(working, made)
    assert (kept.row, kept.score, kept.status) == (1, None, 503)


def test_one_that_has_too_many_requests_is_left_alone(
    place: Place, working: Services, faults: Faults
) -> None:
    live = place.live.deployment_name
    made = begun(place, working, sets({}), live)
    faults.ask("scoring", "fail", f"behaving/{live}", status=429, retry_after=60)
    made = ask(made, working)
    new, left = answered(made)
    assert new > 0
    assert left == 0
    assert progress(made).sets[0].due(datetime.now(UTC)) in ((), ("new",))
    faults.ask("scoring", "fail", f"behaving/{live}", status=429, retry_after=60)
    alone = progress(made).sets[0].replace(live=Side(), new=Side(scores=(0.0,) * ROWS))
    with pytest.raises(UnavailableError, match="too many requests") as caught:
        ask(made.replace(behaviour=progress(made).with_set(0, alone)), working)
    assert caught.value.seconds == 60


def test_questions_are_asked_in_turn_and_not_for_long(
    workspace: Workspace, place: Place, faults: Faults
) -> None:
    faults.ask("scoring", "slow", "behaving/*", seconds=0.4, times=100)
    door = scoring.open_door(workspace, place.new)
    bodies = [
        smoke.request([{"role": "user", "content": f"WORD{n}"}], SmokeTest()) for n in range(20)
    ]
    found = ask_in_turn(door, place.new, place.new.deployment_name, bodies, 2, 0.5)
    texts = [reply.text for reply in found.replies]
    assert 2 <= len(texts) <= 6
    assert texts == [f"word{n}" for n in range(len(texts))]
    assert found.sent == len(texts)
    assert door.secret not in repr(door)


def test_a_budget_ends_the_questions(place: Place, working: Services) -> None:
    extra = sets({}, max_requests=12, min_rows=5)
    made = begun(place, working, extra, place.live.deployment_name)
    assert progress(made).sets[0].rows == 6
    behind = progress(made).replace(requests=5)
    made = finish(made.replace(behaviour=behind), working)
    assert progress(made).requests == 12
    assert answered(made) == [4, 3]


def test_what_live_is_known_to_answer_is_not_asked_and_a_better_model_goes_on(
    workspace: Workspace, place: Place, working: Services
) -> None:
    """The last one of these tests: it moves the traffic."""
    extra = sets({"score": "regex", "min_score": 1})
    put(working, jsonl(QUESTIONS))
    known = act(actions.ReadSets(), place.tested(extra).replace(number=1), working, NOW)
    asked = progress(known).sets[0].replace(new=Side(scores=(0.0,) * ROWS))
    live = place.live.replace(config=known.config, behaviour=Progress(sets=(asked,)))
    passed = place.reconcile(working, place.tested(extra), extra, live)

    assert passed.phase in (Phase.SHIFTING, Phase.LIVE)
    (comparison,) = progress(passed).comparisons
    assert (comparison.verdict, comparison.new, comparison.live) == ("pass", 1, 0)
    assert progress(passed).sets[0].reused == 1
    assert progress(passed).requests == ROWS
    shifting = next(entry for entry in passed.history if entry.phase == Phase.SHIFTING)
    assert shifting.reason.endswith(" s; answers: matches 1 (live 0)")
    until(lambda: reconciled(working, passed.number).phase == Phase.LIVE, 60)
    assert dict(endpoint(workspace).traffic) == {passed.deployment_name: 100}
    lively = reconciled(working, passed.number)
    told = next(message for message in lively.outbox if message.event == "live")
    assert told.figure.endswith("answers: matches 1 (live 0)")
    project = working.store.read(documents.project("bot"), Project)
    assert project is not None
    assert passed.plan.digest in project.value.served


# Reading


@pytest.mark.parametrize(
    ("content", "extra", "said"),
    [
        pytest.param(None, {}, "datasets-.*/sets/answers.jsonl is not there: upload it", id="none"),
        pytest.param(b"", {}, "sets/answers.jsonl has no rows", id="empty"),
        pytest.param(b"{}", {}, "sets/answers.jsonl:1: give either messages", id="broken"),
        pytest.param(b" " * (MAX_SET_BYTES + 1), {}, "is larger than 4 MiB", id="large"),
        pytest.param(
            jsonl(QUESTIONS[:9]), {}, "9 of 9 rows .* can be asked, behaviour.min_rows", id="few"
        ),
        pytest.param(
            jsonl(QUESTIONS), {"max_requests": 30}, "15 of 22 rows of .* max_requests", id="budget"
        ),
    ],
)
def test_a_set_that_cannot_be_asked_fails_the_release(
    services: Services, content: bytes | None, extra: dict[str, Any], said: str
) -> None:
    made = release(sets({}, **extra))
    if content is not None:
        put(services, content)
    with pytest.raises(DataError, match=f"evaluation set 'answers': .*{said}"):
        act(actions.ReadSets(), made, services, NOW)
    told = list(missing(services.storage, made.config.behaviour))
    assert len(told) == (content is None)


def test_storage_that_cannot_be_read_is_trouble(services: Services) -> None:
    services.blobs.delete_container(services.settings.datasets_container)
    with pytest.raises(DataUnavailableError, match=r"datasets-.* does not exist; create it"):
        act(actions.ReadSets(), release(sets({})), services, NOW)


def test_what_is_asked_stays_as_it_was_read(services: Services) -> None:
    made = release(sets({}, {"name": "others", "score": "regex", "max_rows": 20}))
    put(services, jsonl(QUESTIONS))
    first = act(actions.ReadSets(), made, services, NOW)
    one, other = progress(first).sets
    assert (one.rows, one.of, other.rows) == (ROWS, ROWS, 20)
    assert one.version != other.version
    put(services, jsonl(QUESTIONS[::-1]))
    assert [row.expected for row in read_kept(services.storage, one)][:2] == [
        ("WORD0",),
        ("WORD1",),
    ]
    changed = progress(act(actions.ReadSets(), made, services, NOW)).sets[0]
    assert changed.version != one.version
    put(services, jsonl(QUESTIONS))
    assert act(actions.ReadSets(), made, services, NOW) == first
