"""What serves a deployment on simulated compute: no process, but an app within the workspace."""

import asyncio
from datetime import UTC, datetime

import httpx2

from localcloud.azureml.fleet import Container, ScoringFailedError, Server
from localcloud.serving.payload import InputData, model_input
from localcloud.serving.scoring import Answering, create_app
from localcloud.simulated.model import DATA
from localcloud.simulated.table import Table


class SimulatedServer(Server):
    """Answers from a model's table, at once; the environment variables change nothing."""

    _app: httpx2.AsyncClient

    async def ask(self, client: httpx2.AsyncClient, body: bytes) -> httpx2.Response:
        """Have a request scored, once the table is read."""
        await self.ready.wait()
        return await self._app.post("/score", content=body)

    async def _run(self) -> None:
        transport = httpx2.ASGITransport(create_app(_load(self.container)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://scoring") as app:
            self._app = app
            self._note(f"simulated compute: answers are read from {self.container.model}")
            self._note("Application startup complete.")
            self.ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ready.clear()

    def _note(self, line: str) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} INFO {line}\n")


def _load(container: Container) -> Answering:
    try:
        table = Table.load(container.model / DATA)
    except (OSError, ValueError) as error:
        raise ScoringFailedError(
            f"The container crashed.\nThe model was not made by simulated compute: {error}"
        ) from error

    async def answering(data: InputData) -> list[str]:
        return table.predict(model_input(data))

    return answering
