"""How long a person waits for `onnes --help`.

    uv run python benchmarks/startup.py

Target: at most 0.5 s.
"""

import subprocess
import sys
import time

from timing import machine

ROUNDS = 9
BASELINE = "python -c pass"
COMMANDS = {
    BASELINE: ["-c", "pass"],
    "python -c 'import click'": ["-c", "import click"],
    "python -c 'import pymeasure.experiment'": ["-c", "import pymeasure.experiment"],
    "onnes --help": ["-c", "from onnes.runner.cli import main; main()", "--help"],
}


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    print(f"start-up, best of {ROUNDS} ({machine()})")
    baseline = min(times[BASELINE])
    for name, found in times.items():
        fastest = min(found)
        print(f"  {name:40} {fastest:6.3f} s  {fastest / baseline:5.1f} x {BASELINE}")


if __name__ == "__main__":
    main()
