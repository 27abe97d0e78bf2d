"""Names of the weights that SETR starts from, and of mmseg's SETR models.

From timm come ViT and DeiT at 384 pixels and BEiT, from mmsegmentation whole
segmentors. All become the weights of our segmentors' configs.
"""

import re

import torch
from torch import Tensor

from .renaming import rename

_BLOCK = r'backbone.blocks.\1'
_TIMM_RULES = [
    (r'patch_embed\.proj\.', 'backbone.patch_embed.'),
    (r'blocks\.(\d+)\.gamma_1$', rf'{_BLOCK}.scale1.factor'),
    (r'blocks\.(\d+)\.gamma_2$', rf'{_BLOCK}.scale2.factor'),
    (r'blocks\.(\d+)\.ls(\d)\.gamma$', rf'{_BLOCK}.scale\2.factor'),
    (
        r'blocks\.(\d+)\.(norm\d|attn\.qkv|attn\.proj|mlp\.fc\d)\.(?=\w+$)',
        rf'{_BLOCK}.\2.',
    ),
    (r'cls_token$', 'backbone.cls_token'),
]
# What a segmentor has no place for: classifiers, the normalisation before
# them, DeiT's second token, the mask of BEiT's pre-training, and indices that
# are computed.
_DROPPED = re.compile(
    r'head\.|head_dist\.|pre_logits\.|norm\.|fc_norm\.|dist_token$'
    r'|mask_token$|lm_head\.|(.*\.)?relative_position_index$'
)
_MMSEG_RULES = [
    (r'backbone\.patch_embed\.projection\.', 'backbone.patch_embed.'),
    (r'backbone\.layers\.(\d+)\.ln(\d)\.', rf'{_BLOCK}.norm\2.'),
    (
        r'backbone\.layers\.(\d+)\.attn\.attn\.in_proj_',
        rf'{_BLOCK}.attn.qkv.',
    ),
    (
        r'backbone\.layers\.(\d+)\.attn\.attn\.out_proj\.',
        rf'{_BLOCK}.attn.proj.',
    ),
    (r'backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.', rf'{_BLOCK}.mlp.fc1.'),
    (r'backbone\.layers\.(\d+)\.ffn\.layers\.1\.', rf'{_BLOCK}.mlp.fc2.'),
    (r'backbone\.cls_token$', 'backbone.cls_token'),
    (
        r'(decode_head|auxiliary_head\.\d+)\.(norm|conv_seg)\.',
        r'\1.\2.',
    ),
    (
        r'(decode_head|auxiliary_head\.\d+)\.up_convs\.(\d+)\.0\.',
        r'\1.steps.\2.0.',
    ),
]


def convert(
    state_dict: dict[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    """Convert weights of timm or of mmseg's SETR to our segmentor's.

    Args:
        state_dict: Published names to tensors.

    Returns:
        Our names to tensors, and the published names without a place.
    """
    if any(key.startswith('backbone.layers.') for key in state_dict):
        return _convert_mmseg(state_dict)
    return _convert_timm(state_dict)


def _add_positions(
    converted: dict[str, Tensor], positions: Tensor, with_cls: bool
) -> None:
    """Part a row of positions (1, 1 + N, C) into token and map.

    A second token of its own, DeiT's, is left out.
    """
    side = int(positions.shape[1] ** 0.5)
    extra = positions.shape[1] - side**2
    if with_cls and extra:
        converted['backbone.cls_position'] = positions[:, :1]
    converted['backbone.position.table'] = positions[:, extra:].unflatten(
        1, (side, side)
    )


def _convert_timm(
    state_dict: dict[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    converted, unplaced = {}, []
    depth = 1 + max(
        (
            int(found[1])
            for key in state_dict
            if (found := re.match(r'blocks\.(\d+)\.', key))
        ),
        default=-1,
    )
    for key, value in state_dict.items():
        bias = re.fullmatch(
            r'blocks\.(\d+)\.attn\.(q_bias|v_bias|relative_position_bias_table'
            r'|k_bias)',
            key,
        )
        if key == 'pos_embed':
            _add_positions(converted, value, with_cls=True)
        elif key == 'rel_pos_bias.relative_position_bias_table':
            for index in range(depth):
                _add_biases(converted, value, index)
        elif bias and bias[2].startswith('relative'):
            _add_biases(converted, value, int(bias[1]))
        elif bias:
            # Together with the other one, below.
            continue
        elif name := rename(key, _TIMM_RULES):
            converted[name] = value
        elif not _DROPPED.match(key):
            unplaced.append(key)
    for index in range(depth):
        q = state_dict.get(f'blocks.{index}.attn.q_bias')
        v = state_dict.get(f'blocks.{index}.attn.v_bias')
        if q is not None and v is not None:
            # BEiT's keys have none, which would change nothing either.
            name = f'backbone.blocks.{index}.attn.qkv.bias'
            converted[name] = torch.cat([q, torch.zeros_like(q), v])
    return converted, unplaced


def _add_biases(
    converted: dict[str, Tensor], table: Tensor, index: int
) -> None:
    """Part BEiT's rows ((2s - 1)^2 + 3, h) into map and class token."""
    side = int((len(table) - 3) ** 0.5)
    name = f'backbone.blocks.{index}.attn.position_bias'
    converted[f'{name}.table'] = table[:-3].unflatten(0, (side, side))[None]
    converted[f'{name}.cls_bias'] = table[-3:]


def _convert_mmseg(
    state_dict: dict[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    converted, unplaced = {}, []
    streams = sum(
        bool(re.fullmatch(r'neck\.norm\.\d+\.weight', key))
        for key in state_dict
    )
    for key, value in state_dict.items():
        if key == 'backbone.pos_embed':
            # With MLA mmseg drops the class token before the first layer.
            _add_positions(converted, value, with_cls=not streams)
        elif streams and key == 'backbone.cls_token':
            continue
        elif streams and not key.startswith('backbone.'):
            name = _mla_name(key, streams)
            if name:
                converted[name] = value
            elif not re.match(r'auxiliary_head\.\d+\.conv_seg\.', key):
                unplaced.append(key)
        elif name := rename(key, _MMSEG_RULES):
            converted[name] = value
        else:
            unplaced.append(key)
    weight = converted.get('backbone.patch_embed.weight')
    if weight is not None:
        # mmseg's patch embedding has no bias.
        converted.setdefault(
            'backbone.patch_embed.bias', torch.zeros_like(weight[:, 0, 0, 0])
        )
    return converted, unplaced


def _mla_name(key: str, streams: int) -> str | None:
    """Rename a key of mmseg's MLANeck and SETRMLAHead.

    The neck's first two parts are numbered from the shallowest layer, all
    else from the deepest, as ours.
    """
    found = re.match(
        r'neck\.(norm|mla\.channel_proj|mla\.feat_extract)\.(\d+)\.(.+)', key
    )
    if found:
        part = {
            'norm': 'norm',
            'mla.channel_proj': 'reduce',
            'mla.feat_extract': 'fuse',
        }[found[1]]
        index = int(found[2])
        if part != 'fuse':
            index = streams - 1 - index
        return f'decode_head.streams.{index}.{part}.{found[3]}'
    return rename(
        key,
        [
            (
                r'decode_head\.up_convs\.(\d+)\.(\d)\.',
                r'decode_head.streams.\1.convs.\2.',
            ),
            (r'decode_head\.conv_seg\.', 'decode_head.conv_seg.'),
        ],
    )
