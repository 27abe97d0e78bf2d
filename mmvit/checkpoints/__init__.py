"""Published weights under our names, and loading that checks what it does.

A name is imported when it is first used, so that `released`, the list of what
is published, can be read without torch.
"""

import importlib

_PLACES = {
    'FAMILIES': 'published',
    'Conversion': 'published',
    'check_match': 'matching',
    'check_values': 'matching',
    'convert': 'published',
    'convert_published': 'published',
    'guard_loading': 'guard',
    'load_pretrained': 'matching',
    'read_checkpoint': 'reading',
    'read_state_dict': 'reading',
    'safe_load': 'reading',
    'trust_checkpoint': 'reading',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'.{_PLACES[name]}', __name__)
    return getattr(module, name)
