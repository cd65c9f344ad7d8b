"""The chats that the base model learns its language from.

Customers of many shops ask about orders, accounts and products. The words and the forms of the
answers are those of any support desk, but every value (a price, a number of days, the menu in
which a button is) is drawn anew for each chat. So the model learns to speak about such things and
cannot know any one shop's answers.
"""

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Chat = list[dict[str, str]]

SOURCE = Path(__file__).with_suffix(".yaml")
PRODUCT_SHARE = 0.45
"""Part of the questions that are about a product."""
SECOND_QUESTION_SHARE = 0.2
"""Part of the chats that go on with a second question."""

NUMBERS = {
    "price": (5, 400),
    "grams": (50, 3000),
    "percent": (2, 60),
    "days": (7, 120),
    "n": (1, 14),
    "hour": (6, 11),
    "late": (15, 23),
}


def chats(count: int, seed: int) -> Iterator[Chat]:
    """`count` chats of one or two questions, always the same for one seed."""
    rng = random.Random(seed)
    for _ in range(count):
        chat = _exchange(rng)
        if rng.random() < SECOND_QUESTION_SHARE:
            again = _exchange(rng)
            again[0]["content"] = rng.choice(_source()["follow_ups"]) + again[0]["content"]
            chat += again
        yield chat


@cache
def _source() -> dict[str, Any]:
    source: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return source


def _exchange(rng: random.Random) -> Chat:
    """A question and its answer, about the same product if about any."""
    source = _source()
    topics = "product_topics" if rng.random() < PRODUCT_SHARE else "shop_topics"
    topic = rng.choice(source[topics])
    product = f"{rng.choice(source['words']['name'])} {rng.choice(source['words']['thing'])}"
    question = _fill(rng.choice(topic["questions"]), product, rng)
    greeting = rng.choice(source["greetings"])
    if greeting and not question.startswith("I "):
        question = question[0].lower() + question[1:]
    return [
        {"role": "user", "content": greeting + question + rng.choice(source["closings"])},
        {"role": "assistant", "content": _fill(rng.choice(topic["answers"]), product, rng)},
    ]


def _fill(template: str, product: str, rng: random.Random) -> str:
    """The sentence, with a new draw for each place to fill in."""
    return re.sub(
        r"{(\w+)}",
        lambda place: product if place[1] == "product" else _draw(place[1], rng),
        template,
    )


def _draw(slot: str, rng: random.Random) -> str:
    words = _source()["words"]
    if slot in words:
        return str(rng.choice(words[slot]))
    if slot == "years":
        years = rng.randint(1, 15)
        return "1 year" if years == 1 else f"{years} years"
    if slot == "phone":
        return f"555 {rng.randint(0, 9999):04}"
    if slot == "code":
        return f"{rng.choice(words['group']).upper().replace(' ', '')}{rng.randint(1, 60)}"
    return str(rng.randint(*NUMBERS[slot]))
