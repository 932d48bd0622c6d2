"""Sets up an environment of its own and runs the demo or the tests; needs only Python and its venv module.

    python3 Testing/run.py demo [IMAGE]
    python3 Testing/run.py test [PYTEST OPTIONS]

The environment is .venv in the repository, made once and again when pyproject.toml or the pinned
versions change. MEDCOMPRESS_VENV puts it elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "Testing" / "constraints.txt"
OLDEST, NEWEST = (3, 10), (3, 13)


def main() -> int:
    """Run one of the two commands."""
    if len(sys.argv) < 2 or sys.argv[1] not in ("demo", "test"):
        print(__doc__)
        return 2
    python = environment(sys.argv[1])
    if sys.argv[1] == "demo":
        return subprocess.call([python, "-m", "SlicerMedCompressLib", "demo", *sys.argv[2:]])
    checks = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["pytest", *sys.argv[2:]]]
    # The environment's own programs, CMake above all, are found by the tests on the path.
    os.environ["PATH"] = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    # A crash is a negative status; all checks run, whatever the first ones say.
    failed = [check[0] for check in checks if subprocess.call([python, "-m", *check], cwd=ROOT) != 0]
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def environment(extra: str) -> str:
    """Path of a Python that has the package and what one of its extras names."""
    folder = Path(os.environ.get("MEDCOMPRESS_VENV", ROOT / ".venv"))
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / f"installed-{extra}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return os.fspath(python)
    print(f"Setting up {folder} (once, some minutes, about 1.5 GB) ...", flush=True)
    if not python.exists():
        make_environment(folder)
    install = [os.fspath(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.check_call([*install, "-c", os.fspath(CONSTRAINTS), "-e", f"{ROOT}[{extra}]"])
    stamp.write_text(wanted)
    return os.fspath(python)


def make_environment(folder: Path) -> None:
    """Make a virtual environment with this Python, or with another one that slicer-core supports."""
    interpreter = suitable_python()
    try:
        subprocess.check_call([interpreter, "-m", "venv", os.fspath(folder)])
    except subprocess.CalledProcessError:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit("Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv")


def suitable_python() -> str:
    """This Python if its version is supported, else a supported one on the path."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    sys.exit(
        f"slicer-core needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}; "
        f"this is {sys.version.split()[0]}. Install one of them and run this file with it."
    )


if __name__ == "__main__":
    sys.exit(main())
