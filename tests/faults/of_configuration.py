"""The content of a config file given by `--configfile`, and of a model's file."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from faults.injector import Fault

from eyechart.core.config_files import read
from eyechart.core.errors import UserError
from eyechart.models.spec import read_spec

KIND = "Configuration files"
FILE = "a.yaml"
LEVELS = "abcdefgh"
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz01234567"


def of(content: bytes | str, name: str = FILE) -> Callable[[], Any]:
    """Return a function that writes a config file and reads it."""

    def inject() -> Any:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read(name)

    return inject


def made(make: Callable[[Path], Any]) -> Callable[[], Any]:
    """Return a function that puts something else in the file's place and reads it."""

    def inject() -> Any:
        make(Path(FILE))
        return read(FILE)

    return inject


def whole(content: bytes) -> Callable[[], Any]:
    return lambda: (of(content)(), {"seed": 1})


def laughs() -> str:
    """Return a document of a few lines that expands to a list of 9^8 words."""
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in pairwise(LEVELS)]
    return "\n".join(lines)


def _fault(what: str, inject: Callable[[], Any], says: str) -> Fault:
    return Fault(what, "config file", "refused", inject, rf"^a\.\w+: {says}")


def of_model(fault: Fault) -> Fault:
    """Return the same fault for a model's file."""

    def inject() -> Any:
        try:
            fault.inject()  # writes the file and reads it as a config file
        except UserError:
            return read_spec(next(Path().glob("a.*"), Path(FILE)))
        raise AssertionError("not refused as a config file")

    return replace(fault, where="a model's file", inject=inject)


FAULTS = [
    _fault("empty", of(""), "is empty, expected keys with values"),
    _fault("a comment only", of("# models: [tiny_clip]\n"), "is empty, expected keys"),
    _fault("a list", of("- models\n- datasets\n"), "is a list, expected keys with values"),
    _fault("a word", of("models\n"), "is text, expected keys with values"),
    _fault("a number", of("3\n"), "is a number, expected keys with values"),
    _fault("tabs", of("models:\n\t- tiny_clip\n"), "line 2: .*; indent with spaces, not tabs"),
    _fault("Latin-1", of("run: caf\xe9\n".encode("latin-1")), "not UTF-8: byte 0xe9 in line 1"),
    _fault("UTF-16", of("seed: 1\n".encode("utf-16")), "not UTF-8: byte 0xff in line 1"),
    _fault("a NUL byte", of("seed: 1\n\0"), "line 2: .*x0000"),
    _fault("missing", lambda: read(FILE), "no such file"),
    _fault("a folder in its place", made(Path.mkdir), "is a folder"),
    _fault("a link to itself", made(lambda path: path.symlink_to(path)), "cannot be read"),
    _fault("a pipe in its place", made(os.mkfifo), "is not a file"),
    _fault("broken JSON", of('{"seed": 1,', "a.json"), "line 1: "),
    _fault("JSON with extra text after it", of('{"seed": 1} x', "a.json"), "line 1: "),
    _fault(
        "3,000 nested lists",
        of("a: " + "[" * 3000 + "]" * 3000),
        "line 1: nested more than 50 deep",
    ),
    _fault(
        "100,000 nested JSON lists", of("[" * 100_000, "a.json"), "line 1: nested more than 50 deep"
    ),
    _fault("a Python tag", of('a: !!python/object/apply:os.system ["touch x"]'), "line 1: .*tag"),
    _fault("another tag", of("a: !secret b"), "line 1: .*tag"),
    _fault("aliases that multiply", of(laughs()), "line 6: represents more than 100000 values"),
    _fault("an alias of what holds it", of("a: &a [*a]"), "line 1: .* contains itself"),
    _fault("an alias of nothing", of("a: *b"), "line 1: .*undefined alias"),
    _fault("two documents", of("a: 1\n---\nb: 2\n"), "line 2: .*single document"),
    _fault("a duplicate key", of("seed: 1\nseed: 2\n"), "the key 'seed' is in line 1 and again"),
    _fault("a list as a key", of("? [a, b]\n: 1\n"), "line 1: .*unhashable key"),
    _fault("a number as a key", of("1: 2\n"), "line 1: the key 1 is not a string"),
    *(
        _fault(what, of(f"a: 1\nseed: {value}\n"), f"line 2: .* is not a YAML {kind}$")
        for what, value, kind in (
            ("a number of 5,000 digits", "9" * 5000, "int"),
            ("an invalid date", "2020-99-99", "timestamp"),
            ("an invalid time zone", "2001-12-14t21:59:43.10-99:00", "timestamp"),
            ("a word as a number", "!!int x", "int"),
            ("a number without a value", "!!int ''", "int"),
            ("a word as a boolean", "!!bool x", "bool"),
            ("a word as a date", "!!timestamp x", "timestamp"),
        )
    ),
    _fault(
        "5,000 digits in JSON with tabs",
        of('\t{"seed": ' + "9" * 5000 + "}", "a.json"),
        "a number has too many digits",
    ),
    _fault("a number of 17,000 bits", of("a: 0x" + "f" * 4300), "a number has too many digits"),
    _fault("such a number by an alias", of("a: &a 0x" + "f" * 900 + "\nb: *a"), "a number has"),
    *(
        _fault(
            what, of(f"a: 1\nb: [{value}]\n"), f"line 2: YAML reads {re.escape(value)} as {found};"
        )
        for what, value, found in (
            ("a number with a zero before it", "0144", "100"),
            ("a negative number with a zero before it", "-010", "-8"),
            ("a time of day", "1:30", "90"),
            ("a time of day with fractions", "1:30.5", "90.5"),
        )
    ),
    *(
        _fault(what, of(f"a: 1\nb: {{c: ['{value}']}}\n"), "a value contains a token or a password")
        for what, value in (
            ("a hub's token", TOKEN),
            ("a hub's token in an address", f"https://hub/file?token={TOKEN}"),
            ("a hub's token as a password", f"https://me:{TOKEN}@hub/file"),
            ("a password in an address", "https://me:word@hub/file"),
        )
    ),
    _fault("a hub's token as a key", of(f"a: {{{TOKEN}: 1}}\n"), "a value contains a token"),
    _fault("half of a character", of('{"a": "\\ud800"}', "a.json"), ".* is not Unicode text"),
    _fault("the same in a key", of('{\t"a": {"\\ud800": 1}}', "a.json"), ".* is not Unicode text"),
    *(
        _fault(f"a value of the type {kind}", of(f"a: !!{kind} {value}"), f"line 1: .*type {kind}")
        for kind, value in {
            **{"set": "{x, y}", "binary": "aGk=", "omap": "[x: 1]", "pairs": "[x: 1]"}
        }.items()
    ),
    _fault(
        "mappings merged into others, nine times each",
        of(
            "a: &a {x: 1, y: 2}\n"
            + "".join(
                f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in pairwise(LEVELS)
            )
        ),
        "line 6: represents more than 100000 values",
    ),
    _fault("a mapping merged into itself", of("a: &a\n  <<: *a"), "line 1: .* contains itself"),
    _fault("a word merged into a mapping", of("a: {<<: b}"), "line 1: expected a mapping"),
    _fault("the same key with an escape", of('seed: 1\n"\\x73eed": 2'), "the key 'seed' is in"),
    _fault("yes as a key", of("yes: 1\n"), "line 1: the key yes is not a string"),
    _fault(
        "an own tag for Python's",
        of("%TAG ! tag:yaml.org,2002:\n---\na: !python/name:os.x"),
        "line 3: .*tag",
    ),
    _fault("20 MB", of("a: " + "x" * 20_000_000), "20000003 bytes, the maximum is 1000000"),
    Fault("a byte order mark", "config file", "accepted", whole(b"\xef\xbb\xbfseed: 1\n")),
    Fault("Windows line ends", "config file", "accepted", whole(b"seed: 1\r\n")),
    Fault("JSON indented with tabs", "config file", "accepted", whole(b'{\n\t"seed": 1\n}')),
]
FAULTS += [of_model(fault) for fault in FAULTS if fault.outcome == "refused"]
