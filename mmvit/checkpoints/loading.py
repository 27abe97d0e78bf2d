"""Loading that says what it could not place instead of going on from noise."""

import logging
import os.path as osp
import pickle
from collections.abc import Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.model.weight_init import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader, load_state_dict
from torch import Tensor, nn

try:
    from numpy._core import multiarray as _multiarray
except ImportError:  # NumPy before 2.0
    from numpy.core import multiarray as _multiarray


def _history_method(owner: object, name: str) -> object:
    """Stand in for `getattr`, which pickled log buffers ask for."""
    if owner is HistoryBuffer or isinstance(owner, HistoryBuffer):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr of {owner!r} is not allowed')


# What a training's own checkpoint holds besides tensors: mmengine's log
# buffers, and the metrics in them, which are NumPy scalars. mmengine's list
# of such objects is not used, since it lets any `getattr` through.
_SAFE = [
    (_history_method, 'builtins.getattr'),
    HistoryBuffer,
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in np.typecodes['AllInteger'] + '?efdgU'},
    *(getattr(_multiarray, name) for name in ('scalar', '_reconstruct')),
]
_SHOWN = 5
MapLocation = str | torch.device | Callable | None


def _names(keys: list[str]) -> str:
    shown = ', '.join(keys[:_SHOWN])
    more = len(keys) - _SHOWN
    return f'{shown} and {more} more' if more > 0 else shown


def _first_lines(error: Exception) -> str:
    # torch's advice fills a screen; what it met stands in one line of it.
    lines = [
        line.strip()
        for line in str(error).splitlines()
        if 'Unsupported' in line or 'error' in line.lower()
    ]
    return (lines or str(error).splitlines() or [type(error).__name__])[0]


_trusted: set[str] = set()


def trust_checkpoint(path: str) -> None:
    """Let one file execute code while it is loaded.

    For old files of your own that hold more than tensors.
    """
    _trusted.add(osp.realpath(path))


def safe_load(path: str, map_location: MapLocation = 'cpu') -> object:
    """Load a local file without executing anything that it holds.

    mmengine's own loader falls back to executing when it meets an object that
    it does not know.

    Args:
        path: A file written by torch.save.
        map_location: See torch.load.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated, or holds what only code could make and
            is not trusted.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'no checkpoint at {path}')
    if osp.realpath(path) in _trusted:
        print_log(
            f'{path} is trusted: what it holds is executed',
            logger='current',
            level=logging.WARNING,
        )
        return torch.load(path, map_location=map_location, weights_only=False)
    try:
        with torch.serialization.safe_globals(_SAFE):
            return torch.load(
                path, map_location=map_location, weights_only=True
            )
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as a checkpoint: it is truncated, or '
            'holds objects that only executing code could make. If you trust '
            'the file, name it with --trust-checkpoint FILE '
            f'(mmvit.checkpoints.trust_checkpoint). ({_first_lines(error)})'
        ) from error


def read_checkpoint(path: str) -> dict:
    """Read a file of weights, safely.

    Args:
        path: A file written by torch.save: a state dict, or a checkpoint that
            holds one under `state_dict` or `model`. A URL is fetched first.

    Returns:
        The checkpoint; its weights are under `state_dict`, by names without
        the prefix of a distributed run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read safely, or holds no weights.
    """
    content = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    checkpoint = content if isinstance(content, dict) else {}
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            weights = checkpoint[key]
            break
    else:
        weights, checkpoint = checkpoint, {}
    if not weights or not all(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise ValueError(f'{path} holds no state dict')
    weights = {
        key.removeprefix('module.'): value for key, value in weights.items()
    }
    return {**checkpoint, 'state_dict': weights}


# For all local files, whoever loads them: mmengine's runner, mmdet's
# backbones, our initialisation.
CheckpointLoader.register_scheme(prefixes='', loader=safe_load, force=True)


def read_state_dict(path: str) -> dict[str, Tensor]:
    """Read the weights of a file; see `read_checkpoint`."""
    return read_checkpoint(path)['state_dict']


def check_match(
    module: nn.Module,
    state_dict: dict[str, Tensor],
    source: str,
    min_matched: float,
    allow_shapes: bool = False,
) -> None:
    """Check that weights fit a module before they are loaded into it.

    Args:
        module: What the weights are for.
        state_dict: The weights.
        source: Where they come from, for the message.
        min_matched: Share of the module's parameters, counted by tensors,
            that must be found with their shape.
        allow_shapes: Whether a tensor of another shape is left out like a
            missing one, as the head of another data set is; else it is an
            error.

    Raises:
        ValueError: If too little fits; names what does not.
    """
    own = {
        name: tuple(value.shape) for name, value in module.named_parameters()
    }
    missing = [name for name in own if name not in state_dict]
    misshapen = [
        f'{name} {tuple(state_dict[name].shape)} instead of {shape}'
        for name, shape in own.items()
        if name in state_dict and not _fits(module, name, state_dict[name])
    ]
    unexpected = [
        name for name in state_dict if name not in module.state_dict()
    ]
    matched = len(own) - len(missing) - len(misshapen)
    report = (
        f'{source}: {matched} of {len(own)} parameters of '
        f'{type(module).__name__} found'
    )
    for what, keys in (
        ('missing', missing),
        ('of another shape', misshapen),
        ('not used', unexpected),
    ):
        if keys:
            report += f'; {what}: {_names(keys)}'
    too_few = matched < min_matched * len(own) or not matched
    if too_few or (misshapen and not allow_shapes):
        raise ValueError(
            f'{report}. The file belongs to another architecture or size, or '
            'its keys need another prefix or a conversion '
            '(tools/model_converters/convert_checkpoint.py).'
        )
    print_log(
        report,
        logger='current',
        level=logging.WARNING if missing or misshapen else logging.INFO,
    )


def _fits(module: nn.Module, name: str, value: Tensor) -> bool:
    own = module.get_parameter(name)
    if own.shape == value.shape:
        return True
    owner = module.get_submodule(name.rpartition('.')[0])
    # Position tables of another grid are resized while they are loaded.
    return (
        hasattr(owner, 'resize')
        and own.dim() == value.dim()
        and (own.shape[-1] == value.shape[-1])
    )


def load_pretrained(
    module: nn.Module,
    checkpoint: str,
    prefix: str | None = None,
    min_matched: float = 0.9,
    allow_shapes: bool = False,
) -> None:
    """Load pre-trained weights into a module.

    Args:
        module: What to load into.
        checkpoint: File or URL.
        prefix: What the module's keys begin with in the file, such as
            'backbone.'; None takes the keys as they are.
        min_matched: See `check_match`. Parameters that pre-training has no
            use for, such as the output norms of a detector, may be missing.
        allow_shapes: See `check_match`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file does not fit.
    """
    state_dict = read_state_dict(checkpoint)
    if prefix:
        prefix = prefix.rstrip('.') + '.'
        chosen = {
            key.removeprefix(prefix): value
            for key, value in state_dict.items()
            if key.startswith(prefix)
        }
        if not chosen:
            raise ValueError(
                f'{checkpoint} has no key that begins with {prefix!r}; its '
                f'keys begin like {_names(list(state_dict))}'
            )
        state_dict = chosen
    check_match(module, state_dict, checkpoint, min_matched, allow_shapes)
    load_state_dict(module, state_dict, strict=False, logger='silent')


@WEIGHT_INITIALIZERS.register_module(name='Pretrained', force=True)
class CheckedPretrainedInit(PretrainedInit):
    """mmengine's `Pretrained`, which stops where too little fits.

    It takes that name's place, so that backbones of all libraries are
    checked. A head of another size may stay as it was drawn.

    Args:
        checkpoint: File or URL.
        prefix: See `load_pretrained`.
        map_location: See torch.load.
        min_matched: See `check_match`.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: MapLocation = 'cpu',
        min_matched: float = 0.5,
    ) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.min_matched = min_matched

    def __call__(self, module: nn.Module) -> None:
        """Load into a module."""
        load_pretrained(
            module,
            self.checkpoint,
            self.prefix,
            self.min_matched,
            allow_shapes=True,
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())
