"""Reading checkpoint files without executing anything that they hold."""

import contextlib
import logging
import os.path as osp
import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import BinaryIO
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import checkpoint as loading
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from .download import download, sole_process

MapLocation = str | torch.device | Callable | None

# What begins the name of a published file; see zoo.py.
SCHEME = 'mmvit://'
# The types of arrays that are read, as pickle writes them
_NUMBERS = {np.dtype(code).str[1:] for code in '?bBhHiIlLqQefdg'}
_trusted: set[str] = set()


# Besides tensors, a checkpoint of a training holds NumPy numbers, arrays and
# log buffers. The stand-ins below replace what pickle would call to build
# them. They use plain data only: none of them calls or returns an object that
# the file chose.
class _Dtype:
    """A plain numeric type."""

    def __init__(self, code: str, *_: bool) -> None:
        if code not in _NUMBERS:
            raise ValueError(f'arrays of type {code!r} are not read')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        # Of a numeric type's state only the byte order has a meaning.
        self.dtype = self.dtype.newbyteorder(str(state[1]))


class _Array(np.ndarray):
    """An array of numbers, saved again as a plain one."""

    def __new__(cls, *_: object) -> '_Array':
        # `_reconstruct` gets other arguments than a type does.
        return super().__new__(cls, 0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, by_column, data = state
        super().__setstate__((1, shape, dtype.dtype, by_column, data))

    def __reduce_ex__(self, protocol: int) -> tuple:
        return np.asarray(self).__reduce_ex__(protocol)


class _LogBuffer(HistoryBuffer):
    """A log buffer, which keeps its own statistics methods."""

    def __setstate__(self, state: dict) -> None:
        HistoryBuffer.__init__(
            self,
            np.asarray(state['_log_history']),
            np.asarray(state['_count_history']),
            int(state['max_length']),
        )
        # Saved again as mmengine's.
        self.__class__ = HistoryBuffer


def _no_attribute(*_: object) -> None:
    """Take the place of `getattr`, by which buffers name their methods."""


def _number(dtype: _Dtype, data: bytes) -> np.generic:
    return np.frombuffer(data, dtype.dtype, count=1)[0]


class _Unknown:
    """Any class or function that is not known: makes an empty dictionary.

    What pickle writes about an object is then filled into that dictionary as
    data.
    """

    def __new__(cls, *_: object) -> OrderedDict:
        return OrderedDict()


# The name before NumPy 2.0, and since
_MULTIARRAY = ('numpy.core.multiarray', 'numpy._core.multiarray')
_STAND_INS = [
    (_no_attribute, 'builtins.getattr'),
    (_LogBuffer, f'{HistoryBuffer.__module__}.HistoryBuffer'),
    (_Array, 'numpy.ndarray'),
    (_Dtype, 'numpy.dtype'),
    *((_Array, f'{module}._reconstruct') for module in _MULTIARRAY),
    *((_number, f'{module}.scalar') for module in _MULTIARRAY),
]


def trust_checkpoint(path: str) -> None:
    """Let one file, such as an old one of your own, execute code."""
    _trusted.add(osp.realpath(path))


def _names_in(path: str) -> set[str]:
    """Names of the classes and functions that a file asks for.

    The file is read as a list of instructions, and none is carried out.
    """
    names = set()
    with open(path, 'rb') as file, contextlib.ExitStack() as stack:
        pickles, number = file, 1
        if zipfile.is_zipfile(file):
            archive = stack.enter_context(zipfile.ZipFile(file))
            parts = archive.namelist()
            name = next(p for p in parts if p.endswith('data.pkl'))
            pickles = stack.enter_context(archive.open(name))
        else:
            # Before PyTorch 1.6: a mark, a version, a system, the content
            file.seek(0)
            number = 4
        for _ in range(number):
            for code, argument, _ in pickletools.genops(pickles):
                if code.name == 'GLOBAL':
                    names.add(_name_today(*argument.split(' ', 1)))
    return names


def _name_today(module: str, name: str) -> str:
    """The full name that torch makes of one of Python 2."""
    pair = NAME_MAPPING.get((module, name))
    module, name = pair or (IMPORT_MAPPING.get(module, module), name)
    return f'{module}.{name}'


def _load_data(path: str, map_location: MapLocation, foreign: bool) -> object:
    if path.endswith('.safetensors'):
        return _load_safetensors(path)
    known = list(_STAND_INS)
    if foreign:
        names = _names_in(path) - {name for _, name in _STAND_INS}
        known += [(_Unknown, name) for name in sorted(names)]
    with torch.serialization.safe_globals(known):
        return torch.load(path, map_location, weights_only=True)


def _load_safetensors(path: str) -> dict[str, Tensor]:
    try:
        # Only these files need it.
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(
            f'{path} needs the package safetensors: pip install safetensors'
        ) from error
    return load_file(path)


def safe_load(
    path: str, map_location: MapLocation = 'cpu', foreign: bool = False
) -> object:
    """Load what torch.save wrote, without executing what the file holds.

    mmengine's own loader executes a file when it finds an object that it does
    not know. Files that end with .safetensors are read too.

    Args:
        path: The file.
        map_location: See torch.load.
        foreign: Whether an object of an unknown class, such as the settings
            that another trainer stored beside the weights, becomes a
            dictionary of what was written about it. By default such a file
            is refused.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'no checkpoint at {path}')
    if osp.realpath(path) in _trusted:
        text = f'{path} is trusted: the code in it is executed'
        print_log(text, 'current', logging.WARNING)
        return torch.load(path, map_location, weights_only=False)
    try:
        return _load_data(path, map_location, foreign)
    except ImportError:
        raise
    except Exception as error:
        # torch's advice fills a screen: take the line that says what it found.
        lines = str(error).splitlines() or [type(error).__name__]
        found = (line.strip() for line in lines if 'Unsupported' in line)
        advice = (
            ''
            if foreign
            else (
                ' If you trust the file, name it with --trust-checkpoint FILE '
                '(mmvit.checkpoints.trust_checkpoint).'
            )
        )
        raise ValueError(
            f'{path} cannot be read as a checkpoint: it is truncated, or '
            f'holds objects that only executing code could make.{advice} '
            f'({next(found, lines[0])})'
        ) from error


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: MapLocation = None,
    **_: object,
) -> object:
    """Download a file once, and load it by `safe_load`."""
    folder = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    path = osp.join(folder, osp.basename(urlparse(url).path))
    if not osp.isfile(path):
        with sole_process(path):
            if not osp.isfile(path):
                download([url], path)
    return safe_load(path, map_location)


def load_from_zoo(name: str, map_location: MapLocation = None) -> object:
    """Load `mmvit://NAME`, a published file under our names."""
    # The zoo reads what it has downloaded by this module.
    from .zoo import fetch

    return safe_load(fetch(name), map_location)


def _load_file(
    file: str | BinaryIO, map_location: MapLocation = None, **_: object
) -> object:
    """Load what mmengine has fetched: a file, or bytes such as of s3://."""
    if isinstance(file, str):
        return safe_load(file, map_location)
    with torch.serialization.safe_globals(_STAND_INS):
        return torch.load(file, map_location, weights_only=True)


@contextlib.contextmanager
def safe_schemes() -> Iterator[None]:
    """Let mmengine load all files and addresses safely for a time.

    Each of its schemes ends in one of the functions that are replaced, and
    `mmvit://` is one more.
    """
    schemes = {'': safe_load, SCHEME: load_from_zoo}
    before = {name: CheckpointLoader._schemes.get(name) for name in schemes}
    functions = dict(load_url=_load_url, _safe_torch_load=_load_file)
    # Not every version of mmengine has both.
    originals = {
        name: getattr(loading, name)
        for name in functions
        if hasattr(loading, name)
    }
    try:
        for name, loader in schemes.items():
            CheckpointLoader.register_scheme(name, loader, force=True)
        for name in originals:
            setattr(loading, name, functions[name])
        yield
    finally:
        for name, loader in before.items():
            del CheckpointLoader._schemes[name]
            if loader is not None:
                CheckpointLoader.register_scheme(name, loader)
        for name, function in originals.items():
            setattr(loading, name, function)


# Where trainers keep the weights in a checkpoint, by precedence: the moving
# average is in use only where the file has nothing else.
_PLACES = ('state_dict', 'model')
_AVERAGES = ('model_ema', 'state_dict_ema', 'ema_state_dict', 'ema')


def _find_weights(content: object, places: tuple[str, ...]) -> object:
    """Look through the dictionaries around a state dict."""
    if isinstance(content, dict):
        for place in places:
            if isinstance(content.get(place), dict):
                return _find_weights(content[place], places)
    return content


def _plain_name(key: str) -> str:
    """Take off what a distributed or compiled run put before a name."""
    return key.replace('_orig_mod.', '').removeprefix('module.')


def read_checkpoint(
    path: str, foreign: bool = False, average: bool = False
) -> dict:
    """Read a file of weights without executing anything that it holds.

    Args:
        path: A file written by torch.save or safetensors: a state dict, or a
            checkpoint that has one under a name that is usual for it. A URL
            is downloaded first.
        foreign: Whether objects of unknown classes are tolerated in a local
            file; see `safe_load`. Nothing but the weights is then returned.
        average: Whether the moving average of the weights is taken where the
            file has both.

    Returns:
        The checkpoint. Its weights are under `state_dict`; their names have
        no prefix of a distributed or compiled run.
    """
    if foreign:
        content = safe_load(path, foreign=True)
    else:
        with safe_schemes():
            content = CheckpointLoader.load_checkpoint(path, 'cpu')
    places = (*_PLACES, *_AVERAGES)
    if average:
        places = (*_AVERAGES, *_PLACES)
    weights = _find_weights(content, places)
    if foreign and isinstance(weights, dict):
        weights = {k: w for k, w in weights.items() if isinstance(w, Tensor)}
    if not (isinstance(weights, dict) and weights) or not all(
        isinstance(w, Tensor) for w in weights.values()
    ):
        raise ValueError(f'{path} holds no state dict')
    rest = content if weights is not content and not foreign else {}
    weights = {_plain_name(key): w for key, w in weights.items()}
    return {**rest, 'state_dict': weights}


def read_state_dict(path: str, **kwargs: bool) -> dict[str, Tensor]:
    """Read the weights of a file; see `read_checkpoint`."""
    return read_checkpoint(path, **kwargs)['state_dict']
