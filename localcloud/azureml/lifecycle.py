"""A job's life: its record, the MLflow runs and the events that go with each change of status."""

from localcloud.azureml.arm import Json, system_data, timestamp
from localcloud.azureml.bodies import optional_text, string_map
from localcloud.azureml.events import Outbox
from localcloud.azureml.runs import Runs, now_ms
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

JOBS, STEPS = "jobs", "steps"
ENDED = ("Completed", "Failed", "Canceled")
RUN_TYPES = {"Pipeline": "azureml.PipelineRun", "Command": "azureml.scriptrun"}
MLFLOW_STATUS = {
    "NotStarted": "SCHEDULED",
    "Preparing": "SCHEDULED",
    "Queued": "SCHEDULED",
    "Running": "RUNNING",
    "CancelRequested": "RUNNING",
    "Finalizing": "RUNNING",
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Canceled": "KILLED",
}


class Lifecycle:
    """Creates jobs and moves them and their steps from one status to the next.

    A job's record is `{"resource", "work", "node", "attempts", "moved", "error"}`: the ARM
    resource, what the compute node needs, the node that has it, how often it was handed out, since
    when it has its status, and why it failed.
    A step's record is `{"name", "job", "parent", "step", "status", "error", "created", "ended"}`;
    it is found by the id of its run and reached from the job by its place.

    The step of a pipeline job with the registry's component is a pipeline of its own: its run
    stands between the job and the component's steps, and goes as the job goes. The steps of other
    pipeline jobs are right below the job. A command job has no steps.
    """

    def __init__(self, site: Site, store: Store, runs: Runs, outbox: Outbox) -> None:
        self._site = site
        self._store = store
        self._runs = runs
        self._outbox = outbox

    def job(self, name: str) -> Json | None:
        """The record of a job."""
        return self._store.get(JOBS, name)

    def jobs(self) -> list[Json]:
        """The records of all jobs, oldest first."""
        return self._store.list(JOBS)

    def open_jobs(self) -> list[Json]:
        """The records of the jobs that have not ended, oldest first."""
        return self._store.list_without(JOBS, "$.resource.properties.status", ENDED)

    def save(self, record: Json) -> None:
        """Keep a job's record."""
        self._store.put(JOBS, record["resource"]["name"], record)

    def create(self, record: Json) -> None:
        """Begin a job: its record, its MLflow run and the first event."""
        resource = record["resource"]
        name, properties = resource["name"], resource["properties"]
        experiment = properties["experimentName"]
        with self._store.transaction():
            self.save(record)
            identifier = self._site.experiment_id(experiment)
            self._runs.ensure_experiment(identifier, experiment)
            self._runs.create(name, identifier, MLFLOW_STATUS[properties["status"]])
            tags = {
                "mlflow.runName": properties["displayName"],
                "mlflow.rootRunId": name,
                "mlflow.user": resource["systemData"]["createdBy"],
            }
            self._runs.log(name, tags={**properties["tags"], **tags})
            self._announce(record, name, properties["status"], _job_run(resource))

    def describe(self, record: Json, changes: Json, archived: bool | None, caller: str) -> None:
        """Change what a job is called and tagged; tags and properties are added to those it has.

        Raises:
            ArmError: 400 when one of the changes is of the wrong kind.
        """
        resource = record["resource"]
        properties = resource["properties"]
        tags = string_map(changes, "tags")
        properties["tags"] |= tags
        properties["properties"] |= string_map(changes, "properties")
        for key in ("displayName", "description"):
            properties[key] = optional_text(changes, key) or properties[key]
        if archived is not None:
            properties["isArchived"] = archived
        resource["systemData"] = system_data(caller, resource["systemData"])
        with self._store.transaction():
            self.save(record)
            self._runs.log(resource["name"], tags=tags)

    def set_status(self, record: Json, status: str, error: Json | None = None) -> None:
        """Move a job on; an ended job stays as it is."""
        resource = record["resource"]
        properties = resource["properties"]
        if properties["status"] in ENDED or properties["status"] == status:
            return
        properties["status"] = status
        record |= {"error": error, "moved": timestamp()}
        with self._store.transaction():
            self.save(record)
            ended = now_ms() if status in ENDED else None
            self._runs.update(resource["name"], MLFLOW_STATUS[status], ended)
            self._announce(record, resource["name"], status, _job_run(resource))
            if status in ENDED:
                self._end_open_steps(record, status, error)
                if self.step(self._wrapper(resource["name"])):
                    self._set_wrapper(record, status, error)

    def children(self, run: str) -> list[Json]:
        """The steps right below a run that have begun, in order."""
        if self.job(run):
            wrapper = self.step(self._wrapper(run))
            return [wrapper] if wrapper else self.steps(run)
        step = self.step(run)
        return self.steps(step["job"]) if step and run == self._wrapper(step["job"]) else []

    def steps(self, job: str) -> list[Json]:
        """The steps that a job has begun, in order, but for a registry's component itself."""
        places = self._store.list("step-places", f"{job}/")
        found = (self._store.get(STEPS, place["run"]) for place in places)
        return [step for step in found if step is not None]

    def step(self, run: str) -> Json | None:
        """The step with this run id."""
        return self._store.get(STEPS, run)

    def set_step(self, record: Json, name: str, status: str, error: Json | None = None) -> str:
        """Begin a step or move it on; returns the id of its run."""
        job = record["resource"]["name"]
        run = self._site.step_run(job, name)
        has_wrapper = "steps" not in record["work"]
        parent = self._wrapper(job) if has_wrapper else job
        step = self.step(run) or self._new_step(run, job, parent, name)
        if step.get("status") == status:
            return run
        with self._store.transaction():
            if has_wrapper and self.step(parent) is None:
                self._set_wrapper(record, "Running", None)
            self._store.put("step-places", f"{job}/{name}", {"run": run})
            self._move(record, step, status, error)
        return run

    def forget_metrics(self, job: str) -> None:
        """Drop what an attempt logged, since the job runs again from its first step."""
        for run in (job, *(step["name"] for step in self.steps(job))):
            self._runs.forget_metrics(run)

    def _wrapper(self, job: str) -> str:
        """The id of the run that stands between a job and its component's steps."""
        return self._site.guid("jobs", job, "pipeline")

    def _set_wrapper(self, record: Json, status: str, error: Json | None) -> None:
        job = record["resource"]["name"]
        run = self._wrapper(job)
        (name,) = record["resource"]["properties"]["jobs"]
        self._move(record, self.step(run) or self._new_step(run, job, job, name), status, error)

    def _new_step(self, run: str, job: str, parent: str, name: str) -> Json:
        return {"name": run, "job": job, "parent": parent, "step": name, "created": timestamp()}

    def _move(self, record: Json, step: Json, status: str, error: Json | None) -> None:
        ended = timestamp() if status in ENDED else None
        step |= {"status": status, "error": error, "ended": ended}
        self._store.put(STEPS, step["name"], step)
        self._record_step_run(record, step)
        self._announce(record, step["name"], status, _step_run(step))

    def _record_step_run(self, record: Json, step: Json) -> None:
        properties = record["resource"]["properties"]
        run, status = step["name"], MLFLOW_STATUS[step["status"]]
        self._runs.create(run, self._site.experiment_id(properties["experimentName"]), status)
        self._runs.update(run, status, now_ms() if step["ended"] else None)
        tags = {
            "mlflow.runName": step["step"],
            "mlflow.parentRunId": step["parent"],
            "mlflow.rootRunId": step["job"],
            "mlflow.user": record["resource"]["systemData"]["createdBy"],
        }
        self._runs.log(run, tags=tags)

    def _end_open_steps(self, record: Json, status: str, error: Json | None) -> None:
        for step in self.steps(record["resource"]["name"]):
            if step["status"] not in ENDED:
                self.set_step(record, step["step"], status, error)

    def _announce(self, record: Json, run: str, status: str, facts: Json) -> None:
        if record.get("silent"):
            return
        properties = record["resource"]["properties"]
        experiment = self._site.experiment_id(properties["experimentName"])
        data = {
            "experimentId": experiment,
            "experimentName": properties["experimentName"],
            "runId": run,
            **facts,
        }
        subject = f"experiments/{experiment}/runs/{run}"
        if status == "Completed":
            self._outbox.add("RunCompleted", subject, data)
        else:
            self._outbox.add("RunStatusChanged", subject, {**data, "runStatus": status})


def _job_run(resource: Json) -> Json:
    properties = resource["properties"]
    return {
        "runType": RUN_TYPES[properties["jobType"]],
        "runTags": properties["tags"],
        "runProperties": properties["properties"],
    }


def _step_run(step: Json) -> Json:
    properties = {
        "azureml.moduleName": step["step"],
        "azureml.pipelinerunid": step["parent"],
        "azureml.rootpipelinerunid": step["job"],
    }
    return {"runType": "azureml.StepRun", "runTags": {}, "runProperties": properties}
