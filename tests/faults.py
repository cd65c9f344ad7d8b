"""Faults of the local workspace, asked for through its admin API."""

import ssl
from typing import Any

import httpx2


class Faults:
    """What goes wrong next, until it is forgotten."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._http = httpx2.Client(
            base_url=f"{connection['azureml_url']}/_admin",
            headers={"x-compute-key": connection["compute_key"]},
            verify=ssl.create_default_context(cafile=connection["ca_file"]),
            trust_env=False,
        )

    def ask(self, work: str, outcome: str, target: str = "**", **more: object) -> None:
        """One more fault; see `localcloud.azureml.faults`."""
        fault = {"work": work, "outcome": outcome, "target": target, **more}
        answer = self._http.post("/faults", json=fault)
        assert answer.status_code == 201, answer.text

    @property
    def struck(self) -> int:
        """How often they have struck."""
        return sum(fault["struck"] for fault in self._all())

    def struck_with(self, outcome: str) -> int:
        """How often those with this outcome have struck."""
        return sum(each["struck"] for each in self._all() if each["fault"]["outcome"] == outcome)

    def struck_by_kind(self) -> dict[str, tuple[int, int]]:
        """How often faults of each kind were asked for, and have struck."""
        found: dict[str, tuple[int, int]] = {}
        for each in self._all():
            fault = each["fault"]
            status = f" {fault['status']}" if fault["outcome"] == "fail" else ""
            kind = f"{fault['work']}: {fault['outcome']}{status}"
            asked, struck = found.get(kind, (0, 0))
            found[kind] = (asked + fault["times"], struck + each["struck"])
        return found

    def _all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._http.get("/faults").json()["value"]
        return found

    def forget(self) -> None:
        """Let nothing go wrong any more."""
        self._http.delete("/faults")

    def close(self) -> None:
        """Forget them, for good."""
        self.forget()
        self._http.close()
