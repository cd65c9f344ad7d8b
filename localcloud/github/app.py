"""The GitHub API of the local cloud as a web application."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.connection import Connection
from localcloud.github import (
    activity_api,
    deployments_api,
    environments_api,
    hooks_api,
    people_api,
    pulls_api,
    reactions_api,
    reading_api,
    talking_api,
    writing_api,
)
from localcloud.github.access import Access
from localcloud.github.app_hook_api import AppHookApi
from localcloud.github.apps_api import AppsApi
from localcloud.github.deliveries import Deliveries, Hook
from localcloud.github.hub import Hub
from localcloud.github.notify import REFRESH_PATH
from localcloud.github.people import People
from localcloud.github.repository import ensure_repository
from localcloud.github.rest import Answer, Call, Door, Handler, RateLimit, not_found
from localcloud.github.shapes import Shapes
from localcloud.github.store import Store
from localcloud.github.tokens import InstallationTokens
from localcloud.manifest import Manifest

Routes = list[tuple[str, str, Handler]]

TOKENS_PATH = "/_installation_tokens"
COUNTS_PATH = "/_requests"
USED_PATH = "/_permissions"
TEAMS_PATH = "/orgs/{org}/teams"
MEMBERSHIP_PATH = f"{TEAMS_PATH}/{{team}}/memberships/{{username}}"

# Within /repos/{owner}/{repo}. The first route that matches is taken.
ROUTES: Routes = [
    ("GET", "", reading_api.get_repository),
    ("GET", "/activity", activity_api.list_activity),
    ("GET", "/branches", reading_api.list_branches),
    ("GET", "/branches/{branch:path}", reading_api.get_branch),
    ("GET", "/commits", reading_api.list_commits),
    ("GET", "/commits/{ref:path}/statuses", talking_api.list_statuses),
    ("GET", "/commits/{ref:path}/status", talking_api.get_combined_status),
    ("GET", "/commits/{ref:path}/comments", talking_api.list_commit_comments),
    ("POST", "/commits/{ref:path}/comments", talking_api.create_commit_comment),
    ("GET", "/commits/{ref:path}/pulls", pulls_api.list_pulls_of_commit),
    ("GET", "/commits/{ref:path}", reading_api.get_commit),
    ("POST", "/statuses/{sha}", talking_api.create_status),
    ("GET", "/git/ref/{ref:path}", reading_api.get_ref),
    ("POST", "/git/refs", writing_api.create_ref),
    ("PATCH", "/git/refs/{ref:path}", writing_api.update_ref),
    ("GET", "/git/trees/{sha:path}", reading_api.get_tree),
    ("GET", "/git/blobs/{sha}", reading_api.get_blob),
    ("GET", "/contents", reading_api.get_contents),
    ("GET", "/contents/{path:path}", reading_api.get_contents),
    ("PUT", "/contents/{path:path}", writing_api.put_contents),
    ("DELETE", "/contents/{path:path}", writing_api.delete_contents),
    ("GET", "/compare/{range:path}", reading_api.compare),
    ("POST", "/merges", writing_api.merge_branches),
    ("GET", "/pulls", pulls_api.list_pulls),
    ("POST", "/pulls", pulls_api.create_pull),
    ("GET", "/pulls/{number}", pulls_api.get_pull),
    ("PATCH", "/pulls/{number}", pulls_api.update_pull),
    ("GET", "/pulls/{number}/files", pulls_api.list_pull_files),
    ("GET", "/pulls/{number}/merge", pulls_api.check_merged),
    ("PUT", "/pulls/{number}/merge", pulls_api.merge_pull),
    ("GET", "/issues/comments/{id}", talking_api.get_issue_comment),
    ("PATCH", "/issues/comments/{id}", talking_api.update_issue_comment),
    ("DELETE", "/issues/comments/{id}", talking_api.delete_issue_comment),
    ("GET", "/issues/{number}/comments", talking_api.list_issue_comments),
    ("POST", "/issues/{number}/comments", talking_api.create_issue_comment),
    ("GET", "/issues/comments/{id}/reactions", reactions_api.list_reactions),
    ("POST", "/issues/comments/{id}/reactions", reactions_api.create_reaction),
    ("GET", "/collaborators/{username}/permission", people_api.get_permission),
    ("GET", "/environments", environments_api.list_environments),
    ("GET", "/environments/{name:path}", environments_api.get_environment),
    ("PUT", "/environments/{name:path}", environments_api.put_environment),
    ("DELETE", "/environments/{name:path}", environments_api.delete_environment),
    ("GET", "/deployments", deployments_api.list_deployments),
    ("POST", "/deployments", deployments_api.create_deployment),
    ("GET", "/deployments/{id}/statuses", deployments_api.list_deployment_statuses),
    ("POST", "/deployments/{id}/statuses", deployments_api.create_deployment_status),
    ("GET", "/hooks", hooks_api.list_hooks),
    ("POST", "/hooks", hooks_api.create_hook),
    ("GET", "/hooks/{id}", hooks_api.get_hook),
    ("PATCH", "/hooks/{id}", hooks_api.update_hook),
    ("POST", "/hooks/{id}/pings", hooks_api.ping_hook),
    ("GET", "/hooks/{id}/deliveries", hooks_api.list_deliveries),
    ("GET", "/hooks/{id}/deliveries/{delivery}", hooks_api.get_delivery),
    ("POST", "/hooks/{id}/deliveries/{delivery}/attempts", hooks_api.redeliver),
]


def create_app(connection: Connection, manifest: Manifest) -> Starlette:
    """The API at ``connection.github.api_url``; repositories that there are not yet are made.

    Its lifespan delivers the webhooks. Starlette runs no lifespan of a mounted application, so
    whoever mounts this one enters ``app.router.lifespan_context(app)`` in its own.

    Raises:
        GitError: git is missing or does not work.
    """
    people = People(name.split("/")[0] for name in connection.github.repositories)
    hubs = {
        name: _hub(connection, manifest, name, path, people)
        for name, path in connection.github.repositories.items()
    }
    limit = RateLimit()
    counts: Counter[str] = Counter()
    doors = {name: Door(hub, limit, counts) for name, hub in hubs.items()}
    door = doors[connection.github.repository]
    tokens = InstallationTokens()
    access = Access(connection.github, tokens, people)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for hub in hubs.values():
            await run_in_threadpool(hub.start)
        try:
            yield
        finally:
            for hub in hubs.values():
                await run_in_threadpool(hub.stop)

    def used(_: Hub, call: Call) -> Answer:
        """GET /_permissions, for tests: what the App's installations have asked for"""
        return Answer(sorted(map(str, access.used)))

    hook = AppHookApi(list(hubs.values()))
    apps = AppsApi(connection.github, tokens, hook.events)
    guarded = [
        *((door, access.owner, *route) for route in _owner_routes(apps, list(hubs.values()))),
        (door, access.owner, "GET", COUNTS_PATH, door.list_counts),
        (door, access.owner, "GET", USED_PATH, used),
        *((door, access.app, *route) for route in _app_routes(apps, hook)),
        (door, access.organization, "GET", MEMBERSHIP_PATH, people_api.get_membership),
        *(
            (own, access.repository, method, f"/repos/{name}{path}", handler)
            for name, own in doors.items()
            for method, path, handler in ROUTES
        ),
    ]
    routes = [
        Route(path, through.endpoint(handler, guard, f"{method} {path}"), methods=[method])
        for through, guard, method, path, handler in guarded
    ]
    unknown = door.endpoint(_unknown, access.anyone, "unknown")

    async def answer_unknown(request: Request, _: Exception) -> Response:
        return await unknown(request)

    # GitHub says 404 to whatever it does not know, a wrong method included.
    handlers = {404: answer_unknown, 405: answer_unknown}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


def _app_routes(apps: AppsApi, hook: AppHookApi) -> Routes:
    return [
        ("GET", "/app", apps.get_app),
        ("GET", "/app/hook/config", hook.get_config),
        ("PATCH", "/app/hook/config", hook.update_config),
        ("GET", "/app/hook/deliveries", hook.list_deliveries),
        ("GET", "/repos/{owner}/{repo}/installation", apps.get_installation),
        ("POST", "/app/installations/{id}/access_tokens", apps.create_token),
    ]


def _owner_routes(apps: AppsApi, hubs: Sequence[Hub]) -> Routes:
    def refresh(_: Hub, call: Call) -> Answer:
        """POST /_refresh: what the post-receive hooks call; not part of GitHub's API"""
        for hub in hubs:
            hub.refresh()
        return Answer(status=204)

    return [
        ("GET", "/user", reading_api.get_user),
        ("POST", REFRESH_PATH, refresh),
        ("POST", "/_user_tokens", people_api.create_token),
        ("POST", TEAMS_PATH, people_api.create_team),
        ("PUT", MEMBERSHIP_PATH, people_api.put_membership),
        ("DELETE", MEMBERSHIP_PATH, people_api.delete_membership),
        ("GET", TOKENS_PATH, apps.list_tokens),
        ("PUT", TOKENS_PATH, apps.set_lifetime),
        ("DELETE", TOKENS_PATH, apps.revoke_tokens),
    ]


def _hub(connection: Connection, manifest: Manifest, name: str, path: Path, people: People) -> Hub:
    github = connection.github
    git = ensure_repository(path, github.branch, connection.state_dir)
    shapes = Shapes(github.api_url, name, github.branch, str(path))
    main = connection.state_dir / "github" / "github.db"
    store = Store(main if name == github.repository else path.with_suffix(".db"))
    hooks = [
        Hook(number, connection.functions.base_url + webhook.path, tuple(webhook.events))
        for number, webhook in enumerate(manifest.github.webhooks, start=1)
    ]
    return Hub(git, shapes, store, Deliveries(store, hooks, github.webhook_secret), people)


def _unknown(hub: Hub, call: Call) -> Answer:
    raise not_found()
