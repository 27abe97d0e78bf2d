"""Reading checkpoint files without executing anything that they hold."""

import contextlib
import io
import logging
import os.path as osp
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

from mmvit.utils.paths import path_within

from .download import download, sole_process
from .inspection import UnknownObjectError, inspect
from .layouts import (
    find_weights,
    is_state_dict,
    plain_checkpoint,
    plain_names,
)

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


def _no_bytes() -> bytes:
    """Take the place of `bytes`, by which empty arrays name their data."""
    return b''


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
    (_no_bytes, 'builtins.bytes'),
    (_LogBuffer, f'{HistoryBuffer.__module__}.HistoryBuffer'),
    (_Array, 'numpy.ndarray'),
    (_Dtype, 'numpy.dtype'),
    *((_Array, f'{module}._reconstruct') for module in _MULTIARRAY),
    *((_number, f'{module}.scalar') for module in _MULTIARRAY),
]


def trust_checkpoint(path: str) -> None:
    """Let one file, such as an old one of your own, execute code."""
    _trusted.add(osp.realpath(osp.expanduser(path)))


def is_trusted(path: str) -> bool:
    """Whether a file may execute code; if so, the log says it."""
    if osp.realpath(osp.expanduser(path)) not in _trusted:
        return False
    text = f'{path} is trusted: the code in it is executed'
    print_log(text, 'current', logging.WARNING)
    return True


# How files begin that are often mistaken for a checkpoint
_OTHERS = {
    b'<': 'it is a web page, such as that of a login',
    b'version https://git-lfs': 'it is a pointer of Git LFS: git lfs pull',
    b'\x1f\x8b': 'it is a gzip archive: unpack it first',
    b'\x93NUMPY': 'it is an array of NumPy',
    b'\x89HDF': 'it is a file of HDF5, such as of Keras',
}
_TRUST = (
    'If you trust the file, name it with --trust-checkpoint FILE '
    '(mmvit.checkpoints.trust_checkpoint), which executes the code in it'
)


def _load_data(
    file: BinaryIO, map_location: MapLocation, foreign: bool
) -> object:
    start = file.read(64)
    if start[8:9] == b'{' and not any(start[4:8]):
        return _load_safetensors(file)
    if str(getattr(file, 'name', '')).endswith('.safetensors'):
        raise ValueError('it does not begin like a file of safetensors')
    for begin, text in _OTHERS.items():
        if start.lstrip().startswith(begin):
            raise ValueError(text)
    unknown = inspect(file, {name for _, name in _STAND_INS}, foreign)
    known = [*_STAND_INS, *((_Unknown, name) for name in sorted(unknown))]
    file.seek(0)
    with torch.serialization.safe_globals(known):
        return torch.load(file, map_location, weights_only=True)


def _load_safetensors(file: BinaryIO) -> dict[str, Tensor]:
    try:
        # Only these files need it.
        from safetensors.torch import load, load_file
    except ImportError as error:
        raise ImportError(
            'files of safetensors need that package: pip install safetensors'
        ) from error
    name = getattr(file, 'name', None)
    return load_file(name) if name else load(file.getvalue())


def _read(
    file: BinaryIO, path: str, map_location: MapLocation, foreign: bool
) -> object:
    """Load an open file; all addresses lead to here.

    Raises:
        ValueError: If the file, whose name is `path`, is refused.
    """
    try:
        return _load_data(file, map_location, foreign)
    except ImportError as error:
        raise ImportError(f'{path}: {error}') from error
    except UnknownObjectError as error:
        reason = f'{error}, which only executing code could make. {_TRUST}'
    except ValueError as error:
        reason = str(error)
    except Exception as error:  # damaged bytes lead to errors of all kinds
        line = (str(error).splitlines() or [''])[0]
        reason = f'it is cut off or damaged ({type(error).__name__}: {line})'
    raise ValueError(f'{path} cannot be read as a checkpoint: {reason}')


def safe_load(
    path: str, map_location: MapLocation = 'cpu', foreign: bool = False
) -> object:
    """Load what torch.save wrote, without executing what the file holds.

    mmengine's own loader executes a file when it finds an object that it does
    not know. Files of safetensors are read too. Checksums are compared, and
    what a file asks for is bounded by its size; see inspection.py.

    Args:
        path: The file.
        map_location: See torch.load.
        foreign: Whether an object of an unknown class, such as the settings
            that another trainer stored beside the weights, becomes a
            dictionary of what was written about it. By default such a file
            is refused.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is refused; the message has the reason.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'no checkpoint at {path}')
    if is_trusted(path):
        return torch.load(path, map_location, weights_only=False)
    with open(path, 'rb') as file:
        return _read(file, path, map_location, foreign)


def can_be_saved(value: object) -> bool:
    """Whether `safe_load` would read a value that is put into a file."""
    if isinstance(value, (str, int, float)):
        return True
    file = io.BytesIO()
    try:
        torch.save(value, file)
        file.seek(0)
        _load_data(file, 'cpu', False)
    except Exception:
        return False
    return True


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: MapLocation = None,
    **_: object,
) -> object:
    """Download a file once, and load it by `safe_load`."""
    folder = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    path = path_within(folder, osp.basename(urlparse(url).path))
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
    return _read(file, 'the file of that address', map_location, False)


def _load_checkpoint(*args, **kwargs) -> object:
    """Load from any address, with the weights where mmengine looks."""
    content = plain_checkpoint(_load_anything(*args, **kwargs))
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        # The text of a config: mmengine's Runner executes it to resume. Its
        # own checkpoints have none there.
        meta = {key: value for key, value in meta.items() if key != 'config'}
        content = {**content, 'meta': meta}
    return content


_load_anything = CheckpointLoader.load_checkpoint


@contextlib.contextmanager
def safe_schemes() -> Iterator[None]:
    """Let mmengine load all files and addresses safely for a time.

    Each of its schemes ends in one of the functions that are replaced, and
    `mmvit://` is one more.
    """
    schemes = {'': safe_load, SCHEME: load_from_zoo}
    before = {name: CheckpointLoader._schemes.get(name) for name in schemes}
    functions = [
        (loading, 'load_url', _load_url),
        (loading, '_safe_torch_load', _load_file),
        (CheckpointLoader, 'load_checkpoint', staticmethod(_load_checkpoint)),
    ]
    # Not every version of mmengine has all of them.
    originals = [
        (owner, name, vars(owner)[name])
        for owner, name, _ in functions
        if name in vars(owner)
    ]
    try:
        for name, loader in schemes.items():
            CheckpointLoader.register_scheme(name, loader, force=True)
        for owner, name, function in functions:
            if name in vars(owner):
                setattr(owner, name, function)
        yield
    finally:
        for name, loader in before.items():
            del CheckpointLoader._schemes[name]
            if loader is not None:
                CheckpointLoader.register_scheme(name, loader)
        for owner, name, function in originals:
            setattr(owner, name, function)


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
    weights = find_weights(content, average)
    if foreign and isinstance(weights, dict):
        weights = {
            k: w for k, w in dict.items(weights) if isinstance(w, Tensor)
        }
    if not is_state_dict(weights):
        raise ValueError(f'{path} holds no state dict')
    rest = content if weights is not content and not foreign else {}
    return {**rest, 'state_dict': plain_names(weights, content)}


def read_state_dict(path: str, **kwargs: bool) -> dict[str, Tensor]:
    """Read the weights of a file; see `read_checkpoint`."""
    return read_checkpoint(path, **kwargs)['state_dict']
