"""Reading checkpoint files without executing anything that they hold."""

import contextlib
import logging
import os
import os.path as osp
from collections.abc import Callable, Iterator
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import checkpoint as loading
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

MapLocation = str | torch.device | Callable | None

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


def safe_load(path: str, map_location: MapLocation = 'cpu') -> object:
    """Load what torch.save wrote, without executing what the file holds.

    mmengine's own loader executes a file when it finds an object that it does
    not know. `map_location` is that of torch.load.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'no checkpoint at {path}')
    if osp.realpath(path) in _trusted:
        text = f'{path} is trusted: the code in it is executed'
        print_log(text, 'current', logging.WARNING)
        return torch.load(path, map_location, weights_only=False)
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location, weights_only=True)
    except Exception as error:
        # torch's advice fills a screen: take the line that says what it found.
        lines = str(error).splitlines() or [type(error).__name__]
        found = (line.strip() for line in lines if 'Unsupported' in line)
        raise ValueError(
            f'{path} cannot be read as a checkpoint: it is truncated, or '
            'holds objects that only executing code could make. If you trust '
            'the file, name it with --trust-checkpoint FILE '
            '(mmvit.checkpoints.trust_checkpoint). '
            f'({next(found, lines[0])})'
        ) from error


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: MapLocation = None,
    progress: bool = True,
) -> object:
    """Download a file once, and load it by `safe_load`."""
    folder = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    path = osp.join(folder, osp.basename(urlparse(url).path))
    if not osp.isfile(path):
        os.makedirs(folder, exist_ok=True)
        torch.hub.download_url_to_file(url, path, progress=progress)
    return safe_load(path, map_location)


@contextlib.contextmanager
def safe_schemes() -> Iterator[None]:
    """Let mmengine load files and URLs safely for a time."""
    loader, load_url = CheckpointLoader._schemes[''], loading.load_url
    CheckpointLoader._schemes[''] = safe_load
    loading.load_url = _load_url
    try:
        yield
    finally:
        CheckpointLoader._schemes[''] = loader
        loading.load_url = load_url


def read_checkpoint(path: str) -> dict:
    """Read a file of weights without executing anything that it holds.

    Args:
        path: A file written by torch.save: a state dict, or a checkpoint that
            has one under `state_dict` or `model`. A URL is downloaded first.

    Returns:
        The checkpoint. Its weights are under `state_dict`; their names have
        no prefix of a distributed run.
    """
    with safe_schemes():
        content = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    checkpoint = content if isinstance(content, dict) else {}
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            weights = checkpoint[key]
            break
    else:
        weights, checkpoint = checkpoint, {}
    if not weights or not all(isinstance(w, Tensor) for w in weights.values()):
        raise ValueError(f'{path} holds no state dict')
    weights = {key.removeprefix('module.'): w for key, w in weights.items()}
    return {**checkpoint, 'state_dict': weights}


def read_state_dict(path: str) -> dict[str, Tensor]:
    """Read the weights of a file; see `read_checkpoint`."""
    return read_checkpoint(path)['state_dict']
