"""Processes of the benchmarks: inputs, environments of the peers, and what a run costs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE / ".data"
SOURCE = HERE.parent / "src"  # ours, for a peer's interpreter
MARK = "TREE6G_BENCH_FAMILY"
LOOK_S = 0.05
LEAVE_S = 20.0  # for what a program has started to end after it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run took."""

    cpu_s: float
    peak_rss_byte: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """CPU seconds of a program, and of it with all processes that it started."""

    alone_cpu_s: float
    cpu_s: float


def generated(name: str) -> Path:
    """The input, generated anew when its generator has changed."""
    script = HERE / name / "generate.py"
    mark = hashlib.sha256(script.read_bytes()).hexdigest()[:12]
    out = DATA / f"{name}-{mark}"
    if not out.exists():
        print(f"  generating {out.name}", file=sys.stderr)
        DATA.mkdir(exist_ok=True)
        fresh = out.with_suffix(".new")
        subprocess.run([sys.executable, str(script), str(fresh)], check=True)
        fresh.rename(out)
    return out


def environment(name: str, peer: str) -> Path:
    """Interpreter of the peer's own virtual environment, made when its requirements change."""
    wanted = HERE / name / f"requirements-{peer}.txt"
    folder = HERE / f".venv-{name}-{peer}"
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != wanted.read_bytes():
        print(f"  setting up {folder.name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--no-input"]
        subprocess.run([*install, "--disable-pip-version-check", "-r", str(wanted)], check=True)
        stamp.write_bytes(wanted.read_bytes())
    return python


def run(command: list[str], *, quiet: bool = False, **variables: str) -> Cost:
    """Run a program to its end, without its output if `quiet`; what the system says it took.

    Args:
        command: Program and arguments.
        quiet: Whether its output is thrown away.
        **variables: Of its environment, beside ours.
    """
    void = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)] if quiet else []
    process = os.posix_spawn(command[0], command, {**os.environ, **variables}, file_actions=void)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts
    return Cost(cpu_s=used.ru_utime + used.ru_stime, peak_rss_byte=used.ru_maxrss * unit)


def run_family(command: list[str], **variables: str) -> Family:
    """Run a program to its end, with every process that it starts, wherever they go.

    Daemons leave their parent, and who ignores its children's end is not told what they took. So
    processes are known by a variable that they inherit, and looked at while they live: what they
    took after the last look, and those that lived between two looks, are missed. The sum is a lower
    bound, by at most `LOOK_S` for each process. Linux only.
    """
    mark = uuid.uuid4().hex
    spent: dict[tuple[int, str], float] = {}
    whose: dict[int, bool] = {}
    process = subprocess.Popen(command, env={**os.environ, **variables, MARK: mark})
    while process.poll() is None:
        look(mark, spent, whose)
        time.sleep(LOOK_S)
    end_s = time.monotonic() + LEAVE_S
    while look(mark, spent, whose) and time.monotonic() < end_s:
        time.sleep(LOOK_S)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    alone_s = max(cpu_s for (pid, _), cpu_s in spent.items() if pid == process.pid)
    return Family(alone_cpu_s=alone_s, cpu_s=sum(spent.values()))


def look(mark: str, spent: dict[tuple[int, str], float], whose: dict[int, bool]) -> int:
    """Note what the processes of a family have taken so far; returns how many there are.

    Args:
        mark: Value of the variable that they inherit.
        spent: CPU seconds by number and start of the process; grows.
        whose: Whether a number is of the family; grows.
    """
    tick_s, living = 1.0 / os.sysconf("SC_CLK_TCK"), 0
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if pid not in whose:
                inherited = (folder / "environ").read_bytes()
                whose[pid] = f"{MARK}={mark}".encode() in inherited.split(b"\0")
            if not whose[pid]:
                continue
            # Fields from the third on, after the name in brackets: state, ..., 14 and 15 user and
            # system ticks, 22 start.
            fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:  # it has just ended, or is somebody else's
            continue
        spent[pid, fields[19]] = tick_s * (int(fields[11]) + int(fields[12]))
        living += fields[0] != "Z"
    return living
