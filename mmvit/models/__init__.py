from .backbones import PVT, HLGTransformer, PyramidBackbone, ScalableViT

__all__ = ['HLGTransformer', 'PVT', 'PyramidBackbone', 'ScalableViT']
