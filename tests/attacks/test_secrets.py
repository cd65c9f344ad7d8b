"""Secrets in files of git: they are found and refused, and no error repeats them."""

import base64

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config_text import config_of, text
from tests.documents import ROOT
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.disclosed import SAID, disclosed
from tuneops.policy_file import parse_policy

FILE = "finetune/bot.yaml"
RANDOM = "q7Rz" * 10
STORAGE = base64.b64encode(bytes(range(64))).decode()
SECRETS = {
    "hugging-face": f"hf_{RANDOM}",
    "openai": f"sk-proj-{RANDOM}",
    "github": f"ghp_{RANDOM}",
    "github-fine": f"github_pat_{RANDOM}",
    "slack": f"xoxb-{RANDOM}",
    "slack-webhook": f"https://hooks.slack.com/services/T0/B0/{RANDOM}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "google": f"AIza{RANDOM[:35]}",
    "jwt": f"eyJhbGciOi.eyJzdWIi{RANDOM}.{RANDOM}",
    "storage-key": STORAGE,
    "connection-string": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={STORAGE}",
    "sas": f"https://a.blob.core.windows.net/c?sv=2024&sig={RANDOM}",
    "bearer": f"Bearer {RANDOM}",
    "in-an-address": f"https://ada:{RANDOM}@example.com/",
    "pem": "-----BEGIN PRIVATE KEY----- MIIE",
}
PLACES = {
    "environment_variables": (
        "deployment:\n  environment_variables:\n    LEVEL: info\n    SETTING: '{}'\n",
        "deployment.environment_variables.SETTING",
        7,
    ),
    "tags": ("endpoint:\n  tags:\n    team: '{}'\n", "endpoint.tags.team", 6),
    "expectations": (
        "smoke_test:\n  expect:\n    contains:\n      - hello\n      - '{}'\n",
        "smoke_test.expect.contains.1",
        8,
    ),
    "an-unknown-key": ("headers:\n  Authorization: '{}'\n", "headers.Authorization", 5),
    "a-wrong-value": ("suspend: '{}'\n", "suspend", 4),
    "the-name-of-a-tag": ("endpoint:\n  tags:\n    '{}': yes\n", "endpoint.tags", 5),
}


def refused(extra: str) -> InvalidConfigError:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text("bot", extra), FILE)
    return caught.value


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_in_a_config_is_refused_wherever_it_stands(place: str) -> None:
    extra, field, line = PLACES[place]
    for secret in SECRETS.values():
        said = refused(extra.format(secret))
        (problem,) = said.errors
        assert (problem.field, problem.line, problem.message) == (field, line, SAID), secret
        assert str(said).startswith(f"{FILE}:{line}: {field}: looks like a secret")
        assert secret not in str(said)
        assert RANDOM[:16] not in str(said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "4f2a91c04f2a91c04f2a91c04f2a91c0"),
        ("HF_TOKEN", "Zx9Kq2Lm8Np4Rt6V"),
        ("CLIENT_SECRET", "0b7e8c1a-5f6d-4a3b-9c2e-1d0f7a8b6c5d"),
        ("DB_PASSWORD", "hunter2"),
        ("db-pwd", "correct-horse"),
        ("STORAGE_CONNECTION_STRING", "Server=tcp:a,1433;User=ada1"),
        ("SHARED_SAS", "sv2024abcdefghijkl"),
    ],
)
def test_what_is_called_a_secret_is_one(name: str, value: str) -> None:
    assert list(disclosed({"environment_variables": {name: value}})) == [
        ("environment_variables", name)
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "1024"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("STOP_TOKEN", "<|end|>"),
        ("EOS_TOKEN", "<|endoftext|>"),
        ("KEY_VAULT_URL", "https://kv1.vault.azure.net/"),
        ("API_KEY_SECRET", "https://kv1.vault.azure.net/secrets/api-key-2"),
        ("API_KEY_SECRET", "name-of-the-secret-2024"),
        ("TLS_KEY", "/var/run/secrets/tls1/key.pem"),
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("SORT_KEY", "created_at"),
        ("COMMIT", "4f2a91c0" * 5),
        ("AZURE_CLIENT_ID", "0b7e8c1a-5f6d-4a3b-9c2e-1d0f7a8b6c5d"),
        ("AUTH", "key"),
        ("HINT", "ask for a password: we never do"),
    ],
)
def test_what_only_names_a_secret_is_none(name: str, value: str) -> None:
    assert list(disclosed({name: value})) == []


def test_errors_of_yaml_repeat_no_secret() -> None:
    for secret in (SECRETS["github"], SECRETS["hugging-face"], SECRETS["openai"]):
        for extra in (f"'{secret}': 1\n'{secret}': 2\n", f"x: !{secret} 1\n", f"x: *{secret}\n"):
            assert secret not in str(refused(extra))


def test_a_secret_in_a_policy_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match=r"tuneops-policy\.yaml:1: .*looks like a secret"):
        parse_policy(f"allowed_models: ['{SECRETS['github']}']\n", "tuneops-policy.yaml")


def test_what_is_stored_already_is_still_read() -> None:
    """What a document keeps of an earlier version is not a file that people write."""
    config = config_of("bot")
    stored = config.model_dump()
    stored["deployment"]["environment_variables"] = {"A": SECRETS["github"]}
    assert type(config).model_validate(stored).deployment.environment_variables


def test_no_example_is_taken_for_one() -> None:
    files = [*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("finetune/*.yaml")]
    assert files
    for file in files:
        assert [*disclosed(yaml.safe_load(file.read_text()))] == [], file


@settings(max_examples=25)
@given(st.lists(st.text(max_size=40) | st.integers() | st.none(), max_size=9))
def test_whatever_a_file_holds_is_looked_through(value: object) -> None:
    assert list(disclosed({"a": value, "b": SECRETS["github"]}))[-1] == ("b",)
