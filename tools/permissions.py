"""What is made from the table of permissions; ``python -m tools.permissions`` writes it."""

from pathlib import Path

from tuneops.permissions.document import document
from tuneops.permissions.text import text

ROOT = Path(__file__).parents[1]
FILES = {"infra/roles.json": document, "docs/permissions.md": text}
"""Each file with what makes it."""


def main() -> None:
    """Write the files."""
    for path, made in FILES.items():
        (ROOT / path).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
