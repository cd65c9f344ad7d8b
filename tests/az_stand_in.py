"""Stands in for the Azure CLI, which no test can have: keeps secrets in a folder, and notes calls.

Run as the program `az`; `AZ_STATE` is the folder. It says what Azure says, as far as hooks read it.
"""

import itertools
import json
import os
import sys
from pathlib import Path

STATE = Path(os.environ["AZ_STATE"])
NOT_FOUND = "ERROR: (SecretNotFound) A secret with (name/id) {} was not found in this key vault."


def told(name: str, otherwise: object) -> object:
    """What the test has written for this call."""
    file = STATE / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else otherwise


def fails() -> str:
    """The next failure that the test wants, empty for none."""
    waiting = told("failures", [])
    assert isinstance(waiting, list)
    if not waiting:
        return ""
    (STATE / "failures.json").write_text(json.dumps(waiting[1:]))
    return str(waiting[0])


def main(words: list[str]) -> object:
    """The answer to a command."""
    with (STATE / "calls.jsonl").open("a") as calls:
        print(json.dumps(words), file=calls)
    if failure := fails():
        sys.exit(failure)
    options = dict(itertools.pairwise(words))
    match words[:3]:
        case ["keyvault", "secret", action]:
            secret = STATE / f"{options['--vault-name']}--{options['--name']}"
            if action == "set":
                secret.write_text(Path(options["--file"]).read_text())
                return {"id": secret.name}
            if not secret.exists():
                sys.exit(NOT_FOUND.format(secret.name))
            return {"value": secret.read_text()}
        case ["account", "show", *_]:
            return told("account", {"id": "sub"})
        case ["provider", "list", *_]:
            return told("providers", [])
        case ["functionapp", "function", "list"]:
            return told("functions", [])
        case ["functionapp", "keys", "list"]:
            return "the-function-key"
        case ["deployment", "sub", "create"]:
            return "Succeeded"
    return None


if __name__ == "__main__":
    answer = main(sys.argv[1:])
    print("" if answer is None else json.dumps(answer))
