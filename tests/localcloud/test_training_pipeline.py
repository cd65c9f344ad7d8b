"""The pipeline really trains, reports like the real one, and fails with reasons."""

import json
import math
from pathlib import Path

import pytest
from training_recorder import CHATS, Recorder, write_rows

from localcloud.training import base_model
from localcloud.training.export import transformers_folder
from localcloud.training.pipeline import (
    STEPS,
    Cancelled,
    PipelineError,
    run_chat_completion,
)

QUICK = {
    "max_steps": "4",
    "logging_steps": "1",
    "per_device_train_batch_size": "2",
    "apply_lora": "true",
    "learning_rate": "0.01",
}


@pytest.fixture
def files(tmp_path: Path, small_base: Path) -> dict[str, object]:
    folder = tmp_path / "data"
    folder.mkdir()
    return {
        "mlflow_model_path": small_base,
        "train_file_path": write_rows(folder / "train.jsonl", CHATS[:4]),
        "test_file_path": write_rows(folder / "test.jsonl", CHATS[4:]),
    }


def run(tmp_path: Path, inputs: dict[str, object], recorder: Recorder | None = None) -> Recorder:
    recorder = recorder or Recorder()
    run_chat_completion(inputs, tmp_path / "out", recorder)
    return recorder


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_steps_metrics_and_outputs(tmp_path: Path, files: dict[str, object]) -> None:
    recorder = run(tmp_path, {**files, **QUICK, "apply_deepspeed": "true"})
    assert tuple(recorder.steps) == STEPS
    assert not recorder.failed
    assert [step for step, _ in recorder.values("loss")] == [1, 2, 3, 4]
    assert recorder.values("loss")[-1][1] < recorder.values("loss")[0][1]
    for metric in ("learning_rate", "grad_norm", "epoch", "eval_loss", "train_loss"):
        assert all(math.isfinite(value) for _, value in recorder.values(metric)), metric
        assert recorder.values(metric), metric
    assert recorder.values("train_runtime")[0][0] == 4
    assert 0 <= recorder.values("exact_match")[0][1] <= 1
    assert 0 <= recorder.values("rougeL")[0][1] <= 1
    assert recorder.params["not_used_on_cpu"] == "apply_deepspeed"
    assert recorder.params["train_rows"] == 4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "mlflow_model_folder",
        "pytorch_model_folder",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"data", "out"}


def test_the_exported_model_answers_where_it_was_moved_to(
    tmp_path: Path, files: dict[str, object]
) -> None:
    import mlflow.pyfunc

    run(tmp_path, {**files, **QUICK})
    moved = (tmp_path / "out" / "mlflow_model_folder").rename(tmp_path / "elsewhere")
    (tmp_path / "out").rename(tmp_path / "gone")
    model = mlflow.pyfunc.load_model(str(moved))
    question = {"messages": [{"role": "user", "content": "How much is the Oak tent?"}]}
    [answer] = model.predict([question])
    assert isinstance(answer, str)
    assert [answer] == model.predict([question])


def test_lora_changes_the_weights_and_leaves_no_adapter(
    tmp_path: Path, files: dict[str, object], small_base: Path
) -> None:
    run(tmp_path, {**files, **QUICK})
    pytorch = tmp_path / "out" / "pytorch_model_folder"
    assert weights(pytorch) != weights(transformers_folder(small_base))
    assert len(weights(pytorch)) == pytest.approx(
        len(weights(transformers_folder(small_base))), rel=0.01
    )
    assert not (pytorch / "adapter").exists()
    assert (pytorch / "checkpoint-4").is_dir()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"apply_lora": "false", "learning_rate": "0.001"}, id="all weights"),
        pytest.param({"merge_lora_weights": "false"}, id="adapter kept apart"),
        pytest.param(
            {"optim": "adafactor", "lr_scheduler_type": "cosine"},
            id="adafactor",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            {"pad_to_max_length": "true", "max_seq_length": 64}, id="padded", marks=pytest.mark.soak
        ),
        pytest.param(
            {"evaluation_strategy": "steps", "eval_steps": 2, "save_total_limit": 1}, id="by steps"
        ),
        pytest.param(
            {"apply_early_stopping": "true", "metric_for_best_model": "exact"}, id="early stopping"
        ),
        pytest.param(
            {"gradient_accumulation_steps": 2, "warmup_steps": 2},
            id="accumulation",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            {"enable_full_determinism": "true", "lora_dropout": 0.5},
            id="deterministic",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            {"logging_strategy": "epoch", "auto_find_batch_size": "true"},
            id="by epoch",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_every_way_to_train(
    tmp_path: Path, files: dict[str, object], changed: dict[str, object]
) -> None:
    recorder = run(tmp_path, {**files, **QUICK, **changed})
    assert math.isfinite(recorder.values("train_loss")[0][1])
    pytorch = tmp_path / "out" / "pytorch_model_folder"
    assert (pytorch / "adapter").exists() == (changed.get("merge_lora_weights") == "false")
    if "save_total_limit" in changed:
        assert len(list(pytorch.glob("checkpoint-*"))) == 1
        assert [step for step, _ in recorder.values("eval_loss")] == [2, 4]


def test_equal_inputs_give_equal_weights(tmp_path: Path, files: dict[str, object]) -> None:
    results = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / place, {**files, **QUICK, "seed": seed, "lora_dropout": 0.1})
        results.append(weights(tmp_path / place / "out" / "pytorch_model_folder"))
    assert results[0] == results[1] != results[2]


def test_rows_are_held_out_when_there_is_only_a_training_file(
    tmp_path: Path, files: dict[str, object]
) -> None:
    del files["test_file_path"]
    recorder = run(tmp_path, {**files, **QUICK})
    assert (recorder.params["train_rows"], recorder.params["evaluation_rows"]) == (3, 1)


def test_cancelling_ends_the_training(tmp_path: Path, files: dict[str, object]) -> None:
    recorder = Recorder(cancel_after=2)
    with pytest.raises(Cancelled):
        run(tmp_path, {**files, **QUICK, "max_steps": 1000}, recorder)
    assert recorder.failed == ["chat_completion_finetune"]
    assert recorder.values("loss")[-1][0] <= 3
    assert not (tmp_path / "out.work").exists()


@pytest.mark.parametrize(
    ("changed", "step", "said"),
    [
        ({"train_file_path": None}, "ft_nlp_common_validation", "'train_file_path' is missing"),
        ({"mlflow_model_path": None}, "ft_nlp_common_validation", "give mlflow_model_path"),
        (
            {"mlflow_model_path": None, "huggingface_id": "gpt2"},
            "ft_nlp_common_validation",
            "nothing is downloaded",
        ),
        (
            {"learning_rate": "1e8", "apply_lora": "false"},
            "chat_completion_finetune",
            "not a number any more",
        ),
        ({"max_seq_length": 4}, "chat_completion_datapreprocess", "raise max_seq_length"),
    ],
)
def test_mistakes_are_told_by_step(
    tmp_path: Path, files: dict[str, object], changed: dict[str, object], step: str, said: str
) -> None:
    recorder = Recorder()
    with pytest.raises(PipelineError, match=said) as caught:
        run(tmp_path, {**files, **QUICK, **changed}, recorder)
    assert caught.value.step == step
    assert recorder.failed == [step]


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, files: dict[str, object]) -> None:
    (tmp_path / "model").mkdir()
    for name in ("mlflow_model_path", "pytorch_model_path"):
        inputs = {**files, "mlflow_model_path": None, name: tmp_path / "model"}
        with pytest.raises(PipelineError, match=name):
            run(tmp_path, inputs)


def test_broken_weights_are_the_models_fault(tmp_path: Path, files: dict[str, object]) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    base = transformers_folder(Path(str(files["mlflow_model_path"])))
    for path in base.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}))
    inputs = {**files, **QUICK, "mlflow_model_path": None, "pytorch_model_path": broken}
    with pytest.raises(PipelineError, match="base model can't be loaded"):
        run(tmp_path, inputs)


class TestBaseModel:
    def test_it_is_made_once_and_leaves_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base_model, "CHATS", 480)
        folder = base_model.ensure_base_model(tmp_path)
        written = (folder / "MLmodel").stat().st_mtime_ns
        assert base_model.ensure_base_model(tmp_path) == folder
        assert (folder / "MLmodel").stat().st_mtime_ns == written
        assert [path.name for path in tmp_path.iterdir()] == [folder.parent.name]
        assert transformers_folder(folder).is_dir()

    def test_a_failure_leaves_no_half_model(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(count: int) -> None:
            raise RuntimeError("no memory")

        monkeypatch.setattr(base_model, "train_base_model", fail)
        with pytest.raises(RuntimeError):
            base_model.ensure_base_model(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_it_is_a_phi3_of_about_half_a_million_parameters(self, small_base: Path) -> None:
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(transformers_folder(small_base))
        assert type(model).__name__ == "Phi3ForCausalLM"
        assert 450_000 < model.num_parameters() < 520_000
