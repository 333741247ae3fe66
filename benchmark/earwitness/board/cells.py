"""Numbers as the printed tables write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Record = dict[str, Any]


def value(record: Record, name: str, prefix: str) -> str:
    """A value with its interval: `.25 [.20 .31]`."""
    found, low, high = (record.get(key) for key in (name, f"{prefix}low", f"{prefix}high"))
    return short(found) if low is None else f"{short(found)} [{short(low)} {short(high)}]"


def short(value: float | None) -> str:
    """Two decimals without a leading zero, one from ten on: four columns with intervals fit a terminal.

    >>> short(0.25), short(-0.254), short(1.5), short(11.85), short(None)
    ('.25', '-.25', '1.50', '11.8', '-')
    """
    if value is None:
        return "-"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    text = f"{round(value, 2) + 0.0:.2f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def decimal(value: float, digits: int = 2) -> str:
    """A number with as many decimals, and no minus where they are all 0.

    >>> decimal(-0.001), decimal(0.256), decimal(-0.4)
    ('0.00', '0.26', '-0.40')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def in_words(value: Any) -> str:
    """A value of a card as a person says it.

    >>> in_words(None), in_words(True), in_words([1, None]), in_words({"a": 0.5}), in_words("x")
    ('not set', 'yes', '1, not set', 'a: 0.5', 'x')
    """
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {in_words(entry)}" for name, entry in value.items()) or "none"
    return str(value)


def about(number: float) -> str:
    """A number of items, to two digits.

    >>> about(57_812), about(930), about(3e7)
    ('58,000', '930', 'over a million')
    """
    if number > 1_000_000:
        return "over a million"
    return f"{float(f'{number:.2g}'):,.0f}"


def probability(p: float | None) -> str:
    """A p-value with three decimals; nothing where there is none, and no 0: no test of drawn signs gives one.

    >>> probability(0.0496), probability(0.0002), probability(None)
    ('0.050', '<.001', '')
    """
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "<.001"
