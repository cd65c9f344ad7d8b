"""The policy: what configs may ask for, and when nothing new may begin. Pure.

It is ``tuneops-policy.yaml`` at the top of the repository; without one, everything is allowed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from tuneops.approvals import NO_DEMAND, ApprovalRule, Demand, demanded
from tuneops.changes import ChangeRule, PolicyRule, may_change, why_not
from tuneops.config import InstanceTypes, ProjectConfig
from tuneops.cost.limit import alone
from tuneops.cost.machines import servings
from tuneops.cost.room import Room
from tuneops.document import Document, Given
from tuneops.estimates import Forecast
from tuneops.forecast import cost_of
from tuneops.parameters import Origin, Value
from tuneops.places import FINETUNE, places_of, stated
from tuneops.previews.terms import Limits
from tuneops.prices import Prices
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.section import Section

FILE = "tuneops-policy.yaml"
MAX_NAMED = 12
_IN_REGISTRY = re.compile(r"azureml://registries/([^/]+)/models/([^/]+)/versions/[^/]+")
_IN_WORKSPACE = re.compile(r"azureml:([^/:]+):[^/:]+")
_OTHER_BASE_MODELS = ("mlflow_model_path", "pytorch_model_path", "huggingface_id")
"""The parameters that replace the model of the config."""


def _moment(value: Any) -> datetime:
    """A time of day on a date; UTC when it does not say another zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(found, datetime) or (isinstance(value, str) and _is_date(value)):
            raise ValueError
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("is no date with a time of day, such as 2026-12-24T18:00Z") from error


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


Pattern = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9 ._/*?!\[\]-]+$")]
Moment = Annotated[datetime, BeforeValidator(_moment)]
AtMost = Annotated[int | None, Field(ge=1)]


Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100)] | None


def _allowed(description: str, example: str) -> Any:
    return Field(
        description=f"{description}; patterns with * and ?, of any case; left out, all are allowed",
        examples=[[example]],
    )


class Freeze(Section):
    """A time in which nothing new is begun; what is under way goes on."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Annotated[Moment, Field(alias="from", description="UTC, unless it says another zone")]
    until: Annotated[Moment, Field(description="UTC, unless it says another zone")]
    reason: Annotated[str, Field(min_length=1, max_length=200, description="What people are told")]

    @model_validator(mode="after")
    def _some_time(self) -> "Freeze":
        if self.until <= self.from_:
            raise ValueError("until is not after from")
        return self

    def __str__(self) -> str:
        return f"frozen until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


class Policy(Section):
    """What configs may ask for; what is left out is not bounded."""

    allowed_registries: Annotated[
        Patterns, _allowed("Registries that models may come from", "azureml")
    ] = None
    allowed_models: Annotated[Patterns, _allowed("Names of base models", "Phi-3-*")] = None
    allowed_instance_types: Annotated[
        Patterns,
        _allowed("Sizes of virtual machines, to train and to serve with", "Standard_NC24ads_*"),
    ] = None
    allowed_regions: Annotated[Patterns, _allowed("Where the workspace may be", "westeurope")] = (
        None
    )
    max_nodes: Annotated[AtMost, Field(description="Nodes of a training job or a new cluster")] = (
        None
    )
    max_instance_count: Annotated[AtMost, Field(description="Instances of a deployment")] = None
    max_epochs: Annotated[AtMost, Field(description="Epochs of a training job")] = None
    prices: Annotated[
        Prices | None,
        Field(description="What machines cost: without it forecasts have hours, and no cost"),
    ] = None
    max_estimated_cost: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Likely cost of a training, in the currency of prices, which must have its "
            "size; a training of which nothing can be foretold yet is allowed",
        ),
    ] = None
    max_hourly_cost: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="What the deployments of all projects of this environment may cost in an "
            "hour together, in the currency of prices, which must have their sizes; a new one that "
            "would cost more waits, and what is live is never touched",
        ),
    ] = None
    freeze: Annotated[
        tuple[Freeze, ...], Field(max_length=100, description="When nothing new is begun")
    ] = ()
    changes: Annotated[
        tuple[ChangeRule, ...],
        Field(
            max_length=100,
            description="Who may change which projects, be it their removal; a project that no "
            "rule is about may be changed by whomever git lets",
        ),
    ] = ()
    approvals: Annotated[
        tuple[ApprovalRule, ...],
        Field(
            max_length=100,
            description="What a person has to approve, whatever the configs say, and who may",
        ),
    ] = ()
    previews: Annotated[
        Limits | None,
        Field(description="Pull requests may have previews, where their configs ask for them"),
    ] = None
    policy: Annotated[
        PolicyRule | None,
        Field(description="Who may change this file; needed with changes or approvals"),
    ] = None

    @model_validator(mode="after")
    def _rules_stay(self) -> "Policy":
        rules = "changes" if self.changes else "approvals" if self.approvals else ""
        if rules and self.policy is None:
            raise ValueError(
                f"{rules} needs policy.by, which says who may change this file: without it those "
                "whom the rules bind could lift them"
            )
        return self


class InForce(Document):
    """The policy that is in force, as it is stored."""

    policy: Given[Policy] = Policy()


@dataclass(frozen=True)
class Verdict:
    """What the policy says now: why a release may not be, and whether all is frozen.

    `room` is what was found for a deployment that comes next, where costs are limited. `demand` is
    what a person has to approve.
    """

    violations: tuple[str, ...] = ()
    freeze: Freeze | None = None
    room: Room | None = None
    demand: Demand = NO_DEMAND


def verdict(
    policy: Policy, release: Release | None, region: str, now: datetime, by: str | None = None
) -> Verdict:
    """What the policy says of a release; `region` is the workspace's, empty when not known.

    What has been trained costs no more: the limit of its cost is for what is to be. So is who may
    change the project: `by` is who brought what is desired of it, None where nobody had to ask.
    What was live is deployed again whatever it costs.
    """
    if release is None:
        return Verdict((), frozen(policy, now))
    ahead = release.phase in (Phase.PREPARING, Phase.TRAINING, Phase.FAILED)
    foretold = release.forecast if ahead else None
    weighed = policy if release.entered(Phase.LIVE) is None else _of_what_serves(policy)
    found = violations(weighed, release.config, release.training, region, foretold)
    if ahead and release.answers_change and by is not None:
        found = (*found, *filter(None, (who_may_not(policy, release.project, by),)))
    return Verdict(found, frozen(policy, now), demand=demanded(policy.approvals, release.project))


def who_may_not(policy: Policy, project: str, by: str) -> str:
    """Why a change of a project is not taken from somebody, empty if it is.

    `by` is a login, empty when it could not be found out.
    """
    return why_not(may_change(policy.changes, project), by, project, f"changes of {FILE}")


def _of_what_serves(policy: Policy) -> Policy:
    """The policy for what is live: the limit on new deployments is not for it."""
    return policy.model_copy(update={"max_hourly_cost": None})


def frozen(policy: Policy, now: datetime) -> Freeze | None:
    """The freeze that it is now, of several the one that ends last."""
    current = (freeze for freeze in policy.freeze if freeze.from_ <= now < freeze.until)
    return max(current, key=lambda freeze: freeze.until, default=None)


def violations(
    policy: Policy,
    config: ProjectConfig,
    plan: TrainingPlan | None,
    region: str,
    forecast: Forecast | None = None,
) -> tuple[str, ...]:
    """Everything that the policy does not allow, each with the field and what to do.

    What the plan says counts, where there is one: it knows what the config leaves open. `region`
    is the workspace's, empty when it is not known. A training that is foretold is weighed by what
    machines cost now.
    """
    given = _given(config, plan)
    others = list(_other_models(given))
    registries = {"model.registry": config.model.registry} | {f: found for f, found, _ in others}
    names = {"model.name": config.model.name} | {field: name for field, _, name in others}
    sizes = dict(_sizes(config, plan, given))
    instances = {"deployment.instance_count": config.deployment.instance_count}
    if config.deployment.autoscale:
        instances["deployment.autoscale.max"] = config.deployment.autoscale.max
    return (
        *_region(policy.allowed_regions, region),
        *_unlisted("allowed_registries", policy.allowed_registries, registries),
        *_unlisted("allowed_models", policy.allowed_models, names),
        *_unlisted("allowed_instance_types", policy.allowed_instance_types, sizes),
        *_above("max_nodes", policy.max_nodes, _nodes(config, given)),
        *_above("max_instance_count", policy.max_instance_count, instances),
        *_epochs(policy.max_epochs, given),
        *(_cost(policy, plan, forecast) if plan and forecast else ()),
        *alone(policy.max_hourly_cost, policy.prices, servings(config), FILE),
    )


def _given(config: ProjectConfig, plan: TrainingPlan | None) -> dict[str, Value]:
    """The training parameters, without those that TuneOps makes from other fields."""
    if plan is None:
        return config.training.parameters.given()
    return {
        name: parameter.value
        for name, parameter in plan.parameters.items()
        if parameter.origin != Origin.TUNEOPS
    }


def _other_models(given: Mapping[str, Value]) -> Iterator[tuple[str, str, str]]:
    """Models that replace the config's: field, registry and name; no registry for elsewhere."""
    for parameter in _OTHER_BASE_MODELS:
        if parameter not in given:
            continue
        field, value = f"training.parameters.{parameter}", str(given[parameter])
        if found := _IN_REGISTRY.fullmatch(value):
            yield field, found[1], found[2]
        else:
            found = _IN_WORKSPACE.fullmatch(value)
            yield field, "", found[1] if found else value


def _sizes(
    config: ProjectConfig, plan: TrainingPlan | None, given: Mapping[str, Value]
) -> Iterator[tuple[str, str]]:
    """The machines that are asked for, by field; the data of a job is prepared on `compute`'s."""
    yield from config.deployment.instance_types_by_field.items()
    compute = config.compute
    described = compute.cluster.size.lower() if compute.cluster else ""
    if compute.cluster:
        yield "compute.cluster.size", compute.cluster.size
    if compute.serverless:
        types = compute.instance_types or InstanceTypes()
        yield "compute.instance_types.preprocess", types.preprocess
    for step, place in places_of(compute, given).items():
        if place.serverless:
            yield place.size_field, place.size
        elif step == FINETUNE and plan and plan.compute_size.lower() not in ("", described):
            yield place.compute_field, plan.compute_size


def _nodes(config: ProjectConfig, given: Mapping[str, Value]) -> dict[str, Value]:
    """Nodes by field; the data of a job is prepared on as many as `compute` says."""
    nodes, field = stated(given, "num_nodes_finetune", config.compute.nodes, "compute.nodes")
    asked: dict[str, Value] = {"compute.nodes": config.compute.nodes, field: nodes}
    if config.compute.cluster:
        asked["compute.cluster.max_instances"] = config.compute.cluster.max_instances
    return asked


def _epochs(limit: int | None, given: Mapping[str, Value]) -> Iterator[str]:
    if limit and int(given.get("max_steps", -1)) > 0:
        yield (
            "training.parameters.max_steps: it overrides num_train_epochs, which max_epochs of "
            f"{FILE} bounds; leave it out"
        )
    elif "num_train_epochs" in given:
        field = "training.parameters.num_train_epochs"
        yield from _above("max_epochs", limit, {field: given["num_train_epochs"]})


def _cost(policy: Policy, plan: TrainingPlan, forecast: Forecast) -> Iterator[str]:
    """A training that is likely to cost too much, or whose cost can't be told without a price."""
    limit, prices = policy.max_estimated_cost, policy.prices
    if limit is None or not forecast.trains:
        return
    price = prices.of(plan.compute_size, plan.tier) if prices else None
    if prices is None or price is None:
        yield (
            f"max_estimated_cost of {FILE}: there is no price of {plan.compute_size}; add that of "
            "one node's hour to prices.per_hour there"
        )
    elif forecast.seconds:
        cost = forecast.seconds.times(cost_of(1, plan, price))
        if cost.likely > limit:
            yield (
                f"training: is likely to cost {cost.likely:,.2f} {prices.currency} (from "
                f"{cost.low:,.2f} to {cost.high:,.2f}), which is more than max_estimated_cost of "
                f"{FILE}; stay below {limit:,.2f} with fewer epochs, less data or other machines"
            )


def _region(allowed: Patterns, region: str) -> Iterator[str]:
    if allowed and region and not _matches(region, allowed):
        yield (
            f"the workspace is in {region}, which is not in allowed_regions of {FILE}; use a "
            f"workspace in {_listed(allowed)}"
        )


def _unlisted(key: str, allowed: Patterns, asked: Mapping[str, str]) -> Iterator[str]:
    for field, value in asked.items():
        if allowed and not _matches(value, allowed):
            shown = value or "what is in no registry"
            yield f"{field}: {shown} is not in {key} of {FILE}; choose {_listed(allowed)}"


def _above(key: str, limit: int | None, asked: Mapping[str, Value]) -> Iterator[str]:
    for field, value in asked.items():
        if limit and int(value) > limit:
            yield f"{field}: {value} is more than {key} of {FILE}; ask for {limit} at most"


def _matches(value: str, allowed: tuple[str, ...]) -> bool:
    """Whether one of the patterns matches, whatever the case and the blanks."""
    return any(fnmatchcase(_plain(value), _plain(each)) for each in allowed)


def _plain(text: str) -> str:
    return text.replace(" ", "").lower()


def _listed(patterns: tuple[str, ...]) -> str:
    more = ", ..." if len(patterns) > MAX_NAMED else ""
    return " or ".join(patterns[:MAX_NAMED]) + more
