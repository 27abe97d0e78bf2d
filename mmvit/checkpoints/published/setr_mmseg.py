"""Names of mmsegmentation's SETR models, which it trained itself."""

import re
from functools import partial

import torch
from torch import Tensor

from .renaming import Conversion, Rules, StateDict, convert_by, rename
from .vit import place_positions

_BLOCK = r'backbone.blocks.\1'
_LAYER = r'backbone\.layers\.(\d+)\.'
_HEAD = r'(decode_head|auxiliary_head\.\d+)\.'
_RULES: Rules = [
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
_MLA_RULES: Rules = [
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


def _place(streams: int, key: str, value: Tensor) -> StateDict:
    if key == 'backbone.pos_embed':
        # With MLA, mmseg drops the class token before the first layer.
        return place_positions(value, with_cls=not streams)
    if streams and _MLA_DROPPED.match(key):
        return {}
    if streams and not key.startswith('backbone.'):
        return {_mla_name(key, streams): value}
    return {rename(key, _RULES): value}


def convert_mmseg(state_dict: StateDict) -> Conversion:
    """Convert a SETR model of mmsegmentation."""
    norms = (re.fullmatch(r'neck\.norm\.\d+\.weight', k) for k in state_dict)
    streams = sum(map(bool, norms))
    done = convert_by(partial(_place, streams), state_dict)
    weight = done.weights.get('backbone.patch_embed.weight')
    if weight is not None:
        # mmseg's patch embedding has no bias.
        bias = torch.zeros_like(weight[:, 0, 0, 0])
        done.weights.setdefault('backbone.patch_embed.bias', bias)
    method, name = 'naive', 'Naive'
    if streams:
        method, name = 'mla', 'MLA'
    elif 'decode_head.up_convs.1.0.conv.weight' in state_dict:
        method, name = 'pup', 'PUP'
    done.task = f"mmsegmentation's SETR-{name}"
    done.config = f'configs/setr/setr-{method}_vit-l_*.py'
    done.options = ['model.auxiliary_head=None']
    if method == 'naive':
        done.options.append('model.decode_head.up_scale=4')
    return done


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
