"""Names of SETR's own dense models: Naive, PUP and MLA.

The encoder has timm's names. The decoders differ from ours: convolutions have
biases in front of their batch norms; the last convolution is the classifier,
while `conv_seg` is an unused part of the base class; half of MLA's decoder is
in the backbone, and its classifier sees the streams in another order.
"""

import re
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .renaming import Conversion, StateDict, convert_by, fold_biases, rename
from .vit import TIMM_RULES, place_positions

_HEAD = r'(decode_head|auxiliary_head\.\d+)\.'
_STEP = re.compile(rf'{_HEAD}(conv|syncbn_fc)_(\d)\.(.+)')
_MLA_NORM = re.compile(r'backbone\.norm_([0-3])\.(.+)')
_MLA_NECK = re.compile(r'backbone\.mla\.mla_p([2-5])(_1x1)?\.([01])\.(.+)')
_MLA_HEAD = re.compile(r'decode_head\.mlahead\.head([2-5])\.([0134])\.(.+)')
# The class token is cut off before the first layer, and the auxiliary
# classifiers read the fused streams, where ours read the encoder.
_MLA_UNUSED = re.compile(r'backbone\.cls_token$|auxiliary_head\.\d\.aux\.')
_UNUSED = re.compile(rf'{_HEAD}conv_seg\.')
# Side of the position table to the end of a config's name
_DATA = {
    48: '_8xb1-80k_cityscapes-768x768',
    32: '_8xb2-160k_ade20k-512x512',
    30: '_8xb2-80k_pascal-context-60-480x480',
}


def convert_released(state_dict: StateDict) -> Conversion:
    """Convert a dense model of SETR's own release."""
    method, name = 'naive', 'Naive'
    place = partial(_place_step, _classifiers(state_dict))
    if 'decode_head.cls.weight' in state_dict:
        method, name, place = 'mla', 'MLA', _place_mla
    elif 'decode_head.conv_4.weight' in state_dict:
        method, name = 'pup', 'PUP'
    done = convert_by(partial(_place, place, method != 'mla'), state_dict)
    fold_biases(done.weights, 'conv', 'bn')
    done.task = f'SETR-{name}'
    table = done.weights.get('backbone.position.table')
    side, dims = (0, 0) if table is None else table.shape[2:]
    variant = 'vit-l-released' if method == 'mla' else 'vit-l'
    if dims == 1024 and side in _DATA:
        done.config = f'configs/setr/setr-{method}_{variant}{_DATA[side]}.py'
    elif (method, dims, side) == ('naive', 768, 48):
        # The only one with T-Base
        done.config = f'configs/setr/setr-naive_vit-b{_DATA[side]}.py'
    return done


def _classifiers(state_dict: StateDict) -> dict[str, int]:
    """The number of each head's last convolution, which classifies."""
    last: dict[str, int] = {}
    for found in filter(None, map(_STEP.fullmatch, state_dict)):
        last[found[1]] = max(int(found[3]), last.get(found[1], 0))
    return last


def _place(
    place: Callable[[str, Tensor], StateDict],
    with_cls: bool,
    key: str,
    value: Tensor,
) -> StateDict:
    """Place a key of any part; `place` knows those of a decoder."""
    if key == 'backbone.pos_embed':
        return place_positions(value, with_cls)
    if _UNUSED.match(key):
        return {}
    try:
        return place(key, value)
    except KeyError:
        if not key.startswith('backbone.'):
            raise
    return {rename(key.removeprefix('backbone.'), TIMM_RULES): value}


def _place_step(
    classifiers: dict[str, int], key: str, value: Tensor
) -> StateDict:
    """Place a key of a head of Naive or PUP."""
    if found := _STEP.fullmatch(key):
        head, kind, number, part = found.groups()
        if kind == 'conv' and int(number) == classifiers[head]:
            return {f'{head}.conv_seg.{part}': value}
        layer = 'conv' if kind == 'conv' else 'bn'
        return {f'{head}.steps.{number}.0.{layer}.{part}': value}
    return {rename(key, [(rf'{_HEAD}norm\.', r'\1.norm.')]): value}


def _place_mla(key: str, value: Tensor) -> StateDict:
    """Place a key of MLA's decoder; our streams begin with the deepest."""
    stream = 'decode_head.streams.{}'.format
    layers = ('conv', 'bn')
    if _MLA_UNUSED.match(key):
        return {}
    if found := _MLA_NORM.fullmatch(key):
        return {f'{stream(3 - int(found[1]))}.norm.{found[2]}': value}
    if found := _MLA_NECK.fullmatch(key):
        part = 'reduce' if found[2] else 'fuse'
        name = f'{stream(5 - int(found[1]))}.{part}.{layers[int(found[3])]}'
        return {f'{name}.{found[4]}': value}
    if found := _MLA_HEAD.fullmatch(key):
        index, layer = divmod(int(found[2]), 3)
        name = f'{stream(5 - int(found[1]))}.convs.{index}.{layers[layer]}'
        return {f'{name}.{found[3]}': value}
    if key == 'decode_head.cls.weight':
        # They join the streams from the shallowest to the deepest.
        value = torch.cat(value.chunk(4, dim=1)[::-1], dim=1)
    rules = [(r'decode_head\.cls\.', 'decode_head.conv_seg.')]
    return {rename(key, rules): value}
