"""What the function app answers to GET requests, on a port of this process. For tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import azure.functions as func

import function_app
from localcloud.functions.routes import Route, compile_route
from tuneops.services import Services


@contextmanager
def served(services: Services, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """The app with these services; gives its address, and what it has answered to so far."""
    answered: list[str] = []

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            found = _match(address.path.removeprefix("/"))
            if found is None:
                self.send_error(404)
                return
            function, params = found
            query = dict(parse_qsl(address.query, keep_blank_values=True))
            answer = function(
                func.HttpRequest(
                    method="GET",
                    url=self.path,
                    headers=dict(self.headers),
                    params=query,
                    route_params=params,
                    body=b"",
                )
            )
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.get_body())
            answered.append(self.path)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    before, function_app.get_services = function_app.get_services, lambda: services
    server = ThreadingHTTPServer(("127.0.0.1", port), App)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answered
    finally:
        server.shutdown()
        server.server_close()
        function_app.get_services = before


@cache
def functions() -> tuple[Any, ...]:
    """All functions of the app, which gives them once in a process."""
    return tuple(function_app.app.get_functions())


@cache
def _routes() -> list[tuple[Route, Any]]:
    """The routes that answer to GET, with their functions."""
    return [
        (compile_route(trigger.route), function.get_user_function())
        for function in functions()
        if (trigger := function.get_trigger()).type == "httpTrigger"
        and func.HttpMethod.GET in trigger.methods
    ]


def _match(path: str) -> tuple[Any, dict[str, str]] | None:
    found = [(route, function) for route, function in _routes() if route.match(path) is not None]
    if not found:
        return None
    route, function = min(found, key=lambda each: each[0].rank)
    return function, {name: unquote(value) for name, value in (route.match(path) or {}).items()}
