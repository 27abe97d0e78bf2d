from .hlg_head import HLGHead

__all__ = ['HLGHead']
