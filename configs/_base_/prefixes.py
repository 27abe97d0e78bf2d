# Lets mmengine find the bases that begin with `mmseg::`. It is loaded before
# them, so that a config also works where nobody has imported mmvit.
__import__('mmvit')
