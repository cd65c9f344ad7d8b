"""``python -m tuneops.permissions FOLDER`` writes what is made from the table."""

import sys
from pathlib import Path

from tuneops.permissions.document import document
from tuneops.permissions.text import text

FILES = {"infra/roles.json": document, "docs/permissions.md": text}
"""Each file with what makes it."""


def main() -> None:
    """Write the files below the folder that is given."""
    for path, made in FILES.items():
        Path(sys.argv[1], path).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
