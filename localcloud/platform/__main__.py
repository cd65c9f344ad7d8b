"""``python -m localcloud.platform --state DIR``: serve the platform until SIGTERM."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from localcloud.connection import Connection
from localcloud.eventgrid.app import create_app as create_eventgrid
from localcloud.github.app import create_app as create_github
from localcloud.github.git import GitError
from localcloud.identity import identity_route
from localcloud.inbox import inbox_route
from localcloud.manifest import Manifest, ManifestError
from localcloud.part import begin_part
from localcloud.process import LOOPBACK

SHUTDOWN_SECONDS = 2


def create_app(connection: Connection, manifest: Manifest) -> Starlette:
    """Everything that ``connection.platform_url`` offers."""
    mounted = {
        "/eventgrid": create_eventgrid(connection, manifest),
        "/github": create_github(connection, manifest),
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Starlette runs no lifespan of a mounted application.
        async with AsyncExitStack() as stack:
            for app in mounted.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    return Starlette(
        routes=[
            Route("/health", _health),
            identity_route(connection),
            inbox_route(connection.state_dir / "inbox.jsonl"),
            *(Mount(path, app) for path, app in mounted.items()),
        ],
        lifespan=lifespan,
    )


async def _health(_: Request) -> Response:
    return PlainTextResponse("healthy")


def main() -> None:
    """Serve until SIGTERM."""
    connection = begin_part("Event Grid, GitHub, managed identity and inbox.")
    try:
        app = create_app(connection, Manifest.load(connection.manifest_file))
    except (GitError, ManifestError) as error:
        sys.exit(f"error: {error}")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    # TuneOps sends nothing to where the identity is, so the inbox has an address of its own.
    ports = connection.ports.platform, connection.ports.inbox
    uvicorn.Server(config).run([socket.create_server((LOOPBACK, port)) for port in ports])


if __name__ == "__main__":
    main()
