"""Installs the locked Azurite: ``python -m localcloud.storage.install --cache DIR``."""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.storage.node import Node, NodeUnavailableError, ensure_node

HERE = Path(__file__).parent
LOCK_FILES = ("package.json", "package-lock.json")
ENTRY_POINT = Path("node_modules", "azurite", "dist", "src", "azurite.js")
NPM_OPTIONS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
)


class InstallError(Exception):
    """Azurite could not be installed."""


def azurite_folder(cache_dir: Path) -> Path:
    """Where the Azurite of our lock file belongs; another lock means another folder."""
    lock = (HERE / "package-lock.json").read_bytes()
    return cache_dir / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"


def azurite_is_installed(cache_dir: Path) -> bool:
    """Whether ``ensure_azurite`` has nothing to do."""
    return (azurite_folder(cache_dir) / ENTRY_POINT).exists()


def ensure_azurite(cache_dir: Path) -> tuple[Node, Path]:
    """Node.js and Azurite's entry point, installed with ``npm ci`` at the first call.

    Raises:
        InstallError: Node.js or Azurite could not be installed.
    """
    folder = azurite_folder(cache_dir)
    cache_dir.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(cache_dir / "azurite.lock"):
            node = ensure_node()
            if not (folder / ENTRY_POINT).exists():
                _install(node, folder)
    except NodeUnavailableError as error:
        raise InstallError(str(error)) from None
    return node, folder / ENTRY_POINT


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(node: Node, folder: Path) -> None:
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in LOCK_FILES:
        shutil.copy(HERE / name, draft / name)
    npm_cache = draft / "npm-cache"
    # npm finds its node on PATH.
    path = os.pathsep.join([str(node.node.parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [*node.npm, "ci", "--cache", npm_cache, *NPM_OPTIONS],
        cwd=draft,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(f"npm ci failed: {done.stderr.strip() or done.stdout.strip()}")
    shutil.rmtree(npm_cache, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def main() -> None:
    """Install into the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Install Azurite.")
    parser.add_argument("--cache", type=Path, default=Path(".localcloud/cache"))
    try:
        _, entry_point = ensure_azurite(parser.parse_args().cache.absolute())
    except InstallError as error:
        sys.exit(f"error: {error}")
    print(entry_point)


if __name__ == "__main__":
    main()
