"""The diagram of the phases in docs/rollout.md, drawn from the table of transitions.

`make diagram` writes it there: ``python -m tuneops.diagram docs/rollout.md``
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from tuneops.phase import TRANSITIONS, Phase

BEGIN = "```mermaid\n"
END = "```\n"
UNDER_WAY = "UnderWay"
"""What all phases under way have in common is drawn once, from the box around them."""


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    return "\n".join(("stateDiagram-v2", *(f"    {line}" for line in _lines()), ""))


def replaced(text: str) -> str:
    """The document with its diagram as it is now.

    Raises:
        ValueError: it has no Mermaid block.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("there is no Mermaid block to put the diagram in")
    return f"{before}{begin}{mermaid()}{end}{after}"


def _lines() -> Iterator[str]:
    under_way = [phase for phase in Phase if not phase.ended]
    common = _common(under_way)
    yield f'state "under way" as {UNDER_WAY} {{'
    for phase in under_way:
        for after, why in TRANSITIONS[phase].items():
            if after in under_way:
                yield f"    {phase} --> {after}: {why}"
    yield "}"
    yield f"[*] --> {under_way[0]}"
    yield from (f"{UNDER_WAY} --> {after}: {why}" for after, why in common.items())
    for phase in Phase:
        for after, why in TRANSITIONS[phase].items():
            inside = phase in under_way and (after in under_way or after in common)
            if not inside:
                yield f"{phase} --> {after}: {why}"
    yield from (f"{phase} --> [*]" for phase in Phase if not TRANSITIONS[phase])


def _common(phases: list[Phase]) -> dict[Phase, str]:
    """What may follow each of these phases, for the same reason."""
    first, *others = (TRANSITIONS[phase] for phase in phases)
    return {
        after: why
        for after, why in first.items()
        if all(other.get(after) == why for other in others)
    }


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(replaced(document.read_text()))
