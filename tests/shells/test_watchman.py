import subprocess
import sys
import time
from pathlib import Path

from pipeline.shells.watchman import watchman

KILLED = """
import os, subprocess, sys
from pathlib import Path
from pipeline.shells.watchman import watchman
with watchman() as watching:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
                               stdout=subprocess.PIPE, start_new_session=True)
    watching.remember(group=sleeper.pid, folder=Path(sys.argv[1]))
    sleeper.stdout.readline()
    print(sleeper.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_killed_process_left_is_put_away(tmp_path):
    folder = tmp_path / "left"
    (folder / "deep").mkdir(parents=True)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True, timeout=60)
    assert killed.returncode == -9
    pid, deadline = int(killed.stdout), time.monotonic() + 30
    while (runs(pid) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(pid)
    assert not folder.exists()


def test_a_watchman_that_is_dismissed_touches_nothing(tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        with watchman() as watching:
            watching.remember(group=sleeper.pid, folder=tmp_path)
        assert sleeper.poll() is None
        assert tmp_path.is_dir()
    finally:
        sleeper.kill()
        sleeper.wait()
