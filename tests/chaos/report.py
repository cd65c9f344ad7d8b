"""What is printed at the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.evidence import Evidence
from tests.chaos.points import Point


@dataclass
class Round:
    """What has happened in one round: faults by kind, and what the checks have found."""

    number: int
    asked: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    unmet: set[Point] = field(default_factory=set)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    requests: int = 0

    def add(self, evidence: Evidence, found: Mapping[str, list[str]]) -> None:
        """With what was found at its end."""
        for name, lines in found.items():
            self.wrong.setdefault(name, []).extend(lines)
        self.endings = Counter(each.phase for each in evidence.ended)
        self.repeats = sum(count - 1 for count in evidence.told.values())


def table(rounds: list[Round]) -> str:
    """Faults, endings and the six figures."""
    asked: Counter[str] = sum((each.asked for each in rounds), Counter())
    struck: Counter[str] = sum((each.struck for each in rounds), Counter())
    endings: Counter[str] = sum((each.endings for each in rounds), Counter())
    lines = [f"{'fault':<44}{'asked':>7}{'struck':>8}"]
    lines += [f"{kind:<44}{count:>7}{struck[kind]:>8}" for kind, count in sorted(asked.items())]
    lines += [f"{'all':<44}{asked.total():>7}{struck.total():>8}", ""]
    lines += [f"{'releases that ended ' + phase:<52}{n:>7}" for phase, n in sorted(endings.items())]
    lines += [f"{'client requests':<52}{sum(each.requests for each in rounds):>7}", ""]
    figures = {name: 0 for each in rounds for name in each.wrong}
    for each in rounds:
        for name, found in each.wrong.items():
            figures[name] += len(found)
    lines += [f"{name:<52}{count:>7}" for name, count in figures.items()]
    return "\n".join(lines)


def complaints(rounds: list[Round], seed: int) -> list[str]:
    """What is wrong, with how to see it again."""
    lines = []
    for each in rounds:
        found = [f"  {name}: {line}" for name, lines in each.wrong.items() for line in lines]
        if found:
            lines.append(f"round {each.number}: make chaos SEED={seed} ROUND={each.number}")
            lines += found
    return lines
