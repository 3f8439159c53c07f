"""Leaving a process."""

import subprocess
import sys


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
