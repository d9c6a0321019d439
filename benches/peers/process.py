"""Starts a program and tells what it printed, its wall time, its processor time and its peak memory."""
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass


@dataclass
class Ended:
    text: str
    seconds: float
    processor: float
    peak_bytes: int
    tree_bytes: int
    """The most that it and the processes that it started held at once; never less than `peak_bytes`."""


def run(command):
    # Files and not pipes: nobody has to read them while the program runs.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start, peak, tree = time.perf_counter(), 0, 0
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        while True:
            # The usage that `wait4` gives holds the memory of the parent at the start; the kernel's mark of the process's
            # own memory does not, but has to be read while it lives.
            peak = max(peak, high_water(process.pid))
            started = descendants(process.pid)
            if started:
                tree = max(tree, sum(memory(pid, "VmRSS:") for pid in [process.pid, *started]))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read()}")
        return Ended(output.read(), seconds, usage.ru_utime + usage.ru_stime, peak, max(peak, tree))


def high_water(pid):
    return memory(pid, "VmHWM:")


def memory(pid, what):
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith(what)), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def descendants(pid):
    found = []
    try:
        # Any thread may have started a process.
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as children:
                for child in map(int, children.read().split()):
                    found += [child, *descendants(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found
