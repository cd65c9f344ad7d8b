"""Rows, lines and the split; preparing against Azurite."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cloud import jsonl, some_rows
from tests.config_text import config_of
from tuneops.data.errors import DataChangedError, DataError
from tuneops.data.lines import TOO_LONG, split_lines
from tuneops.data.prepare import Storage, find_source, prepare
from tuneops.data.rows import MAX_ROW_BYTES, Row, RowError, parse_row
from tuneops.data.split import limits, position
from tuneops.release import PreparedData, Source
from tuneops.services import Services


def row(*roles: str, content: str = "text") -> bytes:
    return json.dumps({"messages": [{"role": r, "content": content} for r in roles]}).encode()


@pytest.mark.parametrize(
    "roles", [("user", "assistant"), ("system", "user", "assistant"), ("user", "assistant") * 3]
)
def test_conversations_that_end_with_an_answer_are_rows(roles: tuple[str, ...]) -> None:
    assert len(parse_row(row(*roles)).messages) == len(roles)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"nonsense", "Invalid JSON", id="no-json"),
        pytest.param(b"{}", "messages: Field required", id="no-messages"),
        pytest.param(b"[1]", "Input should be an object", id="a-list"),
        pytest.param(b'{"messages": []}', "messages", id="no-turn"),
        pytest.param(row("user"), "messages", id="one-turn"),
        pytest.param(row("user", "user"), "messages.1.role is user, not assistant", id="twice"),
        pytest.param(row("assistant", "user"), "messages.0.role is assistant", id="answer-first"),
        pytest.param(
            row("user", "assistant", "user"), "the last turn is not the assistant's", id="no-answer"
        ),
        pytest.param(row("user", "tool"), "messages.1.role", id="unknown-role"),
        pytest.param(row("user", "assistant", content=" "), "content is empty", id="blank"),
        pytest.param(b"\xff\xfe", "Invalid JSON", id="no-utf-8"),
        pytest.param(b'{"messages": "\\ud800"}', "", id="lone-surrogate"),
        pytest.param(b"[" * 100_000, "", id="deep"),
        pytest.param(TOO_LONG, "larger than 1024 KiB", id="too-long"),
    ],
)
def test_bad_rows_say_why(line: bytes, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        parse_row(line)
    assert reason in str(caught.value)


@given(st.binary(max_size=300))
def test_whatever_is_read_is_a_row_or_an_error(line: bytes) -> None:
    try:
        read: object = parse_row(line)
    except RowError as error:
        read = error
    assert isinstance(read, Row | RowError)


def test_a_row_is_written_as_the_pipeline_reads_it() -> None:
    written = json.loads(parse_row(row("user", "assistant")).line())
    assert written["prompt"] == "text"
    assert len(written["prompt_id"]) == 64
    assert (
        parse_row(json.dumps(written).encode()).identity
        == parse_row(row("user", "assistant")).identity
    )


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_lines_do_not_depend_on_the_chunks(content: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    chunks = [content[a:b] for a, b in pairwise(places)]
    assert list(split_lines(chunks)) == list(split_lines([content]))
    plain = content.removeprefix(b"\xef\xbb\xbf")
    expected = [line.removesuffix(b"\r") for line in plain.split(b"\n")]
    if not plain.split(b"\n")[-1]:
        expected.pop()
    if not content.startswith(b"\xef"):
        assert list(split_lines([content])) == expected


def test_a_line_too_long_is_skipped_alone() -> None:
    chunks = [b"a\n", *[b"x" * 65536] * (MAX_ROW_BYTES // 65536 + 2), b"\nb"]
    assert list(split_lines(chunks)) == [b"a", TOO_LONG, b"b"]


@given(
    st.lists(st.binary(min_size=32, max_size=32), min_size=2, unique=True),
    st.floats(0.1, 50),
    st.floats(0, 50),
)
def test_both_sides_have_a_row(identities: list[bytes], percent: float, validation: float) -> None:
    positions = [position(identity) for identity in identities]
    if len(set(positions)) < 2:
        return
    divided = limits(positions, percent, validation)
    tested = sum(place < divided.test for place in positions)
    trained = sum(place >= divided.validation for place in positions)
    assert tested > 0
    assert trained > 0
    assert divided.test <= divided.validation


def prepared(services: Services, source: Source, extra: str = "") -> PreparedData:
    return prepare(storage_of(services), source, config_of("bot", extra))


def storage_of(services: Services) -> Storage:
    return Storage(
        blobs=services.blobs,
        datasets="datasets",
        prepared=services.settings.prepared_container,
        max_bytes=10**6,
    )


def uploaded(services: Services, content: bytes) -> Source:
    services.blobs.get_blob_client("datasets", "bot/a.jsonl").upload_blob(content, overwrite=True)
    source = find_source(storage_of(services), config_of("bot"))
    assert source is not None
    return source


def stored(services: Services, data: PreparedData, name: str) -> bytes:
    container = services.settings.prepared_container
    blob = services.blobs.get_blob_client(container, f"{data.folder}/{name}")
    return bytes(blob.download_blob().readall())


def test_data_is_checked_split_and_stored_under_its_digest(services: Services) -> None:
    content = b"\n".join([jsonl(some_rows(50)), b"", b"nonsense"])
    data = prepared(services, uploaded(services, content))
    assert (data.train_rows + data.test_rows, data.rejected_rows) == (50, 1)
    assert data.rejections[0].startswith("line 52: Invalid JSON")
    train = stored(services, data, "train.jsonl").splitlines()
    test = stored(services, data, "test.jsonl").splitlines()
    assert (len(train), len(test)) == (data.train_rows, data.test_rows)
    sample = json.loads(stored(services, data, "sample_score.json"))
    (question,) = sample["input_data"]["input_string"]
    assert question == json.loads(test[0])["messages"][:-1]
    assert prepared(services, uploaded(services, content)) == data


def test_a_row_keeps_its_side_when_data_is_added(services: Services) -> None:
    before = prepared(services, uploaded(services, jsonl(some_rows(100))))
    held_out = set(stored(services, before, "test.jsonl").splitlines())
    after = prepared(services, uploaded(services, jsonl(some_rows(200))))
    assert after.digest != before.digest
    assert held_out <= set(stored(services, after, "test.jsonl").splitlines())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"nonsense\n", "has no valid row: line 1", id="no-valid-row"),
        pytest.param(jsonl(some_rows(1)), "at least two different rows", id="one-row"),
        pytest.param(jsonl(some_rows(5)) + b"\nx\ny", "28.6 % bad rows", id="too-many-bad-rows"),
        pytest.param(b"x" * (10**6 + 1), "the limit is 1,000,000", id="too-large"),
    ],
)
def test_data_that_cannot_be_used_says_why(services: Services, content: bytes, reason: str) -> None:
    source = uploaded(services, content)
    with pytest.raises(DataError) as caught:
        prepared(services, source)
    assert reason in str(caught.value)


def test_data_that_is_replaced_meanwhile_is_noticed(services: Services) -> None:
    source = uploaded(services, jsonl(some_rows(9)))
    uploaded(services, jsonl(some_rows(8)))
    with pytest.raises(DataChangedError):
        prepared(services, source)
