"""A look through a file of torch.save before torch builds anything of it.

The look follows the file's pickle with stand-ins for everything that it names.
So it finds what a file asks for that its own data do not have, or that would
take longer to make than to read. torch.load does not look at all of this:
keys whose hash never ends, tensors larger than their data, compressed zeros,
texts that are encoded again and again.
"""

import math
import pickle
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

import torch
from torch._weights_only_unpickler import _get_allowed_globals

# No checkpoint of a training comes near.
_MAX_STEPS = 2_000_000
# Bytes that tensors may have for each byte of the file: weights that several
# layers share are written once.
_MAX_SHARED = 64
# The instructions that are followed as Python does
_FOLLOWED = (
    'PROTO STOP MARK GLOBAL NONE NEWFALSE NEWTRUE BININT BININT1 BININT2 '
    'LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING TUPLE TUPLE1 TUPLE2 TUPLE3 '
    'EMPTY_TUPLE EMPTY_LIST EMPTY_DICT BINPERSID BINGET LONG_BINGET BINPUT '
    'LONG_BINPUT'
).split()
_KEYS = (str, bytes, int, float, bool, type(None))
_ITEM_BYTES = dict(Double=8, Float=4, Half=2, BFloat16=2, Long=8, Int=4)
_ITEM_BYTES |= dict(Short=2, Char=1, Byte=1, Bool=1)
_ITEM_BYTES |= dict(ComplexFloat=8, ComplexDouble=16)
_STORAGES = {f'torch.{k}Storage': size for k, size in _ITEM_BYTES.items()}
_STORAGES['torch.storage.UntypedStorage'] = 1
_DTYPES = {
    f'torch.{name}'
    for name, value in vars(torch).items()
    if isinstance(value, torch.dtype)
}


# Settings that trainers keep beside the weights: timm and DeiT, Lightning.
# They become dictionaries.
SETTINGS = (
    *('argparse.Namespace', 'pathlib.PosixPath', 'pathlib.WindowsPath'),
    *('pathlib._local.PosixPath', 'pathlib._local.WindowsPath'),
    'lightning_fabric.utilities.data.AttributeDict',
    'lightning.fabric.utilities.data.AttributeDict',
    'pytorch_lightning.utilities.parsing.AttributeDict',
    'lightning.pytorch.utilities.parsing.AttributeDict',
)


class UnknownObjectError(ValueError):
    """A file holds an object that only executing code could make."""


class _Instructions(dict):
    """What follows each instruction of a pickle."""

    def __missing__(self, code: int) -> None:
        raise ValueError(
            f'its pickle has an instruction {code} that is not read: '
            'torch.save writes protocol 2'
        )


class _Name:
    """A class or function that a file names."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Thing:
    """Stands for what torch would make: a tensor, a number, an array."""

    def __init__(self, kind: str, size: int = 0, item: int = 1) -> None:
        self.kind = kind
        self.size = size  # bytes
        self.item = item  # bytes of one number


class _Unknown(OrderedDict):
    """Stands for an object of an unknown class."""


def _expect(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)


def _hides(state: object) -> bool:
    """Whether a state puts functions in the place of a dictionary's own."""
    return isinstance(state, dict) and any(
        isinstance(value, _Name) and hasattr(dict, str(key))
        for key, value in state.items()
    )


def _integers(*values: object) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def check_keys(*keys: object) -> None:
    """Refuse keys that take long to hash, or crash while they are hashed."""
    for key in keys:
        parts = key if type(key) is tuple else (key,)
        _expect(
            all(type(part) in _KEYS for part in parts),
            'a key of a dictionary or set is no text and no number',
        )


class _Steps:
    """Reads a pickle, but not without end."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.left = _MAX_STEPS

    def read(self, count: int) -> bytes:
        self.left -= 1
        _expect(self.left > 0, f'it has more than {_MAX_STEPS} steps')
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline(1000)


class Inspector(pickle._Unpickler):
    """Follows a pickle without making anything of it but plain data.

    Python's own unpickler in Python, with the instructions alone that torch
    follows. Those that call, set or extend something are replaced.

    Args:
        file: The pickle.
        size: Bytes of the whole file, which bound what it may ask for.
        known: Names of our stand-ins; see reading.py.
        foreign: Whether unknown classes are tolerated.
        records: Bytes of each storage, by its key. None if they come later in
            the file.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        known: set[str],
        foreign: bool,
        records: dict[str, int] | None = None,
    ) -> None:
        super().__init__(_Steps(file))
        self.known = known
        self.foreign = foreign
        self.records = records
        self.unknown: set[str] = set()
        self.storages: dict[str, _Thing] = {}
        # What may still be made: tensors share data, others do not.
        self.left = {'tensors': _MAX_SHARED * size, 'storages': size}
        self.left['texts and arrays'] = 2 * size

    def take(self, what: str, count: int) -> None:
        """Count bytes of what a file asks for."""
        self.left[what] -= count
        _expect(
            self.left[what] >= 0,
            f'its {what} would be much larger than the file',
        )

    def find_class(self, module: str, name: str) -> _Name:
        """Note a name; nothing is imported."""
        pair = NAME_MAPPING.get((module, name))
        module, name = pair or (IMPORT_MAPPING.get(module, module), name)
        found = f'{module}.{name}'
        plain = found.replace('torch.cuda.', 'torch.')
        if not (
            found in _CALLS
            or found in _COUNTED
            or found in self.known
            or plain in _STORAGES
            or found in _DTYPES
        ):
            _expect(
                found not in _get_allowed_globals(),
                f'{found} is not read: tensors must be plain ones',
            )
            if not self.foreign and found not in SETTINGS:
                raise UnknownObjectError(f'it holds {found}')
            self.unknown.add(found)
        return _Name(found)

    def persistent_load(self, pid: tuple) -> _Thing:
        """Look at a storage: its data must be in the file."""
        _expect(
            type(pid) is tuple and len(pid) in (5, 6) and pid[0] == 'storage',
            'it names data in an unknown way',
        )
        kind, key, place, count = pid[1:5]
        _expect(
            isinstance(kind, _Name)
            and type(key) is str
            and type(place) is str
            and place != 'meta'
            and _integers(count)
            and (len(pid) == 5 or pid[5] is None),
            'it names data in an unknown way',
        )
        item = _STORAGES.get(kind.name.replace('torch.cuda.', 'torch.'))
        _expect(item is not None, f'data of {kind.name} are not read')
        storage = _Thing('storage', count * item, item)
        before = self.storages.setdefault(key, storage)
        _expect(before.size >= storage.size, f'data {key} differ in size')
        if before is storage and self.records is not None:
            _expect(
                storage.size <= self.records.get(key, -1),
                f'data {key} are not in the file, or not all of them',
            )
        elif before is storage:
            self.take('storages', storage.size)
        return storage

    def load_reduce(self) -> None:
        """Look at a call."""
        arguments, function = self.stack.pop(), self.stack.pop()
        self.append(self._made(function, arguments))

    def _made(self, function: object, arguments: object) -> object:
        _expect(
            isinstance(function, _Name) and type(arguments) is tuple,
            'it calls what is no function',
        )
        if function.name in self.unknown:
            return _Unknown()
        if function.name in _COUNTED:
            return _COUNTED[function.name](self, *arguments)
        last = function.name.rpartition('.')[2]
        call = _CALLS.get(function.name) or _STAND_INS.get(last)
        _expect(call is not None, f'calls of {function.name} are not read')
        return call(*arguments)

    def load_build(self) -> None:
        """Look at the state that an object gets."""
        state, owner = self.stack.pop(), self.stack[-1]
        if type(owner) is OrderedDict:
            # Others would hide the dictionary's own methods.
            _expect(
                type(state) is dict and state.keys() <= {'_metadata'},
                'it changes what a dictionary is',
            )
        elif isinstance(owner, _Thing) and owner.kind == 'array':
            _expect(type(state) is tuple and len(state) == 5, 'a wrong array')
            _expect(type(state[4]) is bytes, 'an array has no bytes')
            self.take('texts and arrays', len(state[4]))
        elif isinstance(owner, _Thing) and owner.kind == 'log':
            _expect(type(state) is dict, 'a log buffer is none')
            logs = (state.get('_log_history'), state.get('_count_history'))
            arrays = [isinstance(log, _Thing) for log in logs]
            _expect(
                all(arrays) and all(log.kind == 'array' for log in logs),
                'a log buffer is none',
            )
        elif isinstance(owner, _Unknown):
            _expect(not _hides(state), 'it changes what a dictionary is')
        else:
            plain = isinstance(owner, _Thing) and owner.kind == 'dtype'
            _expect(plain, 'it changes what has no state')

    def load_append(self) -> None:
        """Extend a list by one."""
        self._extend([self.stack.pop()])

    def load_appends(self) -> None:
        """Extend a list by several."""
        self._extend(self.pop_mark())

    def _extend(self, values: list) -> None:
        _expect(type(self.stack[-1]) is list, 'it extends what is no list')
        self.stack[-1].extend(values)

    def load_setitem(self) -> None:
        """Set one entry of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        """Set several entries of a dictionary."""
        self._set_items(self.pop_mark())

    def _set_items(self, items: list) -> None:
        check_keys(*items[::2])
        found = self.stack[-1]
        _expect(isinstance(found, dict), 'it sets entries of no dictionary')
        found.update(zip(items[::2], items[1::2], strict=True))

    dispatch = _Instructions(
        (code, pickle._Unpickler.dispatch[code])
        for code in (getattr(pickle, name)[0] for name in _FOLLOWED)
    )
    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: load_appends,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }


# ----------------------------------------- what the calls of a file may be


def _tensor(
    look: Inspector,
    storage: object,
    offset: object,
    size: object,
    stride: object,
    gradient: object = False,
    hooks: object = None,
    dtype: object = None,
    metadata: object = None,
) -> _Thing:
    _expect(
        isinstance(storage, _Thing)
        and storage.kind == 'storage'
        and isinstance(size, tuple)
        and isinstance(stride, tuple)
        and len(size) == len(stride) <= 64
        and _integers(offset, *size, *stride)
        and type(gradient) is bool,
        'a tensor is described wrongly',
    )
    _expect(not hooks and not metadata, 'a tensor has more than its numbers')
    item = storage.item
    if dtype is not None:
        _expect(isinstance(dtype, _Name), 'a tensor is described wrongly')
        item = getattr(torch, dtype.name.removeprefix('torch.')).itemsize
    count = math.prod(size)
    end = offset
    if count:
        end += 1 + sum((n - 1) * step for n, step in zip(size, stride))
    _expect(
        max(end, count) * item <= storage.size,
        'a tensor is larger than its data',
    )
    look.take('tensors', count * item)
    return _Thing('tensor', count * item, item)


def _tensor_v2(look: Inspector, *arguments: object) -> _Thing:
    _expect(len(arguments) in (6, 7), 'a tensor is described wrongly')
    return _tensor(look, *arguments[:6], None, *arguments[6:])


def _parameter(data: object, gradient: object, hooks: object) -> object:
    plain = isinstance(data, _Thing) and data.kind == 'tensor'
    _expect(
        plain and type(gradient) is bool and not hooks, 'a wrong parameter'
    )
    return data


def _ordered(pairs: object = ()) -> OrderedDict:
    _expect(
        type(pairs) in (list, tuple)
        and all(type(pair) is list and len(pair) == 2 for pair in pairs),
        'a wrong dictionary',
    )
    check_keys(*(key for key, _ in pairs))
    return OrderedDict(pairs)


def _counter(counts: object) -> _Thing:
    _expect(type(counts) is dict, 'a wrong counter')
    _expect(_integers(*counts.values()), 'a wrong counter')
    return _Thing('counter')


def _set(items: object) -> _Thing:
    _expect(type(items) is list, 'a wrong set')
    check_keys(*items)
    return _Thing('set')


def _encoded(look: Inspector, text: object, codec: object) -> bytes:
    # Others import modules, or make more bytes of a text than it has.
    _expect(
        type(text) is str and codec == 'latin1', f'texts in {codec!r}'[:60]
    )
    look.take('texts and arrays', len(text))
    return text.encode('latin1')


def _numbers(*values: object) -> tuple:
    _expect(
        all(type(value) in (int, float, str) for value in values),
        'a wrong number',
    )
    return values


def _size(sizes: object = ()) -> tuple:
    _expect(type(sizes) is tuple and _integers(*sizes), 'a wrong size')
    return sizes


def _no_bytes() -> bytes:
    return b''


_CALLS: dict[str, Callable] = {
    'collections.OrderedDict': _ordered,
    'collections.Counter': _counter,
    'builtins.bytes': _no_bytes,
    'builtins.set': _set,
    'builtins.complex': _numbers,
    'torch.Size': _size,
    'torch.device': _numbers,
    'torch._utils._rebuild_parameter': _parameter,
}
# These make something, which the inspector counts.
_COUNTED = {
    '_codecs.encode': _encoded,
    'torch._utils._rebuild_tensor_v2': _tensor_v2,
    'torch._utils._rebuild_tensor_v3': _tensor,
}
# What the stand-ins of reading.py are called; they look at their arguments.
_STAND_INS = {
    'getattr': lambda *_: None,
    'HistoryBuffer': lambda *_: _Thing('log'),
    'ndarray': lambda *_: _Thing('array'),
    '_reconstruct': lambda *_: _Thing('array'),
    'dtype': lambda *_: _Thing('dtype'),
    'scalar': lambda *_: _Thing('number'),
}


# ------------------------------------------------------------ whole files


def _read_archive(file: BinaryIO, size: int) -> tuple[bytes, dict[str, int]]:
    """Check a zip archive; return its pickle, and the bytes of each storage.

    Python and torch read it by different programs, so whatever two programs
    could understand differently is refused.
    """
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        names = [part.filename for part in parts]
        top = names[0].partition('/')[0] if names else ''
        _expect(
            f'{top}/constants.pkl' not in names,
            'it is a TorchScript program (torch.jit.save), which is code: '
            'save the state_dict() of that model with torch.save',
        )
        _expect(
            f'{top}/data.pkl' in names, 'it is an archive, not of torch.save'
        )
        _expect(
            not any(part.compress_type or part.flag_bits & 1 for part in parts)
            and sum(part.file_size for part in parts) <= size,
            'it is compressed, and torch.save does not compress',
        )
        file.seek(size - 22)
        end = file.read()
        start = int.from_bytes(end[16:20], 'little')
        _expect(
            len({name.casefold() for name in names}) == len(names)
            and all(name.startswith(f'{top}/') for name in names)
            and end.startswith(b'PK\5\6')
            and start in (archive.start_dir, 2**32 - 1),
            'its list of parts is not as torch.save writes it',
        )
        damaged = archive.testzip()
        _expect(
            not damaged, f'it is damaged: {damaged} in it has another checksum'
        )
        begin = f'{top}/data/'
        records = {p.filename.removeprefix(begin): p.file_size for p in parts}
        return archive.read(f'{top}/data.pkl'), records


def inspect(file: BinaryIO, known: set[str], foreign: bool) -> set[str]:
    """Look through a file of torch.save.

    Args:
        file: The file, read from its beginning.
        known: Names of the stand-ins that torch gets for it.
        foreign: Whether unknown classes are tolerated.

    Returns:
        The names of the unknown classes.

    Raises:
        UnknownObjectError: If there is one, and they are not tolerated.
        ValueError: If the file is not what torch.save writes; the message
            says why. Damaged bytes lead to errors of other kinds, too.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) == b'PK\3\4':
        content, records = _read_archive(file, size)
        look = Inspector(BytesIO(content), size, known, foreign, records)
        look.load()
        return look.unknown
    # Before PyTorch 1.6: a mark, a version, a system, the content, the keys
    # of the data, and the data.
    file.seek(0)
    unknown = set()
    for _ in range(5):
        look = Inspector(file, size, known, foreign)
        look.load()
        unknown |= look.unknown
    return unknown
