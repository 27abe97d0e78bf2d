"""What the families' converters share."""

import re
from collections.abc import Callable

from torch import Tensor

StateDict = dict[str, Tensor]
Rules = list[tuple[str, str]]


def rename(key: str, rules: Rules) -> str:
    """Rename a key by the first rule whose pattern it begins with.

    A rule is a (regular expression, replacement) pair.

    Raises:
        KeyError: If no rule fits.
    """
    for pattern, replacement in rules:
        name, found = re.subn(f'^{pattern}', replacement, key)
        if found:
            return name
    raise KeyError(key)


def convert_by(
    place: Callable[[str, Tensor], StateDict], state_dict: StateDict
) -> tuple[StateDict, list[str]]:
    """Convert published weights tensor by tensor.

    `place` gives our names and tensors for a published one, {} if we do not
    need it. It raises KeyError if the name is not known.

    Returns:
        Our names to tensors, and the published names that are not known.
    """
    converted, unknown = {}, []
    for key, value in state_dict.items():
        try:
            converted.update(place(key, value))
        except KeyError:
            unknown.append(key)
    return converted, unknown
