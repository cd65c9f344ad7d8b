"""Clients of an endpoint in a process of their own, who ask at a rate whatever comes back.

``python -m tests.asking`` reads a `Task` from its standard input, asks until that is closed, and
prints what became of the requests.
"""

import asyncio
import ssl
import sys
import time
from collections import Counter

import httpx2
from pydantic import BaseModel

QUESTION = {
    "input_data": {
        "input_string": [[{"role": "user", "content": "What is 2 plus one?"}]],
        "parameters": {"max_new_tokens": 1, "do_sample": False},
    },
    "params": {},
}
TIMEOUT_SECONDS = 60


class Task(BaseModel):
    """Whom to ask, and how often in a second."""

    url: str
    key: str
    ca_file: str
    rate: int


class Seen(BaseModel):
    """What became of the requests so far: by `STATUS DEPLOYMENT`, or the kind of an error."""

    sent: int = 0
    seconds: float = 0.0
    answers: dict[str, int] = {}
    slowest_ms: float = 0.0

    @property
    def rate(self) -> float:
        """The requests that were sent in a second."""
        return self.sent / self.seconds

    def failed(self) -> dict[str, int]:
        """The requests that did not succeed."""
        return {said: n for said, n in self.answers.items() if not said.startswith("200 ")}


class _Crowd:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._answers: Counter[str] = Counter()
        self._slowest = 0.0
        self._sent = 0

    async def ask_until(self, over: asyncio.Event) -> Seen:
        """Send at the rate until it is over, and wait for the last answers."""
        begun = time.monotonic()
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
        async with (
            httpx2.AsyncClient(
                headers={"authorization": f"Bearer {self._task.key}"},
                verify=ssl.create_default_context(cafile=self._task.ca_file),
                timeout=TIMEOUT_SECONDS,
                limits=limits,
                trust_env=False,
            ) as client,
            asyncio.TaskGroup() as asked,
        ):
            while not over.is_set():
                asked.create_task(self._ask(client))
                self._sent += 1
                await asyncio.sleep(begun + self._sent / self._task.rate - time.monotonic())
            seconds = time.monotonic() - begun
        return Seen(
            sent=self._sent,
            seconds=seconds,
            answers=dict(self._answers),
            slowest_ms=self._slowest * 1000,
        )

    async def _ask(self, client: httpx2.AsyncClient) -> None:
        begun = time.monotonic()
        try:
            answer = await client.post(self._task.url, json=QUESTION)
            by = answer.headers.get("azureml-model-deployment", "")
            self._answers[f"{answer.status_code} {by}".strip()] += 1
        except httpx2.HTTPError as error:
            self._answers[type(error).__name__] += 1
        self._slowest = max(self._slowest, time.monotonic() - begun)


async def _main() -> None:
    task = Task.model_validate_json(sys.stdin.readline())
    over = asyncio.Event()

    async def wait() -> None:
        await asyncio.to_thread(sys.stdin.read)
        over.set()

    waiting = asyncio.create_task(wait())
    seen = await _Crowd(task).ask_until(over)
    await waiting
    print(seen.model_dump_json())


if __name__ == "__main__":
    asyncio.run(_main())
