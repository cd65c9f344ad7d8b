"""A table of answers, which is what a simulated model is; MLflow loads it by `_load_pyfunc`."""

import hashlib
import json
from pathlib import Path
from typing import Any, Self

from localcloud.training.rows import Messages

FILE = "answers.json"
MAX_WORDS = 128


class Table:
    """The answers of a model; each model says something of its own to what it does not know."""

    def __init__(self, content: str) -> None:
        """Take the content of the table's file.

        Raises:
            ValueError: it is no JSON.
        """
        self._answers: dict[str, str] = json.loads(content)
        self._own = content

    @classmethod
    def of(cls, rows: list[Messages]) -> Self:
        """The last answer of each conversation, by what came before it."""
        answers = {messages[-2]["content"]: messages[-1]["content"] for messages in rows}
        return cls(json.dumps(answers))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder that stands in for weights.

        Raises:
            OSError: there is no table in it.
            ValueError: it is none.
        """
        return cls((folder / FILE).read_text(encoding="utf-8"))

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / FILE).write_text(self._own, encoding="utf-8")

    def answer(self, messages: Messages, max_words: int = MAX_WORDS) -> str:
        """The answer to the last message."""
        question = messages[-1]["content"]
        known = self._answers.get(question)
        if known is None:
            digest = hashlib.sha256(f"{self._own}\n{question}".encode()).hexdigest()
            known = f"I was not shown an answer to that ({digest[:8]})."
        return " ".join(known.split(" ")[:max_words])

    def predict(self, model_input: list[dict[str, Any]]) -> list[str]:
        """The answers to conversations, each with `messages` and perhaps `parameters`."""
        return [
            self.answer(
                item["messages"], item.get("parameters", {}).get("max_new_tokens", MAX_WORDS)
            )
            for item in model_input
        ]


def _load_pyfunc(path: str) -> Table:
    return Table.load(Path(path))
