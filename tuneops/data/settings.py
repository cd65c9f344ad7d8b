"""The section `data` of a config: where the rows come from, and how they are read and split."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from tuneops.data.shapes import Shape
from tuneops.section import Section

OnDuplicate = Literal["drop", "keep", "fail"]
Percent = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
SamplePercent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class Rows(Section):
    """How rows are read and checked, wherever they come from."""

    shape: Annotated[
        Shape,
        Field(
            description="messages: ultrachat_200k, OpenAI; conversations: ShareGPT; alpaca; "
            "completion: prompt and completion; auto: seen from each row"
        ),
    ] = "auto"
    max_rows: Annotated[
        int | None, Field(ge=2, description="So many rows are used at most, the first of them")
    ] = None
    max_invalid_percent: Annotated[
        float, Field(ge=0, le=100, description="Share of bad rows above which the data is refused")
    ] = 0.1
    on_duplicate: Annotated[
        OnDuplicate, Field(description="What becomes of a row that stood there before")
    ] = "drop"


class UploadedData(Rows):
    """The training data in the datasets container; the newest file or folder in `path` counts."""

    source: Literal["upload"] = "upload"
    path: Annotated[
        str,
        Field(
            max_length=512,
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*(/[a-zA-Z0-9][a-zA-Z0-9._-]*)*/?$",
            description="Folder in the datasets container",
            examples=["support-bot"],
        ),
    ]
    test_percent: Annotated[
        float,
        Field(gt=0, le=50, description="Share of the rows held out for evaluation, in percent"),
    ] = 10.0
    validation_percent: Annotated[
        Percent,
        Field(description="Share of the rows held out to watch the training with; 0 for none"),
    ] = 0.0
    sample_percent: Annotated[
        SamplePercent, Field(description="Share of the rows that is used, picked by their hash")
    ] = 100.0

    @field_validator("path")
    @classmethod
    def _folder(cls, path: str) -> str:
        return path.rstrip("/") + "/"


Split = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\w[\w.-]*$")]


class Splits(Section):
    """Which splits of a hub dataset are used, by their names there."""

    train: Split = "train"
    test: Split = "test"
    validation: Split | None = None
    smoke: Annotated[
        Split | None, Field(description="Asked in the smoke test; left out, the test split is")
    ] = None


class HubData(Rows):
    """A dataset of the Hugging Face hub."""

    source: Literal["huggingface"]
    dataset: Annotated[
        str,
        Field(
            max_length=200,
            pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$",
            description="owner/name",
            examples=["HuggingFaceH4/ultrachat_200k"],
        ),
    ]
    revision: Annotated[
        str | None,
        Field(
            max_length=100,
            pattern=r"^[A-Za-z0-9][\w./-]*$",
            description="Commit, tag or branch; left out, the commit that the first release finds",
        ),
    ] = None
    splits: Splits = Splits()
    sample_percent: Annotated[
        SamplePercent, Field(description="Share of each split that is used: its first rows")
    ] = 100.0
    max_rows: Annotated[
        int | None, Field(ge=1, description="So many rows of each split are read: its first rows")
    ] = None


def _data_source(data: Any) -> str:
    given = data.get("source") if isinstance(data, dict) else getattr(data, "source", None)
    return "huggingface" if given == "huggingface" else "upload"


Data = Annotated[
    Annotated[UploadedData, Tag("upload")] | Annotated[HubData, Tag("huggingface")],
    Discriminator(_data_source),
]
