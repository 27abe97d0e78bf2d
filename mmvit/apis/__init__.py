"""What scripts and the tools call: configs, training runs, inference.

Import from the modules (`mmvit.apis.config`, ...): this package imports
nothing by itself, so that `mmvit.apis.command_line` stays light.
"""
