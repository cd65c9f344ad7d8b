"""Writes the example's training data: `python examples/make_data.py`.

A support bot for the outdoor shop Contoso. The data holds a small number of facts, each of them
asked for in several wordings and always answered in the same words, so a model that has learned
the facts also answers the wordings that were held out for its test.

- `support-bot.jsonl`: policies of the shop, three facts on each of eight products, and
  conversations of two questions.
- `support-bot-more.jsonl`: the same and three more products, to see what an upload of newer data
  does.

The rows have the shape of ultrachat_200k: `prompt`, `prompt_id` (SHA-256 of the conversation, in
hexadecimal) and `messages`. The same version of this file always writes the same bytes.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SEED = 20240501
WORDINGS_PER_PRODUCT_FACT = 6
TWO_QUESTION_ROWS = 28
GREETINGS = ("", "", "", "Hi, ", "Hello, ", "Hi there, ", "Good morning, ")
CLOSINGS = ("", "", "", "", " Thanks!", " Thank you.")
FOLLOW_UPS = ("Thanks! ", "Great. ", "One more question. ", "Thank you. ", "And another thing. ")


@dataclass(frozen=True)
class Fact:
    """Something to know: the ways to ask for it and the one answer."""

    questions: Sequence[str]
    answer: str


@dataclass(frozen=True)
class Product:
    """A product of the shop."""

    name: str
    price: int
    """In dollars."""
    weight: int
    """In grams."""
    warranty: int
    """In years."""


PRODUCTS = (
    Product("Alder tent", 249, 2400, 5),
    Product("Brook bottle", 25, 180, 2),
    Product("Cedar backpack", 139, 1250, 10),
    Product("Dune sleeping bag", 179, 960, 4),
    Product("Ember stove", 89, 370, 3),
    Product("Falcon headlamp", 59, 95, 6),
    Product("Glacier jacket", 219, 540, 7),
    Product("Heath boots", 165, 1100, 1),
)
MORE_PRODUCTS = (
    Product("Iris hammock", 75, 620, 8),
    Product("Juniper mat", 99, 480, 9),
    Product("Kestrel poles", 119, 450, 12),
)

POLICIES = (
    Fact(
        (
            "How do I reset my password?",
            "I forgot my password. What should I do?",
            "My password does not work any more, how can I reset it?",
            "I need a new password.",
            "Where can I change my password?",
            "What do I do about a forgotten password?",
            "Can you help me with a lost password?",
            "I cannot remember my password.",
        ),
        "Open Settings, choose Security and press Reset password.",
    ),
    Fact(
        (
            "How do I change my email address?",
            "I have a new email address. Where do I enter it?",
            "Can I change to another email address?",
            "I want to update my email.",
            "My email address is wrong, how do I fix it?",
            "Where can I change the email of my account?",
            "How can I update my email address?",
            "Please help me to change my email.",
        ),
        "Open Settings, choose Profile and enter the new email address.",
    ),
    Fact(
        (
            "How do I delete my account?",
            "I want to close my account.",
            "Please delete my account.",
            "Where can I close my account?",
            "Can I delete my account myself?",
            "What do I do to delete an account?",
            "I do not need my account any more, how do I close it?",
            "How can I remove my account?",
        ),
        "Open Settings, choose Privacy and press Delete account.",
    ),
    Fact(
        (
            "Where is my order?",
            "How can I track my parcel?",
            "When will my parcel arrive?",
            "I want to track my order.",
            "Can I see where my parcel is?",
            "How do I follow my order?",
            "My parcel has not arrived, where is it?",
            "Is there a way to track a parcel?",
        ),
        "Open My orders and press Track to see where the parcel is.",
    ),
    Fact(
        (
            "How do I cancel my order?",
            "Can I cancel an order?",
            "I want to cancel my order.",
            "Please cancel my order.",
            "I ordered by mistake, how can I cancel it?",
            "Until when can I cancel an order?",
            "Is it possible to cancel an order?",
            "What do I do to cancel?",
        ),
        "You can cancel an order within 2 hours, in My orders.",
    ),
    Fact(
        (
            "How long can I return an item?",
            "What is your return policy?",
            "Can I return an item that I do not like?",
            "How many days do I have to return something?",
            "I want to return an item.",
            "Can I send an item back?",
            "Do you take returns?",
            "How do returns work?",
        ),
        "You can return unused items within 60 days, free of charge.",
    ),
    Fact(
        (
            "When do I get my refund?",
            "How long does a refund take?",
            "I am waiting for my refund.",
            "Where is my refund?",
            "When will you refund me?",
            "How many days until the refund arrives?",
            "My refund has not arrived.",
            "How fast are refunds?",
        ),
        "Refunds arrive 5 days after we receive the item.",
    ),
    Fact(
        (
            "How much is shipping?",
            "What does shipping cost?",
            "Is shipping free?",
            "What are your shipping costs?",
            "Do I have to pay for shipping?",
            "What do you charge for shipping?",
            "How much do you charge for shipping?",
            "From which amount on is shipping free?",
        ),
        "Shipping costs 4 dollars and is free from 75 dollars on.",
    ),
    Fact(
        (
            "How long does delivery take?",
            "How fast do you deliver?",
            "How many days does delivery take?",
            "What is the delivery time?",
            "When do you deliver?",
            "Is delivery fast?",
            "How long do I wait for a delivery?",
            "Can you tell me the delivery time?",
        ),
        "Delivery takes 3 days, express delivery takes 1 day.",
    ),
    Fact(
        (
            "Do you ship to other countries?",
            "Do you ship abroad?",
            "Can you ship to another country?",
            "Which countries do you ship to?",
            "I live in another country, can I order?",
            "Is it possible to ship abroad?",
            "To which countries can you send a parcel?",
            "Do you send parcels abroad?",
        ),
        "We ship to Canada, Mexico and all of Europe.",
    ),
    Fact(
        (
            "On which days and hours are you open?",
            "What are your opening hours?",
            "Is your support open on Sunday?",
            "At what time do you open?",
            "Until when are you open?",
            "What hours is your support open?",
            "Are you open on Saturday?",
            "On which days are you open?",
        ),
        "We are open from 9 to 18, Monday to Saturday.",
    ),
    Fact(
        (
            "How can I call you?",
            "What is your phone number?",
            "Can I talk to a person?",
            "I want to talk to somebody on the phone.",
            "Do you have a phone number?",
            "Which number can I call?",
            "I need to talk to your support on the phone.",
            "Can I call your support?",
        ),
        "Call us at 555 0142, we are happy to help.",
    ),
    Fact(
        (
            "How can I pay?",
            "Which payment methods do you take?",
            "Can I pay by card?",
            "Do you take credit cards?",
            "What payment methods are there?",
            "Can I pay by bank transfer?",
            "Is it possible to pay by card?",
            "Which ways to pay do you have?",
        ),
        "You can pay by card, by bank transfer or with a gift card.",
    ),
    Fact(
        (
            "Where do I find my invoice?",
            "I need an invoice.",
            "Can you send me the invoice?",
            "How do I get an invoice for my order?",
            "I did not get an invoice.",
            "Where can I download an invoice?",
            "Please send me my invoice again.",
            "Do I get an invoice?",
        ),
        "Open My orders and press Invoice to download it.",
    ),
    Fact(
        (
            "My item arrived broken.",
            "I got a damaged item. What should I do?",
            "The item is damaged, what now?",
            "What do I do about a broken item?",
            "My parcel is damaged.",
            "The item in my parcel is broken.",
            "The item that I got is broken.",
            "What happens when an item is damaged?",
        ),
        "We are sorry. Send us a photo and we send a new one.",
    ),
    Fact(
        (
            "Do you have a student discount?",
            "Is there a discount for students?",
            "I am a student, do I get a discount?",
            "How much is the discount for students?",
            "Can students get a discount?",
            "What discount do students get?",
            "Which discount do you give to students?",
            "How do I get the student discount?",
        ),
        "Students get 15 percent off with the code STUDENT15.",
    ),
)

PRICE_QUESTIONS = (
    "How much is the {name}?",
    "What does the {name} cost?",
    "What is the price of the {name}?",
    "How much does the {name} cost?",
    "Can you tell me the price of the {name}?",
    "I want to buy the {name}, what does it cost?",
    "How many dollars is the {name}?",
)
WEIGHT_QUESTIONS = (
    "How heavy is the {name}?",
    "What does the {name} weigh?",
    "What is the weight of the {name}?",
    "How much does the {name} weigh?",
    "Can you tell me the weight of the {name}?",
    "I want to carry the {name}, how heavy is it?",
    "How many grams does the {name} weigh?",
)
WARRANTY_QUESTIONS = (
    "How long is the warranty of the {name}?",
    "What warranty does the {name} have?",
    "Does the {name} have a warranty?",
    "Is there a warranty on the {name}?",
    "Can you tell me the warranty of the {name}?",
    "I want to use the {name} for long, what is the warranty?",
    "How many years of warranty has the {name}?",
)


def product_facts(product: Product, rng: random.Random) -> list[Fact]:
    """Price, weight and warranty of a product, each with some of the ways to ask."""
    answers = (
        (PRICE_QUESTIONS, f"The {product.name} costs {product.price} dollars."),
        (WEIGHT_QUESTIONS, f"The {product.name} weighs {product.weight} grams."),
        (WARRANTY_QUESTIONS, f"The {product.name} has a warranty of {_years(product.warranty)}."),
    )
    return [
        Fact(
            [q.format(name=product.name) for q in rng.sample(wordings, WORDINGS_PER_PRODUCT_FACT)],
            answer,
        )
        for wordings, answer in answers
    ]


def _years(count: int) -> str:
    return "1 year" if count == 1 else f"{count} years"


def rows(products: Sequence[Product], seed: int = SEED) -> Iterator[dict[str, object]]:
    """The rows on the policies and on `products`, shuffled."""
    rng = random.Random(seed)
    facts = [*POLICIES, *(fact for product in products for fact in product_facts(product, rng))]
    conversations = [
        (question, fact.answer) for fact in facts for question in _polite(fact.questions, rng)
    ]
    for _ in range(TWO_QUESTION_ROWS):
        first, second = rng.sample(facts, 2)
        follow_up = rng.choice(FOLLOW_UPS) + rng.choice(second.questions)
        conversations.append((rng.choice(first.questions), first.answer, follow_up, second.answer))
    rng.shuffle(conversations)
    return (_row(turns) for turns in conversations)


def _polite(questions: Sequence[str], rng: random.Random) -> Iterator[str]:
    """The questions, some of them with a greeting or thanks."""
    for question in questions:
        greeting = rng.choice(GREETINGS)
        begin = question if not greeting or question[:2] in ("I ", "I'") else _lower(question)
        yield greeting + begin + rng.choice(CLOSINGS)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _row(turns: Sequence[str]) -> dict[str, object]:
    roles = ("user", "assistant") * (len(turns) // 2)
    messages = [{"content": turn, "role": role} for turn, role in zip(turns, roles, strict=True)]
    identity = hashlib.sha256(json.dumps(messages).encode()).hexdigest()
    return {"prompt": turns[0], "prompt_id": identity, "messages": messages}


def jsonl(products: Sequence[Product]) -> str:
    """The file with the rows on the policies and on `products`."""
    return "".join(json.dumps(row) + "\n" for row in rows(products))


FILES = {
    "support-bot.jsonl": PRODUCTS,
    "support-bot-more.jsonl": PRODUCTS + MORE_PRODUCTS,
}


def main() -> None:
    """Write the files to `data`, beside this one."""
    folder = Path(__file__).parent / "data"
    folder.mkdir(exist_ok=True)
    for name, products in FILES.items():
        (folder / name).write_text(jsonl(products), encoding="utf-8")


if __name__ == "__main__":
    main()
