"""Memory that a process keeps, and how it is left."""

import subprocess
import sys


def test_freed_memory_is_used_again():
    program = """
import resource, sys
import numpy as np
from myriad.processes import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for size in [8 << 20] * 5:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(size)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

    def faults(how):
        command = [sys.executable, "-c", program, how]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)

    # 64 MB are 16,384 pages of 4 KB, or 32 huge ones.
    assert faults("kept") < 10 < faults("given back")


def test_all_is_written_and_nothing_runs_after():
    program = """
import atexit, os, sys, threading, time
from myriad.processes import leave
atexit.register(os.abort)
threading.Thread(target=time.sleep, args=(600,)).start()
sys.stdout.write("done"), sys.stderr.write("said")
leave(3)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "done", "said")
