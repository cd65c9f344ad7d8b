"""An inbox for messages to people: keeps whatever JSON is posted to it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.bodies import BodyError, read_json

PATH = "/inbox"
MOST_BODY_BYTES = 1024 * 1024


def inbox_route(path: Path) -> Route:
    """``POST`` keeps a message, ``GET`` lists them in order, ``DELETE`` clears."""
    inbox = Inbox(path)

    async def respond(request: Request) -> Response:
        match request.method:
            case "POST":
                try:
                    inbox.keep(await read_json(request, MOST_BODY_BYTES))
                except BodyError as error:
                    return JSONResponse({"error": str(error)}, error.status)
                return Response(status_code=201)
            case "DELETE":
                inbox.clear()
                return Response(status_code=204)
            case _:
                return JSONResponse(inbox.messages())

    return Route(PATH, respond, methods=["GET", "POST", "DELETE"])


class Inbox:
    """Messages in a file, one JSON document a line: ``received`` (UTC) and ``body``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, body: Any) -> None:
        """Add a message."""
        message = {"received": datetime.now(UTC).isoformat(), "body": body}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")

    def messages(self) -> list[dict[str, Any]]:
        """All messages, the oldest first."""
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def clear(self) -> None:
        """Forget all messages."""
        self._path.unlink(missing_ok=True)
