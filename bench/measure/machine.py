"""What the numbers were measured on."""

import os
import platform
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

from .processes import ROOT, TARGET_DIR

SYNCS = 200


def facts(plan, arguments):
    """A list of what the results depend on."""
    command = " ".join(["bench/run", *arguments])
    length = f"{plan.seconds:g} s after {plan.warmup_seconds:g} s of warming up"
    lines = [
        f"- `{command}`: {plan.rounds} rounds of {length}",
        f"- {date.today().isoformat()}, commit {_output('git', 'rev-parse', '--short', 'HEAD')}",
        f"- {os.cpu_count()} cores ({_cpu_model()}), shared by server and load generator",
        f"- {_memory_gib():.0f} GiB of memory, kernel {platform.release()}",
        f"- data on {_output('df', '--output=fstype', str(TARGET_DIR)).splitlines()[-1]}, "
        f"median of {SYNCS} appends with fsync {_fsync_ms():.2f} ms",
        f"- {_output('rustc', '--version')}",
    ]
    return "\n".join(lines)


def _output(*command):
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else "unknown"


def _proc_value(path, name):
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _cpu_model():
    return _proc_value("/proc/cpuinfo", "model name") or platform.machine()


def _memory_gib():
    return int(_proc_value("/proc/meminfo", "MemTotal").split()[0]) / 1024**2


def _fsync_ms():
    """What one durable append costs on the disk that the data directories are on."""
    spans = []
    with tempfile.TemporaryFile(dir=TARGET_DIR) as file:
        for _ in range(SYNCS):
            started_at = time.monotonic()
            os.write(file.fileno(), b"x" * 512)
            os.fsync(file.fileno())
            spans.append(time.monotonic() - started_at)
    return median(spans) * 1000
