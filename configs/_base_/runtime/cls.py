_base_ = ['mmpretrain::_base_/default_runtime.py', './guards.py']
