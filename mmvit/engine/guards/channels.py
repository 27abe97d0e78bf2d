"""Channels that a backbone gives and those that its neck or head takes."""

import torch
from torch import nn
from torch.func import functional_call

from ..random_states import kept_states

_SIDE = 64  # pixels of the image that is sent through


def _given(backbone: nn.Module) -> list[int] | None:
    """Return the channels of a backbone's outputs, or None if they are hidden.

    An image without values goes through weights without values.
    """
    state = {
        **dict(backbone.named_parameters()),
        **dict(backbone.named_buffers()),
    }
    state = {k: torch.empty_like(v, device='meta') for k, v in state.items()}
    channels = getattr(backbone, 'in_channels', 3)
    image = torch.empty(1, channels, _SIDE, _SIDE, device='meta')
    try:
        with kept_states(), torch.no_grad():
            outputs = functional_call(backbone, state, (image,))
        return [output.shape[1] for output in outputs]
    except Exception:
        return None  # It needs another image, or values.


def _wanted(part: nn.Module, number: int) -> list[int | None] | None:
    """Return the channels that a part takes of each of some outputs."""
    channels, index = part.in_channels, getattr(part, 'in_index', None)
    if index is None:
        return list(channels) if isinstance(channels, (list, tuple)) else None
    if getattr(part, 'input_transform', None) == 'resize_concat':
        return None
    pairs = [(index, channels)]
    if isinstance(index, (list, tuple)):
        pairs = list(zip(index, channels))
    wanted: list[int | None] = [None] * number
    for place, value in pairs:
        if not -number <= place < number:
            return []
        wanted[place] = value
    return wanted


def check_channels(model: nn.Module) -> None:
    """Check that what follows the backbone takes what it gives.

    The neck is looked at, or without one, mmseg's decode head. Parts that do
    not tell what they take pass.

    Raises:
        ValueError: If the numbers differ.
    """
    backbone = getattr(model, 'backbone', None)
    for name in ('neck', 'decode_head'):
        part = getattr(model, name, None)
        if part is not None:
            break
    if backbone is None or not hasattr(part, 'in_channels'):
        return
    given = _given(backbone)
    wanted = given and _wanted(part, len(given))
    if wanted is None:
        return
    fits = len(wanted) == len(given) and all(
        two in (None, one) for one, two in zip(given, wanted)
    )
    if not fits:
        index = getattr(part, 'in_index', None)
        chosen = '' if index is None else f' with in_index {index}'
        raise ValueError(
            f'model.{name}.in_channels is {part.in_channels}{chosen}, and '
            f'model.backbone ({type(backbone).__name__}) gives maps of '
            f'{given} channels: make them agree'
        )
