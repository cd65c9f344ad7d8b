"""People: they change configs, data, the policy and Azure, and give orders, at the worst times."""

from collections.abc import Mapping
from dataclasses import replace

from tests.simulation.world import World
from tuneops.approvals import Demand
from tuneops.observed import Deployment, Endpoint
from tuneops.orders import Pin, Suspension
from tuneops.phase import Phase
from tuneops.policy import Freeze, Verdict
from tuneops.rollout.question import Said

CONFIGS = (
    "",
    "deployment: {instance_count: 2}\n",
    "training: {parameters: {num_train_epochs: 2}}\n",
    "endpoint: {name: another}\n",
    "endpoint: {auth_mode: aad_token}\n",
    "compute: {cluster: {size: Standard_NC24ads_A100_v4}}\n",
    "compute: {cluster: {size: Standard_NC24ads_A100_v4, min_instances: 1, max_instances: 2}}\n",
    "compute: {name: serverless, instance_types: {finetune: Standard_NC24ads_A100_v4}}\n",
    "rollout: {keep_previous_minutes: 1}\n",
    "evaluation: {max_regression_percent: {eval_loss: 5}}\n"
    "training: {parameters: {num_train_epochs: 3}}\n",
    "drift: report\n",
    "suspend: true\n",
    "on_removal: retain\n",
    "deletion_protection: true\n",
    "in_flight: finish\ndeployment: {instance_count: 3}\n",
    "training: {timeout_hours: 0.02, parameters: {num_train_epochs: 4}}\n",
    "training: {timeout_hours: 0.1, parameters: {num_train_epochs: 4}}\n",
)
"""The first job of a training with a time limit never ends by itself."""
ROLLOUTS = (
    "",
    "deployment: {instance_count: 2}\nrollout: {strategy: canary, steps: [20, 60], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 1, on_insufficient_traffic: abort, "
    "keep_failed_for_minutes: 2}\n",
    "deployment: {instance_count: 3}\nrollout: {strategy: shadow, steps: [50], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 1, on_insufficient_traffic: continue}\n",
    "deployment: {instance_count: 4}\nrollout: {strategy: canary, pause_minutes: 0.5, "
    "wait_for_traffic_minutes: 0}\nin_flight: finish\n",
    "deployment: {instance_count: 5}\n"
    "rollout: {strategy: shadow, pause_minutes: 0.1, wait_for_traffic_minutes: 0}\n",
    "deployment: {instance_count: 6}\nrollout: {strategy: canary, steps: [20, 60], "
    "pause_minutes: 0.5}\nsuspend: true\n",
)
_A100, _H100 = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
_ELSEWHERE = f"alternative_instance_types: [{_H100}]"
MACHINES = (
    "",
    f"deployment: {{{_ELSEWHERE}}}\n",
    "deployment: {autoscale: {max: 3}}\n",
    f"deployment: {{instance_count: 2, {_ELSEWHERE}, autoscale: {{max: 3}}}}\n",
    f"deployment: {{instance_type: {_H100}, alternative_instance_types: [{_A100}]}}\n",
    "deployment: {instance_count: 3}\nrollout: {keep_previous: 2, keep_previous_for_minutes: 5}\n",
    "deployment: {instance_count: 4, autoscale: {min: 2, max: 4}}\n"
    "rollout: {keep_previous: 0, keep_failed_for_minutes: 2}\n",
    "endpoint: {name: another}\ndeployment: {autoscale: {max: 3}}\n",
    "endpoint: {name: another}\n",
)
_SETS = "[{name: answers, path: b/x.jsonl, min_score: 0.5}]"
GATES = (
    "",
    "deployment: {instance_count: 2}\nrollout: {strategy: canary, steps: [20, 60], "
    "pause_minutes: 0.1, wait_for_traffic_minutes: 0, "
    "approval: {before: [25, 100], timeout_minutes: 1}}\n",
    "deployment: {instance_count: 3}\n"
    "rollout: {approval: {before: traffic, timeout_minutes: 0.5, on_timeout: hold}}\n",
    "deployment: {instance_count: 4}\nrollout: {strategy: shadow, steps: [50], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 0.5, "
    "approval: {before: traffic, timeout_minutes: 1}}\nin_flight: finish\n",
    f"deployment: {{instance_count: 5}}\nbehaviour: {{sets: {_SETS}, min_rows: 2}}\n"
    "training: {parameters: {num_train_epochs: 2}}\n",
    f"deployment: {{instance_count: 6}}\nbehaviour: {{sets: {_SETS}, min_rows: 2, "
    "max_requests: 4, on_inconclusive: continue}\n"
    "training: {parameters: {num_train_epochs: 3}}\nrollout: {strategy: canary, steps: [20], "
    "pause_minutes: 0.5, wait_for_traffic_minutes: 0.5, on_insufficient_traffic: behaviour}\n",
)
KINDS = (CONFIGS, MACHINES, ROLLOUTS, CONFIGS, MACHINES, GATES)
"""Which configs a project has, by its seed; two kinds are met twice as often."""
FREEZE = Freeze.model_validate(
    {"from": "2026-01-01T00:00Z", "until": "2027-01-01T00:00Z", "reason": "a year off"}
)
VERDICTS = (Verdict(), Verdict(), Verdict(("nodes: too many",)), Verdict(freeze=FREEZE))
DEMANDS = (*VERDICTS, Verdict(demand=Demand(gates=frozenset({50}))))
SHORTAGES: tuple[Mapping[str, int], ...] = (
    {},
    {_A100: 0},
    {_A100: 1},
    {_A100: 1, _H100: 0},
    {_A100: 2, _H100: 1},
)
LIMITS = (None, 1, 2, 3)
LOST = ("tuneops.project",)


def act(world: World, often: float) -> None:
    """Now and then one of them does something; in an emergency git is mostly left alone."""
    if world.asked and world.chance.random() < 0.2:
        answer(world)
    draw = world.chance.random()
    if draw >= often:
        return
    share, of_git = draw / often, 0.1 if world.project.pin else 0.4
    if share < of_git:
        change_git(world)
    elif share < of_git + 0.1:
        change_policy(world)
    elif share < 0.7:
        give_orders(world)
    else:
        change_azure(world)


def answer(world: World) -> None:
    """Somebody answers a question, perhaps one that is none any more; the first answer counts."""
    chance, release = world.chance, world.release
    if not world.asked:
        return
    number, question = world.asked[-1] if chance.random() < 0.8 else chance.choice(world.asked)
    share = question.share if chance.random() < 0.9 else 100
    open_now = release.approval if release else None
    if open_now and release and open_now.is_met_by(world.said, release.number):
        return
    world.said = Said(
        release=number,
        share=share,
        asked=question.asked,
        approves=chance.random() < 0.8,
        by="Ada",
        at=world.now,
    )
    world.happens("approval" if world.said.approves else "rejection")
    made = world.anew.get(number)
    if world.said.approves and share == question.share and (made is None or question.asked >= made):
        world.approved[number] = max(share, world.approved.get(number, -1))


def answer_at_last(world: World) -> None:
    """When everybody is calm, what would wait without an end is answered, and half of the rest."""
    release = world.release
    question = release.approval if release and release.phase == Phase.SHIFTING else None
    if question is None or not question.is_open:
        return
    if question.deadline is None or world.chance.random() < 0.3:
        answer(world)


def change_git(world: World) -> None:
    """A commit, new data, a newer base model, or the config is removed."""
    choice, chance = world.chance.random(), world.chance
    new_data = choice < (0.1 if world.configs is MACHINES else 0.4)
    if new_data:
        world.version += 1
    if choice < 0.1:
        world.newest_base += "1"
    extra = None if choice > 0.9 else chance.choice(world.configs)
    world.git = world.commit(extra)
    what = "the config is removed" if extra is None else f"git and data: {extra!r}"
    world.happens("removal" if extra is None else "new data" if new_data else "new config")
    if world.say:
        world.say(f"{what} at version {world.version} of the data")


def change_policy(world: World) -> None:
    """What is allowed, and whether there is a freeze."""
    if world.configs is MACHINES:
        world.limit = world.chance.choice(LIMITS)
        world.happens("limit of costs")
        return
    world.verdict = world.chance.choice(DEMANDS if world.configs is GATES else VERDICTS)
    world.happens("freeze" if world.verdict.freeze else "policy")


def give_orders(world: World) -> None:
    """Pin the project to what was live once, unpin it, try again, suspend it or resume it."""
    chance, project = world.chance, world.project
    if chance.random() < (0.5 if project.suspension else 0.1):
        suspend_or_resume(world)
    elif chance.random() < 0.3:
        world.retry = project.current or 0
        world.happens("retry")
    elif project.pin and chance.random() < 0.7:
        world.project = project.replace(pin=None)
        world.happens("unpin")
    else:
        once_live = [n for n, r in world.releases.items() if r.entered(Phase.LIVE)]
        older = [n for n in once_live if n != project.live]
        if once_live:
            number = chance.choice(older or once_live)
            pin = Pin(id=str(world.seconds), release=number, by="Ada", at=world.now)
            world.project = project.replace(pin=pin)
            world.happens("pin")


def suspend_or_resume(world: World) -> None:
    """Whichever of both can be."""
    order = Suspension(id=str(world.seconds), by="Ada", at=world.now)
    after = None if world.project.suspension else order
    world.project = world.project.replace(suspension=after)
    world.happens("suspension" if after else "resumption")


def change_azure(world: World) -> None:
    """Somebody changes what is there by hand, or deletes it."""
    release = world.release
    endpoint = world.azure.endpoints.get(release.endpoint) if release else None
    choice = world.chance.randrange(9)
    if world.configs is MACHINES and world.chance.random() < 0.5:
        world.azure.machines = world.chance.choice(SHORTAGES)
        world.happens("machines")
    elif choice == 0:
        world.azure.archived = True
        world.happens("model archived")
    elif endpoint is None or endpoint.state != "Succeeded":
        return
    elif choice == 1:
        world.azure.delete_endpoint(endpoint.name)
        world.happens("endpoint deleted by hand")
    elif choice == 2 and endpoint.deployments:
        world.azure.lose(endpoint.name, world.chance.choice(endpoint.deployments).name)
        world.happens("deployment deleted by hand")
    else:
        world.azure.endpoints[endpoint.name] = _changed(endpoint, choice)
        world.happens("changed by hand")


def _changed(endpoint: Endpoint, choice: int) -> Endpoint:
    first, *rest = endpoint.deployments or (Deployment("by-hand", "Succeeded", ""),)
    match choice:
        case 3:
            return replace(endpoint, ours=False, lost_tags=LOST)
        case 4:
            return replace(endpoint, auth_mode="aml_token")
        case 5:
            return _with(endpoint, replace(first, settings={"instance_count": "50"}), rest)
        case 6:
            return _with(endpoint, replace(first, release="", lost_tags=LOST), rest)
    return replace(endpoint, traffic={}, mirror_traffic={})


def _with(endpoint: Endpoint, first: Deployment, rest: list[Deployment]) -> Endpoint:
    return replace(endpoint, deployments=(first, *rest))
