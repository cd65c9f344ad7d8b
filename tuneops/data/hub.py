"""Data of the Hugging Face hub: chosen splits at one revision, streamed."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from tuneops import names
from tuneops.config import HubData
from tuneops.data.checked import CheckedRows
from tuneops.data.errors import DataError, DataUnavailableError
from tuneops.data.parts import TEST, TRAIN, VALIDATION, Part, Parts
from tuneops.data.split import position

if TYPE_CHECKING:
    from datasets import IterableDataset

REQUEST_SECONDS = 20
SMOKE_ROWS = 100


def resolve_revision(data: HubData) -> str:
    """The commit that the dataset's revision stands for now.

    Raises:
        DataError: the hub has no such dataset or revision, or it may not be read.
        DataUnavailableError: the hub can't be asked now.
    """
    _settle_in()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = f"dataset {data.dataset}"
    try:
        info = HfApi().dataset_info(data.dataset, revision=data.revision, timeout=REQUEST_SECONDS)
    except RevisionNotFoundError as error:
        raise DataError(f"{where} has no revision {data.revision} (data.revision)") from error
    except GatedRepoError as error:
        raise DataError(f"{where} is gated: accept its terms and set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise DataError(f"{where} is not on the hub, or is private: set HF_TOKEN") from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise DataUnavailableError(f"{where}: the hub does not answer") from error
    return str(info.sha)


@contextmanager
def open_parts(data: HubData, revision: str, max_bytes: int) -> Iterator[Parts]:
    """The rows of the chosen splits, checked; they lie on disk until the block ends.

    Raises:
        DataError: a split does not exist, is too large, too broken or empty.
        DataUnavailableError: the hub can't be read now.
    """
    wanted = {TRAIN: data.splits.train, TEST: data.splits.test}
    if data.splits.validation:
        wanted[VALIDATION] = data.splits.validation
    with ExitStack() as stack:
        checked = {}
        for name, split in wanted.items():
            rows = stack.enter_context(CheckedRows(f"split {split} of {data.dataset}"))
            rows.check(_lines(data, revision, split), max_bytes)
            rows.judge(data.max_invalid_percent)
            checked[name] = rows
        smoke = data.splits.smoke or data.splits.test
        yield Parts(
            parts=tuple(Part(name, len(rows), rows.lines) for name, rows in checked.items()),
            digest=names.digest(*(f"{name}:{rows.digest}" for name, rows in checked.items())),
            questions=lambda: _lines(data, revision, smoke, at_most=SMOKE_ROWS),
            rejected=sum(rows.rejected for rows in checked.values()),
            rejections=tuple(r for rows in checked.values() for r in rows.rejections),
            revision=revision,
        )


def _lines(data: HubData, revision: str, split: str, at_most: int | None = None) -> Iterator[bytes]:
    """The sample of a split's rows as lines of JSON.

    Where the dataset says how many rows there are, the first of them, so that the rest need not be
    read; else those that a hash of the row picks.
    """
    share = data.sample_percent / 100
    try:
        rows = _open_split(data, revision, split)
        counts = rows.info.splits or {}
        total = counts[split].num_examples if split in counts else 0
        end = max(1, round(total * share)) if total else None
        number = 0
        for row in islice(rows, end):
            line = json.dumps(row, ensure_ascii=False, default=str).encode()
            if end or share >= 1 or position(sha256(line).digest()) < 2**64 * share:
                number += 1
                yield line
            if number == at_most:
                return
    except (OSError, httpx2.HTTPError) as error:
        raise DataUnavailableError(f"dataset {data.dataset}: the hub does not answer") from error


def _open_split(data: HubData, revision: str, split: str) -> "IterableDataset":
    _settle_in()
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        return load_dataset(data.dataset, revision=revision, split=split, streaming=True)
    except DatasetNotFoundError as error:
        raise DataError(f"dataset {data.dataset} is not on the hub") from error
    except ValueError as error:
        # Names the splits that there are.
        raise DataError(f"dataset {data.dataset}: {error}") from error


def _settle_in() -> None:
    """Before the hub's libraries are imported: they keep their files in a place that exists."""
    os.environ.setdefault("HF_HOME", str(Path(tempfile.gettempdir()) / "huggingface"))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
