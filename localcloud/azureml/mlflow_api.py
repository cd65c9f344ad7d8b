"""MLflow's tracking REST API, below the workspace as in Azure.

Source of the messages: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

import uuid
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json
from localcloud.azureml.bodies import read_json
from localcloud.azureml.mlflow_filter import Comparison, FilterError, parse_filter
from localcloud.azureml.mlflow_messages import (
    MlflowError,
    items,
    key_values,
    metric,
    next_page,
    pairs,
    required,
    run_id,
    whole,
    window,
)
from localcloud.azureml.runs import Experiment, ParameterChangedError, Run, Runs, now_ms
from localcloud.azureml.site import Site

STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")

Handler = Callable[[Json], Json]


class Mlflow:
    """The API's methods: each takes the message that came and gives the answer."""

    def __init__(self, site: Site, runs: Runs) -> None:
        self._site = site
        self._runs = runs

    def routes(self) -> list[Route]:
        """Routes below `/mlflow/v{1,2}.0/WORKSPACE`."""
        methods: dict[str, tuple[str, Handler]] = {
            "experiments/create": ("POST", self.create_experiment),
            "experiments/get": ("GET", self.get_experiment),
            "experiments/get-by-name": ("GET", self.get_experiment_by_name),
            "experiments/list": ("GET", self.search_experiments),
            "experiments/search": ("POST", self.search_experiments),
            "runs/create": ("POST", self.create_run),
            "runs/get": ("GET", self.get_run),
            "runs/update": ("POST", self.update_run),
            "runs/search": ("POST", self.search_runs),
            "runs/log-metric": ("POST", self.log_metric),
            "runs/log-parameter": ("POST", self.log_parameter),
            "runs/set-tag": ("POST", self.set_tag),
            "runs/delete-tag": ("POST", self.delete_tag),
            "runs/log-batch": ("POST", self.log_batch),
            "metrics/get-history": ("GET", self.get_metric_history),
        }
        return [
            Route(f"/api/2.0/mlflow/{path}", _endpoint(handler), methods=[method])
            for path, (method, handler) in methods.items()
        ]

    def create_experiment(self, message: Json) -> Json:
        """Create an experiment by name."""
        name = required(message, "name")
        if any(known.name == name for known in self._runs.experiments()):
            raise MlflowError("RESOURCE_ALREADY_EXISTS", f"Experiment '{name}' already exists.")
        experiment = self._site.experiment_id(name)
        self._runs.ensure_experiment(experiment, name)
        return {"experiment_id": experiment}

    def get_experiment(self, message: Json) -> Json:
        """One experiment by its id."""
        wanted = required(message, "experiment_id")
        return {"experiment": self._experiment(lambda item: item.id == wanted, wanted)}

    def get_experiment_by_name(self, message: Json) -> Json:
        """One experiment by its name."""
        wanted = required(message, "experiment_name")
        return {"experiment": self._experiment(lambda item: item.name == wanted, wanted)}

    def search_experiments(self, message: Json) -> Json:
        """The experiments, newest first."""
        text = str(message.get("filter", ""))
        found = [
            item
            for item in reversed(self._runs.experiments())
            if all(term.holds(getattr(item, term.key, None)) for term in _parse(text))
        ]
        start, stop = window(message)
        answer: Json = {"experiments": [self._describe(item) for item in found[start:stop]]}
        return answer | next_page(found, stop)

    def create_run(self, message: Json) -> Json:
        """Create a run in an experiment."""
        experiment = required(message, "experiment_id")
        self._experiment(lambda item: item.id == experiment, experiment)
        run = str(uuid.uuid4())
        self._runs.create(run, experiment, "RUNNING", whole(message, "start_time", now_ms()))
        tags = pairs(message, "tags")
        name = message.get("run_name") or tags.get("mlflow.runName") or run
        self._runs.log(run, tags={**tags, "mlflow.runName": str(name)})
        return {"run": self._full(self._run(run))}

    def get_run(self, message: Json) -> Json:
        """A run with its last metrics, its parameters and tags."""
        return {"run": self._full(self._run(run_id(message)))}

    def update_run(self, message: Json) -> Json:
        """Set a run's status, end and name."""
        run = self._run(run_id(message))
        status = str(message.get("status", run.status))
        if status not in STATUSES:
            raise MlflowError("INVALID_PARAMETER_VALUE", f"Unknown status '{status}'.")
        self._runs.update(run.id, status, whole(message, "end_time", run.ended or 0) or None)
        if message.get("run_name"):
            self._runs.log(run.id, tags={"mlflow.runName": str(message["run_name"])})
        return {"run_info": self._info(self._run(run.id))}

    def search_runs(self, message: Json) -> Json:
        """The runs of some experiments that a filter lets through, newest first."""
        experiments = message.get("experiment_ids")
        if not isinstance(experiments, list):
            raise MlflowError("INVALID_PARAMETER_VALUE", "experiment_ids must be a list.")
        terms = _parse(str(message.get("filter", "")))
        found = []
        for run in self._runs.of_experiments(map(str, experiments)):
            fields = self._fields(run)
            if all(term.holds(fields[term.kind].get(term.key)) for term in terms):
                found.append(run)
        start, stop = window(message)
        answer: Json = {"runs": [self._full(run) for run in found[start:stop]]}
        return answer | next_page(found, stop)

    def log_metric(self, message: Json) -> Json:
        """Add one value of a metric."""
        self._runs.log(self._run(run_id(message)).id, metrics=[metric(message)])
        return {}

    def log_parameter(self, message: Json) -> Json:
        """Set a parameter for good."""
        value = str(message.get("value", ""))
        self._log_params(self._run(run_id(message)).id, {required(message, "key"): value})
        return {}

    def set_tag(self, message: Json) -> Json:
        """Set a tag."""
        tags = {required(message, "key"): str(message.get("value", ""))}
        self._runs.log(self._run(run_id(message)).id, tags=tags)
        return {}

    def delete_tag(self, message: Json) -> Json:
        """Remove a tag."""
        self._runs.delete_tag(self._run(run_id(message)).id, required(message, "key"))
        return {}

    def log_batch(self, message: Json) -> Json:
        """Add many metrics, parameters and tags."""
        run = self._run(run_id(message)).id
        metrics = [metric(item) for item in items(message, "metrics")]
        self._log_params(run, pairs(message, "params"))
        self._runs.log(run, metrics=metrics, tags=pairs(message, "tags"))
        return {}

    def get_metric_history(self, message: Json) -> Json:
        """All values of a metric."""
        run = self._run(run_id(message))
        found = self._runs.history(run.id, required(message, "metric_key"))
        start, stop = window(message, len(found) or 1)
        return {"metrics": [item._asdict() for item in found[start:stop]]} | next_page(found, stop)

    def _run(self, run: str) -> Run:
        found = self._runs.get(run)
        if found is None:
            raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"Run '{run}' not found.", 404)
        return found

    def _experiment(self, matches: Callable[[Experiment], bool], wanted: str) -> Json:
        found = next(filter(matches, self._runs.experiments()), None)
        if found is None:
            message = f"Could not find experiment '{wanted}'."
            raise MlflowError("RESOURCE_DOES_NOT_EXIST", message, 404)
        return self._describe(found)

    def _describe(self, experiment: Experiment) -> Json:
        return {
            "experiment_id": experiment.id,
            "name": experiment.name,
            "artifact_location": "",
            "lifecycle_stage": "active",
            "creation_time": experiment.created,
            "last_update_time": experiment.created,
        }

    def _log_params(self, run: str, params: dict[str, str]) -> None:
        try:
            self._runs.log(run, params=params)
        except ParameterChangedError as error:
            raise MlflowError("INVALID_PARAMETER_VALUE", str(error)) from error

    def _info(self, run: Run) -> Json:
        info: Json = {
            "run_id": run.id,
            "run_uuid": run.id,
            "run_name": self._runs.tags(run.id).get("mlflow.runName", run.id),
            "experiment_id": run.experiment,
            "status": run.status,
            "start_time": run.started,
            "artifact_uri": self._site.artifact_uri(run.experiment, run.id),
            "lifecycle_stage": "active",
        }
        return info if run.ended is None else info | {"end_time": run.ended}

    def _full(self, run: Run) -> Json:
        data = {
            "metrics": [metric._asdict() for metric in self._runs.latest(run.id).values()],
            "params": key_values(self._runs.params(run.id)),
            "tags": key_values(self._runs.tags(run.id)),
        }
        return {"info": self._info(run), "data": data, "inputs": {}}

    def _fields(self, run: Run) -> dict[str, Json]:
        latest = self._runs.latest(run.id)
        return {
            "attributes": self._info(run),
            "metrics": {key: metric.value for key, metric in latest.items()},
            "params": self._runs.params(run.id),
            "tags": self._runs.tags(run.id),
        }


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            message: Json = dict(request.query_params)
            if request.method == "POST":
                message = await read_json(request)
            return JSONResponse(handler(message))
        except MlflowError as error:
            body = {"error_code": error.code, "message": error.message}
            return JSONResponse(body, status_code=error.status)
        except ArmError as error:
            body = {"error_code": "BAD_REQUEST", "message": error.message}
            return JSONResponse(body, status_code=error.status)

    return endpoint


def _parse(text: str) -> list[Comparison]:
    try:
        return parse_filter(text)
    except FilterError as error:
        raise MlflowError("INVALID_PARAMETER_VALUE", str(error)) from error
