"""What the families' converters share."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

StateDict = dict[str, Tensor]
Rules = list[tuple[str, str]]


@dataclass
class Conversion:
    """Published weights under our names, and what is known about them.

    Attributes:
        weights: Our names to tensors.
        unknown: Published names that have no place.
        left_out: Published names that play no part in the model and are left
            out on purpose.
        task: What the published model does, such as 'RetinaNet'.
        config: The config that has the published function, as a path from
            the repository's root, or a pattern of several; '' if the sizes
            are those of no config.
        options: What --cfg-options must set in that config, such as
            'model.backbone.arch=medium'.
    """

    weights: StateDict
    unknown: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    task: str = 'ImageNet classifier'
    config: str = ''
    options: list[str] = field(default_factory=list)


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
) -> Conversion:
    """Convert published weights tensor by tensor.

    `place` gives our names and tensors for a published one, {} if we do not
    need it. It raises KeyError if the name is not known.
    """
    done = Conversion({})
    for key, value in state_dict.items():
        try:
            placed = place(key, value)
        except KeyError:
            done.unknown.append(key)
            continue
        done.weights.update(placed)
        if not placed:
            done.left_out.append(key)
    return done


def without_prefix(state_dict: StateDict, prefix: str) -> StateDict:
    """Take a prefix off all names, if all of them have it."""
    if not all(key.startswith(prefix) for key in state_dict):
        return state_dict
    return {key.removeprefix(prefix): v for key, v in state_dict.items()}


def fold_biases(weights: StateDict, conv: str, norm: str) -> None:
    """Fold biases of convolutions into the batch norms that follow them.

    A bias is subtracted from the running mean, which has the same effect. Our
    convolutions in front of a norm have none. `conv` and `norm` are the names
    that the two have in their module, such as 'conv' and 'bn'.
    """
    for name in [name for name in weights if name.endswith(f'.{conv}.bias')]:
        mean = f'{name.removesuffix(f"{conv}.bias")}{norm}.running_mean'
        if mean in weights:
            weights[mean] = weights[mean] - weights.pop(name)


def pyramid_size(weights: StateDict) -> tuple[int, tuple[int, ...]]:
    """Channels of the first stage of a pyramid, and the stages' depths.

    `weights` have our names; 0 and () if there is no pyramid in them.
    """
    found = (
        re.match(r'backbone\.stages\.(\d)\.blocks\.(\d+)', name)
        for name in weights
    )
    blocks = Counter(stage for stage, _ in {m.groups() for m in found if m})
    first = weights.get('backbone.stages.0.blocks.0.attn.proj.bias')
    return (
        0 if first is None else len(first),
        tuple(blocks[stage] for stage in sorted(blocks)),
    )
