"""Names of published weights, a family a file.

Each file has a function `convert`, which takes a published state dict and
returns a `Conversion`. The task, a classifier or a dense model, is found by
the names in the state dict.
"""

from mmvit.utils.text import some_of

from . import focal, hlg, pvt, scalablevit, setr
from .renaming import Conversion, StateDict

FAMILIES = {
    'focal': focal.convert,
    'hlg': hlg.convert,
    'pvt': pvt.convert,
    'scalablevit': scalablevit.convert,
    'setr': setr.convert,
}


def convert(state_dict: StateDict, family: str) -> Conversion:
    """Convert what `read_state_dict` returns, and say what it is.

    Raises:
        ValueError: If the family is not known, or a name has no place.
    """
    if family not in FAMILIES:
        raise ValueError(
            f'unknown family {family!r}: choose one of {", ".join(FAMILIES)}'
        )
    if not state_dict:
        raise ValueError('there are no weights')
    done = FAMILIES[family](state_dict)
    if done.unknown:
        raise ValueError(
            f'not a published {family} checkpoint: {len(done.unknown)} of '
            f'its {len(state_dict)} keys have no place: '
            f'{some_of(done.unknown, 10)}'
        )
    return done


def convert_published(state_dict: StateDict, family: str) -> StateDict:
    """Convert a published state dict to our names; see `convert`."""
    return convert(state_dict, family).weights


__all__ = ['FAMILIES', 'Conversion', 'convert', 'convert_published']
