from .backbones import PVT, PyramidBackbone, ScalableViT, SETRViT
from .decode_heads import SETRMLAHead, SETRNaiveHead, SETRPUPHead

__all__ = [
    'PVT',
    'PyramidBackbone',
    'SETRMLAHead',
    'SETRNaiveHead',
    'SETRPUPHead',
    'SETRViT',
    'ScalableViT',
]
