"""Runs a command in a process group of its own that ends with whoever started this.

Used as a script with the command as its arguments, and with the standard library alone, so that
it starts in no time and takes nothing from the job's environment. When standard input ends (the
node closes it to cancel the job, the operating system when the node is gone), the group gets
SIGTERM and after `GRACE_SECONDS` SIGKILL. What a command leaves running ends with it.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5.0
NOT_FOUND = 127


def main() -> int:
    """The command's exit code; that of a command that a signal ended is as a shell has it."""
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(error, file=sys.stderr)
        return NOT_FOUND
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    _signal(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _signal(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(child.pid, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    # macOS answers EPERM for a group in which only zombies are left.
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    sys.exit(main())
