"""What Azure ML and GitHub of a local cloud were asked. For tests."""

import ssl
from collections import Counter
from typing import Any

import httpx2


class Calls:
    """What was asked since the last time, by operation."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self.connection = connection
        self.before = self._now()

    def take(self) -> Counter[str]:
        """What was asked since this was last called."""
        now = self._now()
        new = now - self.before
        self.before = self._now()
        return new

    def _now(self) -> Counter[str]:
        connection = self.connection
        trusted = ssl.create_default_context(cafile=connection["ca_file"])
        asked = httpx2.get(f"{connection['azureml_url']}/_admin/requests", verify=trusted)
        github = httpx2.get(
            f"{connection['github']['api_url']}/_requests",
            headers={"authorization": f"Bearer {connection['github']['token']}"},
        )
        counted = Counter({**asked.json(), **github.json()})
        for own in ("GET /_admin/requests", "GET /_requests 200"):
            del counted[own]
        return counted
