"""The example's data, and that fine-tuning on it teaches the model to answer."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from training_recorder import Recorder

from localcloud.training.base_model import ensure_base_model
from localcloud.training.pipeline import run_chat_completion
from localcloud.training.rows import Messages, read_rows
from tuneops.data.rows import read_row
from tuneops.data.split import PARTS, TEST, TRAIN, by_percent

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted((EXAMPLES / "data").glob("support-bot*.jsonl"))
TEST_PERCENT = 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
class TestData:
    def test_the_rows_are_those_of_ultrachat(self, path: Path) -> None:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(rows) >= 200
        assert len({row["prompt_id"] for row in rows}) == len(rows)
        for row in rows:
            assert row["prompt"] == row["messages"][0]["content"]
        assert any(len(row["messages"]) > 2 for row in rows)

    def test_a_question_has_one_answer(self, path: Path) -> None:
        answers = defaultdict(set)
        for messages in read_rows(path):
            answers[messages[-2]["content"]].add(messages[-1]["content"])
        assert all(len(found) == 1 for found in answers.values())

    def test_what_is_held_out_is_learned_from_other_wordings(self, path: Path) -> None:
        train, test = split_rows(path)
        learned = defaultdict(set)
        for messages in train:
            learned[messages[-1]["content"]].add(messages[-2]["content"])
        assert len(test) >= 10
        for messages in test:
            others = learned[messages[-1]["content"]] - {messages[-2]["content"]}
            assert len(others) >= 3, messages[-2]["content"]


def test_the_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    generator = tmp_path / "make_data.py"
    generator.write_bytes((EXAMPLES / "make_data.py").read_bytes())
    subprocess.run([sys.executable, generator], check=True)
    written = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    assert written == {path.name: path.read_bytes() for path in FILES}


@pytest.mark.slow
@pytest.mark.soak
def test_fine_tuning_teaches_the_example(tmp_path: Path) -> None:
    """At least 8 of 10 held-out questions are answered right, and hardly any before."""
    train, test = split_rows(FILES[0])
    base = ensure_base_model(tmp_path / "cache")
    config = yaml.safe_load((EXAMPLES / "finetune" / "support-bot.yaml").read_text())
    inputs = {
        **config["training"]["parameters"],
        "mlflow_model_path": base,
        "train_file_path": write(tmp_path / "train.jsonl", train),
        "test_file_path": write(tmp_path / "test.jsonl", test),
    }
    recorder = Recorder()
    run_chat_completion(inputs, tmp_path / "out", recorder)
    tuned = right_answers(tmp_path / "out" / "mlflow_model_folder", test[:10])
    assert tuned >= 8
    assert right_answers(base, test[:10]) <= 2
    assert recorder.values("exact_match")[0][1] >= 0.8
    assert recorder.values("loss")[-1][1] < recorder.values("loss")[0][1] / 5


def split_rows(path: Path) -> tuple[list[Messages], list[Messages]]:
    """Training and test rows, as TuneOps splits them."""
    split = by_percent(TEST_PERCENT)
    sides: dict[str, list[Messages]] = {part: [] for part in PARTS}
    lines = path.read_bytes().splitlines()
    for messages, line in zip(read_rows(path), lines, strict=True):
        part = split.side(read_row(line).identity >> 64)
        sides[PARTS[part]].append(messages)
    return sides[TRAIN], sides[TEST]


def write(path: Path, rows: list[Messages]) -> Path:
    path.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in rows))
    return path


def right_answers(model_folder: Path, rows: list[Messages]) -> int:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(model_folder))
    answers = model.predict([{"messages": messages[:-1]} for messages in rows])
    return sum(
        answer == messages[-1]["content"] for answer, messages in zip(answers, rows, strict=True)
    )
