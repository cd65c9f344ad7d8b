"""What is said of commits: statuses and comments."""

import gidgethub
import pytest
from github_server import NO_COMMIT, REPOSITORY, Clone, GitHub


class TestTalking:
    def test_statuses(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        assert github.get("/commits/main/status")["state"] == "pending"
        github.send("post", f"/statuses/{sha}", state="pending", context="a", description="d" * 140)
        github.send("post", f"/statuses/{sha}", state="success", context="a", target_url="http://x")
        assert github.get(f"/commits/{sha}/status")["state"] == "success"
        github.send("post", f"/statuses/{sha}", state="error", context="b")
        combined = github.get("/commits/main/status")
        assert (combined["state"], combined["total_count"]) == ("failure", 2)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"state": "done"},
            {"state": "success", "description": "d" * 141},
            {"state": "success", "target_url": "ftp://x"},
        ],
    )
    def test_wrong_status(self, github: GitHub, clone: Clone, body: dict[str, str]) -> None:
        sha = clone.run("rev-parse", "HEAD")
        with pytest.raises(gidgethub.InvalidField, match="Validation Failed"):
            github.send("post", f"/statuses/{sha}", **body)
        answer = github.raw("POST", f"{REPOSITORY}/statuses/{NO_COMMIT}", json={"state": "error"})
        assert answer.status_code == 422

    def test_commit_comments(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        made = github.send("post", f"/commits/{sha}/comments", body="hello")
        assert made["commit_id"] == sha
        assert [comment["body"] for comment in github.get("/commits/main/comments")] == ["hello"]
