"""configs/_base_/runtime/recipes.py and the page that describes it."""

import re

import pytest
from mmengine.registry import HOOKS, VISBACKENDS

from mmvit.apis.config import load_config
from mmvit.engine.guards.config_keys import check_sub_keys, unread_keys
from tests.support.config_tools import CONFIGS, config_of
from tests.support.pages import DOCS, blocks

PAGE = DOCS / 'recipes.md'
RECIPES = config_of(CONFIGS / '_base_/runtime/recipes.py')
BLOCKS = blocks(PAGE, 'python')
BASE = config_of(CONFIGS / 'pvt/retinanet_pvt-t_fpn_1x_coco.py')
HEAD = BLOCKS[0].partition(']\n')[0] + ']\n'


@pytest.mark.parametrize('text', BLOCKS, ids=range(len(BLOCKS)))
def test_each_example_of_the_page_is_a_config(tmp_path, text):
    path = tmp_path / 'example.py'
    path.write_text(text if text.startswith('_base_') else HEAD + text)
    assert list(unread_keys(str(path))) == []
    cfg = load_config(str(path))
    check_sub_keys(cfg)
    changed = [key for key in cfg if cfg[key] != BASE.get(key)]
    assert any(not key.startswith('_') for key in changed)


def test_the_page_has_each_recipe():
    ours = {name for name in RECIPES if name.startswith('_')}
    text = PAGE.read_text()
    assert all(re.search(rf'(`|_base_\.){name}\b', text) for name in ours)


def test_hooks_and_backends_exist():
    for hook in (RECIPES._ema, RECIPES._early_stopping):
        assert HOOKS.build(hook)
    for backend in (*RECIPES._tensorboard, *RECIPES._weights_and_biases):
        assert VISBACKENDS.get(backend['type'])


def test_no_name_is_one_that_wandb_keeps_for_itself():
    """W&B gets the whole config, and refuses to change a key of its own."""
    assert '_wandb' not in RECIPES
