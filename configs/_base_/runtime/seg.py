_base_ = 'mmseg::_base_/default_runtime.py'
runner_type = 'mmvit.GuardedRunner'
