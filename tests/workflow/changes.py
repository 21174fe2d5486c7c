"""Changes to a finished project, for tests of reruns."""

import ast
import os
import shutil
from collections.abc import Callable

from project import Project

Change = Callable[[Project], None]


def touch_everything(project: Project) -> None:
    for path in project.folder.rglob("*"):
        if ".snakemake" not in path.parts:
            os.utime(path)


def edit_words(project: Project) -> None:
    """Add a comment to every module and change its first docstring."""
    for path in project.path("workflow/eyechart").rglob("*.py"):
        text = path.read_text()
        if doc := ast.get_docstring(ast.parse(text), clean=False):
            text = text.replace(doc, doc + " And more.", 1)
        path.write_text(text + "\n\n# a comment\n")


def edit_logic(module: str) -> Change:
    def change(project: Project) -> None:
        with open(project.path(f"workflow/eyechart/{module}"), "a") as file:
            file.write("\nMORE = 1\n")

    return change


def configure(**changes: object) -> Change:
    return lambda project: project.configure(changes)


def clevr(**changes: object) -> Change:
    return configure(datasets={"clevr": changes})


def delete(name: str) -> Change:
    return lambda project: project.path(name).unlink()


def delete_folder(name: str) -> Change:
    """Delete a folder with its files."""
    return lambda project: shutil.rmtree(project.path(name))


def put_folder(name: str) -> Change:
    def change(project: Project) -> None:
        project.path(name).unlink()
        project.path(name).mkdir()

    return change


def damage(name: str, keep_time: bool = False) -> Change:
    """Flip one byte in the middle, keeping the size."""

    def change(project: Project) -> None:
        before, content = project.path(name).stat(), bytearray(project.path(name).read_bytes())
        content[len(content) // 2] ^= 0xFF
        project.path(name).write_bytes(content)
        if keep_time:
            os.utime(project.path(name), ns=(before.st_atime_ns, before.st_mtime_ns))

    return change


def truncate(name: str) -> Change:
    return lambda project: os.truncate(project.path(name), 100)


def reorder_keys(project: Project) -> None:
    for section in ("extraction", "probing", "datasets"):
        project.config[section] = dict(reversed(project.config[section].items()))
    project.configure({})


def upgrade_library(project: Project) -> None:
    with open(project.path("requirements.lock"), "a") as lock:
        lock.write("another==1.0\n")


def swap_folds_and_seeds(project: Project) -> None:
    probing = project.config["probing"]
    project.configure({"probing": {"folds": probing["seeds"], "seeds": probing["folds"]}})
