"""What the families' converters share."""

import re

Rules = list[tuple[str, str]]


def rename(key: str, rules: Rules) -> str | None:
    """Rename a key by the first rule whose pattern it begins with.

    Args:
        key: Published name.
        rules: (regular expression, replacement) pairs.

    Returns:
        Our name, or None if no rule fits.
    """
    for pattern, replacement in rules:
        name, found = re.subn(f'^{pattern}', replacement, key)
        if found:
            return name
    return None
