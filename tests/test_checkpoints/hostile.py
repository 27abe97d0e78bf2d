"""What the files of an attacker may hold."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Is unpickled by a call, with a state if one is given."""

    def __init__(self, function, *args, state=None):
        self.call = (
            (function, args)
            if state is None
            else (
                function,
                args,
                state,
            )
        )

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Pickle wants what it calls to look like a function."""


def number(dtype, data):
    return Call(np.float64(1).__reduce__()[0], dtype, data)


def array(*state):
    reconstruct = np.arange(3).__reduce__()[0]
    return Call(reconstruct, np.ndarray, (0,), b'b', state=state)


def dtype(code, *state):
    return Call(np.dtype, code, False, True, state=(3, '<', *state))


def fetched(kind, owner, name):
    """An attribute of any object, by the methods of a log buffer."""
    get = Call(getattr, HistoryBuffer, '__getattribute__')
    rebuild = torch._tensor._rebuild_from_type_v2
    return Call(rebuild, get, kind, (owner, name), {})


TYPE = Call(getattr, HistoryBuffer, '__class__')
STATISTICS = Call(getattr, HistoryBuffer, '_statistics_methods')
DICT = fetched(TYPE, STATISTICS, '__class__')
INIT = Call(getattr, HistoryBuffer, '__init__')
PLAIN = (None, None, None, -1, -1, 0)
HOSTILE = {
    'a command': Call(os.system, 'touch TRACE'),
    'an expression': Call(eval, 'open("TRACE", "w")'),
    'a method of an array': Call(Call(getattr, np.ndarray, 'tofile'), 'TRACE'),
    'a statistics method': Call(
        Call(getattr, HistoryBuffer, 'register_statistics'), print
    ),
    'the globals of a method': fetched(DICT, INIT, '__globals__'),
    'attributes set on a class': Call(
        torch._tensor._rebuild_from_type_v2,
        getattr,
        type(None),
        (HistoryBuffer, 'mean'),
        dict(mean=HistoryBuffer),
    ),
    'an array of objects': np.array([1, 'a'], dtype=object),
    'an array of pointers': array(1, (1,), np.dtype('O'), False, [1]),
    'an array of text': np.array(['a', 'b']),
    'a structured array': np.zeros(2, dtype=[('a', 'i4'), ('b', 'f4')]),
    'an array without its data': array(
        1, (10**9,), np.dtype('f8'), False, bytes(8)
    ),
    'an array of so many bytes': array(
        1, (2**40,), dtype('b1', *PLAIN), False, 2**40
    ),
    'an array of a negative size': array(
        1, (-1,), np.dtype('f8'), False, bytes(8)
    ),
    'a type of text that is long': number(
        dtype('U1', None, None, None, 2**30, 4, 8), bytes(8)
    ),
    'a number that is a pointer': number(np.dtype('O'), bytes(8)),
    'a number without its data': number(np.dtype('f8'), b'1'),
    'a log buffer of objects': Call(
        HistoryBuffer, state=dict(_log_history=[print])
    ),
}


# ------------------------------------------- files that torch.save never wrote


def text(value):
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def integer(value):
    data = pickle.encode_long(value)
    return b'\x8a' + bytes([len(data)]) + data


def entry(name, value):
    return text(name) + value


def named(module, name):
    return f'c{module}\n{name}\n'.encode()


def several(*values):
    return b'(' + b''.join(values) + b't'


def call(function, *arguments):
    return named(*function) + several(*arguments) + b'R'


def dictionary(*entries):
    return b'}(' + b''.join(entries) + b'u'


ORDERED = call(('collections', 'OrderedDict'))
FALSE = b'\x89'
NESTED = b')' + b'\x85' * 200_000
# A tuple of twice the tuple before it: its hash takes 2 ** 60 steps.
DOUBLED = b')' + b'q\x00h\x00\x86' * 60


def storage(kind='FloatStorage', count=4, key='0', place='cpu'):
    parts = text('storage'), named('torch', kind), text(key), text(place)
    return several(*parts, integer(count)) + b'Q'


def tensor(data=None, offset=0, size=(4,), stride=(1,), hooks=ORDERED):
    parts = (
        integer(offset),
        *(several(*map(integer, values)) for values in (size, stride)),
    )
    function = 'torch._utils', '_rebuild_tensor_v2'
    return call(function, data or storage(), *parts, FALSE, hooks)


def archive(content, parts=None, compression=0, end=b''):
    """A zip archive as torch.save writes it, but for what is asked."""
    parts = {
        'a/data.pkl': b'\x80\x02' + content + b'.',
        'a/data/0': bytes(16),
        'a/version': b'3\n',
    } | (parts or {})
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as stream:
        for name, data in parts.items():
            stream.writestr(name, data)
    return file.getvalue() + end


def weights(value):
    return archive(dictionary(entry('weight', value)))


def encoded(times):
    """A text that each encoding makes twice as long."""
    found = call(('_codecs', 'encode'), text('ab'), text('latin1'))
    for _ in range(times):
        found = call(('_codecs', 'encode'), found, text('hex'))
    return found


def twice():
    """Two parts of one name, of which two programs may read another."""
    parts = {'A/DATA.PKL': b'\x80\x02' + call(('os', 'getcwd')) + b'.'}
    return archive(dictionary(entry('weight', tensor())), parts)


def damaged():
    data = bytearray(weights(tensor()))
    place = data.index(bytes(16))
    data[place + 5] ^= 1
    return bytes(data)


def legacy(content, count=4):
    """A file of torch before 1.6; a pickle each for four facts."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    facts = magic, pickle.dumps(1001, 2), pickle.dumps({}, 2)
    keys = pickle.dumps(['0'], 2)
    data = struct.pack('<q', count) + bytes(16)
    return b''.join((*facts, b'\x80\x02' + content + b'.', keys, data))


def legacy_weights(value, count=4):
    return legacy(dictionary(entry('weight', value)), count)


def old_storage(count=4):
    parts = text('storage'), named('torch', 'FloatStorage'), text('0')
    return several(*parts, text('cpu'), integer(count), b'N') + b'Q'


def safetensors(header, length=None):
    data = header.encode()
    length = len(data) if length is None else length
    return struct.pack('<Q', length) + data + bytes(16)


def tensors(shape, begin, end, dtype='F32'):
    facts = dict(dtype=dtype, shape=shape, data_offsets=[begin, end])
    return safetensors(json.dumps(dict(weight=facts)))


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as stream:
        for name in ('storages', '../TRACE'):
            stream.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def numpy_archive():
    file = io.BytesIO()
    np.savez(file, weight=np.array([Call(os.system, 'touch TRACE')]))
    return file.getvalue()


def script():
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    return file.getvalue()


def saved(value):
    file = io.BytesIO()
    torch.save(dict(weight=value), file)
    return file.getvalue()


FLOAT = named('torch', 'float32')
FILES = {
    'data of more numbers than there are': lambda: weights(
        tensor(storage(count=2**30), size=(2**30,))
    ),
    'data of a negative number': lambda: weights(tensor(storage(count=-4))),
    'data that are not there': lambda: weights(tensor(storage(key='9'))),
    'data on no device': lambda: weights(tensor(storage(place='meta'))),
    'a tensor larger than its data': lambda: weights(tensor(size=(2**28,))),
    'a tensor of a negative size': lambda: weights(tensor(size=(-4,))),
    'a tensor of a negative step': lambda: weights(tensor(stride=(-1,))),
    'a tensor before its data': lambda: weights(tensor(offset=-100)),
    'a tensor that repeats one number': lambda: weights(
        tensor(size=(2**45,), stride=(0,))
    ),
    'a tensor with hooks': lambda: weights(
        tensor(hooks=ORDERED + integer(0) + named('builtins', 'set') + b's')
    ),
    'a tensor that is drawn': lambda: weights(
        call(('torch', 'FloatTensor'), integer(2**45))
    ),
    'data that are drawn': lambda: weights(
        call(('torch', 'FloatStorage'), integer(2**45))
    ),
    'a meta tensor': lambda: saved(torch.empty(3, device='meta')),
    'a sparse tensor': lambda: saved(torch.eye(3).to_sparse()),
    'a sparse tensor of wrong places': lambda: saved(
        torch.sparse_coo_tensor([[10**9]], [1.0], (3,), check_invariants=False)
    ),
    'a nested tensor': lambda: weights(
        call(('torch._utils', '_rebuild_nested_tensor'), tensor(), tensor())
    ),
    'a quantized tensor': lambda: weights(
        call(('torch._utils', '_rebuild_qtensor'), storage('QInt8Storage'))
    ),
    'a tensor of another class': lambda: weights(
        call(('torch._utils', '_rebuild_wrapper_subclass'), FLOAT)
    ),
    'a key that crashes': lambda: archive(b'}' + NESTED + b'Ns'),
    'a key that takes for ever': lambda: archive(b'}' + DOUBLED + b'Ns'),
    'a set of such keys': lambda: weights(
        call(('builtins', 'set'), b']' + DOUBLED + b'a')
    ),
    'an ordered dictionary of such keys': lambda: weights(
        call(('collections', 'OrderedDict'), b']]' + DOUBLED + b'aNaa')
    ),
    'a text that grows': lambda: weights(encoded(60)),
    'a text encoded again and again': lambda: weights(
        b']('
        + text('a' * 2**20)
        + b'q\x00'
        + 99 * call(('_codecs', 'encode'), b'h\x00', text('latin1'))
        + b'e'
    ),
    'bytes without end': lambda: weights(
        call(('builtins', 'bytearray'), integer(2**45))
    ),
    'a dictionary that hides its functions': lambda: archive(
        ORDERED + dictionary(entry('items', named('builtins', 'set'))) + b'b'
    ),
    'a pickle without end': lambda: archive(b'](' + b'N' * 5_000_000 + b'e'),
    'a pickle of wrong order': lambda: archive(b'RRR'),
    'a pickle of another protocol': lambda: archive(
        pickle.dumps(Call(os.system, 'touch TRACE'), 4)[2:-1]
    ),
    'compressed zeros': lambda: archive(
        dictionary(entry('weight', tensor(storage(count=2**22)))),
        {'a/data/0': bytes(2**24)},
        compression=zipfile.ZIP_DEFLATED,
    ),
    'two parts of one name': twice,
    'an archive with a remark': lambda: weights(tensor()) + b'remark',
    'an archive of arrays': numpy_archive,
    'a bit that has changed': damaged,
    'a program': script,
    'an old file, larger than its data': lambda: legacy_weights(
        tensor(old_storage(2**40), size=(2**40,))
    ),
    'an old file of a wrong count': lambda: legacy_weights(
        tensor(old_storage()), count=2**60
    ),
    'an old file that is a call': lambda: legacy(
        call(('os', 'system'), text('touch TRACE'))
    ),
    'a file of torch before 0.1': tar,
    'a compressed file': lambda: gzip.compress(weights(tensor())),
    'tensors outside of the file': lambda: tensors([2**40], 0, 2**42),
    'tensors of a wrong shape': lambda: tensors([2**62, 4], 0, 16),
    'tensors of no type': lambda: tensors([4], 0, 16, dtype='F31'),
    'tensors with a header too long': lambda: safetensors('{}', 2**31),
    'tensors with a broken header': lambda: safetensors('{"weight": [[[['),
}


def write(form, path):
    """Write a hostile file of either kind."""
    if form in FILES:
        path.write_bytes(FILES[form]())
    else:
        content = dict(weight=torch.ones(2, 2), extra=HOSTILE[form])
        torch.save(content, path)
