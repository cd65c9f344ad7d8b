"""Asking a deployment: what speaks against the model, and what only against the moment."""

import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model

from tests.faults import Faults
from tests.planned import release, until
from tuneops import planning
from tuneops.analysis import DeploymentFigures
from tuneops.azureml import endpoints, metrics, progress, scoring, traffic_metrics
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.connections import shared_session
from tuneops.release import Release
from tuneops.training_progress import Seen

pytestmark = pytest.mark.slow
ASKED = [{"role": "user", "content": "Who are you?"}]
SCORE = "POST /endpoints/asked/score"
MODEL = """
import mlflow

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [item["messages"][-1]["content"].upper() for item in model_input]

mlflow.models.set_model(Echo())
"""


@pytest.fixture(scope="module")
def asked(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release whose deployment answers with the question in capitals, within a second."""
    import mlflow

    made = release(
        "compute: {name: serverless}\nendpoint: {name: asked}\n"
        "deployment: {instance_type: Standard_DS3_v2, request_settings: {request_timeout_ms: 1000}}"
    )
    made = made.replace(training=planning.plan(workspace, made))
    endpoints.begin_create(workspace, made)
    folder = tmp_path_factory.mktemp("model")
    (folder / "echo.py").write_text(MODEL)
    mlflow.pyfunc.save_model(
        folder / "model", python_model=str(folder / "echo.py"), pip_requirements=[]
    )
    model = Model(
        name=made.project,
        version=made.model_version,
        type=AssetTypes.MLFLOW_MODEL,
        path=str(folder / "model"),
    )
    workspace.ml.models.create_or_update(model)
    until(lambda: state(workspace, made, "endpoint") == "Succeeded")
    endpoints.begin_deploy(workspace, made)
    until(lambda: state(workspace, made, "deployment") == "Succeeded", 120)
    return made


def state(workspace: Workspace, made: Release, kind: str) -> str:
    seen = endpoints.observe(workspace, made.endpoint, made.project)
    found = seen.deployment(made.deployment_name) if seen and kind == "deployment" else seen
    return found.state if found else ""


def test_an_answer_in_time_passes(workspace: Workspace, asked: Release) -> None:
    answer = scoring.ask(workspace, asked, ASKED)
    assert (answer.passed, answer.status, answer.answer) == (True, 200, "WHO ARE YOU?")


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        pytest.param(("call", "drop", SCORE, {}), 502, "the answer broke off", id="drops"),
        pytest.param(
            ("call", "slow", SCORE, {"seconds": 2}), 408, "no answer in 1 s", id="slow-network"
        ),
        pytest.param(("scoring", "hang", "asked/*", {}), 408, "", id="hangs"),
        pytest.param(("scoring", "fail", "**", {"status": 424}), 424, "", id="model-fails"),
        pytest.param(("scoring", "fail", "**", {"status": 503}), 503, "", id="no-instance"),
    ],
)
def test_what_speaks_against_the_model(
    workspace: Workspace,
    asked: Release,
    faults: Faults,
    fault: tuple[str, str, str, dict[str, object]],
    status: int,
    said: str,
) -> None:
    work, outcome, target, more = fault
    faults.ask(work, outcome, target, **more)
    answer = scoring.ask(workspace, asked, ASKED)
    assert (answer.passed, answer.status) == (False, status)
    assert answer.failures == (f"status {status}",)
    assert said in answer.answer
    assert answer.seconds < 2
    assert faults.struck == 1


@pytest.mark.parametrize(
    ("fault", "problem", "said", "seconds"),
    [
        pytest.param(
            ("scoring", "fail", "**", {"status": 429, "retry_after": 7}),
            UnavailableError,
            "endpoint asked has too many requests now",
            7,
            id="throttled",
        ),
        pytest.param(
            ("scoring", "fail", "**", {"status": 429}),
            UnavailableError,
            "endpoint asked has too many requests now",
            0,
            id="throttled-without-advice",
        ),
        pytest.param(
            ("scoring", "fail", "**", {"status": 403}),
            MissingRoleError,
            "onlineEndpoints/score/action at endpoint asked: give it the role TuneOps Operator",
            0,
            id="no-role-to-score",
        ),
        pytest.param(
            ("call", "fail", "POST /onlineEndpoints/asked/listKeys", {"status": 403}),
            MissingRoleError,
            "give TuneOps's identity the role TuneOps Operator at the workspace",
            0,
            id="no-role-for-keys",
        ),
    ],
)
def test_what_speaks_against_the_moment_only(
    workspace: Workspace,
    asked: Release,
    faults: Faults,
    fault: tuple[str, str, str, dict[str, object]],
    problem: type[UnavailableError],
    said: str,
    seconds: float,
) -> None:
    work, outcome, target, more = fault
    faults.ask(work, outcome, target, **more)
    with pytest.raises(problem) as caught:
        scoring.ask(workspace, asked, ASKED)
    assert said in str(caught.value)
    assert caught.value.seconds == seconds
    assert faults.struck == 1
    assert scoring.ask(workspace, asked, ASKED).passed


def test_how_far_a_training_has_come_is_read_from_the_tracking_server(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azureml.mlflow._common._cloud import cloud

    # MLflow's plugin looks for clouds once in a process, and tests have more than one.
    monkeypatch.setattr(cloud, "KNOWN_CLOUDS", cloud.get_known_clouds())
    with metrics.tracking(workspace, "a run") as client:
        experiment = client.create_experiment("trained")
        job = client.create_run(experiment).info.run_id
        step = client.create_run(experiment, run_name="chat_completion_finetune").info.run_id
        for run in (job, step):
            client.set_tag(run, "mlflow.rootRunId", job)
        for place, loss in enumerate((3.0, 2.0)):
            client.log_metric(step, "loss", loss, timestamp=1000 * place, step=10 * place)
    found = progress.read(workspace, job)
    at = datetime.fromtimestamp(1, UTC)
    assert found == Seen(run=step, logged={"loss": (10.0, 2.0)}, at=at)
    assert progress.read(workspace, job, step) == found
    with pytest.raises(metrics.NoRunError, match="progress of job missing"):
        progress.read(workspace, "missing")


def test_what_the_live_figures_say_of_it(
    workspace: Workspace, asked: Release, faults: Faults
) -> None:
    def read() -> DeploymentFigures:
        now = datetime.now(UTC)
        hour = timedelta(hours=1)
        found = traffic_metrics.read(workspace, "asked", [deployment, "other"], now - hour, now)
        assert found["other"] == DeploymentFigures(deployment="other", minutes=61)
        return found[deployment]

    deployment = asked.deployment_name
    before = read()
    for status in (424, 503, 400):
        faults.ask("scoring", "fail", "asked/*", status=status)
        scoring.ask(workspace, asked, ASKED)
    faults.ask("scoring", "slow", "asked/*", seconds=0.4)
    for _ in range(5):
        assert scoring.ask(workspace, asked, ASKED).passed
    after = read()
    assert after.requests - before.requests == 8
    assert after.failures - before.failures == 2
    assert after.client_errors - before.client_errors == 1
    assert after.statuses[424] > before.statuses.get(424, 0)
    p50, p90, p99 = after.p50_ms or 0, after.p90_ms or 0, after.p99_ms or 0
    assert 0 < p50 <= p90 <= p99


METRICS = "GET /onlineEndpoints/asked/providers/Microsoft.Insights/metrics"
REFUSED = (
    "The client 'x' does not have authorization to perform action "
    "'Microsoft.Insights/metrics/read' over scope '/subscriptions/s' or the scope is invalid."
)


@pytest.mark.parametrize(
    ("outcome", "more", "problem", "said", "seconds"),
    [
        pytest.param(
            "fail",
            {"status": 403, "message": REFUSED},
            MissingRoleError,
            "give it the role TuneOps Operator at the workspace",
            0,
            id="no-role",
        ),
        pytest.param(
            "fail",
            {"status": 401, "message": "no"},
            MissingRoleError,
            "the role TuneOps Operator at the workspace",
            0,
            id="no-role-that-is-named",
        ),
        pytest.param(
            "fail",
            {"status": 429, "retry_after": 9},
            UnavailableError,
            "asked for",
            9,
            id="throttled",
        ),
        pytest.param("fail", {"status": 500}, UnavailableError, "asked for", 0, id="broken"),
        pytest.param(
            "drop", {}, UnavailableError, "metrics of endpoint asked: ", 0, id="breaks-off"
        ),
        pytest.param("fail", {"status": 400}, RefusedError, "asked for", 0, id="refused"),
    ],
)
def test_figures_that_cannot_be_had(
    workspace: Workspace,
    asked: Release,
    faults: Faults,
    outcome: str,
    more: dict[str, object],
    problem: type[Exception],
    said: str,
    seconds: float,
) -> None:
    faults.ask("call", outcome, METRICS, **more)
    now = datetime.now(UTC)
    with pytest.raises(problem, match="metrics of endpoint asked") as caught:
        traffic_metrics.read(workspace, "asked", ["blue"], now - timedelta(minutes=5), now)
    assert type(caught.value) is problem
    assert said in str(caught.value)
    assert getattr(caught.value, "seconds", 0) == seconds
    assert faults.struck == 1


def test_figures_of_an_endpoint_that_is_not_there(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    with pytest.raises(RefusedError, match=r"metrics of endpoint missing: .*was not found"):
        traffic_metrics.read(workspace, "missing", ["blue"], now - timedelta(minutes=5), now)


def test_a_key_that_is_changed_meanwhile_is_fetched_again(
    workspace: Workspace, asked: Release, faults: Faults
) -> None:
    faults.ask("call", "slow", SCORE, seconds=0.7)
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(scoring.ask, workspace, asked, ASKED)
        until(lambda: faults.struck == 1)
        workspace.ml.online_endpoints.begin_regenerate_keys("asked", key_type="primary")
        with pytest.raises(UnavailableError, match="refuses its key with 401: it was changed"):
            asking.result()
    assert scoring.ask(workspace, asked, ASKED).passed


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LONG = HEAD + b"Content-Length: 20\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def saying(pieces: Iterable[bytes], pause: float) -> Iterator[str]:
    """The address of a server that says this to one request, with pauses, and hangs up."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                time.sleep(pause)
            # Hanging up before the request is read whole would take back what was said.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/score"
        thread.join()


@pytest.mark.parametrize(
    ("pieces", "pause", "status", "text"),
    [
        pytest.param([LONG, *[b" "] * 10, b'"late"'], 0.2, 408, "no answer in 1 s", id="drips"),
        pytest.param([LONG, b'{"output": '], 0, 502, "the answer broke off", id="too-short"),
        pytest.param([CHUNKED, b'a\r\n"half'], 0, 502, "the answer broke off", id="in-a-chunk"),
        pytest.param([CHUNKED, b'5\r\n"half'], 0, 502, "the answer broke off", id="between-chunks"),
        pytest.param(
            [HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone"],
            0,
            502,
            "the answer broke off",
            id="no-gzip",
        ),
        pytest.param([CHUNKED, b'5\r\n"all"\r\n', b"0\r\n\r\n"], 0, 200, "all", id="whole"),
        pytest.param(
            [HEAD + b"\r\n", *[b"a" * 65536] * 40],
            0,
            200,
            "a" * scoring.MAX_ANSWER_BYTES,
            id="too-much",
        ),
    ],
)
def test_an_answer_that_comes_in_pieces(
    asked: Release, pieces: list[bytes], pause: float, status: int, text: str
) -> None:
    with saying(pieces, pause) as uri, shared_session() as session:
        reply = scoring.put(scoring.Door(uri, "key", session), asked, {}, "blue")
    assert (reply.status, reply.text) == (status, text)
