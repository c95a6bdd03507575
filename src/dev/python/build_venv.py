"""Builds a virtual environment once, however many processes ask for it at the same time.

usage: build_venv.py TARGET REQUIREMENTS

The folder TARGET appears complete or not at all: it is filled under another name and renamed. A file lock, which
the kernel drops when its holder dies, makes the others wait instead of downloading the same things. Console
scripts inside name the folder they were built in: run modules (`bin/python -m NAME`) or native programs only.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import venv


def build(target: str, requirements: str) -> None:
    partial = f"{target}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # left by a build that was killed
    venv.create(partial, with_pip=True, symlinks=True)
    subprocess.run(
        [
            os.path.join(partial, "bin", "python"),
            *("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
            *("--requirement", requirements),
        ],
        check=True,
    )
    os.rename(partial, target)


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed")
    target, requirements = sys.argv[1:]
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{target}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(target):
            build(target, requirements)


if __name__ == "__main__":
    main()
