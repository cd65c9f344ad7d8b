"""Where configs come from, and what a project is called for it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.test_release import NOW, desired
from tuneops import globs, names
from tuneops.config import ENDPOINT_NAME, PROJECT_NAME
from tuneops.project import Project, start_release
from tuneops.queue import ProjectRequest
from tuneops.services import NoSourceError, Services
from tuneops.settings import Settings
from tuneops.sources import ConfigSource, Pattern
from tuneops.unwatched import unwatched

ENVIRONMENTS = st.from_regex(names.ENVIRONMENT, fullmatch=True)
PROJECTS = st.from_regex(PROJECT_NAME, fullmatch=True)
KEYS = st.builds(names.project_key, ENVIRONMENTS, PROJECTS)
DIGESTS = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)
WORKSPACE = "/subscriptions/s/resourceGroups/g"
COMMON = {
    "subscription_id": "s",
    "resource_group": "g",
    "workspace": "w",
    "github_webhook_secret": "x",
    "storage_connection_string": "AccountName=a;AccountKey=YQ==;DefaultEndpointsProtocol=https;"
    "EndpointSuffix=core.windows.net",
}
TOKEN = {"github_token": "token"}
APP = {"github_app_id": "1", "github_app_private_key": "key"}


def source(environment: str, **others: str) -> dict[str, str]:
    return {"environment": environment, "repository": "contoso/models", **others}


def settings(*sources: dict[str, str], **others: object) -> Settings:
    return Settings(**{**COMMON, **TOKEN, "sources": json.dumps(sources), **others})


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("finetune/**", ["finetune/a.yaml", "finetune/a/b/c.yml"], ["a.yaml", "finetune.yaml"]),
        ("finetune/*", ["finetune/a.yaml"], ["finetune/a/b.yaml", "x/finetune/a.yaml"]),
        ("**", ["a.yaml", "a/b/c.yaml"], ["a/readme.md", "a/yaml"]),
        ("**/models/*.yaml", ["models/a.yaml", "x/y/models/a.yaml"], ["models/x/a.yaml"]),
        ("teams/*/finetune/**", ["teams/x/finetune/y/a.yaml"], ["teams/x/y/finetune/a.yaml"]),
        ("a/**/b/**/c-?.yaml", ["a/b/c-1.yaml", "a/x/b/y/z/c-2.yaml"], ["a/b/c-10.yaml"]),
        ("Finetune/[ab].yaml", ["Finetune/a.yaml"], ["finetune/a.yaml", "Finetune/c.yaml"]),
    ],
)
def test_a_pattern_means_files(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    made = ConfigSource(repository="contoso/models", configs=pattern)
    assert [path for path in meant + not_meant if made.covers(path)] == meant


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "at least 1 character"),
        ("/finetune/**", "path from the top of the repository"),
        ("finetune/", "path from the top of the repository"),
        ("a//b", "path from the top of the repository"),
        ("../**", "path from the top of the repository"),
        ("finetune/**.yaml", r"\*\* must stand alone"),
        ("a" * 201, "at most 200 characters"),
    ],
)
def test_a_pattern_that_can_mean_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Pattern).validate_python(pattern)


@given(st.lists(st.sampled_from(["a", "b", "**", "*", "a*"]), min_size=1, max_size=30))
def test_a_pattern_of_any_length_is_matched_at_once(parts: list[str]) -> None:
    path = "/".join(["a"] * 400 + ["c.yaml"])
    assert globs.matches(path, "/".join(parts)) in (True, False)
    assert globs.matches("/".join(["a"] * 30), "/".join([*parts, "**"])) or "b" in parts


@given(KEYS, DIGESTS, st.integers(min_value=1, max_value=999))
def test_a_job_names_its_project(key: str, digest: str, attempt: int) -> None:
    name = names.job_name(key, digest, attempt)
    assert names.project_of_job(name) == key
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}", name)
    assert ProjectRequest(project=key).project == key


@given(ENVIRONMENTS, PROJECTS, ENVIRONMENTS, PROJECTS)
def test_no_two_projects_share_a_name(one: str, name: str, other: str, named: str) -> None:
    first, second = names.project_key(one, name), names.project_key(other, named)
    assert (first == second) == ((one, name) == (other, named))
    assert names.environment_of(first) == one
    for made in (names.asset_name, lambda key: names.endpoint_name(key, WORKSPACE)):
        assert (made(first) == made(second)) == (first == second)
    assert re.fullmatch(ENDPOINT_NAME, names.endpoint_name(first, WORKSPACE))


def test_dashes_make_no_two_projects_one() -> None:
    keys = ["a.b-c", "a-b.c1", "a-b-c", "staging.support-bot", "staging-support.bot"]
    long = f"{'e' * 15}.{'n' * 23}"
    keys += [f"{long}1", f"{long}2"]
    for made in (names.asset_name, lambda key: names.endpoint_name(key, WORKSPACE)):
        assert len({made(key) for key in keys}) == len(keys)
    assert names.endpoint_name("staging.support-bot", WORKSPACE).startswith("staging-support-bot-")


def test_a_release_of_a_named_environment_has_its_own_names() -> None:
    wanted = desired().replace(project="staging.bot")
    made = start_release(wanted, Project(name="staging.bot"), WORKSPACE, NOW)
    assert made.model_name == "staging_bot"
    assert made.endpoint.startswith("staging-bot-")
    assert made.tags["tuneops.project"] == "staging.bot"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sources": "{"}, r"TUNEOPS_SOURCES must be a JSON list"),
        ({"sources": "{}"}, r"sources\n.*valid tuple"),
        ({"sources": "[]"}, "no repository is set: set TUNEOPS_GITHUB_REPOSITORY, or"),
        ({"sources": [source("Staging")]}, r"sources\.0\.environment"),
        ({"sources": [source("a" * 16)]}, r"sources\.0\.environment"),
        ({"sources": [source("a", repository="models")]}, r"sources\.0\.repository"),
        ({"sources": [source("a", repository="a/../b")]}, r"sources\.0\.repository"),
        ({"sources": [source("a", branch="a b")]}, r"sources\.0\.branch"),
        ({"sources": [source("a", folder="x")]}, r"sources\.0\.folder\n.*not permitted"),
        ({"sources": [source("a", workspace="a/b")]}, r"sources\.0\.workspace"),
        ({"sources": [{"environment": "a"}]}, r"sources\.0\.repository\n.*required"),
        ({"sources": [source(f"e{n}", branch=f"b{n}") for n in range(21)]}, "at most 20 items"),
        (
            {"sources": [source("a"), source("a", branch="b")]},
            "environment 'a' stands there 2 times",
        ),
        (
            {"sources": [source("a"), source("b", repository="Contoso/Models")]},
            "environments 'a' and 'b' read the same files for the same workspace",
        ),
        (
            {"sources": [source("a")], "github_repository": "contoso/models"},
            "TUNEOPS_GITHUB_REPOSITORY stand beside TUNEOPS_SOURCES",
        ),
        ({"github_repository": "models"}, "github_repository"),
        ({"github_repository": "contoso/models", "config_files": "/x"}, "config_files"),
        (
            {
                "sources": [source("a"), source("b", repository="fabrikam/models")],
                "github_installation_id": 7,
                "github_token": None,
                **APP,
            },
            "TUNEOPS_GITHUB_INSTALLATION_ID is one owner's",
        ),
    ],
)
def test_sources_that_are_wrong_are_refused(given: dict[str, object], said: str) -> None:
    shown = {**given, "sources": given.get("sources", ())}
    if isinstance(shown["sources"], list):
        shown["sources"] = json.dumps(shown["sources"])
    with pytest.raises(ValidationError, match=said):
        Settings(**{**COMMON, **TOKEN, **shown})


def test_one_repository_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Settings(**COMMON, **TOKEN, github_repository="contoso/models")
    (only,) = made.config_sources
    assert (only.environment, only.branch, only.configs) == ("", "main", "finetune/**")
    for name in ("SOURCES", "GITHUB_REPOSITORY", "CONFIG_FILES"):
        monkeypatch.setenv(f"TUNEOPS_{name}", "")
    assert Settings(**COMMON, **TOKEN, github_repository="contoso/models") == made


def test_each_environment_has_its_workspace() -> None:
    services = Services(
        settings(
            source("", branch="release"),
            source("staging", branch="staging", workspace="w-staging"),
            source("far", repository="fabrikam/models", subscription_id="s2", resource_group="g2"),
        )
    )
    ids = {each: services.of(each).workspace.id for each in ("", "staging", "far")}
    assert [tuple(id.split("/")[2::2]) for id in ids.values()] == [
        ("s", "g", "Microsoft.MachineLearningServices", "w"),
        ("s", "g", "Microsoft.MachineLearningServices", "w-staging"),
        ("s2", "g2", "Microsoft.MachineLearningServices", "w"),
    ]
    assert services.of("staging") is services.of("staging")
    for each in ids:
        assert services.of(each).github is services.of(each).github
    assert services.of("staging").storage.environment == "staging"
    with pytest.raises(NoSourceError, match="'production' has no source in TUNEOPS_SOURCES"):
        services.of("production")


def test_without_an_environment_of_no_name_nothing_is_nobodys() -> None:
    services = Services(settings(source("staging")))
    with pytest.raises(NoSourceError, match="several environments: name one"):
        assert services.workspace
    assert "environment production is not in" in unwatched(
        "production.bot", None, services.settings
    )
    assert "without a name is not in" in unwatched("bot", None, services.settings)
    assert unwatched("staging.bot", None, services.settings) == ""
