"""What the files of an attacker may hold."""

import os

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
    'a number without its data': number(np.dtype('f8'), b''),
    'a log buffer of objects': Call(
        HistoryBuffer, state=dict(_log_history=[print])
    ),
}
