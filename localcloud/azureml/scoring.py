"""The scoring routes of online endpoints: authentication, routing by traffic, and limits."""

import asyncio
import hmac
import random
import time
import uuid

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json
from localcloud.azureml.auth import Authenticator, bearer
from localcloud.azureml.bodies import duration
from localcloud.azureml.deployment_resource import DEFAULT_TIMEOUT
from localcloud.azureml.deployments import DEPLOYMENTS
from localcloud.azureml.endpoints import ENDPOINTS, KEYS
from localcloud.azureml.faults import HANG_SECONDS, Faults
from localcloud.azureml.fleet import Fleet, Server
from localcloud.azureml.permissions import Permissions
from localcloud.azureml.scored import Scored
from localcloud.azureml.store import Store
from localcloud.azureml.traffic import choose

SCORE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
HEADER = "azureml-model-deployment"
MODEL_STATUS = "ms-azureml-model-error-statuscode"
MAX_BODY_BYTES = 10 * 1024 * 1024
BODY_SECONDS = 30.0


class Scoring:
    """Passes requests on to the deployments' scoring processes.

    Statuses as documented for managed online endpoints: 401, 404 without a deployment that
    takes traffic, 408 after the request timeout, 413, 424 when the model answers no 200, 429
    with more than twice as many requests in flight as the deployment takes at once.
    """

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        auth: Authenticator,
        permissions: Permissions,
        faults: Faults,
        scored: Scored,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._auth = auth
        self._permissions = permissions
        self._faults = faults
        self._scored = scored
        self._dice = random.Random()
        self._client = httpx2.AsyncClient(timeout=None, trust_env=False)
        self._mirrored: set[asyncio.Task[Response]] = set()

    def routes(self) -> list[Route]:
        """The route that `scoringUri` names."""
        return [Route("/endpoints/{endpoint}/score", self.score, methods=["POST"])]

    async def close(self) -> None:
        """Close the connections to the scoring processes."""
        for task in self._mirrored:
            task.cancel()
        await self._client.aclose()

    async def score(self, request: Request) -> Response:
        """One scoring request."""
        endpoint = self._store.get(ENDPOINTS, request.path_params["endpoint"])
        if endpoint is None:
            raise ArmError(404, "NotFound", "There is no such endpoint.")
        self._authenticate(request, endpoint)
        body = await _read(request)
        named = request.headers.get(HEADER)
        name = named or choose(endpoint["properties"]["traffic"], self._dice)
        if name is None:
            message = "No deployment of the endpoint has a positive traffic weight."
            raise ArmError(404, "NotFound", message)
        if not named:
            self._mirror(endpoint, body)
        return await self._pass_on(endpoint, name, body)

    def _authenticate(self, request: Request, endpoint: Json) -> None:
        token = bearer(request)
        mode = endpoint["properties"]["authMode"]
        if mode == "AADToken":
            caller = self._auth.caller(request)
            self._permissions.check_action(SCORE, endpoint["id"], caller)
        elif mode == "AMLToken":
            self._auth.claims(token, [endpoint["id"]])
        else:
            keys = (self._store.get(KEYS, endpoint["name"]) or {}).values()
            matches = [hmac.compare_digest(token.encode(), key.encode()) for key in keys]
            if not any(matches):
                raise ArmError(401, "key_auth_access_denied", "The endpoint's key is wrong.")

    def _mirror(self, endpoint: Json, body: bytes) -> None:
        for name, percent in endpoint["properties"]["mirrorTraffic"].items():
            if self._dice.random() * 100 < percent:
                task = asyncio.create_task(self._pass_on(endpoint, name, body))
                self._mirrored.add(task)
                task.add_done_callback(self._forget_mirrored)

    def _forget_mirrored(self, task: asyncio.Task[Response]) -> None:
        self._mirrored.discard(task)
        if not task.cancelled():
            task.exception()

    async def _pass_on(self, endpoint: Json, name: str, body: bytes) -> Response:
        key = f"{endpoint['name']}/{name}"
        record, server = self._store.get(DEPLOYMENTS, key), self._fleet.find(key)
        if record is None or server is None:
            raise ArmError(404, "NotFound", f"There is no deployment '{name}' to score with.")
        begun = time.monotonic()
        try:
            answer = await self._serve(server, key, record["serving"], body)
        except ArmError as error:
            self._scored.add(endpoint["name"], name, time.monotonic() - begun, error.status)
            raise
        spent, model_status = time.monotonic() - begun, answer.headers.get(MODEL_STATUS, "200")
        self._scored.add(endpoint["name"], name, spent, answer.status_code, model_status)
        return answer

    async def _serve(self, server: Server, key: str, serving: Json, body: bytes) -> Response:
        name = key.partition("/")[2]
        settings = serving["requestSettings"]
        slots = settings["maxConcurrentRequestsPerInstance"] * serving["capacity"]
        if server.in_flight >= 2 * slots:
            raise ArmError(429, "TooManyRequests", f"Deployment '{name}' is busy.")
        fault = self._faults.strike("scoring", key)
        if fault and fault.outcome == "fail":
            raise fault.error()
        if fault and fault.outcome == "wrong":
            return Response(fault.body, headers={HEADER: name}, media_type="application/json")
        pause = 0.0 if fault is None else HANG_SECONDS if fault.outcome == "hang" else fault.seconds
        server.in_flight += 1
        try:
            timeout = duration(settings, "requestTimeout", DEFAULT_TIMEOUT)
            answer = await asyncio.wait_for(self._ask(server, body, pause), timeout.total_seconds())
        except TimeoutError as error:
            message = f"Deployment '{name}' did not answer in time."
            raise ArmError(408, "RequestTimeout", message) from error
        except httpx2.HTTPError as error:
            message = f"Deployment '{name}' closed the connection."
            raise ArmError(424, "ModelError", message) from error
        finally:
            server.in_flight -= 1
        return _answer(name, answer)

    async def _ask(self, server: Server, body: bytes, pause: float) -> httpx2.Response:
        await asyncio.sleep(pause)
        return await server.ask(self._client, body)


def _answer(name: str, answer: httpx2.Response) -> Response:
    headers = {HEADER: name, "x-ms-request-id": str(uuid.uuid4())}
    if answer.status_code == 200:
        kind = answer.headers.get("content-type", "application/json")
        return Response(answer.content, headers=headers, media_type=kind)
    headers[MODEL_STATUS] = str(answer.status_code)
    headers["ms-azureml-model-error-reason"] = "model_error"
    body = {"error": {"code": "ModelError", "message": answer.text[:2000]}}
    return JSONResponse(body, status_code=424, headers=headers)


async def _read(request: Request) -> bytes:
    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                message = f"The body exceeds {MAX_BODY_BYTES} bytes."
                raise ArmError(413, "PayloadTooLarge", message)
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), BODY_SECONDS)
    except TimeoutError as error:
        raise ArmError(408, "RequestTimeout", "The body did not come in time.") from error
