# Add this file to any config to train it with the guards.
runner_type = 'mmvit.GuardedRunner'
