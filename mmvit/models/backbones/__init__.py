from .pvt import PVT
from .pyramid import PyramidBackbone

__all__ = ['PVT', 'PyramidBackbone']
