from importlib.util import find_spec

from .backbones import PVT, PyramidBackbone, ScalableViT, SETRViT

__all__ = ['PVT', 'PyramidBackbone', 'SETRViT', 'ScalableViT']

# Decode heads stand on mmseg's base class; detection and classification need
# no mmseg.
if find_spec('mmseg') is not None:
    from .decode_heads import SETRMultiLevelHead, SETRNaiveHead, SETRPUPHead

    __all__ += ['SETRMultiLevelHead', 'SETRNaiveHead', 'SETRPUPHead']
