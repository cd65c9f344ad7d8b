"""Config files: what is accepted, and how errors read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuneops.cli import app
from tuneops.config import ProjectConfig
from tuneops.config_file import MAX_BYTES, ConfigProblem, InvalidConfigError, parse_config

LEAST = "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"


def errors(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text, "f.yaml")
    return [str(error) for error in caught.value.errors]


def test_three_sections_are_enough() -> None:
    config = parse_config(LEAST, "f.yaml")
    assert config.model.registry == "azureml"
    assert config.data.path == "bot/"
    assert config.training.component == "chat_completion_pipeline"
    assert config.deployment.instance_count == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "f.yaml:1: must be a mapping", id="empty"),
        pytest.param("- a", "f.yaml:1: must be a mapping", id="list"),
        pytest.param("name: x\n", "f.yaml:1: data: is required", id="missing-section"),
        pytest.param(
            LEAST + "modle: {}\n",
            "f.yaml:4: modle: unknown key; did you mean 'model'?",
            id="nearest-key",
        ),
        pytest.param(
            LEAST + "training:\n  parameters:\n    lora_alfa: 1\n",
            "f.yaml:6: training.parameters.lora_alfa: unknown key; did you mean 'lora_alpha'?",
            id="nearest-nested-key",
        ),
        pytest.param(
            LEAST + "evaluation:\n  thresholds:\n    eval_loss: {maximum: 2}\n",
            "f.yaml:6: evaluation.thresholds.eval_loss.maximum: unknown key; did you mean 'max'?",
            id="key-in-a-map",
        ),
        pytest.param(
            LEAST + "deployment:\n  instance_count: many\n",
            "f.yaml:5: deployment.instance_count: Input should be a valid integer",
            id="wrong-type",
        ),
        pytest.param(
            LEAST + "training:\n  timeout_hours: 505\n",
            "f.yaml:5: training.timeout_hours: Input should be less than or equal to 504",
            id="longer-than-azure-lets-a-job-run",
        ),
        pytest.param(
            LEAST + "training: {timeout_hours: 0}\n",
            "f.yaml:4: training.timeout_hours: Input should be greater than 0",
            id="no-time-at-all",
        ),
        pytest.param(
            LEAST + "evaluation:\n  thresholds: {eval_loss: {}}\n",
            "f.yaml:5: evaluation.thresholds.eval_loss: give max, min or both",
            id="no-bound",
        ),
        pytest.param(
            LEAST + "deployment: {instance_count: true}\n",
            "f.yaml:4: deployment.instance_count: is true or false, where a number is wanted",
            id="flag-for-a-number",
        ),
        pytest.param(
            LEAST.replace("model: {", "model: {version: '7', follow: latest, "),
            "f.yaml:2: model: version is 7: leave it out to follow the latest one",
            id="follows-a-fixed-version",
        ),
        pytest.param(
            LEAST + "smoke_test:\n  expect: {matches: '(?<=a)b'}\n",
            "f.yaml:5: smoke_test.expect.matches: is no regular expression (RE2): "
            "invalid perl operator: (?<= (given: '(?<=a)b')",
            id="pattern-without-bounds",
        ),
        pytest.param(
            LEAST + "smoke_test: {temperature: 0}\n",
            "f.yaml:4: smoke_test: temperature 0 samples nothing: set do_sample to false as well",
            id="temperature-without-effect",
        ),
        pytest.param(
            LEAST + "endpoint: {tags: {'a/b': c}}\n",
            "f.yaml:4: endpoint.tags.a/b.[key]: String should match pattern",
            id="tag-that-azure-refuses",
        ),
        pytest.param(LEAST + "name: x\n", "f.yaml:4: the key 'name' stands here twice", id="twice"),
        pytest.param("a: &x 1\n", "f.yaml:1: anchors and aliases are not allowed", id="anchor"),
        pytest.param("a: 1\nb: *x\n", "f.yaml:2: anchors and aliases", id="alias"),
        pytest.param("{" * 50, "f.yaml:1: nested deeper than", id="depth"),
        pytest.param("[" * 100_000, "f.yaml:1: nested deeper than", id="great-depth"),
        pytest.param("a: [1", "f.yaml:1: expected ',' or ']'", id="syntax"),
        pytest.param("a: !!python/name:os.system x", "f.yaml:1: could not determine", id="tag"),
        pytest.param("? [a]\n: 1\n", "f.yaml:1: keys must be plain words", id="key-is-a-list"),
        pytest.param(b"name: \xff", "f.yaml:1: is not UTF-8 (byte 6)", id="not-utf-8"),
        pytest.param("#" * (MAX_BYTES + 1), "f.yaml:1: is larger than 256 KiB", id="size"),
    ],
)
def test_errors_name_file_line_and_field(text: str | bytes, expected: str) -> None:
    assert any(error.startswith(expected) for error in errors(text)), errors(text)


def test_a_document_keeps_a_pattern_that_files_may_not_have_any_more() -> None:
    stored = parse_config(LEAST, "f.yaml").model_dump()
    stored["smoke_test"]["expect"]["matches"] = "(?=a)a"
    assert ProjectConfig.model_validate(stored).smoke_test.expect.matches == "(?=a)a"


@pytest.mark.parametrize("name", ["Bot", "b", "1bot", "bot-", "a" * 25, "../bot", "bot/x", ""])
def test_a_name_that_could_name_something_else_is_refused(name: str) -> None:
    assert errors(LEAST.replace("name: bot", f"name: {name!r}"))


@pytest.mark.parametrize("path", ["../other", "/abs", "a//b", "a/../b", "a/./.b", ""])
def test_a_data_path_stays_in_its_container(path: str) -> None:
    assert errors(LEAST.replace("path: bot", f"path: {path!r}"))


@given(st.binary(max_size=400) | st.text(max_size=400))
def test_whatever_is_read_is_a_config_or_an_error(text: str | bytes) -> None:
    try:
        read: object = parse_config(text, "f.yaml")
    except InvalidConfigError as error:
        read = error.errors[0]
    assert isinstance(read, ProjectConfig | ConfigProblem)


def test_validate_prints_errors_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(LEAST)
    assert CliRunner().invoke(app, ["validate", str(tmp_path)]).exit_code == 0
    (tmp_path / "bad.yaml").write_text(LEAST + "x: 1\n")
    done = CliRunner().invoke(app, ["validate", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path / 'bad.yaml'}:4: x: unknown key" in done.output
    assert CliRunner().invoke(app, ["validate", str(tmp_path / "none.yaml")]).exit_code == 1


def test_validate_follows_no_links(tmp_path: Path) -> None:
    """A pull request is checked in a working copy, on a machine with secrets."""
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    folder = tmp_path / "copy" / "finetune"
    (folder / "below").mkdir(parents=True)
    for link in (folder / "below" / "a.yaml", folder / "tuneops-policy.yaml"):
        link.symlink_to(secret)
        done = CliRunner().invoke(app, ["validate", str(folder)])
        assert done.exit_code == 1
        assert f"{link}: is a symbolic link; put the file itself here" in done.output
        assert "hunter2" not in done.output
        assert "password" not in done.output
        link.unlink()
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path, target_is_directory=True)
    done = CliRunner().invoke(app, ["validate", str(linked)])
    assert (done.exit_code, "is a symbolic link" in done.output) == (1, True)


def test_the_example_is_valid() -> None:
    example = Path(__file__).parents[1] / "examples" / "finetune" / "support-bot.yaml"
    assert parse_config(example.read_bytes(), "support-bot.yaml").name == "support-bot"
