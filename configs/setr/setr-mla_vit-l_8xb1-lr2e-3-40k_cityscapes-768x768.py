# The lr of the release, whose SETR-MLA has the figures of Table 3. mmseg's
# config has it, too. The paper's text says 0.01.
_base_ = './setr-mla_vit-l_8xb1-40k_cityscapes-768x768.py'
optim_wrapper = dict(optimizer=dict(lr=0.002))
