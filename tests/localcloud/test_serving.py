"""The scoring server answers Azure ML's payload and refuses everything else with a reason."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from localcloud.process import free_ports
from localcloud.serving.model import LoadedModel
from localcloud.serving.payload import PayloadError, parse_payload
from localcloud.serving.scoring import MAX_BODY_BYTES, create_app, in_turn

QUESTION = [{"role": "user", "content": "How much is the Oak tent?"}]
SAMPLING = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}


def payload(conversations: Any = (QUESTION,), **parameters: Any) -> dict[str, Any]:
    """A request in the shape of the tutorial's sample_score.json."""
    data = {"input_string": conversations, "parameters": parameters}
    return {"input_data": data, "params": {}}


@pytest.fixture(scope="module")
def client(small_base: Path) -> Iterator[TestClient]:
    app = create_app(in_turn(LoadedModel(small_base)))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def output(client: TestClient, body: dict[str, Any]) -> Any:
    response = client.post("/score", json=body)
    assert response.status_code == 200, response.text
    return response.json()["output"]


def test_health(client: TestClient) -> None:
    assert client.get("/").json() == {"status": "Healthy"}


def test_the_tutorials_request_gets_one_text(client: TestClient) -> None:
    assert isinstance(output(client, payload(**SAMPLING)), str)


def test_both_shapes_of_one_conversation_are_the_same(client: TestClient) -> None:
    assert output(client, payload([QUESTION])) == output(client, payload(QUESTION))


def test_several_conversations_are_answered_in_order(client: TestClient) -> None:
    other = [*QUESTION, {"role": "assistant", "content": "5"}, {"role": "user", "content": "Ok?"}]
    answers = output(client, payload([QUESTION, other]))
    assert answers == [output(client, payload([chat])) for chat in (QUESTION, other)]


def test_greedy_answers_repeat_and_parameters_count(client: TestClient) -> None:
    long = output(client, payload(max_new_tokens=30))
    assert long == output(client, payload(max_new_tokens=30))
    short = output(client, payload(max_new_tokens=1))
    assert len(short) < len(long)


def test_a_seed_repeats_a_sample(client: TestClient) -> None:
    hot = {"do_sample": True, "temperature": 5.0, "max_new_tokens": 40}
    first, again, other = (output(client, payload(**hot, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "valid dictionary"),
        (b"{}", "input_data: Field required"),
        ({"input_data": {}}, "input_data.input_string: Field required"),
        ({"messages": QUESTION}, "input_data: Field required"),
        (payload([]), "input_string"),
        (payload("Hello"), "input_string"),
        (payload([[]]), "input_string.0"),
        (payload([QUESTION] * 33), "at most 32"),
        (payload([[{"role": "robot", "content": "x"}]]), "input_string.0.0.role"),
        (payload([[{"role": "user", "content": ""}]]), "input_string.0.0.content"),
        (payload([[{"role": "user", "content": 1}]]), "input_string.0.0.content"),
        (payload(output_scores=True), "parameters.output_scores: Extra inputs"),
        (payload(temperature=0), "parameters.temperature"),
        (payload(top_p=1.5), "parameters.top_p"),
        (payload(max_new_tokens=10**9), "parameters.max_new_tokens"),
        (payload([[{"role": "user", "content": "tent " * 600}]]), "the model takes fewer than 512"),
    ],
)
def test_what_cannot_be_scored_is_refused(client: TestClient, body: Any, said: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post("/score", content=content)
    assert response.status_code == 400
    assert said in response.json()["error"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    response = client.post("/score", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413


def test_a_fault_of_the_model_tells_nothing_of_it() -> None:
    def fail(_: object) -> list[str]:
        raise RuntimeError("weights at /secret")

    with TestClient(create_app(in_turn(fail)), raise_server_exceptions=False) as client:
        response = client.post("/score", json=payload())
    assert response.status_code == 500
    assert "secret" not in response.text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(payload(value)).encode()))
def test_any_body_is_parsed_or_refused(body: bytes) -> None:
    try:
        data = parse_payload(body)
    except PayloadError:
        return
    assert data.input_string


@pytest.mark.soak
def test_the_process_serves_and_ends_with_its_parent(small_base: Path, tmp_path: Path) -> None:
    """Its parent is a process of its own here, which is killed."""
    port = free_ports(["scoring"])["scoring"]
    log = tmp_path / "log"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from localcloud.serving.process import scoring_process\n"
        "model, port, log = sys.argv[1:]\n"
        "child = scoring_process(Path(model), int(port), {'X': 'y'}, Path(log))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(small_base), str(port), str(log)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        url = f"http://127.0.0.1:{port}"
        wait_until_up(parent, url)
        assert "output" in httpx2.post(f"{url}/score", json=payload(), timeout=30).json()
        assert "loaded" in log.read_text()
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive


def wait_until_up(parent: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and parent.poll() is None:
        try:
            httpx2.get(url)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not come up")


@pytest.mark.soak
def test_asking_without_a_server(small_base: Path) -> None:
    command = [sys.executable, "-m", "localcloud.serving.ask", "--model", small_base, "Hi?", "Ok?"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["question"] for answer in answers] == ["Hi?", "Ok?"]
    assert all(isinstance(answer["answer"], str) for answer in answers)
