"""Processes of the benchmarks: inputs, environments of the peers, and what a run costs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE / ".data"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run took."""

    cpu_s: float
    peak_rss_byte: int


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


def run(command: list[str], *, quiet: bool = False) -> Cost:
    """Run a program to its end, without its output if `quiet`; what the system says it took."""
    void = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)] if quiet else []
    process = os.posix_spawn(command[0], command, os.environ, file_actions=void)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts
    return Cost(cpu_s=used.ru_utime + used.ru_stime, peak_rss_byte=used.ru_maxrss * unit)
