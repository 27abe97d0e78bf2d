"""No tool executes the weights that it is given, nor crashes on them.

tests/test_checkpoints/test_hostile.py has all forms of such files.
"""

import os
from pathlib import Path

import pytest

from tests.support.helpers import load_tool
from tests.test_checkpoints.hostile import write

# The two that would do most: code, and the end of the interpreter
FORMS = ('the globals of a method', 'a key that crashes')
SEEN = ('CONFIG', 'EVIL', 'IMAGE', '--out-dir', 'out')
RUN = ('CONFIG', '--work-dir', 'work')
TOOLS = {
    'train --resume': (*RUN, '--resume', 'EVIL'),
    'train load_from': (*RUN, '--cfg-options', 'load_from=EVIL'),
    'train Pretrained': (
        *(*RUN, '--cfg-options', 'model.backbone.init_cfg.type=Pretrained'),
        'model.backbone.init_cfg.checkpoint=EVIL',
    ),
    'test': (*RUN[:1], 'EVIL', *RUN[1:]),
    'infer': ('CONFIG', 'EVIL', 'IMAGE', '--out-dir', 'out'),
    'export': ('CONFIG', 'EVIL', '--shape', '64', '--out', 'x.pt2'),
    'dataset_converters/label_maps': ('CONFIG', 'EVIL', '--out-dir', 'out'),
    'model_converters/convert_checkpoint': ('pvt', 'EVIL', 'out.pth'),
    'analysis_tools/benchmark': ('CONFIG', '--checkpoints', 'EVIL'),
    'analysis_tools/segmentation_errors': ('CONFIG', 'EVIL', *SEEN[3:]),
    'model_converters/publish_model': ('EVIL', 'out.pth'),
    'visualization/class_activation': SEEN,
    'visualization/attention_map': (*SEEN, '--block', 'stages.0.blocks.0'),
    'visualization/attention_rollout': (*SEEN, '--point', '5', '5'),
    'visualization/feature_map': (*SEEN, '--blocks', 'stages.0.blocks.0'),
    'visualization/position_similarity': (
        *('CONFIG', 'EVIL', '--out', 'out.png'),
    ),
    'visualization/compare_models': (
        *('IMAGE', '--configs', 'CONFIG', 'CONFIG', '--names', 'a', 'b'),
        *('--checkpoints', 'EVIL', 'EVIL', '--out-dir', 'out'),
    ),
}


@pytest.mark.parametrize('tool', TOOLS)
def test_hostile_weights(
    tmp_path, monkeypatch, scenes, trained, no_sync, fresh_runs, tool
):
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)
    config, _ = trained('cls')
    names = dict(CONFIG=config, IMAGE=str(scenes / 'img_dir/val/val_0.jpg'))
    arguments = [
        names.get(part, part).replace('EVIL', 'evil.pth')
        for part in TOOLS[tool]
    ]
    module = load_tool(tool.partition(' ')[0])
    if hasattr(module, 'pytorch_grad_cam'):
        monkeypatch.setattr(module, 'pytorch_grad_cam', 'is installed')
    for form in FORMS:
        fresh_runs()
        write(form, Path('evil.pth'))
        with pytest.raises((ValueError, SystemExit)) as error:
            module.main(arguments)
        assert 'evil.pth cannot be read as a checkpoint' in str(error.value)
    assert not os.path.exists('TRACE')


def test_each_tool_with_weights_is_tried():
    root = Path(__file__).resolve().parents[2] / 'tools'
    found = {
        str(path.relative_to(root).with_suffix(''))
        for path in root.rglob('*.py')
        if 'trust-checkpoint' in path.read_text()
        or 'read_state_dict' in path.read_text()
    }
    # These read data, or run a library's tool inside of guard_loading.
    found -= {'visualization/browse_dataset', 'analysis_tools/check_dataset'}
    found -= {'library_tool'}
    assert found == {tool.partition(' ')[0] for tool in TOOLS}
