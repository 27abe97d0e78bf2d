"""No tool executes the weights that it is given, nor crashes on them.

tests/test_checkpoints/test_hostile.py has all forms of such files. Each tool
gets two of them here, and all with `--all-forms`, which takes some minutes.
"""

import os
from pathlib import Path

import pytest

import mmvit
from mmvit.checkpoints import inspection
from tests.support.helpers import load_tool
from tests.test_checkpoints.hostile import FILES, HOSTILE, write

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
    'library_tool': ('mmpretrain', 'test', 'CONFIG', 'EVIL', *RUN[1:]),
}
FUNCTIONS = {
    'Inferencer': lambda config: mmvit.Inferencer(config, 'evil.pth'),
    'get_model': lambda config: mmvit.get_model(config, 'evil.pth'),
    'get_backbone': lambda _: mmvit.get_backbone('pvt-t', 'evil.pth'),
}
# They read objects of any class as data, and find no weights in it.
FOREIGN = ('model_converters/convert_checkpoint',)


@pytest.fixture
def run(tmp_path, monkeypatch, scenes, trained, no_sync, fresh_runs):
    """Call an entry point with evil.pth."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)
    config, _ = trained('cls')
    image = str(scenes / 'img_dir/val/val_0.jpg')
    names = dict(CONFIG=config, IMAGE=image, EVIL='evil.pth')

    def call(entry):
        fresh_runs()
        if entry in FUNCTIONS:
            return FUNCTIONS[entry](config)
        module = load_tool(entry.partition(' ')[0])
        if hasattr(module, 'pytorch_grad_cam'):
            monkeypatch.setattr(module, 'pytorch_grad_cam', 'is installed')
        arguments = TOOLS[entry]
        return module.main(
            [
                names.get(part, part.replace('EVIL', 'evil.pth'))
                for part in arguments
            ]
        )

    return call


@pytest.mark.parametrize('entry', [*TOOLS, *FUNCTIONS])
def test_hostile_weights(run, monkeypatch, request, entry):
    forms = FORMS
    if request.config.getoption('--all-forms'):
        pytest.importorskip('safetensors')
        forms = [*HOSTILE, *FILES]
    for form in forms:
        with monkeypatch.context() as patch:
            if form == 'a pickle without end':
                patch.setattr(inspection, '_MAX_STEPS', 100_000)
            write(form, Path('evil.pth'))
            with pytest.raises((ValueError, SystemExit)) as error:
                run(entry)
        if entry not in FOREIGN or form in FORMS:
            assert 'evil.pth cannot be read as a ch' in str(error.value), form
        assert not os.path.exists('TRACE'), form


def test_flops_need_no_weights(run, monkeypatch):
    pretrained = TOOLS['train Pretrained'][3:]
    monkeypatch.setitem(
        TOOLS, 'analysis_tools/get_flops', ('CONFIG', *pretrained)
    )
    write(FORMS[0], Path('evil.pth'))
    run('analysis_tools/get_flops')
    assert not os.path.exists('TRACE')


def test_each_tool_with_weights_is_tried():
    root = Path(__file__).resolve().parents[2] / 'tools'
    found = {
        str(path.relative_to(root).with_suffix(''))
        for path in root.rglob('*.py')
        if 'trust-checkpoint' in path.read_text()
        or 'read_state_dict' in path.read_text()
    }
    # These read data.
    found -= {'visualization/browse_dataset', 'analysis_tools/check_dataset'}
    assert found == {tool.partition(' ')[0] for tool in TOOLS}
