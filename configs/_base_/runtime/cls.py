_base_ = 'mmpretrain::_base_/default_runtime.py'
runner_type = 'mmvit.GuardedRunner'
