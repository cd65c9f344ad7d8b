"""What must hold: of each decision, of Azure after each step, and at the end of a history."""

from datetime import timedelta

from tests.simulation import machines
from tests.simulation.azure import ViolationError
from tests.simulation.world import World
from tuneops import actions, healing
from tuneops.actions import Action
from tuneops.difference import Answer
from tuneops.drift import differences, is_known
from tuneops.evaluation.checks import failures
from tuneops.release import Phase, Release
from tuneops.rollout.steps import steps_of

LONG_AFTER = 7200
"""So many seconds after the end there still must be nothing to do."""
MAX_SHARE = 60
"""No step of a config has more."""
TRAINS = (
    actions.PrepareData,
    actions.SubmitDataJob,
    actions.CreateCluster,
    actions.SubmitJob,
)


def hold_for(world: World, action: Action, release: Release | None) -> None:
    """What must hold of each decision."""
    if release:
        _traffic_is_back(world, action, release)
        _jobs_end(world, action, release)
    if isinstance(action, actions.Idle):
        return
    _suspended(world, action)
    if isinstance(action, actions.Wait):
        return
    _policy(world, action)
    _orders(world, action)
    if release:
        _drift(world, action, release)
        _jobs(world, action, release)
        _removal(world, action, release)


def hold_in_azure(world: World) -> None:
    """What must hold after every step."""
    passed = world.azure.passed
    for endpoint in world.azure.endpoints.values():
        traffic = endpoint.traffic
        if not traffic and not endpoint.mirror_traffic:
            continue
        if sum(traffic.values()) not in (0, 100):
            raise ViolationError(f"traffic is {traffic}")
        for name, share in (*traffic.items(), *endpoint.mirror_traffic.items()):
            if share and (endpoint.name, name) not in passed:
                raise ViolationError(f"{name} has traffic and did not pass its smoke test")
            deployment = endpoint.deployment(name)
            going = deployment is not None and deployment.state == "Deleting"
            if share and (deployment is None or (going and endpoint.state != "Deleting")):
                raise ViolationError(f"{name} has traffic and is deleted")


def one_job_for_a_digest(world: World, release: Release) -> None:
    """No job is submitted beside another for the same training that may yet succeed."""
    digest, name = release.plan.digest, release.job_name
    for other, job in world.azure.jobs.items():
        if other != name and other.split("-")[1] == digest and not job.unsuccessful:
            raise ViolationError(f"two jobs for one training digest: {other} and {name}")


def model_is_good(world: World, release: Release) -> None:
    """Only what has passed its checks is registered, and what is not worse than what is live."""
    if not release.checks or failures(release.checks):
        raise ViolationError(f"a model is registered with checks {release.checks}")
    live, bounded = world.live, release.config.evaluation.max_regression_percent
    if not (live and live.metrics and release.metrics and bounded):
        return
    new, old = (each.values["eval_loss"] for each in (release.metrics, live.metrics))
    known = release.plan.digest in world.azure.models
    if live.phase != Phase.RETIRED and new > old and not known:
        raise ViolationError(f"a model with loss {new} is registered, live is {old}")


def serves_nobody(world: World, endpoint_name: str, name: str) -> None:
    """No deployment with traffic is deleted, nor what is live and has lost it."""
    endpoint = world.azure.endpoints[endpoint_name]
    if endpoint.takes_traffic(name) or endpoint.mirror_traffic.get(name):
        raise ViolationError(f"{name} has traffic and would be deleted")
    if f"{endpoint_name}/{name}" == world.project.live_deployment:
        raise ViolationError(f"{name} is live and would be deleted")


def endpoint_may_go(world: World, name: str) -> None:
    """No endpoint that serves is deleted while the config is there."""
    if world.desired.config is not None and world.project.live_deployment.startswith(f"{name}/"):
        raise ViolationError(f"endpoint {name} is live and would be deleted")


def live_keeps_the_rest(world: World, release: Release, action: actions.ShareTraffic) -> None:
    """Traffic is shared with what is live, by a step of the config."""
    serving = f"{release.endpoint}/{action.live}"
    if serving != world.project.live_deployment or action.live == release.deployment_name:
        raise ViolationError(f"{action.live} is not live and would keep the traffic")
    if action.share > MAX_SHARE:
        raise ViolationError(f"{action} is no step of any config")


def every_step_is_passed(world: World, release: Release) -> None:
    """All traffic goes to what has passed every step, but where there is none to pass."""
    steps = len(steps_of(release))
    if release.phase != Phase.SHIFTING or not steps:
        return
    passed = release.rollout.done if release.rollout else ()
    if any(judged.analysis.verdict == "fail" for judged in passed):
        raise ViolationError("all traffic goes to what has failed a step")
    endpoint, live = world.azure.endpoints[release.endpoint], world.project.live_deployment
    served = release.rollout or endpoint.takes_traffic(live.removeprefix(f"{endpoint.name}/"))
    beside = world.observe(release).incumbent(release.deployment_name)
    if served and beside and len(passed) != steps:
        raise ViolationError(f"all traffic after {len(passed)} of {steps} steps")


def _suspended(world: World, action: Action) -> None:
    if is_suspended(world):
        raise ViolationError(f"{action} while suspended")


def is_suspended(world: World) -> bool:
    """Whether git or people want all to stay as it is; a pin that was ordered later goes first."""
    order, pin, wanted = world.project.suspension, world.project.pin, world.desired.config
    by_order = order is not None and not (pin and pin.at >= order.at)
    return by_order or (wanted is not None and wanted.suspend)


def _policy(world: World, action: Action) -> None:
    """What must not be done as the policy is now."""
    submits = isinstance(action, actions.SubmitJob | actions.SubmitDataJob) or (
        isinstance(action, actions.CreateEndpoint) and action.ahead
    )
    if submits and (world.verdict.violations or world.verdict.freeze):
        raise ViolationError(f"submitted in spite of {world.verdict}")
    replaced = isinstance(action, actions.Advance) and action.phase == Phase.SUPERSEDED
    ends = replaced and world.desired.config is not None
    begins = ends or isinstance(action, actions.StartRelease)
    if world.verdict.freeze and begins and not world.project.pin:
        raise ViolationError(f"{action} while it is frozen")


def _orders(world: World, action: Action) -> None:
    """What must not be done as people have ordered."""
    release = world.release
    if release and release.adopts is not None and isinstance(action, TRAINS):
        raise ViolationError(f"{action} for a release that has its model already")
    if isinstance(action, actions.StartRelease) and world.rejected and not world.retried:
        raise ViolationError("what was rolled back comes back by itself")
    if not world.project.pin or world.known.config is not None or not release:
        return
    if isinstance(action, actions.DeleteEndpoint) and action.name == release.endpoint:
        raise ViolationError("what is pinned is deleted")


def _drift(world: World, action: Action, release: Release) -> None:
    """Drift that is to be reported changes nothing, and no other is healed without end."""
    if release.phase != Phase.LIVE or world.desired.config is None:
        return
    heals = isinstance(action, actions.Heal | actions.Advance)
    if heals and world.desired.config.drift == "report":
        raise ViolationError(f"{action} where drift is to be reported")
    lately = [at for at in release.heals if world.now - at < healing.WINDOW]
    if len(lately) > healing.MAX_HEALS:
        raise ViolationError(f"{len(lately)} heals in an hour")


def _jobs(world: World, action: Action, release: Release) -> None:
    """What nobody waits for any more does not train on."""
    goes_on = (Phase.TRAINING, Phase.EVALUATING, Phase.SUPERSEDED)
    ends = isinstance(action, actions.Advance) and action.phase not in goes_on
    if not ends and not isinstance(action, actions.StartRelease):
        return
    job = world.azure.jobs.get(release.running_job) if release.running_job else None
    runs = job is not None and job.running and job.status != "CancelRequested"
    if runs and not release.cancelled_job and not release.trains_like(world.desired):
        raise ViolationError(f"{action} while {release.running_job} runs on for nobody")


def _jobs_end(world: World, action: Action, release: Release) -> None:
    """A job that has run for as long as it may is not waited for, and its release says why."""
    job = world.azure.jobs.get(release.active_job) if release.active_job else None
    if job is None or job.began is None or release.phase != Phase.TRAINING:
        return
    limit = timedelta(hours=release.config.training.timeout_hours)
    waits = isinstance(action, actions.Wait) and world.desired.config is not None
    if waits and job.status == "Running" and world.now - job.began >= limit:
        raise ViolationError(f"{action} though the job has run since {job.began}")
    fails = isinstance(action, actions.Fail) and job.status == "Canceled"
    if fails and release.submitted and "timeout_hours" not in action.reason:
        raise ViolationError(f"{action} though TuneOps has cancelled the job")


def _removal(world: World, action: Action, release: Release) -> None:
    """A project does not end while it has an endpoint that nobody asked to retain."""
    if not isinstance(action, actions.Advance) or action.phase != Phase.RETIRED:
        return
    last = world.desired.removed or release.config
    left = [e.name for e in world.azure.endpoints.values() if is_known(release, e)]
    if left and last.on_removal == "delete":
        raise ViolationError(f"retired, with {left} left over")


def _traffic_is_back(world: World, action: Action, release: Release) -> None:
    """What ends without being live has no traffic beside what is live."""
    if release.phase not in (Phase.SHIFTING, Phase.FAILED) or release.training is None:
        return
    moves_on = isinstance(action, actions.StartRelease | actions.Idle)
    ends = isinstance(action, actions.Advance) and action.phase not in (
        Phase.LIVE,
        Phase.DEPLOYING,
    )
    if not (moves_on or ends) or is_suspended(world):
        return
    observed, name = world.observe(release), release.deployment_name
    endpoint = observed.endpoint
    if endpoint is None or not observed.incumbent(name) or not is_known(release, endpoint):
        return
    if name in endpoint.traffic or name in endpoint.mirror_traffic:
        raise ViolationError(f"{action} while what is not live has traffic")


def is_protected(world: World) -> bool:
    """Whether the config is gone and its deletion protection keeps everything as it is."""
    wanted, release = world.desired, world.release
    if wanted.config is not None or release is None or release.phase == Phase.RETIRED:
        return False
    return (wanted.removed or release.config).deletion_protection


def hold_at_the_end(world: World) -> str:
    """What must hold when nothing is to come any more; gives the name of this end."""
    _all_is_accounted_for(world)
    wanted, release = world.desired.config, world.release
    if is_suspended(world):
        return "Suspended"
    if wanted is None:
        return _removed(world)
    if release is None or release.phase in (Phase.SUPERSEDED, Phase.RETIRED):
        if world.rejected:
            return "Rolled back"
        raise ViolationError("what is desired has no release")
    _is_what_is_desired(world, release)
    if release.phase == Phase.LIVE:
        _live_is_alone(world, release)
        return "Live"
    if release.phase != Phase.FAILED:
        raise ViolationError(f"ended in {release.phase}")
    _live_stays(world, release)
    return "Failed"


def _all_is_accounted_for(world: World) -> None:
    """Everything of ours is named by a release or by the project, and no job runs.

    What a suspension has kept from being taken down may be there.
    """
    running = [name for name, job in world.azure.jobs.items() if job.running]
    if running:
        raise ViolationError(f"jobs are left running: {running}")
    planned = [release for release in world.releases.values() if release.training]
    known = {release.deployment_name for release in planned}
    for endpoint in world.azure.endpoints.values():
        if endpoint.name not in world.project.endpoints:
            raise ViolationError(f"nobody knows of endpoint {endpoint.name}")
        strange = [d.name for d in endpoint.deployments if d.release and d.name not in known]
        if strange and not is_suspended(world):
            raise ViolationError(f"nobody knows of deployments {strange}")
    if not is_suspended(world):
        machines.settings_have_deployments(world)


def _removed(world: World) -> str:
    """The config is gone: nothing is left but what it said is to stay."""
    release = world.release
    if release is None:
        return "Never begun"
    if is_protected(world):
        return "Protected"
    if release.phase != Phase.RETIRED:
        raise ViolationError(f"ended in {release.phase} without a config")
    left = [e.name for e in world.azure.endpoints.values() if is_known(release, e)]
    if left and "is retained" not in release.reason:
        raise ViolationError(f"left over: {left}")
    return "Retained" if left else "Removed"


def _is_what_is_desired(world: World, release: Release) -> None:
    if world.rejected and not world.retried:
        if release.fingerprint == world.known.fingerprint and release.phase != Phase.FAILED:
            raise ViolationError("what was rolled back has come back by itself")
        return
    if release.fingerprint != world.desired.fingerprint:
        raise ViolationError("what is desired has no release")
    if release.forbidden and not world.verdict.violations:
        raise ViolationError("what the policy allows again has no release")


def _live_is_alone(world: World, release: Release) -> None:
    """What is live is as its release says, or people know; nothing else of ours is left."""
    if release.drift:
        if release.drift.answer == Answer.HEALING:
            raise ViolationError(f"not healed: {release.drift}")
        return
    if found := differences(release, world.observe(release)):
        raise ViolationError(f"not noticed: {found}")
    ours = [e for e in world.azure.endpoints.values() if is_known(release, e)]
    if [e.name for e in ours] != [release.endpoint]:
        raise ViolationError(f"left over: {[e.name for e in ours]}")
    if [d.name for d in ours[0].deployments if d.release] != [release.deployment_name]:
        raise ViolationError(f"left over: {ours[0].deployments}")


def _live_stays(world: World, failed: Release) -> None:
    """A release that failed has left what is live as it was, and nothing else behind it."""
    live, serving = world.live, world.project.live_deployment
    made = world.azure.endpoints.get(failed.endpoint)
    empty = made is not None and not made.deployments and is_known(failed, made)
    if empty and world.project.live is None:
        raise ViolationError(f"endpoint {failed.endpoint} is left over, empty")
    there = {f"{e.name}/{d.name}" for e in world.azure.endpoints.values() for d in e.deployments}
    for endpoint in world.azure.endpoints.values():
        if not is_known(failed, endpoint):
            continue
        left = [d.name for d in endpoint.deployments if d.release]
        strange = [
            name
            for name in left
            if f"{endpoint.name}/{name}" != serving
            and not (serving not in there and endpoint.takes_traffic(name))
        ]
        if strange:
            raise ViolationError(f"left over behind {endpoint.name}: {strange}")
    if live is None or live.number == failed.number or live.phase != Phase.LIVE:
        return
    answered = live.drift is not None and live.drift.answer != Answer.HEALING
    if not answered and (found := differences(live, world.observe(live))):
        raise ViolationError(f"release {live.number} is live and is not as it was: {found}")
