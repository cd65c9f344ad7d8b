"""Reading training rows, and their tokens."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_recorder import conversation

from localcloud.training.rows import read_rows
from localcloud.training.steps import PipelineError

GOOD = conversation("Hello?", "Yes.", "Good.", "Indeed.")
LINE = json.dumps(GOOD)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv"])
def test_the_same_rows_from_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    if suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as file:
            writer = csv.writer(file, dialect="excel-tab" if suffix == ".tsv" else "excel")
            writer.writerows([["prompt", "messages"], ["Hello?", json.dumps(GOOD["messages"])]])
    else:
        path.write_text(f"{LINE}\n\n" if suffix == ".jsonl" else f"[{LINE}]")
    assert read_rows(path) == [GOOD["messages"]]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "", "a.jsonl has no rows"),
        ("a.jsonl", f"{LINE}\n{{", "a.jsonl, line 2: no valid JSON"),
        ("a.jsonl", f"{LINE}\n[]", "line 2: there is no column 'messages'"),
        ("a.jsonl", '{"prompt": "Hi"}', "line 1: there is no column 'messages'"),
        ("a.jsonl", '{"messages": []}', "at least one message"),
        ("a.jsonl", '{"messages": ["Hi"]}', "message 1: must be an object"),
        ("a.jsonl", '{"messages": [{"role": "bot", "content": "x"}]}', "'role' is 'bot'"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": " "}]}', "message 1: 'content'"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "x"}]}', "last message"),
        ("a.jsonl", '{"messages": [{"role": "assistant", "content": "x"}]}', "of the user"),
        ("a.json", "{}", "must hold a list"),
        ("a.json", "[1]", "row 1: there is no column"),
        ("a.csv", "text\nHello\n", "line 2: there is no column 'messages'"),
        ("a.csv", "messages\nHello\n", "line 2: no valid JSON"),
        ("a.parquet", "PAR1", "convert it to one of .jsonl"),
        ("a.jsonl", b"\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PipelineError) as caught:
        read_rows(path)
    assert said in caught.value.message
    assert str(tmp_path) not in caught.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".jsonl", ".json", ".csv", ".tsv"]), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    with pytest.raises(PipelineError):
        read_rows(path)


class TestTokenise:
    @pytest.fixture(scope="class")
    def tokenizer(self, small_base: Path):
        from transformers import AutoTokenizer

        from localcloud.training.export import transformers_folder

        return AutoTokenizer.from_pretrained(transformers_folder(small_base))

    def test_only_the_assistants_words_and_the_end_are_learned(self, tokenizer) -> None:
        from localcloud.training.preprocess import IGNORED, tokenise

        [example] = tokenise(tokenizer, [GOOD["messages"]], 512, 1000).examples
        learned = [token for token in example["labels"] if token != IGNORED]
        assert tokenizer.decode(learned) == "Yes.<|end|>Indeed.<|end|>"
        assert tokenizer.decode(example["input_ids"]).startswith("<|user|>\nHello?<|end|>\n")

    def test_any_text_survives_the_tokenizer(self, tokenizer) -> None:
        text = "Grüße, 東京 🚀\t\u0000 end"
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text

    def test_rows_are_cut_and_those_without_an_answer_left_out(self, tokenizer) -> None:
        from localcloud.training.preprocess import tokenise

        long = conversation("Hello? " * 30, "Yes.")["messages"]
        result = tokenise(tokenizer, [GOOD["messages"], long], 16, 1)
        assert [len(example["input_ids"]) for example in result.examples] == [16]
        assert result.too_long == 1
        with pytest.raises(PipelineError, match="raise max_seq_length"):
            tokenise(tokenizer, [long], 16, 1)
