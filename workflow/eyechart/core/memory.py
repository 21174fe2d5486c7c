"""The memory that a step needs before it starts, and before it draws charts."""

import resource
from functools import cache
from pathlib import Path

from eyechart.core.errors import UserError

# Bytes of addresses; with less, imports of numerical libraries fail in many ways, or never end
LEAST = 1_500_000_000
# Bytes of addresses that the JavaScript engine of charts reserves when it starts. It uses few of
# them, but with less it ends the process without a message
CHARTS = 70_000_000_000
_PAGES = Path("/proc/self/statm")  # begins with the number of the process's pages


def check_limit() -> None:
    """Raise a UserError if this process may use too little memory to import its modules."""
    _check(LEAST, "")


@cache
def check_charts() -> None:
    """Raise a UserError if this process may use too little memory to draw its first chart."""
    _check((taken() or 0) + CHARTS, " to draw charts")


def taken() -> int | None:
    """Return the bytes of addresses that this process has, or None on systems that hide them."""
    return int(_PAGES.read_text().split()[0]) * resource.getpagesize() if _PAGES.exists() else None


def _check(least: int, work: str) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise UserError(
            f"not enough memory{work}: the limit is {limit // 10**6:,} MB, expected at least "
            f"{least // 10**6:,}; lift the limit (ulimit -v) and run again"
        )
