"""What is asked back before an order is given. Pure."""

from dataclasses import dataclass

from tuneops.notify.messages import metrics_text
from tuneops.page.offers import Standing
from tuneops.release import Phase, Release


@dataclass(frozen=True)
class Confirmation:
    """What will happen: in sentences, and as facts, each with what is now and what will be."""

    title: str
    button: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str, str], ...] = ()


def going_back(
    name: str, live: Release | None, target: Release, how: str, said: str
) -> Confirmation:
    """Of going back to a release; `said` is what is known of a pull request that does."""
    number = target.number
    if how == "pin":
        return Confirmation(
            title=f"Pin {name} to release {number}?",
            button=f"Pin to release {number}",
            sentences=(
                f"Release {number} goes live at once, without training, whatever git says.",
                "What is merged or uploaded meanwhile waits until git agrees, or it is unpinned. "
                "What is live now does not come back by itself.",
            ),
            facts=_facts(live, target),
        )
    return Confirmation(
        title=f"Roll {name} back to release {number}?",
        button="Open the pull request",
        sentences=(
            "A pull request is opened that puts the config back; merging it is the rollback.",
            said,
        ),
        facts=_facts(live, target),
    )


def suspending(name: str, of: Standing) -> Confirmation:
    """Of having everything stay as it is."""
    newest, live = of.newest, of.project.live
    begun = newest is not None and not newest.phase.ended and newest.phase != Phase.LIVE
    sentences = [
        f"Release {live} serves on." if live else "Nothing is live, and nothing will be.",
        "Nothing is begun, changed or taken down until it is resumed: no drift is healed, and what "
        "git or new data want waits.",
    ]
    if newest and begun:
        sentences.append(
            f"Release {newest.number} stays in {newest.phase}; a job that runs in Azure runs on, "
            "and the time of a question runs out."
        )
    return Confirmation(title=f"Suspend {name}?", button="Suspend", sentences=tuple(sentences))


def _facts(live: Release | None, target: Release) -> tuple[tuple[str, str, str], ...]:
    def facts(release: Release | None) -> dict[str, str]:
        if release is None:
            return {}
        metrics = metrics_text(release.metrics.values) if release.metrics else "none"
        return {
            "Release": str(release.number),
            "Model": f"{release.model_name}:{release.model_version}" if release.training else "",
            "Metrics": metrics,
            "Data": release.source.name,
            "Commit": release.commit[:8],
        }

    now, then = facts(live), facts(target)
    return tuple((name, now.get(name, "nothing is live"), value) for name, value in then.items())
