"""The memory that a step needs before it starts."""

import resource

from eyechart.core.errors import UserError

# Bytes of addresses; with less, imports of numerical libraries fail in many ways, or never end
LEAST = 1_500_000_000


def check_limit() -> None:
    """Raise a UserError if this process may use too little memory to import its modules."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST:
        raise UserError(
            f"not enough memory: the limit is {limit // 10**6:,} MB, expected at least "
            f"{LEAST // 10**6:,}; lift the limit (ulimit -v) and run again"
        )
