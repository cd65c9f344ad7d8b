"""A model of Azure ML and of a project's life in it, to try `decide` with random histories.

It mirrors what `tuneops.act` and `tuneops.reconcile` do, with effects that may succeed while their
record is lost, operations that take their time or fail, and people who change their minds.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tests.config_text import config_of
from tuneops import actions, healing, names
from tuneops.actions import Action
from tuneops.analysis import DeploymentFigures
from tuneops.decide import decide
from tuneops.desired import Desired, Source
from tuneops.difference import Answer, Part
from tuneops.drift import differences, is_known
from tuneops.observed import Cluster, Deployment, Endpoint, Job, Observed
from tuneops.orders import Pin
from tuneops.phases.keeping import KEPT
from tuneops.pinning import agrees, pinned, rejection
from tuneops.policy import Freeze, Verdict
from tuneops.prepared import DataJob, PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Metrics, Phase, Release, SampleAnswer, TrainingPlan
from tuneops.rollout import record

CONFIGS = (
    "",
    "deployment: {instance_count: 2}\n",
    "training: {parameters: {num_train_epochs: 2}}\n",
    "endpoint: {name: another}\n",
    "endpoint: {auth_mode: aad_token}\n",
    "compute: {cluster: {size: Standard_NC24ads_A100_v4}}\n",
    "rollout: {keep_previous_minutes: 1}\n",
    "evaluation: {max_regression_percent: {eval_loss: 5}}\n"
    "training: {parameters: {num_train_epochs: 3}}\n",
    "drift: report\n",
)
ROLLOUTS = (
    "",
    "deployment: {instance_count: 2}\nrollout: {strategy: canary, steps: [20, 60], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 1, on_insufficient_traffic: abort, "
    "keep_failed_for_minutes: 2}\n",
    "deployment: {instance_count: 3}\nrollout: {strategy: shadow, steps: [50], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 1, on_insufficient_traffic: continue}\n",
    "deployment: {instance_count: 4}\nrollout: {strategy: canary, pause_minutes: 0.5, "
    "wait_for_traffic_minutes: 0.5}\nin_flight: finish\n",
    "deployment: {instance_count: 5}\nrollout: {strategy: shadow, pause_minutes: 0.1}\n",
)
FREEZE = Freeze.model_validate(
    {"from": "2026-01-01T00:00Z", "until": "2027-01-01T00:00Z", "reason": "a year off"}
)
VERDICTS = (Verdict(), Verdict(), Verdict(("nodes: too many",)), Verdict(freeze=FREEZE))


class ViolationError(AssertionError):
    """Something happened that must never happen."""


@dataclass
class Azure:
    """Jobs, models, endpoints and deployments, each with the operation under way."""

    jobs: dict[str, Job] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    cluster: Cluster | None = None
    passed: set[tuple[str, str]] = field(default_factory=set)
    archived: bool = False


class Simulator:
    """One project, driven by a seed."""

    def __init__(self, seed: int, configs: tuple[str, ...] = CONFIGS) -> None:
        self.configs = configs
        self.random = random.Random(seed)
        self.azure = Azure()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.project = Project(name="bot")
        self.releases: dict[int, Release] = {}
        self.calm = False
        self.etag = 0
        self.commit = 0
        self.newest_base = "m/1"
        self.verdict = Verdict()
        self.retry = 0
        self.git = self._desired(configs[0], data=False)

    def _desired(self, extra: str | None, *, data: bool) -> Desired:
        self.commit += 1
        source = Source(name="bot/a.jsonl", version=str(self.etag), size=1) if data else None
        return Desired(
            project="bot",
            commit=f"{self.commit:040d}",
            path="finetune/bot.yaml",
            config=config_of("bot", extra) if extra is not None else None,
            source=source,
        )

    @property
    def desired(self) -> Desired:
        """What git wants, or a pin."""
        pin = self.project.pin
        return pinned(self.git, self.releases[pin.release]) if pin else self.git

    @property
    def rejected(self) -> str:
        """Why what git wants may not come back by itself."""
        met = None if self.project.pin else self.project.rejection(self.git)
        return met.why if met else ""

    @property
    def release(self) -> Release | None:
        return self.releases.get(self.project.current or 0)

    @property
    def live(self) -> Release | None:
        return self.releases.get(self.project.live or 0)

    def people(self) -> None:
        """Now and then somebody changes the config, the policy or data, or deletes the config."""
        if self.random.random() > 0.04:
            return
        choice = self.random.random()
        if self.random.random() < 0.3:
            self.verdict = self.random.choice(VERDICTS)
        if choice < 0.4:
            self.etag += 1
        if choice < 0.1:
            self.newest_base += "1"
        extra = None if choice > 0.9 else self.random.choice(self.configs)
        self.git = self._desired(extra, data=extra is not None)

    def go_live(self) -> None:
        """The first release is live, and nothing has gone wrong so far."""
        self.azure.cluster = Cluster("gpu-cluster", "Succeeded")
        self.git = self._desired(self.configs[0], data=True)
        self.settle()
        self.calm = False

    def orders(self) -> None:
        """Now and then somebody pins the project, unpins it or wants something tried again."""
        if self.random.random() > 0.06:
            return
        choice = self.random.random()
        once_live = [n for n, r in self.releases.items() if r.entered(Phase.LIVE)]
        if choice < 0.5 and once_live:
            number = self.random.choice(once_live)
            pin = Pin(id=str(self.now), release=number, by="Ada", at=self.now)
            self.project = self.project.replace(pin=pin)
        elif choice < 0.8:
            self.project = self.project.replace(pin=None)
        else:
            self.retry = self.project.current or 0

    def _end_pin(self) -> None:
        release, pin = self.release, self.project.pin
        if release and pin and release.phase == Phase.LIVE and release.number == self.project.live:
            there = pin.release in (release.number, release.adopts)
            if there and agrees(self.git, self.desired):
                self.project = self.project.replace(pin=None)

    def meddlers(self) -> None:
        """Now and then somebody changes in Azure what is live."""
        release = self.release
        shifting = release is not None and release.phase == Phase.SHIFTING
        settled = release is not None and release.phase.settled
        if release is None or not (settled or shifting) or self.random.random() > 0.03:
            return
        endpoint = self.azure.endpoints.get(release.endpoint)
        choice = 2 if shifting else self.random.randrange(8)
        if choice == 0:
            self.azure.archived = True
        elif endpoint is None or endpoint.state != "Succeeded":
            return
        elif choice == 1:
            self.azure.endpoints[endpoint.name] = replace(endpoint, state="Deleting")
        else:
            self.azure.endpoints[endpoint.name] = self._meddled(endpoint, choice)

    def _meddled(self, endpoint: Endpoint, choice: int) -> Endpoint:
        lost = ("tuneops.project",)
        first, *rest = endpoint.deployments or (Deployment("by-hand", "Succeeded", ""),)
        match choice:
            case 2:
                return replace(endpoint, traffic={})
            case 3:
                return replace(endpoint, ours=False, lost_tags=lost)
            case 4:
                return replace(endpoint, auth_mode="aml_token")
            case 5:
                changed = replace(first, settings={"instance_count": "50"})
                return replace(endpoint, deployments=(changed, *rest))
            case 6:
                changed = replace(first, release="", lost_tags=lost)
                return replace(endpoint, deployments=(changed, *rest))
        return replace(endpoint, traffic={}, deployments=tuple(rest))

    def time_passes(self) -> None:
        """Operations end, well or not."""
        self.now += timedelta(seconds=self.random.choice((1, 5, 30)))
        if self.azure.cluster and self.random.random() < 0.5:
            self.azure.cluster = replace(self.azure.cluster, state="Succeeded")
        fails = not self.calm and self.random.random() < 0.05
        for name, job in self.azure.jobs.items():
            if job.running and self.random.random() < 0.4:
                ended = "Failed" if fails else "Completed"
                ended = "Canceled" if job.status == "CancelRequested" else ended
                self.azure.jobs[name] = replace(job, status=ended)
        for name, endpoint in list(self.azure.endpoints.items()):
            self._endpoint_goes_on(name, endpoint, fails=fails)

    def _endpoint_goes_on(self, name: str, endpoint: Endpoint, *, fails: bool) -> None:
        if endpoint.state == "Deleting":
            if self.random.random() < 0.5:
                del self.azure.endpoints[name]
            return
        if endpoint.state in ("Creating", "Updating") and self.random.random() < 0.6:
            endpoint = replace(endpoint, state="Failed" if fails else "Succeeded")
        deployments = []
        for deployment in endpoint.deployments:
            moved = self.random.random() < 0.5
            if deployment.state == "Deleting" and moved:
                continue
            if deployment.state == "Creating" and moved:
                state = "Failed" if fails else "Succeeded"
                transient = self.random.random() < 0.5
                deployment = replace(deployment, state=state, transient=transient)
            deployments.append(deployment)
        self.azure.endpoints[name] = replace(endpoint, deployments=tuple(deployments))

    def observe(self) -> Observed:
        """What `tuneops.observe` would see."""
        release = self.release
        if release is None or release.phase == Phase.RETIRED:
            return Observed(
                live_release=self.project.live,
                verdict=self.verdict,
                rejected=self.rejected,
                retried=bool(self.retry) and self.retry == self.project.current,
            )
        planned = release.training is not None
        stale = (self.azure.endpoints.get(n) for n in self.project.endpoints)
        return Observed(
            job=self.azure.jobs.get(release.active_job) if release.active_job else None,
            model_registered=planned and release.plan.digest in self.azure.models,
            model_archived=self.azure.archived and release.phase == Phase.LIVE,
            endpoint=self.azure.endpoints.get(release.endpoint),
            stale_endpoints=tuple(e for e in stale if e and e.name != release.endpoint),
            live_release=self.project.live,
            live=self.live,
            live_deployment=self.project.live_deployment,
            previous=self.project.previous,
            metrics_delay=timedelta(seconds=30),
            cluster=self.azure.cluster,
            newest_base_model=self.newest_base if release.phase == Phase.LIVE else "",
            verdict=self.verdict,
            rejected=self.rejected,
            retried=bool(self.retry) and self.retry == self.project.current,
        )

    def step(self) -> Action:
        """One pass: look, decide, act; the record of what was done may be lost."""
        self._end_pin()
        action = decide(self.desired, self.release, self.observe(), self.now)
        self._check_policy(action)
        self._check_orders(action)
        self._check_drift(action)
        self._check_traffic_is_back(action)
        if isinstance(action, actions.Idle | actions.Wait):
            return action
        if isinstance(action, actions.StartRelease):
            self._start()
        elif isinstance(action, actions.PromoteRelease):
            self._promote()
        else:
            release = self.release
            assert release is not None
            changed = self._act(action, release)
            if self.calm or self.random.random() > 0.05:
                self.releases[release.number] = changed
        self.check()
        return action

    def _start(self) -> None:
        self.project = self.project.allow(self.desired)
        if self.release:
            self.project = self.project.remember(self.release)
        release = start_release(self.desired, self.project, "/workspace", self.now)
        if release.adopts is not None:
            release = release.adopt(self.releases[release.adopts])
        self.releases[release.number] = release
        if self.calm or self.random.random() > 0.05:
            endpoints = dict.fromkeys((*self.project.endpoints, release.endpoint))
            self.project = self.project.replace(current=release.number, endpoints=tuple(endpoints))

    def _promote(self) -> None:
        release, before = self.release, self.releases.get(self.project.live or 0)
        assert release is not None
        if before and before.number != release.number and before.phase != Phase.RETIRED:
            if before.phase == Phase.LIVE:
                before = before.advance(Phase.SUPERSEDED, self.now, "")
            if self.project.pin and release.adopts is not None and not before.equals(release):
                before = before.replace(rejected=rejection(self.project.pin, before))
                self.project = self.project.reject(before, before.rejected)
            self.releases[before.number] = before
        if self.calm or self.random.random() > 0.05:
            self.project = self.project.promote(release, self.now)

    def _act(self, action: Action, release: Release) -> Release:
        match action:
            case actions.Advance(phase, reason):
                live = self.live
                if phase == Phase.RETIRED and live and live.phase == Phase.LIVE:
                    self.releases[live.number] = live.advance(phase, self.now, reason)
                return release.advance(phase, self.now, reason)
            case actions.Fail(reason, by_policy):
                return release.advance(Phase.FAILED, self.now, reason).replace(forbidden=by_policy)
            case actions.PrepareData() if self._is_too_large(release):
                return release.replace(data_job=DataJob(key=names.digest(release.source.version)))
            case actions.NextDataAttempt():
                assert release.data_job is not None
                attempt = release.data_job.attempt + 1
                return release.replace(data_job=release.data_job.replace(attempt=attempt))
            case actions.PrepareData():
                digest = names.digest(release.source.version)
                data = PreparedData(digest=digest, folder="f", train_rows=9, test_rows=1)
                return release.replace(data=data)
            case actions.RegisterData():
                assert release.data is not None
                return release.replace(data=release.data.replace(assets={"train": "a"}))
            case actions.NoteDrift():
                return healing.note(release, action, (), self.now)
            case actions.EndDrift():
                return healing.over(release, self.now)
            case actions.Heal(part):
                self._heal(part, release)
                return healing.begun(release, part, self.now)
            case actions.ReportBaseModel(id):
                return release.replace(reported_base_model=id)
            case actions.PlanTraining():
                assert release.data is not None
                values = release.config.training.parameters.given()
                base = release.pins.base_model or self.newest_base
                digest = names.digest(base, release.data.digest, values)
                plan = TrainingPlan(base_model=base, component="c", parameters={}, digest=digest)
                return release.replace(training=plan)
            case actions.AdoptModel():
                if release.plan.digest not in self.azure.models:
                    raise ViolationError("a model is adopted that was never registered")
                return release.advance(Phase.REGISTERING, self.now, "")
            case actions.NextAttempt():
                plan = release.plan
                return release.replace(training=plan.replace(attempt=plan.attempt + 1))
            case actions.RepairEndpoint() | actions.RepairDeployment():
                self._change_azure(action, release)
                provisioning = release.provisioning.replace(failed_at=None)
                return release.replace(repairs=release.repairs + 1, provisioning=provisioning)
            case actions.NoteFailure():
                provisioning = release.provisioning.replace(failed_at=self.now)
                return release.replace(provisioning=provisioning)
            case actions.ReadMetrics():
                loss = 1.0 + int(release.plan.digest, 16) % 3
                return release.replace(metrics=Metrics(values={"eval_loss": loss}))
            case actions.KeepChecks(checks):
                return release.replace(checks=checks)
            case actions.RunSmokeTest():
                return self._smoke(release)
            case actions.ShareTraffic():
                self._share(action, release)
                return record.shared(release, action)
            case actions.BeginStep():
                return record.begun(release, action, self.now)
            case actions.ReadFigures():
                return record.judged(release, action, self._figures(release, action))
            case actions.NextStep():
                return record.passed(release)
            case actions.Hold():
                return record.held(release, action, self.now)
            case actions.Abort():
                return record.aborted(release, action)
        self._change_azure(action, release)
        return (
            release.replace(cancelled_job=True)
            if isinstance(action, actions.CancelJob)
            else release
        )

    def _is_too_large(self, release: Release) -> bool:
        """Whether a job has to prepare the data and has not done so."""
        job = self.azure.jobs.get(release.data_job_name) if release.data_job else None
        large = int(release.source.version) % 3 == 2
        return large and (job is None or job.status != "Completed")

    def _smoke(self, release: Release) -> Release:
        passed = self.calm or self.random.random() < 0.8
        if passed:
            self.azure.passed.add((release.endpoint, release.deployment_name))
        answer = SampleAnswer(
            passed=passed,
            status=200,
            seconds=1,
            at=self.now,
            question="q",
            request="{}",
            answer="a",
        )
        return release.replace(smoke=release.smoke.add(answer))

    def _share(self, action: actions.ShareTraffic, release: Release) -> None:
        endpoint, new = self.azure.endpoints[release.endpoint], release.deployment_name
        if f"{endpoint.name}/{action.live}" != self.project.live_deployment or action.live == new:
            raise ViolationError(f"{action.live} is not live and would keep the traffic")
        if action.share > 60:
            raise ViolationError(f"{action} is no step of any config")
        given = {new: action.share} if action.share else {}
        traffic = {} if action.mirrored else given
        self.azure.endpoints[endpoint.name] = replace(
            endpoint,
            state="Updating",
            traffic={action.live: 100 - sum(traffic.values()), **traffic},
            mirror_traffic=given if action.mirrored else {},
        )

    def _figures(
        self, release: Release, action: actions.ReadFigures
    ) -> dict[str, DeploymentFigures]:
        """Mostly good ones; those of a failing deployment, or of few requests, now and then."""
        choice = 1.0 if self.calm else self.random.random()
        new = {200: 50, 500: 50} if choice < 0.1 else {200: 2} if choice < 0.6 else {200: 100}
        both = {release.deployment_name: new, action.live: {200: 100}}
        return {
            name: DeploymentFigures(deployment=name, minutes=1, statuses=statuses)
            for name, statuses in both.items()
        }

    def _change_azure(self, action: Action, release: Release) -> None:
        azure = self.azure
        number = str(release.number)
        match action:
            case actions.CreateCluster():
                azure.cluster = Cluster("gpu-cluster", "Creating")
            case actions.UpdateEndpoint():
                endpoint = azure.endpoints[release.endpoint]
                wanted = release.config.endpoint.auth_mode
                azure.endpoints[endpoint.name] = replace(
                    endpoint, state="Updating", auth_mode=wanted, ours=True, lost_tags=()
                )
            case actions.SubmitDataJob():
                azure.jobs.setdefault(release.data_job_name, Job("NotStarted", number))
            case actions.SubmitJob():
                azure.jobs.setdefault(release.job_name, Job("NotStarted", number))
            case actions.CancelJob():
                job = azure.jobs[release.active_job]
                azure.jobs[release.active_job] = replace(job, status="CancelRequested")
            case actions.RegisterModel():
                self._check_regression(release)
                azure.models.add(release.plan.digest)
            case actions.CreateEndpoint():
                azure.endpoints[release.endpoint] = Endpoint(
                    release.endpoint, "Creating", auth_mode=release.config.endpoint.auth_mode
                )
            case actions.RepairEndpoint():
                endpoint = azure.endpoints[release.endpoint]
                azure.endpoints[release.endpoint] = replace(endpoint, state="Updating")
            case actions.RepairDeployment():
                endpoint = azure.endpoints[release.endpoint]
                again = tuple(
                    replace(d, state="Creating") if d.name == release.deployment_name else d
                    for d in endpoint.deployments
                )
                azure.endpoints[release.endpoint] = replace(endpoint, deployments=again)
            case actions.CreateDeployment():
                endpoint = azure.endpoints[release.endpoint]
                new = Deployment(release.deployment_name, "Creating", number)
                azure.passed.discard((release.endpoint, new.name))
                azure.endpoints[endpoint.name] = replace(
                    endpoint, deployments=(*endpoint.deployments, new)
                )
            case actions.ShiftTraffic():
                self._check_steps(release)
                endpoint = azure.endpoints[release.endpoint]
                azure.endpoints[endpoint.name] = replace(
                    endpoint,
                    state="Updating",
                    traffic={release.deployment_name: 100},
                    mirror_traffic={},
                )
            case actions.DeleteDeployment(name):
                self._delete_deployment(release.endpoint, name)
            case actions.DeleteEndpoint(name):
                azure.endpoints[name] = replace(azure.endpoints[name], state="Deleting")
            case _:
                raise ViolationError(f"unknown action {action}")

    def _heal(self, part: Part, release: Release) -> None:
        match part:
            case Part.MODEL:
                self.azure.archived = False
            case Part.TRAFFIC:
                self._change_azure(actions.ShiftTraffic(), release)
            case Part.ENDPOINT:
                self._change_azure(actions.UpdateEndpoint(), release)
            case Part.DEPLOYMENT:
                endpoint = self.azure.endpoints[release.endpoint]
                mended = tuple(
                    Deployment(d.name, "Creating", str(release.number))
                    if d.name == release.deployment_name
                    else d
                    for d in endpoint.deployments
                )
                self.azure.endpoints[endpoint.name] = replace(endpoint, deployments=mended)
            case _:
                raise ViolationError(f"{part} can't be brought back in place")

    def _delete_deployment(self, endpoint_name: str, name: str) -> None:
        endpoint = self.azure.endpoints[endpoint_name]
        if endpoint.takes_traffic(name) or endpoint.mirror_traffic.get(name):
            raise ViolationError(f"{name} has traffic and would be deleted")
        if f"{endpoint_name}/{name}" == self.project.live_deployment:
            raise ViolationError(f"{name} is live and would be deleted")
        deployments = tuple(
            replace(d, state="Deleting") if d.name == name else d for d in endpoint.deployments
        )
        self.azure.endpoints[endpoint_name] = replace(endpoint, deployments=deployments)

    def check(self) -> None:
        """What must hold after every step."""
        for endpoint in self.azure.endpoints.values():
            if sum(endpoint.traffic.values()) not in (0, 100):
                raise ViolationError(f"traffic is {endpoint.traffic}")
            for name, share in (*endpoint.traffic.items(), *endpoint.mirror_traffic.items()):
                if share and (endpoint.name, name) not in self.azure.passed:
                    raise ViolationError(f"{name} has traffic and did not pass its smoke test")
                if share and endpoint.deployment(name) is None:
                    raise ViolationError(f"{name} has traffic and is gone")
        active = [name for name, job in self.azure.jobs.items() if job.status != "Canceled"]
        good = [n for n in active if self.azure.jobs[n].status != "Failed"]
        digests = [name.split("-")[1] for name in good]
        if len(digests) != len(set(digests)):
            raise ViolationError(f"two jobs for one training digest: {good}")

    def _check_steps(self, release: Release) -> None:
        """All traffic goes to what has passed every step, but where there is none to pass."""
        rollout = release.config.rollout
        steps = len(rollout.shares) + (rollout.strategy == "shadow")
        if release.phase != Phase.SHIFTING or release.adopts is not None or not steps:
            return
        passed = release.rollout.done if release.rollout else ()
        if any(judged.analysis.verdict == "fail" for judged in passed):
            raise ViolationError("all traffic goes to what has failed a step")
        endpoint, live = self.azure.endpoints[release.endpoint], self.project.live_deployment
        served = release.rollout or endpoint.takes_traffic(live.removeprefix(f"{endpoint.name}/"))
        if served and self.observe().incumbent(release.deployment_name) and len(passed) != steps:
            raise ViolationError(f"all traffic after {len(passed)} of {steps} steps")

    def _check_traffic_is_back(self, action: Action) -> None:
        """What ends without being live has no traffic beside what is live."""
        release = self.release
        if release is None or release.phase not in (Phase.SHIFTING, Phase.FAILED):
            return
        moves_on = isinstance(action, actions.StartRelease | actions.Idle)
        ends = isinstance(action, actions.Advance) and action.phase != Phase.LIVE
        if not (moves_on or ends) or release.training is None:
            return
        observed, name = self.observe(), release.deployment_name
        if observed.endpoint is None or not observed.incumbent(name):
            return
        if not is_known(release, observed.endpoint):
            return
        shared = (observed.endpoint.traffic, observed.endpoint.mirror_traffic)
        if any(name in shares for shares in shared):
            raise ViolationError(f"{action} while what is not live has traffic")

    def _check_policy(self, action: Action) -> None:
        """What must not be done as the policy is now."""
        submits = isinstance(action, actions.SubmitJob | actions.SubmitDataJob)
        if submits and self.verdict != Verdict():
            raise ViolationError(f"submitted in spite of {self.verdict}")
        ends = isinstance(action, actions.Advance) and action.phase == Phase.SUPERSEDED
        begins = ends or isinstance(action, actions.StartRelease)
        if self.verdict.freeze and begins and not self.project.pin:
            raise ViolationError(f"{action} while it is frozen")

    def _check_regression(self, release: Release) -> None:
        """What must not be registered beside the model that is live."""
        live, bounded = self.live, release.config.evaluation.max_regression_percent
        if not (live and live.metrics and release.metrics and bounded):
            return
        new, old = (each.values["eval_loss"] for each in (release.metrics, live.metrics))
        if (
            live.phase != Phase.RETIRED
            and new > old
            and release.plan.digest not in self.azure.models
        ):
            raise ViolationError(f"a model with loss {new} is registered, live is {old}")

    def _check_orders(self, action: Action) -> None:
        """What must not be done as people have ordered."""
        trains = (
            actions.PrepareData,
            actions.SubmitDataJob,
            actions.CreateCluster,
            actions.SubmitJob,
        )
        if self.release and self.release.adopts is not None and isinstance(action, trains):
            raise ViolationError(f"{action} for a release that has its model already")
        retried = self.retry and self.retry == self.project.current
        if isinstance(action, actions.StartRelease) and self.rejected and not retried:
            raise ViolationError("what was rolled back comes back by itself")
        if not self.project.pin or self.git.config is not None or not self.release:
            return
        if isinstance(action, actions.DeleteEndpoint) and action.name == self.release.endpoint:
            raise ViolationError("what is pinned is deleted")

    def _check_drift(self, action: Action) -> None:
        """Drift that is to be reported changes nothing, and no other is healed without end."""
        release = self.release
        if release is None or release.phase != Phase.LIVE or self.desired.config is None:
            return
        heals = isinstance(action, actions.Heal | actions.Advance)
        if heals and self.desired.config.drift == "report":
            raise ViolationError(f"{action} where drift is to be reported")
        lately = [at for at in release.heals if self.now - at < healing.WINDOW]
        if len(lately) > healing.MAX_HEALS:
            raise ViolationError(f"{len(lately)} heals in an hour")

    def settle(self, limit: int = 400) -> None:
        """Nobody changes anything and nothing fails any more: an end must come, and be clean."""
        self.calm = True
        self.verdict = Verdict()
        quiet = 0
        for _ in range(limit):
            self.time_passes()
            action = self.step()
            if isinstance(action, actions.Wait) and action.reason == KEPT:
                self.now += timedelta(seconds=action.seconds or 0)
            quiet = quiet + 1 if isinstance(action, actions.Idle) else 0
            if quiet > 3:
                return self._check_end()
        raise ViolationError("no end in sight")

    def _check_end(self) -> None:
        release = self.release
        if self.desired.config is None:
            if release and any(is_known(release, e) for e in self.azure.endpoints.values()):
                raise ViolationError(f"left over: {list(self.azure.endpoints)}")
            return
        if release is None:
            return
        if self.rejected and self.retry != release.number:
            if release.fingerprint == self.git.fingerprint and release.phase != Phase.FAILED:
                raise ViolationError("what was rolled back has come back by itself")
        elif self.desired.source and release.fingerprint != self.desired.fingerprint:
            raise ViolationError("what is desired has no release")
        if release.forbidden:
            raise ViolationError("what the policy allows again has no release")
        if release.phase == Phase.LIVE and release.drift:
            if release.drift.answer == Answer.HEALING:
                raise ViolationError(f"not healed: {release.drift}")
        elif release.phase == Phase.LIVE:
            if found := differences(release, self.observe()):
                raise ViolationError(f"not noticed: {found}")
            (endpoint,) = (e for e in self.azure.endpoints.values() if is_known(release, e))
            if [d.name for d in endpoint.deployments if d.release] != [release.deployment_name]:
                raise ViolationError(f"left over: {endpoint.deployments}")
        elif release.phase not in (Phase.FAILED, Phase.RETIRED):
            raise ViolationError(f"ended in {release.phase}")
