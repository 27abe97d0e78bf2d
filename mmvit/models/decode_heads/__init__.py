from .setr_head import SETRNaiveHead, SETRPUPHead
from .setr_mla_head import SETRMLAHead

__all__ = ['SETRMLAHead', 'SETRNaiveHead', 'SETRPUPHead']
