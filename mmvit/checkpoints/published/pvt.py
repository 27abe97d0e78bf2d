"""Names of the published weights of PVT: classifiers and dense models.

The dense models come from mmdet 2.13 and mmseg 0.13. All but DETR's parts
have the names of today's mmdet and mmseg.
"""

import re

from torch import Tensor

from .renaming import (
    Conversion,
    StateDict,
    convert_by,
    pyramid_size,
    rename,
)

_RULES = []
for number in range(1, 5):
    ours = f'backbone.stages.{number - 1}'
    embed, block = f'{ours}.downsample.patch_embed', rf'{ours}.blocks.\1'
    theirs = rf'block{number}\.(\d+)\.'
    _RULES += [
        (rf'patch_embed{number}\.proj\.', f'{embed}.projection.'),
        (rf'patch_embed{number}\.norm\.', f'{embed}.norm.'),
        (rf'{theirs}attn\.sr\.', f'{block}.attn.reduction.projection.'),
        (rf'{theirs}attn\.norm\.', f'{block}.attn.reduction.norm.'),
        (theirs, f'{block}.'),
    ]
_RULES += [
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
    (r'cls_token$', 'backbone.stages.3.downsample.cls_token'),
]
# In mmdet 2, a whole DETR is its bbox_head.
_DETR = r'bbox_head\.transformer\.'
_DETR_LAYER = rf'{_DETR}(encoder|decoder)\.layers\.(\d+)\.'
_DETR_RULES = [
    (r'bbox_head\.input_proj\.', 'neck.convs.0.conv.'),
    (r'bbox_head\.query_embedding\.', 'query_embedding.'),
    (rf'{_DETR_LAYER}attentions\.0\.', r'\1.layers.\2.self_attn.'),
    (rf'{_DETR_LAYER}attentions\.1\.', r'\1.layers.\2.cross_attn.'),
    (rf'{_DETR_LAYER}ffns\.0\.', r'\1.layers.\2.ffn.'),
    (rf'{_DETR_LAYER}norms\.', r'\1.layers.\2.norms.'),
    (rf'{_DETR}decoder\.post_norm\.', 'decoder.post_norm.'),
]
# What has the same name in today's libraries
_SAME = re.compile(
    r'neck\.(lateral|fpn)_convs\.\d\.conv\.'
    r'|bbox_head\.((cls|reg)_convs\.\d\.conv|retina_(cls|reg))\.'
    r'|bbox_head\.(fc_cls|reg_ffn\.layers\.\d(\.0)?|fc_reg)\.'
    r'|rpn_head\.rpn_(conv|cls|reg)\.'
    r'|roi_head\.bbox_head\.(fc_cls|fc_reg|shared_fcs\.\d)\.'
    r'|roi_head\.mask_head\.(convs\.\d\.conv|upsample|conv_logits)\.'
    r'|decode_head\.(scale_heads\.\d\.\d\.(conv|bn)|conv_seg)\.'
)
_SIZES = {
    (64, (2, 2, 2, 2)): 't',
    (64, (3, 4, 6, 3)): 's',
    (64, (3, 4, 18, 3)): 'm',
    (64, (3, 8, 27, 3)): 'l',
}
# What the names of a task begin with, its name, and the config of a size
_TASKS = [
    ('roi_head.', 'Mask R-CNN', 'mask-rcnn_pvt-{}_fpn_1x_coco'),
    (
        'bbox_head.transformer.',
        'DETR',
        'detr_pvt-{}_released-50e_coco',
    ),
    ('bbox_head.', 'RetinaNet', 'retinanet_pvt-{}_fpn_1x_coco'),
    ('decode_head.', 'Semantic FPN', 'fpn_pvt-{}_4xb4-80k_ade20k-512x512'),
    ('', 'ImageNet classifier', 'pvt-{}_8xb128-300e_in1k'),
]


def _place_positions(stage: int, value: Tensor) -> StateDict:
    """Turn a row of tokens (1, N, C) into our grid (1, H, W, C).

    The first token of stage 4 is the class token.
    """
    name = f'backbone.stages.{stage}.downsample'
    side = int(value.shape[1] ** 0.5)
    extra = value.shape[1] - side**2
    table = value[:, extra:].unflatten(1, (side, side))
    placed = {f'{name}.position.table': table}
    if extra:
        placed[f'{name}.cls_position'] = value[:, :1]
    return placed


def _place(key: str, value: Tensor) -> StateDict:
    if _SAME.match(key):
        return {key: value}
    if key.startswith('bbox_head.'):
        return {rename(key, _DETR_RULES): value}
    key = key.removeprefix('backbone.')
    if table := re.fullmatch(r'pos_embed([1-4])', key):
        return _place_positions(int(table[1]) - 1, value)
    return {rename(key, _RULES): value}


def convert(state_dict: StateDict) -> Conversion:
    """Convert published PVT weights.

    Dense models have no class token. The first row of their last position
    table, which their code cuts off, is left out.
    """
    done = convert_by(_place, state_dict)
    token = 'backbone.stages.3.downsample.cls_'
    if f'{token}token' not in done.weights:
        done.weights.pop(f'{token}position', None)
    done.task, config = next(
        (task, config)
        for prefix, task, config in _TASKS
        if any(key.startswith(prefix) for key in state_dict)
    )
    size = _SIZES.get(pyramid_size(done.weights))
    if size:
        done.config = f'configs/pvt/{config.format(size)}.py'
    return done
