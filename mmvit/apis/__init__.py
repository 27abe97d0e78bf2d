"""What tools and scripts call: configs, training runs, inference.

Imports nothing by itself, so that `mmvit.apis.command_line` stays light.
"""
