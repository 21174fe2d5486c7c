"""Formatting of numbers."""


def share(value: float, sign: bool = False) -> str:
    """Return an accuracy, or a difference of two accuracies, as text.

    >>> share(0.5), share(-0.25, sign=True), share(-0.001, sign=True)
    ('0.50', '−0.25', '0.00')
    """
    rounded = round(value, 2) + 0.0  # adding zero turns a negative zero into a plain one
    return f"{rounded:{'+' if sign and rounded else ''}.2f}".replace("-", "−")


def p_value(value: float) -> str:
    """Return a p or q as text.

    >>> p_value(0.0321), p_value(0.00002)
    ('= 0.032', '< 0.0001')
    """
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"


def size(count: int) -> str:
    """Return a number of bytes as text in decimal units."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """Return a time in seconds as text.

    >>> duration(3.25), duration(3725)
    ('3.2 s', '1 h 02 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
