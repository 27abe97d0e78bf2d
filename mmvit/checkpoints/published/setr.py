"""Names of the weights that SETR starts from, and of mmseg's SETR models.

ViT and DeiT at 384 pixels and BEiT come from timm, whole segmentors from
mmsegmentation. All become the weights of our segmentors' configs.
"""

import re
from functools import partial

import torch
from torch import Tensor

from .renaming import StateDict, convert_by, rename

_BLOCK = r'backbone.blocks.\1'
_TIMM_PARTS = r'norm\d|attn\.qkv|attn\.proj|mlp\.fc\d'
_TIMM_RULES = [
    (r'patch_embed\.proj\.', 'backbone.patch_embed.'),
    (r'blocks\.(\d+)\.gamma_(\d)$', rf'{_BLOCK}.scale\2.factor'),
    (r'blocks\.(\d+)\.ls(\d)\.gamma$', rf'{_BLOCK}.scale\2.factor'),
    (rf'blocks\.(\d+)\.({_TIMM_PARTS})\.(?=\w+$)', rf'{_BLOCK}.\2.'),
    (r'cls_token$', 'backbone.cls_token'),
]
# What a segmentor does not need: classifiers, the normalization before them,
# DeiT's second token, the mask of BEiT's pre-training, computed indices, and
# the biases of BEiT's attention, which are joined
_DROPPED = re.compile(
    r'head\.|head_dist\.|pre_logits\.|norm\.|fc_norm\.|dist_token$'
    r'|mask_token$|lm_head\.|(.*\.)?relative_position_index$'
    r'|blocks\.\d+\.attn\.[qkv]_bias$'
)
_BEIT_TABLE = re.compile(r'blocks\.(\d+)\.attn\.relative_position_bias_table')
_LAYER = r'backbone\.layers\.(\d+)\.'
_HEAD = r'(decode_head|auxiliary_head\.\d+)\.'
_MMSEG_RULES = [
    (r'backbone\.patch_embed\.projection\.', 'backbone.patch_embed.'),
    (rf'{_LAYER}ln(\d)\.', rf'{_BLOCK}.norm\2.'),
    (rf'{_LAYER}attn\.attn\.in_proj_', rf'{_BLOCK}.attn.qkv.'),
    (rf'{_LAYER}attn\.attn\.out_proj\.', rf'{_BLOCK}.attn.proj.'),
    (rf'{_LAYER}ffn\.layers\.0\.0\.', rf'{_BLOCK}.mlp.fc1.'),
    (rf'{_LAYER}ffn\.layers\.1\.', rf'{_BLOCK}.mlp.fc2.'),
    (r'backbone\.cls_token$', 'backbone.cls_token'),
    (rf'{_HEAD}(norm|conv_seg)\.', r'\1.\2.'),
    (rf'{_HEAD}up_convs\.(\d+)\.0\.', r'\1.steps.\2.0.'),
]
_MLA_RULES = [
    (
        r'decode_head\.up_convs\.(\d+)\.(\d)\.',
        r'decode_head.streams.\1.convs.\2.',
    ),
    (r'decode_head\.conv_seg\.', 'decode_head.conv_seg.'),
]
_MLA_DROPPED = re.compile(
    r'backbone\.cls_token$|auxiliary_head\.\d+\.conv_seg\.'
)
_MLA_PARTS = {
    'norm': 'norm',
    'mla.channel_proj': 'reduce',
    'mla.feat_extract': 'fuse',
}


def convert(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    """Convert weights of timm or of mmseg's SETR."""
    if any(key.startswith('backbone.layers.') for key in state_dict):
        return _convert_mmseg(state_dict)
    return _convert_timm(state_dict)


def _positions(value: Tensor, with_cls: bool) -> StateDict:
    """Part a row of positions (1, 1 + N, C) into class token and map.

    The second token of DeiT is left out.
    """
    side = int(value.shape[1] ** 0.5)
    extra = value.shape[1] - side**2
    table = value[:, extra:].unflatten(1, (side, side))
    placed = {'backbone.position.table': table}
    if with_cls and extra:
        placed['backbone.cls_position'] = value[:, :1]
    return placed


def _biases(table: Tensor, block: int) -> StateDict:
    """Part BEiT's rows ((2s - 1)^2 + 3, h) into map and class token."""
    side = int((len(table) - 3) ** 0.5)
    name = f'backbone.blocks.{block}.attn.position_bias'
    return {
        f'{name}.table': table[:-3].unflatten(0, (side, side))[None],
        f'{name}.cls_bias': table[-3:],
    }


def _place_timm(depth: int, key: str, value: Tensor) -> StateDict:
    if key == 'pos_embed':
        return _positions(value, with_cls=True)
    if key == 'rel_pos_bias.relative_position_bias_table':
        # One table for all blocks
        placed = {}
        for block in range(depth):
            placed |= _biases(value, block)
        return placed
    if table := _BEIT_TABLE.fullmatch(key):
        return _biases(value, int(table[1]))
    return {} if _DROPPED.match(key) else {rename(key, _TIMM_RULES): value}


def _convert_timm(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    blocks = (re.match(r'blocks\.(\d+)\.', key) for key in state_dict)
    depth = 1 + max((int(found[1]) for found in blocks if found), default=-1)
    converted, unknown = convert_by(partial(_place_timm, depth), state_dict)
    for block in range(depth):
        q = state_dict.get(f'blocks.{block}.attn.q_bias')
        v = state_dict.get(f'blocks.{block}.attn.v_bias')
        if q is not None and v is not None:
            # BEiT's keys have no bias, which would not change anything.
            name = f'backbone.blocks.{block}.attn.qkv.bias'
            converted[name] = torch.cat([q, torch.zeros_like(q), v])
    return converted, unknown


def _place_mmseg(streams: int, key: str, value: Tensor) -> StateDict:
    if key == 'backbone.pos_embed':
        # With MLA, mmseg drops the class token before the first layer.
        return _positions(value, with_cls=not streams)
    if streams and _MLA_DROPPED.match(key):
        return {}
    if streams and not key.startswith('backbone.'):
        return {_mla_name(key, streams): value}
    return {rename(key, _MMSEG_RULES): value}


def _convert_mmseg(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    norms = (re.fullmatch(r'neck\.norm\.\d+\.weight', k) for k in state_dict)
    streams = sum(map(bool, norms))
    converted, unknown = convert_by(partial(_place_mmseg, streams), state_dict)
    weight = converted.get('backbone.patch_embed.weight')
    if weight is not None:
        # mmseg's patch embedding has no bias.
        bias = torch.zeros_like(weight[:, 0, 0, 0])
        converted.setdefault('backbone.patch_embed.bias', bias)
    return converted, unknown


def _mla_name(key: str, streams: int) -> str:
    """Rename a key of mmseg's MLANeck and SETRMLAHead.

    The first two parts of the neck are numbered from the shallowest layer;
    all others, and ours, from the deepest.
    """
    found = re.match(rf'neck\.({"|".join(_MLA_PARTS)})\.(\d+)\.(.+)', key)
    if not found:
        return rename(key, _MLA_RULES)
    part, index = _MLA_PARTS[found[1]], int(found[2])
    if part != 'fuse':
        index = streams - 1 - index
    return f'decode_head.streams.{index}.{part}.{found[3]}'
