from .config import build_model, enable_tta, load_config

__all__ = ['build_model', 'enable_tta', 'load_config']
