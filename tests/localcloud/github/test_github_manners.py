"""What holds of every answer: tokens, ETags, errors, pages."""

import gidgethub
import httpx2
import pytest
from gidgethub.httpx import GitHubAPI
from github_server import NO_COMMIT, REPOSITORY, Clone, GitHub


class TestManners:
    def test_wrong_token(self, github: GitHub) -> None:
        with pytest.raises(gidgethub.BadRequest, match="Bad credentials") as caught:
            github.call(lambda api: api.getitem(REPOSITORY), token="wrong")
        assert caught.value.status_code == 401
        bare = httpx2.get(f"{github.connection.github.api_url}{REPOSITORY}")
        assert (bare.status_code, bare.json()["message"]) == (401, "Requires authentication")

    def test_etag_saves_the_body_and_the_rate(self, github: GitHub) -> None:
        first = github.raw("GET", REPOSITORY)
        tag = {"if-none-match": first.headers["etag"]}
        second = github.raw("GET", REPOSITORY, headers=tag)
        assert (second.status_code, second.content) == (304, b"")
        remaining = [int(r.headers["x-ratelimit-remaining"]) for r in (first, second)]
        assert remaining[0] == remaining[1]
        url = f"{github.connection.github.api_url}/_requests"
        owner = {"authorization": f"Bearer {github.connection.github.token}"}
        counts = httpx2.get(url, headers=owner).json()
        assert counts[f"GET {REPOSITORY} 304"] == 1
        assert counts[f"GET {REPOSITORY} 200"] >= 1

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/nothing"),
            ("GET", "/repos/other/models"),
            ("PATCH", REPOSITORY),
            ("GET", f"{REPOSITORY}/branches/none"),
            ("GET", f"{REPOSITORY}/branches/--help"),
            ("GET", f"{REPOSITORY}/branches/a..b"),
            ("GET", f"{REPOSITORY}/commits/--all"),
            ("GET", f"{REPOSITORY}/git/blobs/--help"),
            ("GET", f"{REPOSITORY}/git/blobs/{NO_COMMIT}"),
            ("GET", f"{REPOSITORY}/git/trees/main:x"),
            ("GET", f"{REPOSITORY}/contents/..%2f..%2fetc"),
            ("GET", f"{REPOSITORY}/contents/none"),
            ("GET", f"{REPOSITORY}/compare/main"),
            ("GET", f"{REPOSITORY}/pulls/1"),
            ("GET", f"{REPOSITORY}/issues/1/comments"),
        ],
    )
    def test_not_found_in_githubs_shape(self, github: GitHub, method: str, path: str) -> None:
        answer = github.raw(method, path)
        assert answer.status_code == 404
        assert answer.json()["status"] == "404"
        assert {"message", "documentation_url"} <= answer.json().keys()

    @pytest.mark.parametrize("body", [b"{", b"[]", b"3", b"[" * 50_000])
    def test_nonsense_is_a_bad_request(self, github: GitHub, body: bytes) -> None:
        answer = github.raw("POST", f"{REPOSITORY}/pulls", content=body)
        assert answer.status_code == 400

    def test_lists_come_in_pages(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        for number in range(5):
            github.send("post", f"/statuses/{sha}", state="success", context=f"c{number}")

        async def contexts(api: GitHubAPI) -> list[str]:
            url = f"{REPOSITORY}/commits/{sha}/statuses?per_page=2"
            return [status["context"] async for status in api.getiter(url)]

        assert github.call(contexts) == ["c4", "c3", "c2", "c1", "c0"]
