"""Parts that more than one network uses.

Every layer takes and returns maps of shape (B, H, W, C). The letters in
shapes are the same in all files:

    B   images in the batch             h    heads
    H   height of the map, in tokens    d    channels of one head, C / h
    W   width of the map, in tokens     N    tokens of a map, H * W
    C   channels                        Nk   keys
    w   side of a window, in tokens     nW   windows of a map
"""

from .attention import attention, merge_heads, split_heads
from .block import TransformerBlock
from .conv import ConvNorm, DepthwiseConv, MapConv
from .lines import attend_in_pales, attend_in_rows
from .local_global import FullAttention, LocalGlobalAttention, LocalGlobalLayer
from .mlp import Mlp
from .patch_embed import PatchEmbed
from .position import DynamicPositionBias, PositionTable
from .windows import WindowGrid, from_windows, padding_bias, to_windows

__all__ = [
    'ConvNorm',
    'DepthwiseConv',
    'DynamicPositionBias',
    'FullAttention',
    'LocalGlobalAttention',
    'LocalGlobalLayer',
    'MapConv',
    'Mlp',
    'PatchEmbed',
    'PositionTable',
    'TransformerBlock',
    'WindowGrid',
    'attend_in_pales',
    'attend_in_rows',
    'attention',
    'from_windows',
    'merge_heads',
    'padding_bias',
    'split_heads',
    'to_windows',
]
