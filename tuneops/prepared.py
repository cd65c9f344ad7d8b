"""Training data that was checked and split."""

from tuneops.document import Document
from tuneops.parameters import Value


class PreparedData(Document):
    """Checked and split training data.

    `digest` names the rows, whatever file they came in. `files` are the parts (train, validation,
    test) by their paths in the container for prepared data; `folder` has the report, the rejected
    rows and the questions. `tokens` is an estimate of those in the training rows, `cut_rows` one of
    the rows that are longer than the config lets them be, `cut_tokens` what is cut of those of all
    parts. `assets` are the ids of the Data
    assets by part, once registered.
    """

    digest: str
    folder: str
    files: dict[str, str] = {}
    train_rows: int
    test_rows: int
    validation_rows: int = 0
    questions: int = 1
    tokens: int = 0
    cut_rows: int = 0
    cut_tokens: int = 0
    rejected_rows: int = 0
    duplicate_rows: int = 0
    rejections: tuple[str, ...] = ()
    revision: str = ""
    assets: dict[str, str] = {}

    @property
    def brought_rows(self) -> bool:
        """Whether its files are its own: equal rows are kept where they were prepared first."""
        return all(path.startswith(f"{self.folder}/") for path in self.files.values())

    @property
    def inputs(self) -> dict[str, Value]:
        """The component's inputs that take the files."""
        return {f"{part}_file_path": asset for part, asset in self.assets.items()}

    def path(self, part: str) -> str:
        """Where the rows of a part are."""
        return self.files.get(part, f"{self.folder}/{part}.jsonl")

    @property
    def parts(self) -> dict[str, int]:
        """The parts that there are, with their numbers of rows."""
        rows = {
            "train": self.train_rows,
            "validation": self.validation_rows,
            "test": self.test_rows,
        }
        return {name: count for name, count in rows.items() if count}


class DataJob(Document):
    """The job that prepares data which is too large for a function; `key` names the data.

    `revision` is the commit of a hub dataset.
    """

    key: str
    revision: str = ""
    attempt: int = 1
