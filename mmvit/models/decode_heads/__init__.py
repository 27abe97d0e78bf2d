"""Decode heads for segmentation, on mmseg's base class."""

from .hlg_head import HLGHead
from .setr_head import SETRNaiveHead, SETRPUPHead
from .setr_mla_head import SETRMLAHead
from .trans2seg_head import Trans2SegHead

__all__ = [
    'HLGHead',
    'SETRMLAHead',
    'SETRNaiveHead',
    'SETRPUPHead',
    'Trans2SegHead',
]
