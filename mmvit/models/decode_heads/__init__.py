from .setr_head import SETRNaiveHead, SETRPUPHead
from .setr_mla_head import SETRMultiLevelHead

__all__ = ['SETRMultiLevelHead', 'SETRNaiveHead', 'SETRPUPHead']
