"""Errors of libraries get the key of the config's part that they come from."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from types import FrameType

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmvit.utils.log import warn
from mmvit.utils.types import type_name

from ..run_facts import unwrap

# Functions that build something, and their argument that is its config
_BUILDERS = dict(
    build_from_cfg='cfg',
    build_dataloader='dataloader',
    build_optim_wrapper='optim_wrapper',
)
_OURS = ('mmvit.engine', 'mmvit.checkpoints')


def frames_of(error: BaseException) -> list[FrameType]:
    """List the calls in which an error was raised, the outermost first."""
    trace, frames = error.__traceback__, []
    while trace:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames


def _dicts(value: object, key: str = '') -> Iterator[tuple[str, dict]]:
    """Yield the dicts inside of a value, with their keys."""
    if isinstance(value, (dict, Config)):
        if key:
            yield key, value
        for name, inner in value.items():
            yield from _dicts(inner, f'{key}.{name}'.lstrip('.'))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _dicts(inner, f'{key}[{index}]')


def _text(part: dict) -> str:
    """Write a dict without the dicts in it."""
    items = [
        f'{name}={value!r}'
        for name, value in part.items()
        if not any(_dicts(value, name))
    ]
    return f'dict({", ".join(items)})'


def _of_building(frames: list[FrameType], cfg: Config) -> str:
    found = [
        frame.f_locals.get(_BUILDERS.get(frame.f_code.co_name, ''))
        for frame in reversed(frames)
    ]
    parts = [part for part in found if isinstance(part, dict)]
    for part in parts:
        for key, one in _dicts(cfg):
            # Some classes add to the config of a part before they build it.
            if one and all(k in part and part[k] == one[k] for k in one):
                return f'This is from building {key} = {_text(one)}'
    for part in parts:
        return f'This is from building {type_name(part)} = {_text(part)}'
    return ''


def _of_running(frames: list[FrameType], cfg: Config, model: nn.Module) -> str:
    names = {id(module): name for name, module in model.named_modules()}
    for frame in reversed(frames):
        module = frame.f_locals.get('self')
        if names.get(id(module)):
            break
    else:
        return ''
    name = f'model.{names[id(module)]}'
    told = dict(_dicts(cfg.get('model'), 'model'))
    key = name
    while key not in told:
        key = key.rpartition('.')[0]
    what = type(module).__name__ if len(list(module.children())) else module
    return (
        f'This is from {name}, a {what}. Check the sizes in {key} = '
        f'{_text(told[key])} (such as in_channels, num_classes, class_weight) '
        'against those of the parts before it and of the data'
    )


@contextlib.contextmanager
def named_part(cfg: Config, model: nn.Module | None = None) -> Iterator[None]:
    """Add to an error the part of a config that could not be built or run.

    Errors of our guards name what they are about, and stay as they are.

    Args:
        cfg: The whole config.
        model: The model, if it has been built.
    """
    try:
        yield
    except Exception as error:
        frames = frames_of(error)
        if not str(frames[-1].f_globals.get('__name__')).startswith(_OURS):
            note = _of_building(frames, cfg)
            if not note and model is not None:
                note = _of_running(frames, cfg, model)
            if note and hasattr(error, 'add_note'):
                error.add_note(note)
            elif note:  # Python 3.10
                warn(note)
        raise


def naming_its_part(method: Callable) -> Callable:
    """Let a method of a runner name the part in which an error is."""

    @functools.wraps(method)
    def run(self: Runner, *args, **kwargs) -> object:
        with named_part(self.cfg, unwrap(self.model)):
            return method(self, *args, **kwargs)

    return run
