_base_ = './setr-mla_vit-l_8xb2-80k_pascal-context-60-480x480.py'
# As the authors' release has it; auxiliary classifiers play no part in a test.
head = dict(up_align_corners=True, cls_kernel_size=3)
model = dict(decode_head=head, auxiliary_head=None)
