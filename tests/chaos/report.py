"""What is printed at the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.evidence import Evidence


@dataclass
class Round:
    """What has happened in one round: faults by kind, and what the checks have found."""

    number: int
    asked: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    requests: int = 0
    cpu_seconds: float = 0

    def note(self, found: Mapping[str, list[str]]) -> None:
        """With what checks have found; the same is noted once."""
        for name, lines in found.items():
            known = self.wrong.setdefault(name, [])
            known += [line for line in lines if line not in known]

    def add(self, evidence: Evidence, found: Mapping[str, list[str]]) -> None:
        """With what is known at a time, and what was found wrong with it."""
        self.note(found)
        self.endings = Counter(phase for each in evidence.ended for phase in each.told_phases)
        self.repeats = sum(count - 1 for count in evidence.told.values())


def table(rounds: list[Round]) -> str:
    """Faults, endings and the figures."""
    asked = sum((each.asked for each in rounds), Counter[str]())
    struck = sum((each.struck for each in rounds), Counter[str]())
    endings = sum((each.endings for each in rounds), Counter[str]())
    wrong = Counter(name for each in rounds for name, lines in each.wrong.items() for _ in lines)
    names = dict.fromkeys(name for each in rounds for name in each.wrong)
    rows = [
        ("fault", "asked", "struck"),
        *((kind, count, struck[kind]) for kind, count in sorted(asked.items())),
        ("all", asked.total(), struck.total()),
        ("", "", ""),
        *((f"releases that came to be {phase}", "", n) for phase, n in sorted(endings.items())),
        ("requests of clients", "", sum(each.requests for each in rounds)),
        ("messages that came twice", "", sum(each.repeats for each in rounds)),
        ("seconds of the processor", "", round(rounds[-1].cpu_seconds)),
        ("", "", ""),
        *((name, "", wrong[name]) for name in names),
    ]
    return "\n".join(f"{name:<44}{a:>8}{b:>8}".rstrip() for name, a, b in rows)


def complaints(rounds: list[Round], seed: int) -> list[str]:
    """What is wrong, with how to see it again."""
    lines = []
    for each in rounds:
        found = [f"  {name}: {line}" for name, lines in each.wrong.items() for line in lines]
        if found:
            lines.append(f"round {each.number}: make chaos SEED={seed} ROUND={each.number}")
            lines += found
    return lines
