"""Loading weights into modules, once it is certain that they fit."""

import logging

from mmengine.logging import print_log
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from mmvit.utils.text import some_of

from .reading import SCHEME, read_state_dict

# Share of a module's parameters that pre-trained weights must have. The rest
# is for what pre-training has no use for, such as the norms of the outputs.
MIN_MATCHED = 0.5


def check_match(
    module: nn.Module,
    state_dict: dict[str, Tensor],
    source: str,
    min_matched: float,
    allow_shapes: bool = False,
) -> None:
    """Check that weights fit a module before they are loaded into it.

    Args:
        module: The module that the weights are for.
        state_dict: The weights.
        source: Where they come from, for the message.
        min_matched: Share of the module's parameters, counted by tensors,
            that must be found with their shape.
        allow_shapes: Whether tensors of another shape count as missing, as in
            the head for another data set; otherwise they are an error.
    """
    state_dict = upgraded(module, state_dict)
    own = dict(module.named_parameters())
    missing = [name for name in own if name not in state_dict]
    misshapen = [
        f'{name} {(*state_dict[name].shape,)} instead of {(*value.shape,)}'
        for name, value in own.items()
        if name in state_dict and not _fits(module, name, state_dict[name])
    ]
    known = module.state_dict()
    unexpected = [name for name in state_dict if name not in known]
    matched = len(own) - len(missing) - len(misshapen)
    report = (
        f'{source}: {matched} of {len(own)} parameters of '
        f'{type(module).__name__} found'
    )
    kinds = ('missing', 'of another shape', 'not used')
    for kind, keys in zip(kinds, (missing, misshapen, unexpected)):
        if keys:
            report += f'; {kind}: {some_of(keys)}'
    too_few = matched < min_matched * len(own) or not matched
    if too_few or (misshapen and not allow_shapes):
        raise ValueError(
            f'{report}. The file belongs to another architecture or size, or '
            'its keys need another prefix or a conversion '
            '(tools/model_converters/convert_checkpoint.py).'
        )
    level = logging.WARNING if missing or misshapen else logging.INFO
    print_log(report, 'current', level)


def upgraded(
    module: nn.Module, state_dict: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of earlier versions, with the names that they have today.

    A module with a method `upgrade_keys(state_dict, prefix)` renames its own.
    """
    state_dict = dict(state_dict)
    for name, part in module.named_modules():
        if hasattr(part, 'upgrade_keys'):
            part.upgrade_keys(state_dict, f'{name}.' if name else '')
    return state_dict


def _fits(module: nn.Module, name: str, value: Tensor) -> bool:
    own = module.get_parameter(name)
    if own.shape == value.shape:
        return True
    owner = module.get_submodule(name.rpartition('.')[0])
    # Position tables are resized to their own grid while they are loaded.
    return (
        hasattr(owner, 'resize')
        and own.dim() == value.dim()
        and own.shape[-1] == value.shape[-1]
    )


def load_pretrained(
    module: nn.Module,
    checkpoint: str,
    prefix: str | None = None,
    min_matched: float = MIN_MATCHED,
    allow_shapes: bool = False,
) -> None:
    """Load pre-trained weights of a file or a URL into a module.

    `prefix` is what the module's keys begin with in the file, such as
    'backbone.'; None takes the keys as they are. A file of `mmvit://` holds a
    whole model: there, None takes the backbone's keys if the module has none
    of the others. The rest are arguments of `check_match`.
    """
    state_dict = read_state_dict(checkpoint)
    if prefix is None and checkpoint.startswith(SCHEME):
        own = module.state_dict()
        prefix = None if any(key in own for key in state_dict) else 'backbone.'
    if prefix:
        prefix = prefix.rstrip('.') + '.'
        keys = [key for key in state_dict if key.startswith(prefix)]
        if not keys:
            raise ValueError(
                f'{checkpoint} has no key that begins with {prefix!r}; its '
                f'keys begin like {some_of(list(state_dict))}'
            )
        state_dict = {k.removeprefix(prefix): state_dict[k] for k in keys}
    check_match(module, state_dict, checkpoint, min_matched, allow_shapes)
    load_state_dict(module, state_dict, strict=False, logger='silent')
