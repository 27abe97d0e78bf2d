"""What the families' converters share."""

import re
from collections.abc import Callable

from torch import Tensor

StateDict = dict[str, Tensor]
Rules = list[tuple[str, str]]


def rename(key: str, rules: Rules) -> str | None:
    """Rename a key by the first rule whose pattern it begins with.

    A rule is a (regular expression, replacement) pair. None means that no
    rule fits.
    """
    for pattern, replacement in rules:
        name, found = re.subn(f'^{pattern}', replacement, key)
        if found:
            return name
    return None


def convert_by(
    place: Callable[[str, Tensor], StateDict | None], state_dict: StateDict
) -> tuple[StateDict, list[str]]:
    """Convert published weights tensor by tensor.

    `place` gives our names and tensors for a published one: {} if we do not
    need it, None if its name is not known.

    Returns:
        Our names to tensors, and the published names that are not known.
    """
    converted, unknown = {}, []
    for key, value in state_dict.items():
        placed = place(key, value)
        if placed is None:
            unknown.append(key)
        else:
            converted.update(placed)
    return converted, unknown
