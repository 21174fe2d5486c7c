"""Build .venvs/<env> from the pins in envs/<env>.yaml, for runs without conda.

make env ENV=legacy_4_48
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from eyechart.core import errors
from eyechart.core.errors import UserError, nearest
from eyechart.plan import environments


def interpreter(version: str) -> str:
    """Return a Python of the pinned minor version; raise a UserError if there is none."""
    minor = ".".join(version.split(".")[:2])
    if sys.version_info[:2] == tuple(map(int, minor.split("."))):
        return sys.executable
    found = shutil.which(f"python{minor}")
    if found is None:
        raise UserError(f"Python {minor} is needed; put python{minor} on the PATH")
    return found


def build(env: str) -> None:
    """Create an environment, install exactly the pinned packages, and write the stamp last."""
    folder, pins = environments.BUILT / env, environments.pins(env)
    subprocess.run([interpreter(pins["python"]), "-m", "venv", "--clear", folder], check=True)
    pip = [environments.python_of(env), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # a model needs few of the modules, and Python compiles those when it imports them
    done = subprocess.run([*pip, "install", "--no-compile", *pins["packages"]], check=False)
    if done.returncode:
        raise UserError(f"{folder}: pip could not install what envs/{env}.yaml pins; see above")
    stamp = folder / environments.STAMP
    stamp.write_text(environments.pins_hash(env) + "\n", encoding="utf-8")


def main(argv: list[str]) -> None:
    """Build the given environments, or all except base, unless they exist with the same pins."""
    known = environments.names()
    wanted = [env for env in known if env != environments.BASE] if argv == ["all"] else argv
    for env in wanted:
        if env not in known:
            raise UserError(f"there is no environment {env!r}; {nearest(env, [*known, 'all'])}")
    missing = [env for env in wanted if not environments.is_built(env)]
    for env in wanted:
        will = "is made of what" if env in missing else "is as"
        late = " pins (a few minutes, once)" if env in missing else " says"
        print(f".venvs/{env} {will} envs/{env}.yaml{late}", flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each pip uses one core
        list(pool.map(build, missing))


if __name__ == "__main__":
    errors.run(main)
