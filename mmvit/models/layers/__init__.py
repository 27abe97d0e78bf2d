"""Parts that more than one network uses.

Every layer takes and returns maps of shape (B, H, W, C). The letters in
shapes are the same in all files:

    B   images in the batch             h    heads
    H   height of the map, in tokens    d    channels of one head, C / h
    W   width of the map, in tokens     N    tokens of a map, H * W
    C   channels                        Nk   keys
"""

from .attention import attention, merge_heads, split_heads
from .mlp import Mlp
from .patch_embed import PatchEmbed
from .position import PositionTable

__all__ = [
    'Mlp',
    'PatchEmbed',
    'PositionTable',
    'attention',
    'merge_heads',
    'split_heads',
]
