"""Builds the deployment package: ``make package``, or with DEPENDENCIES=1 the whole of it."""

import argparse
import sys
from pathlib import Path

from tools.package import project
from tools.package.build import MAX_MB, build, build_whole
from tools.package.bytecode import is_possible
from tools.package.project import ProjectError
from tools.package.table import TableError, write_table
from tools.package.target import Target
from tools.package.wheels import WheelError

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--dependencies", action="store_true", help="put them into the package")
    parser.add_argument("--python", default="3.12", help="of the function app (%(default)s)")
    parser.add_argument("--table", type=Path, help="a document whose table is made anew instead")
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="a folder (%(default)s)")
    asked = parser.parse_args()
    target = Target(asked.python)
    try:
        if asked.table:
            write_table(asked.table, ROOT, target)
            return 0
        if project.changed(ROOT):
            print("What is built holds changes that are not committed.", file=sys.stderr)
        whole = asked.dependencies
        if whole and not is_possible(target):
            print(f"It has no bytecode: that is made by Python {asked.python}.", file=sys.stderr)
        made = build_whole(ROOT, asked.to, target) if whole else build(ROOT, asked.to)
    except (ProjectError, TableError, WheelError) as error:
        print(f"Nothing was built: {error}", file=sys.stderr)
        return 1
    print(f"{made.path}\n{made.files} files, {made.mb:.1f} MB unzipped, sha256 {made.digest}")
    if made.mb > MAX_MB:
        print(f"That is more than {MAX_MB} MB: see docs/packaging.md.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
