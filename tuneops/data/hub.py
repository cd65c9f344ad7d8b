"""Data of the Hugging Face hub: chosen splits at one revision, streamed."""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import orjson
from xxhash import xxh3_64_intdigest

from tuneops.data.blocks import Readable
from tuneops.data.errors import DataError, DataUnavailableError, TooLargeError
from tuneops.data.formats import Guarded, LinesOf
from tuneops.data.preparation import Input
from tuneops.data.rows import Message, question
from tuneops.data.settings import HubData
from tuneops.data.split import TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    from datasets import IterableDataset

REQUEST_SECONDS = 20
READ_RETRIES = 2
SMOKE_ROWS = 100


def resolve_revision(data: HubData) -> str:
    """The commit that the dataset's revision stands for now.

    Raises:
        DataError: the hub has no such dataset or revision, or it may not be read.
        DataUnavailableError: the hub can't be asked now.
    """
    with _hub_errors(data):
        from huggingface_hub import HfApi

        info = HfApi().dataset_info(data.dataset, revision=data.revision, timeout=REQUEST_SECONDS)
    return str(info.sha)


def inputs(data: HubData, revision: str, max_bytes: int) -> list[Input]:
    """The chosen splits at a revision, each of them one part; the `sample_percent` is applied.

    Reading a split of more than `max_bytes` raises TooLargeError, at once where the dataset says
    how large it is.
    """
    wanted = {TRAIN: data.splits.train, TEST: data.splits.test}
    if data.splits.validation:
        wanted[VALIDATION] = data.splits.validation
    return [
        Input(f"{data.dataset}/{split}", partial(_open, data, revision, split, max_bytes), part)
        for part, split in wanted.items()
    ]


def questions(data: HubData, revision: str, at_most: int) -> list[list[Message]]:
    """What the first rows of the split for the smoke test ask.

    Raises:
        DataError: there is no such split.
        DataUnavailableError: the hub can't be read now.
    """
    lines = _lines(data, revision, data.splits.smoke or data.splits.test)
    asked = (question(line) for line in islice(lines, SMOKE_ROWS))
    return list(islice(filter(None, asked), at_most))


@contextmanager
def _open(data: HubData, revision: str, split: str, max_bytes: int) -> Iterator[Readable]:
    lines = LinesOf(line + b"\n" for line in _lines(data, revision, split, max_bytes))
    yield Guarded(lines, f"split {split} of {data.dataset}", max_bytes)


def _lines(
    data: HubData, revision: str, split: str, max_bytes: float = math.inf
) -> Iterator[bytes]:
    """The rows of a split that are used, as lines of JSON; those behind them are not read.

    Where the dataset says how many rows there are, the sample is the first of them; else those that
    a hash of the row picks.
    """
    share, most = data.sample_percent / 100, data.max_rows
    with _hub_errors(data):
        rows = _open_split(data, revision, split)
        known = (rows.info.splits or {}).get(split)
        if known and known.num_examples:
            sample = max(1, round(known.num_examples * share))
            most = min(sample, most or sample)
            share = 1
            if known.num_bytes * most / known.num_examples > max_bytes:
                raise TooLargeError(
                    f"split {split} of {data.dataset} holds {known.num_bytes:,} bytes"
                )
        lines = (orjson.dumps(row, default=str) for row in rows)
        picked = (line for line in lines if xxh3_64_intdigest(line) < 2**64 * share)
        yield from islice(picked, most)


def _open_split(data: HubData, revision: str, split: str) -> "IterableDataset":
    from datasets import config, load_dataset

    # Each of these is five tries of the hub's client, which take half a minute.
    config.STREAMING_READ_MAX_RETRIES = READ_RETRIES
    try:
        return load_dataset(data.dataset, revision=revision, split=split, streaming=True)
    except (ValueError, RuntimeError) as error:
        # Names the splits that there are, or the script that the dataset would need.
        raise DataError(f"dataset {data.dataset}: {error}") from error


@contextmanager
def _hub_errors(data: HubData) -> Iterator[None]:
    """Turn what the hub's libraries raise into our errors."""
    _settle_in()
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = f"dataset {data.dataset}"
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError(f"{where} has no revision {data.revision} (data.revision)") from error
    except GatedRepoError as error:
        raise DataError(f"{where} is gated: accept its terms and set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise DataError(f"{where} is not on the hub, or is private: set HF_TOKEN") from error
    except DatasetNotFoundError as error:
        # Says whether it is gated.
        raise DataError(f"{where}: {error} Accept its terms and set HF_TOKEN") from error
    except DatasetsError as error:
        raise DataError(f"{where}: {error}") from error
    except (OSError, httpx2.HTTPError) as error:
        raise DataUnavailableError(f"{where}: the hub does not answer") from error


def _settle_in() -> None:
    """Before the hub's libraries are imported: they keep their files in a place that exists."""
    os.environ.setdefault("HF_HOME", str(Path(tempfile.gettempdir()) / "huggingface"))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
