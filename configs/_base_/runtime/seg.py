_base_ = ['../prefixes.py', 'mmseg::_base_/default_runtime.py']
runner_type = 'mmvit.GuardedRunner'
