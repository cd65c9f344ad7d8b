"""Run by the repository's post-receive hook: asks the platform to look at the refs.

``python -I notify.py STATE_DIR``, with nothing but the standard library. A platform that is down
looks by itself when it starts.
"""

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

REFRESH_PATH = "/_refresh"
TIMEOUT_SECONDS = 10


def main(state_dir: Path) -> None:
    """Post to the GitHub API of the local cloud in ``state_dir``."""
    github = json.loads((state_dir / "connection.json").read_text())["github"]
    url = urlsplit(github["api_url"])
    connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"Bearer {github['token']}", "Content-Length": "0"}
    connection.request("POST", url.path + REFRESH_PATH, headers=headers)
    connection.getresponse().read()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        sys.exit(f"no webhook was sent, the local cloud does not answer: {error}")
