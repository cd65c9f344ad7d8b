"""A stand-in for the Azure CLI on the path of a test. For tests."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("az_stand_in.py")


class AzureCli:
    """The stand-in's folder."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def tell(self, name: str, answer: Any) -> None:
        """Have it answer so from now on."""
        (self.state / f"{name}.json").write_text(json.dumps(answer))

    @property
    def calls(self) -> list[list[str]]:
        """What it was asked."""
        file = self.state / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AzureCli:
    """Put it on the path, with a GitHub CLI that nobody is signed in to; azd has set nothing."""
    program = folder / "bin" / "az"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -IS\n{PROGRAM.read_text()}")
    program.chmod(0o755)
    nobody = program.with_name("gh")
    nobody.write_text("#!/bin/sh\nexit 1\n")
    nobody.chmod(0o755)
    state = folder / "az"
    state.mkdir()
    set_by_azd = ("TUNEOPS_", "INFRA_", "AZURE_", "GH_TOKEN", "GITHUB_TOKEN")
    for name in [name for name in os.environ if name.startswith(set_by_azd)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AZ_STATE", str(state))
    return AzureCli(state)
