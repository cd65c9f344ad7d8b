"""Events that come twice, too late, of others, or of nothing at all."""

import hashlib
import hmac
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2

from tests.chaos.evidence import Sent
from tests.chaos.team import Team
from tests.cloud import Cloud
from tests.grid import event, post

COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
CREATED = "Microsoft.Storage.BlobCreated"
AGAIN_SECONDS = 0.5
DATASETS = "/blobServices/default/containers/datasets/blobs"


class Sender:
    """Sends one at a time; `sent` has those that a host has taken."""

    def __init__(self, cloud: Cloud, teams: list[Team], drawn: random.Random) -> None:
        self._cloud, self._teams, self._random = cloud, teams, drawn
        self._before: list[tuple[str, dict[str, Any]]] = []
        self._owed: list[Callable[[], bool]] = []
        self._lock = threading.Lock()
        self.sent: list[Sent] = []

    def send(self) -> bool:
        """One more event, or one of those before again; whether it was taken."""
        with self._lock:
            if self._owed:
                return self._pay()
            if self._before and self._random.random() < 0.4:
                function, event = self._random.choice(self._before)
                return self._owe(lambda: self._deliver(function, event))
            kind = self._random.choice((self._upload, self._completion, self._strange, self._push))
            return kind()

    def flush(self) -> None:
        """Send what no host has taken yet again and again, as Event Grid does."""
        while self._owed:
            with self._lock, suppress(httpx2.HTTPError):
                self._pay()
            time.sleep(AGAIN_SECONDS)

    def _owe(self, deliver: Callable[[], bool]) -> bool:
        self._owed.append(deliver)
        return self._pay()

    def _pay(self) -> bool:
        """Deliver what has been owed for longest; what is not taken stays owed."""
        taken = self._owed[0]()
        if taken:
            self._owed.pop(0)
        return taken

    def _upload(self) -> bool:
        name = self._random.choice(self._teams).name
        return self._new("on_dataset_uploaded", CREATED, f"{DATASETS}/{name}/chats.jsonl", {})

    def _completion(self) -> bool:
        """A job of ours, whatever it is doing."""
        releases = self._random.choice(self._teams).releases()
        trained = [release.job_name for release in releases if release.training]
        return self._completed(self._random.choice(trained)) if trained else False

    def _strange(self) -> bool:
        """A job of somebody else."""
        return self._completed(f"theirs_{self._random.randrange(10**6)}")

    def _completed(self, job: str) -> bool:
        data = {"runId": job, "runType": "azureml.PipelineRun"}
        return self._new("on_job_event", COMPLETED, f"experiments/x/runs/{job}", data)

    def _new(self, function: str, kind: str, subject: str, data: dict[str, Any]) -> bool:
        made = event(kind, subject, {"api": "PutBlob", **data})
        self._before.append((function, made))
        return self._owe(lambda: self._deliver(function, made))

    def _deliver(self, function: str, sent: dict[str, Any]) -> bool:
        answer = post(self._cloud.connection, function, sent)
        return self._note(answer, sent["id"], f"{sent['eventType']} {sent['subject']}")

    def _push(self) -> bool:
        """A push of which no webhook told yet, or did."""
        github = self._cloud.connection["github"]
        body = {"ref": "refs/heads/main", "after": "0" * 40}
        text = json.dumps({**body, "repository": {"full_name": github["repository"]}}).encode()
        secret = github["webhook_secret"].encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": str(uuid.uuid4()),
            "x-hub-signature-256": f"sha256={hmac.new(secret, text, hashlib.sha256).hexdigest()}",
        }
        return self._owe(lambda: self._post(text, headers))

    def _post(self, text: bytes, headers: dict[str, str]) -> bool:
        url = f"{self._cloud.connection['functions']['base_url']}/api/github"
        answer = httpx2.post(url, content=text, headers=headers, timeout=30)
        return self._note(answer, headers["x-github-delivery"], "push")

    def _note(self, answer: httpx2.Response, identifier: str, about: str) -> bool:
        if answer.is_success:
            self.sent.append(Sent(identifier, about))
        return bool(answer.is_success)
