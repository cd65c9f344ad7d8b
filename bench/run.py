"""Measures data preparation beside what else does it, how soon the page answers, how soon a merge
becomes a job, how soon the app starts, and the parts of `PARTS`.

    python bench/run.py [--quick] [--part NAME ...]

With `--part` only these of `PARTS` are measured; the other results stay as they are.

Each run of a preparation is a process of its own. Prints medians and ratios, and writes them to
bench/results.json. A ratio is the median of the ratios of the runs that were made one after the
other, so that it holds when the machine's speed changes.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from blobs import storage
from generate import write

HERE = Path(__file__).parent
WORK = HERE.parent / ".localcloud" / "bench"
FULL, QUICK = 207_865, 40_000
RUNS = 5
PAGE_PROJECTS, PAGE_RELEASES, PAGE_RUNS = 200, 5_000, 10
TRIGGER_SECONDS, QUICK_TRIGGER_SECONDS = 4, 1
PARTS = ("release", "triggers", "reconcile", "cold")
WAYS = ("tuneops", "copy", "polars", "duckdb", "datasets", "pandas")
BLOB_WAYS = ("prepare", "copy")
SAMPLE_SECONDS = 0.05

Figures = dict[str, float]


def measured(line: list[str], *, watched: bool) -> Figures:
    """What a program prints; if `watched`, the most memory that it and its children had, in MB.

    Looking at memory takes time of the processes that are looked at, so runs are one or the other.
    """
    os.sync()  # what the run before has written is not to take this one's time
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        peak = 0.0
        while watched and process.poll() is None:
            peak = max(peak, memory(psutil.Process(process.pid)))
            time.sleep(SAMPLE_SECONDS)
        printed = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} failed")
    found = json.loads(printed)
    return {"seconds": found["seconds"], "rate": found["rows"] / found["seconds"], "memory": peak}


def memory(root: psutil.Process) -> float:
    """Memory of a process tree in MB; what processes share counts once, where the system tells."""
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            full = process.memory_full_info()
            total += getattr(full, "pss", full.uss)
    except psutil.Error:
        return 0.0
    return total / 1e6


def compare(rows: int, runs: int) -> dict[str, list[Figures]]:
    """All ways in turn, several times, and once more to look at their memory."""
    source = WORK / f"chats-{rows}.jsonl"
    write(rows, source)
    found: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for turn in range(runs + 1):
        for way in WAYS:
            out = WORK / "out"
            shutil.rmtree(out, ignore_errors=True)
            line = [sys.executable, str(HERE / "ways.py"), way, str(source), str(out)]
            found[way].append(measured(line, watched=turn == runs))
            print(f"run {turn + 1}: {way}: {found[way][-1]['rate']:,.0f} rows/s", file=sys.stderr)
    shutil.rmtree(WORK / "out", ignore_errors=True)
    return found


def compare_blobs(rows: int, runs: int) -> dict[str, list[Figures]]:
    """Preparing from blob to blob, and copying the blob through the client."""
    source = WORK / f"chats-{rows}.jsonl"
    write(rows, source)
    found: dict[str, list[Figures]] = {way: [] for way in BLOB_WAYS}
    with storage(WORK / "cloud", source) as connection:
        for turn in range(runs + 1):
            for way in BLOB_WAYS:
                line = [sys.executable, str(HERE / "blobs.py"), way, connection, str(rows)]
                found[way].append(measured(line, watched=turn == runs))
    return found


def merge_to_job(runs: int) -> dict[str, float]:
    """Seconds from a merge to the job that it makes."""
    line = [sys.executable, str(HERE / "merge.py"), str(WORK / "merges"), str(runs)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    seconds = json.loads(done.stdout)["seconds"]
    return {"median_seconds": round(median(seconds), 2), "slowest_seconds": round(max(seconds), 2)}


def page(runs: int) -> dict[str, float]:
    """Seconds that the page takes to answer, and how many times as long all documents take."""
    line = [sys.executable, str(HERE / "page.py"), str(WORK / "page")]
    line += [str(number) for number in (PAGE_PROJECTS, PAGE_RELEASES, runs)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    ratios = [b / a for a, b in zip(found["page"], found["all_documents"], strict=True)]
    return {
        "median_seconds": round(median(found["page"]), 3),
        "slowest_seconds": round(max(found["page"]), 3),
        "all_documents_take_times_as_long": round(median(ratios), 1),
    }


def start(runs: int) -> dict[str, Any]:
    """How soon the function app is there."""
    line = [sys.executable, str(HERE / "start.py"), str(WORK / "start"), str(runs)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def part(name: str, quick: bool) -> dict[str, Any]:
    """What a part prints, which is a program of its own."""
    runs = {"triggers": QUICK_TRIGGER_SECONDS if quick else TRIGGER_SECONDS, "release": None}
    given = runs.get(name, RUNS)
    line = [sys.executable, str(HERE / f"{name}.py"), str(WORK / name)]
    line += [] if given is None else [str(given)]
    path = os.pathsep.join((str(HERE.parent), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(found: dict[str, list[Figures]], own: str) -> dict[str, Any]:
    """Medians of each way, and how many times as fast ours is; the last run is for memory alone."""
    rates = {way: [run["rate"] for run in runs[:-1]] for way, runs in found.items()}
    return {
        way: {
            "rows_per_second": round(median(rates[way])),
            "memory_mb": round(runs[-1]["memory"]),
            "ours_is_times_as_fast": round(
                median(a / b for a, b in zip(rates[own], rates[way], strict=True)), 2
            ),
        }
        for way, runs in found.items()
    }


def machine() -> dict[str, Any]:
    """What this ran on, and how many processes wanted a core meanwhile."""
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "machine": platform.machine(),
        "system": platform.system(),
        "os": distribution(),
        "python": platform.python_version(),
    }


def distribution() -> str:
    """The system by its full name, where it tells it."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def cpu() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


@contextmanager
def work_folder() -> Iterator[None]:
    """A folder for large files, removed at the end."""
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


def main(quick: bool, parts: list[str]) -> None:
    """Measure, print and write."""
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if parts and file.exists() else {}
    results |= {"machine": machine(), "runs": RUNS}
    with work_folder():
        if not parts:
            results |= all_others(quick)
        for name in parts or PARTS:
            load = os.getloadavg()[0]
            results[name] = {**part(name, quick), "load_before": round(load, 1)}
            file.write_text(json.dumps(results, indent=2) + "\n")
    print(file.read_text())


def all_others(quick: bool) -> dict[str, Any]:
    """What is measured in this module."""
    results: dict[str, Any] = {}
    for rows in (QUICK,) if quick else (QUICK, FULL):
        results[f"prepare_{rows}_rows"] = summary(compare(rows, RUNS), "tuneops")
    results[f"blob_to_blob_{QUICK}_rows"] = summary(compare_blobs(QUICK, RUNS), "prepare")
    results[f"page_{PAGE_PROJECTS}_projects_{PAGE_RELEASES}_releases"] = page(PAGE_RUNS)
    results["merge_to_job"] = merge_to_job(RUNS)
    results["start"] = start(RUNS)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[])
    asked = parser.parse_args()
    main(asked.quick, asked.part)
