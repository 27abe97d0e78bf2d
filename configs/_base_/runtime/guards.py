# One line for any config: see the docstring of mmvit.engine.GuardedRunner.
runner_type = 'mmvit.GuardedRunner'
