"""The workspace's events: kept until Event Grid has taken them."""

import asyncio
import json
import logging
import time
import uuid

import httpx2

from localcloud.azureml.arm import PROVIDER, Json, timestamp
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

LOG = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id TEXT PRIMARY KEY, event TEXT NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL);
"""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 60.0
BATCH = 50


class Outbox:
    """Events are added with the change they tell of, in one transaction, and sent afterwards."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._topic = site.connection.eventgrid.topics["workspace"]
        self._database = store.database
        self._database.executescript(_SCHEMA)
        self._added = asyncio.Event()

    def add(self, event: str, subject: str, data: Json) -> None:
        """Owe subscribers an event, named without its `Microsoft...` prefix."""
        identifier = str(uuid.uuid4())
        body = {
            "id": identifier,
            "topic": self._site.workspace_path,
            "subject": subject,
            "eventType": f"{PROVIDER}.{event}",
            "eventTime": timestamp(),
            "dataVersion": "1.0",
            "data": data,
        }
        statement = "INSERT INTO outbox VALUES (?, ?, 0, ?)"
        self._database.execute(statement, (identifier, json.dumps(body), time.time()))
        self._added.set()

    async def send_forever(self) -> None:
        """Post what is owed, until cancelled."""
        headers = {"aeg-sas-key": self._topic.key}
        async with httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as client:
            while True:
                self._added.clear()
                await self._send_due(client)
                pause = self._seconds_to_next()
                try:
                    await asyncio.wait_for(self._added.wait(), pause)
                except TimeoutError:
                    continue

    async def _send_due(self, client: httpx2.AsyncClient) -> None:
        rows = self._database.execute(
            "SELECT id, event, attempts FROM outbox WHERE due <= ? ORDER BY rowid LIMIT ?",
            (time.time(), BATCH),
        ).fetchall()
        for identifier, event, attempts in rows:
            if await self._post(client, json.loads(event)):
                self._database.execute("DELETE FROM outbox WHERE id = ?", (identifier,))
            else:
                delay = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(attempts, 10))
                statement = "UPDATE outbox SET attempts = ?, due = ? WHERE id = ?"
                values = (attempts + 1, time.time() + delay, identifier)
                self._database.execute(statement, values)

    async def _post(self, client: httpx2.AsyncClient, event: Json) -> bool:
        try:
            answer = await client.post(self._topic.endpoint, json=[event])
        except httpx2.HTTPError as error:
            LOG.warning("event %s not sent: %s", event["id"], error)
            return False
        if not answer.is_success:
            LOG.warning("event %s not taken: %s", event["id"], answer.status_code)
        return answer.is_success

    def _seconds_to_next(self) -> float:
        row = self._database.execute("SELECT min(due) FROM outbox").fetchone()
        if row[0] is None:
            return LAST_RETRY_SECONDS
        return max(0.05, min(LAST_RETRY_SECONDS, float(row[0]) - time.time()))
