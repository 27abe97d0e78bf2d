"""Loading weights into modules, once it is certain that they fit."""

import logging
from collections import Counter

from mmengine.logging import print_log
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from mmvit.utils.log import warn
from mmvit.utils.text import some_of

from .reading import SCHEME, read_state_dict

# Share of a module's parameters that pre-trained weights must have. The rest
# is for what pre-training has no use for, such as the norms of the outputs.
MIN_MATCHED = 0.5
_STATISTICS = ('running_mean', 'running_var')


def check_match(
    module: nn.Module,
    state_dict: dict[str, Tensor],
    source: str,
    min_matched: float,
    allow_shapes: bool = False,
) -> None:
    """Check that weights fit a module before they are loaded into it.

    Args:
        module, state_dict, source: What the weights are for, they themselves,
            and where they come from.
        min_matched: Share of the module's parameters, counted by tensors,
            that must be found with their shape; with 1, all buffers, too.
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
            f'{_hint(state_dict, known)}'
        )
    check_statistics(module, state_dict, source, complete=min_matched >= 1)
    used = {name: state_dict[name] for name in state_dict if name in known}
    check_values(used, source, known)
    level = logging.WARNING if missing or misshapen else logging.INFO
    print_log(report, 'current', level)


def _hint(state_dict: dict[str, Tensor], known: dict) -> str:
    """Find out whether names would fit without what they begin with."""
    starts = Counter(name.partition('.')[0] for name in state_dict)
    for start, _ in starts.most_common(3):
        names = [n for n in state_dict if n.startswith(f'{start}.')]
        found = sum(n.removeprefix(f'{start}.') in known for n in names)
        if found > len(known) / 2:
            return (
                f' {found} of its keys would fit without "{start}." before '
                'them: take it off, or give Pretrained that prefix.'
            )
    return ''


def check_statistics(
    module: nn.Module,
    state_dict: dict[str, Tensor],
    source: str,
    complete: bool = True,
) -> None:
    """Check that the statistics of norms come with their weights.

    A BatchNorm without its running mean and variance gives other results
    than the one that was trained, and no error. `complete` asks for every
    buffer of numbers, not only for the statistics of those norms whose
    weights are there.

    Raises:
        ValueError: If some are missing.
    """
    parameters = dict(module.named_parameters())
    missing = [
        name
        for name, value in module.state_dict().items()
        if name not in parameters
        and name not in state_dict
        and isinstance(value, Tensor)
        and value.is_floating_point()
        and (complete or _is_torn(name, state_dict))
    ]
    if missing:
        raise ValueError(
            f'{source} has the parameters of {type(module).__name__} but not '
            f'what training has measured beside them: {some_of(missing)}. The '
            'results would be wrong. Write the file from state_dict(), not '
            'from parameters()'
        )


def _is_torn(name: str, state_dict: dict[str, Tensor]) -> bool:
    """Whether a norm's statistics are missing, and its weight is not."""
    owner, _, kind = name.rpartition('.')
    return kind in _STATISTICS and f'{owner}.weight'.lstrip('.') in state_dict


def check_values(
    weights: dict[str, Tensor], source: str, own: dict[str, Tensor]
) -> None:
    """Check that weights are numbers that training can have made.

    They must have the types of `own`, the module's state dict. Weights that
    are all zero get a warning, unless the module's own are.

    Raises:
        ValueError: If numbers are integers, NaN or infinite, if a variance is
            negative, or if all matrices are zero.
    """
    floats = {n: w for n, w in weights.items() if own[n].is_floating_point()}
    wrong = [
        f'{name} ({str(value.dtype).removeprefix("torch.")})'
        for name, value in floats.items()
        if not value.is_floating_point()
    ]
    if wrong:
        raise ValueError(
            f'{source} has weights that are no floating-point numbers: '
            f'{some_of(wrong)}. Quantized weights are not read'
        )
    # Numbers of 8 bits have no such functions of their own.
    floats = {n: w.float() if w.itemsize < 2 else w for n, w in floats.items()}
    wrong = [n for n, w in floats.items() if not w.isfinite().all()]
    if wrong:
        raise ValueError(
            f'{source} has weights that are NaN or infinite: {some_of(wrong)}.'
            ' Its training had diverged, or the file is damaged: take an '
            'earlier one'
        )
    variances = [n for n in floats if n.endswith('running_var')]
    wrong = [n for n in variances if floats[n].min() < 0]
    if wrong:
        raise ValueError(
            f'{source} has negative variances, so it is damaged: '
            f'{some_of(wrong)}'
        )
    _check_zeros(floats, source, own)


def _check_zeros(
    weights: dict[str, Tensor], source: str, own: dict[str, Tensor]
) -> None:
    matrices = {n: w for n, w in weights.items() if w.dim() > 1 and w.numel()}
    zero = [n for n, w in matrices.items() if not w.any()]
    if zero and len(zero) == len(matrices):
        raise ValueError(f'{source} has weights that are all zero')
    strange = [n for n in zero if own[n].is_meta or own[n].any()]
    if strange:
        warn(f'{source} has weights that are all zero: {some_of(strange)}')


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
