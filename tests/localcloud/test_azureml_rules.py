"""Rules that need no server: traffic, and reading submitted pipelines."""

import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.azureml import command_steps, parallel_steps
from localcloud.azureml.arm import ASSET_NAME, ENDPOINT_NAME, ArmError
from localcloud.azureml.faults import Fault
from localcloud.azureml.pipeline import (
    ComponentSpec,
    InputSpec,
    component_reference,
    compute_name,
    read_step,
)
from localcloud.azureml.registry import on_the_wire
from localcloud.azureml.step_inputs import InputReader
from localcloud.azureml.step_outputs import read_outputs
from localcloud.azureml.step_settings import merged
from localcloud.azureml.traffic import check_mirror_traffic, check_traffic, choose

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
COMPONENT = ComponentSpec(
    "chat_completion_pipeline",
    "1",
    {
        "epochs": InputSpec("epochs", "integer", True, minimum=1),
        "rate": InputSpec("rate", "number", True),
        "kind": InputSpec("kind", "string", False, enum=("a", "b")),
        "file": InputSpec("file", "uri_file", True),
    },
    ("model",),
)
INPUT_NAMES = st.sampled_from(["epochs", "rate", "kind", "file", "unknown"])


class _NoAssets:
    def check(self, uri: str) -> None:
        """Anything may be there."""


class _NoPlaces:
    def find(self, uri: str) -> None:
        """There is no place."""


def deployments(**states: str) -> list[dict[str, Any]]:
    return [
        {
            "resource": {"name": name, "properties": {"provisioningState": state}},
            "serving": {"capacity": 1} if state in ("Succeeded", "Updating") else None,
        }
        for name, state in states.items()
    ]


STEP_KEYS = st.sampled_from(
    [*parallel_steps.SETTINGS, *command_steps.SETTINGS, "resources", "environment_variables"]
)
TASK_KEYS = st.sampled_from(["type", "entry_script", "program_arguments", "append_row_to"])
TASK = {"type": "run_function", "entry_script": "entry.py"}


class TestTraffic:
    @pytest.mark.parametrize("traffic", [{}, {"blue": 0}, {"blue": 100}, {"blue": 30, "green": 70}])
    def test_taken(self, traffic: dict[str, int]) -> None:
        known = deployments(blue="Succeeded", green="Updating")
        assert check_traffic(traffic, known) == traffic

    @pytest.mark.parametrize(
        ("traffic", "reason"),
        [
            ({"blue": 90}, "sum up to 0 or 100, not 90"),
            ({"blue": 100, "green": 100}, "not 200"),
            ({"blue": -1}, "whole number"),
            ({"blue": True}, "whole number"),
            ({"blue": "100"}, "whole number"),
            ({"red": 100}, "does not exist"),
            ({"failed": 100}, "it is Failed"),
            ({"new": 100}, "it is Creating"),
        ],
    )
    def test_refused(self, traffic: dict[str, Any], reason: str) -> None:
        known = deployments(blue="Succeeded", green="Succeeded", failed="Failed", new="Creating")
        with pytest.raises(ArmError, match=reason):
            check_traffic(traffic, known)

    @pytest.mark.parametrize(("state", "taken"), [("Failed", True), ("Deleting", False)])
    def test_to_one_that_serves(self, state: str, taken: bool) -> None:
        known = deployments(blue="Succeeded")
        known[0]["resource"]["properties"]["provisioningState"] = state
        if taken:
            assert check_traffic({"blue": 100}, known) == {"blue": 100}
        else:
            with pytest.raises(ArmError, match="it is Deleting"):
                check_traffic({"blue": 100}, known)

    @pytest.mark.parametrize(
        "mirror", [{"green": 51}, {"blue": 10}, {"green": 10, "red": 10}], ids=str
    )
    def test_mirror_refused(self, mirror: dict[str, int]) -> None:
        known = deployments(blue="Succeeded", green="Succeeded", red="Succeeded")
        with pytest.raises(ArmError):
            check_mirror_traffic(mirror, {"blue": 100}, known)

    def test_shared_out_by_weight(self) -> None:
        dice = random.Random(1)
        chosen = [choose({"blue": 80, "green": 20, "red": 0}, dice) for _ in range(5000)]
        assert 900 < chosen.count("green") < 1100
        assert chosen.count("red") == 0

    def test_nobody_without_weight(self) -> None:
        assert choose({"blue": 0}, random.Random(1)) is None


class TestFaults:
    @pytest.mark.parametrize(
        ("pattern", "call", "hit"),
        [
            ("PUT /onlineEndpoints/*", "PUT /onlineEndpoints/chat", True),
            ("PUT /onlineEndpoints/*", "PUT /onlineEndpoints/chat/deployments/blue", False),
            ("PUT /onlineEndpoints/**", "PUT /onlineEndpoints/chat/deployments/blue", True),
            ("* /jobs/job-*", "GET /jobs/job-1", True),
            ("* /jobs/job-*", "GET /jobs/other", False),
            ("GET /jobs", "GET /jobs/job-1", False),
            ("GET /a.c", "GET /abc", False),
            ("**", "POST /endpoints/chat/score", True),
        ],
    )
    def test_patterns(self, pattern: str, call: str, hit: bool) -> None:
        fault = Fault(work="call", outcome="fail", target=pattern)
        assert fault.hits("call", call) is hit
        assert not fault.hits("job", call)

    def test_without_a_target_everything_is_hit(self) -> None:
        assert Fault(work="scoring", outcome="fail").hits("scoring", "chat/blue")


class TestNames:
    @pytest.mark.parametrize("name", ["abc", "a-b", "A" * 32, "d-0123456789ab"])
    def test_endpoint_names(self, name: str) -> None:
        assert ENDPOINT_NAME.fullmatch(name)

    @pytest.mark.parametrize("name", ["ab", "a" * 33, "1abc", "abc-", "a_b", "ab.c", ""])
    def test_no_endpoint_names(self, name: str) -> None:
        assert not ENDPOINT_NAME.fullmatch(name)

    @pytest.mark.parametrize("name", ["-a", "a/b", "a b", "", "a" * 256])
    def test_no_asset_names(self, name: str) -> None:
        assert not ASSET_NAME.fullmatch(name)


class TestPipelines:
    def test_inputs_come_as_text_and_get_their_types(self) -> None:
        step = {
            "inputs": {
                "epochs": {"value": "3"},
                "rate": {"value": "${{parent.inputs.speed}}"},
                "kind": {"value": "a"},
                "file": {"uri": "azureml://datastores/d/paths/x"},
            },
            "outputs": {"model": "${{parent.outputs.trained}}"},
        }
        properties = {"inputs": {"speed": {"value": "2e-05"}}, "outputs": {"trained": {}}}
        read = read_step("s", step, properties, COMPONENT)
        assert read.literals == {"epochs": 3, "rate": 2e-5, "kind": "a"}
        assert read.assets == {"file": "azureml://datastores/d/paths/x"}
        assert read.outputs == {"trained": "model"}

    @pytest.mark.parametrize("value", ["nan", "inf", "-Infinity"])
    def test_numbers_are_finite(self, value: str) -> None:
        inputs = {"kind": {"value": "a"}, "rate": {"value": value}}
        with pytest.raises(ArmError, match="no number"):
            read_step("s", {"inputs": inputs}, {}, COMPONENT)

    @pytest.mark.parametrize(
        ("identifier", "name"),
        [
            ("/subscriptions/s/computes/gpu", "gpu"),
            ("azureml:gpu", "gpu"),
            ("gpu", "gpu"),
            ("serverless", None),
            (None, None),
        ],
    )
    def test_compute_names(self, identifier: str | None, name: str | None) -> None:
        assert compute_name(identifier) == name

    @given(st.dictionaries(st.sampled_from(["jobType", "jobs", "inputs"]), JSON))
    def test_any_job_is_read_or_refused(self, properties: dict[str, Any]) -> None:
        with pytest.raises(ArmError):
            component_reference(properties)

    @given(
        st.dictionaries(STEP_KEYS, JSON, max_size=3), st.dictionaries(TASK_KEYS, JSON, max_size=2)
    )
    def test_any_steps_of_ones_own_are_read_or_refused(
        self, settings: dict[str, Any], task: dict[str, Any]
    ) -> None:
        ports = {"data": {"type": "uri_folder"}}
        for read, supported in (
            (parallel_steps.read_parallel, parallel_steps.SETTINGS),
            (command_steps.read_command, command_steps.SETTINGS),
        ):
            base = {"task": TASK | task, "input_data": "${{inputs.data}}", "command": "run"}
            given = {key: base[key] for key in supported if key in base} | settings
            with suppress(ArmError):
                read("s", merged("s", {}, given, supported), ports, ports)

    @given(
        st.dictionaries(st.sampled_from(["data", "b"]), JSON, max_size=2),
        st.dictionaries(st.sampled_from(["value", "type", "uri", "mode"]), JSON, max_size=4),
        st.dictionaries(st.sampled_from(["type", "optional", "default", "min", "enum"]), JSON),
    )
    def test_any_ports_are_read_or_refused(
        self, inputs: dict[str, Any], port: dict[str, Any], spec: dict[str, Any]
    ) -> None:
        with suppress(ArmError):
            reader = InputReader(_NoAssets(), inputs, {})  # type: ignore[arg-type]
            component = {"inputs": {"data": on_the_wire(spec)}}
            reader.read("s", {"inputs": {"data": port}}, component)
        with suppress(ArmError):
            bodies = {"s": {"outputs": {"data": port}}}
            read_outputs(bodies, {"s": {"data": {}}}, inputs, {"s": "run"}, _NoPlaces())  # type: ignore[arg-type]

    @given(
        st.dictionaries(INPUT_NAMES, JSON, max_size=4),
        st.dictionaries(INPUT_NAMES, st.dictionaries(st.just("value"), JSON), max_size=4),
        st.dictionaries(st.text(max_size=5), JSON, max_size=2),
    )
    def test_any_step_is_read_or_refused(
        self, parents: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> None:
        properties = {"inputs": parents, "outputs": outputs}
        try:
            step = read_step("s", {"inputs": inputs, "outputs": outputs}, properties, COMPONENT)
        except ArmError:
            return
        assert step.literals["kind"] in ("a", "b")
        assert step.literals.get("epochs", 1) >= 1
