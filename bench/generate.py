"""Training data in the shape of ultrachat_200k, always the same for the same seed.

python bench/generate.py 207865 ultrachat.jsonl
"""

import hashlib
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

SEED = 20260101
WORDS = Path(__file__).with_name("words.txt").read_text().split()
OTHER_WORDS = ("café", "naïve", "résumé", "über", "señor", "漢字")
OTHER_SHARE = 0.3
"""The share of rows with a letter that is not ASCII."""
ENDS = (". ", "? ", "! ", ": ", ", ", '. "', '" ', ".\n\n", ".\n- ")
TURNS = (2, 4, 4, 6, 6, 8)


def rows(count: int, seed: int = SEED) -> Iterator[dict[str, object]]:
    """Rows of some 6,300 bytes on average, with two to eight turns."""
    chance = random.Random(seed)
    for _ in range(count):
        words = WORDS if chance.random() > OTHER_SHARE else (*WORDS, *OTHER_WORDS)
        messages = []
        for turn in range(chance.choice(TURNS)):
            low, high = (60, 600) if turn % 2 == 0 else (700, 2800)
            role = "assistant" if turn % 2 else "user"
            messages.append(
                {"content": _text(chance, words, chance.randint(low, high)), "role": role}
            )
        prompt = messages[0]["content"]
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()
        yield {"prompt": prompt, "prompt_id": prompt_id, "messages": messages}


def _text(chance: random.Random, words: Sequence[str], characters: int) -> str:
    said: list[str] = []
    size = 0
    while size < characters:
        sentence = " ".join(chance.choices(words, k=chance.randint(5, 25)))
        said += (sentence, chance.choice(ENDS))
        size += len(sentence) + 2
    return "".join(said).rstrip()


def write(count: int, path: Path) -> None:
    """Write so many rows as JSON Lines; an existing file stays as it is."""
    if path.exists():
        return
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        for row in rows(count):
            file.write(json.dumps(row) + "\n")
    draft.replace(path)


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
