from .hlg_head import HLGHead
from .setr_head import SETRNaiveHead, SETRPUPHead
from .setr_mla_head import SETRMLAHead

__all__ = ['HLGHead', 'SETRMLAHead', 'SETRNaiveHead', 'SETRPUPHead']
