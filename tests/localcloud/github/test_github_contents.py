"""Branches, files, commits and merges, read and written."""

import base64
from typing import Any

import gidgethub
import pytest
from github_server import NO_COMMIT, REPOSITORY, Clone, GitHub


class TestReading:
    @pytest.fixture
    def head(self, clone: Clone) -> str:
        """The head of main after a push of two files."""
        head = clone.commit("files", finetune__a_yaml="name: a\n", README="hello\n")
        clone.run("push", "--quiet", "origin", "main")
        return head

    def test_branch_tree_and_blob(self, github: GitHub, head: str) -> None:
        assert github.get("")["default_branch"] == "main"
        assert github.get("/branches/main")["commit"]["sha"] == head
        assert [branch["name"] for branch in github.get("/branches")] == ["main"]
        assert github.get("/git/ref/heads/main")["object"] == {
            "sha": head,
            "type": "commit",
            "url": f"{github.connection.github.api_url}{REPOSITORY}/git/commits/{head}",
        }
        tree = github.get(f"/git/trees/{head}?recursive=1")
        entries = {entry["path"]: entry for entry in tree["tree"]}
        assert {path: entry["type"] for path, entry in entries.items()} == {
            "README": "blob",
            "finetune": "tree",
            "finetune/a_yaml": "blob",
        }
        assert entries["finetune/a_yaml"]["size"] == 8
        blob = github.get(f"/git/blobs/{entries['finetune/a_yaml']['sha']}")
        assert base64.b64decode(blob["content"]) == b"name: a\n"
        assert len(github.get("/git/trees/main")["tree"]) == 2

    def test_contents(self, github: GitHub, head: str) -> None:
        file = github.get(f"/contents/finetune/a_yaml?ref={head}")
        assert base64.b64decode(file["content"]) == b"name: a\n"
        assert (file["type"], file["size"], file["name"]) == ("file", 8, "a_yaml")
        assert [e["path"] for e in github.get("/contents/finetune")] == ["finetune/a_yaml"]
        assert [e["type"] for e in github.get("/contents")] == ["file", "dir"]
        raw = {"accept": "application/vnd.github.raw+json"}
        answer = github.raw("GET", f"{REPOSITORY}/contents/README", headers=raw)
        assert answer.content == b"hello\n"

    def test_commit_and_comparison(self, github: GitHub, clone: Clone, head: str) -> None:
        commit = github.get(f"/commits/{head[:10]}")
        assert (commit["sha"], commit["commit"]["author"]["name"]) == (head, "Ada")
        assert {f["filename"]: f["status"] for f in commit["files"]} == {
            "README": "added",
            "finetune/a_yaml": "added",
        }
        clone.run("mv", "README", "README.txt")
        new = clone.commit("rename")
        clone.run("push", "--quiet", "origin", "HEAD:feature/x")
        comparison = github.get("/compare/main...feature/x")
        assert (comparison["status"], comparison["ahead_by"]) == ("ahead", 1)
        assert comparison["merge_base_commit"]["sha"] == head
        (file,) = comparison["files"]
        assert (file["status"], file["previous_filename"]) == ("renamed", "README")
        assert github.get(f"/compare/{new}...main")["status"] == "behind"
        assert [c["sha"] for c in github.get("/commits?path=finetune")] == [head]


class TestWriting:
    def test_file_is_written_changed_and_deleted(self, github: GitHub, clone: Clone) -> None:
        path = "/contents/finetune/a.yaml"
        content = base64.b64encode(b"one").decode()
        made = github.send("put", path, message="add", content=content)
        with pytest.raises(gidgethub.InvalidField):
            github.send("put", path, message="again", content=content)
        stale = github.raw(
            "PUT",
            REPOSITORY + path,
            json={"message": "stale", "content": content, "sha": NO_COMMIT},
        )
        assert stale.status_code == 409
        changed = github.send(
            "put",
            path,
            message="change",
            content=base64.b64encode(b"two").decode(),
            sha=made["content"]["sha"],
            author={"name": "Bob", "email": "bob@contoso.com"},
        )
        clone.run("pull", "--quiet")
        assert (clone.directory / "finetune/a.yaml").read_text() == "two"
        assert clone.run("log", "-1", "--format=%an %s") == "Bob change"
        github.send("delete", path, message="remove", sha=changed["content"]["sha"])
        pushes = github.pushes(3)
        assert [p["head_commit"]["added"] for p in pushes] == [["finetune/a.yaml"], [], []]
        assert pushes[2]["head_commit"]["removed"] == ["finetune/a.yaml"]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("a", {"message": "m", "content": "?"}),
            ("a", {"content": ""}),
            (".git/config", {"message": "m", "content": ""}),
            ("a//b", {"message": "m", "content": ""}),
            ("a%00b", {"message": "m", "content": ""}),
            ("a", {"message": "m", "content": "", "author": {"name": "<x>", "email": "e"}}),
        ],
    )
    def test_what_is_not_written(self, github: GitHub, path: str, body: dict[str, Any]) -> None:
        answer = github.raw("PUT", f"{REPOSITORY}/contents/{path}", json=body)
        assert answer.status_code == 422

    def test_merge_of_branches(self, github: GitHub, clone: Clone) -> None:
        clone.run("checkout", "--quiet", "-b", "x")
        clone.commit("x", x="1")
        clone.run("push", "--quiet", "origin", "x")
        merged = github.send("post", "/merges", base="main", head="x")
        assert len(merged["parents"]) == 2
        body = {"base": "main", "head": "x"}
        assert github.raw("POST", f"{REPOSITORY}/merges", json=body).status_code == 204
        body = {"base": "main", "head": "y"}
        assert github.raw("POST", f"{REPOSITORY}/merges", json=body).status_code == 404
        push = github.pushes(2)[1]
        assert (push["ref"], push["after"]) == ("refs/heads/main", merged["sha"])
