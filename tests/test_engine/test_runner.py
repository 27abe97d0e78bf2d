"""What GuardedRunner changes besides single guards."""

import re

import pytest
from mmengine.runner import Runner

from mmvit.engine import GUARDS, GuardedRunner
from mmvit.registry import HOOKS
from tests.support.helpers import ROOT


@pytest.fixture
def registered(monkeypatch):
    """What GuardedRunner hands to mmengine as default hooks."""
    seen = {}
    monkeypatch.setattr(
        Runner,
        'register_default_hooks',
        lambda self, hooks: seen.update(hooks),
    )

    runner = GuardedRunner.__new__(GuardedRunner)

    def register(hooks):
        runner.register_default_hooks(hooks)
        return seen

    return register


def test_guards_are_on(registered):
    hooks = registered(None)
    for name, guard in GUARDS.items():
        assert hooks[name] == guard
        assert HOOKS.get(guard['type']) is not None
    assert hooks['checkpoint']['type'] == 'mmvit.SafeCheckpointHook'


def test_settings_keep_the_type(registered):
    hooks = registered(
        dict(
            check_data=dict(num_masks=7),
            checkpoint=dict(type='CheckpointHook', interval=5),
        )
    )
    assert hooks['check_data'] == dict(type='mmvit.CheckDataHook', num_masks=7)
    assert hooks['checkpoint'] == dict(
        type='mmvit.SafeCheckpointHook', interval=5
    )


def test_none_switches_a_guard_off(registered):
    hooks = registered(dict(check_weights=None, timer=None))
    assert 'check_weights' not in hooks
    assert hooks['timer'] is None, "mmengine's own are left to it"


def test_another_checkpoint_hook_is_kept(registered):
    hook = dict(type='mmengine.CheckpointHook')
    assert registered(dict(checkpoint=hook))['checkpoint'] == hook


def test_page_has_the_same_guards():
    text = (ROOT / 'docs/en/guards.md').read_text()
    table = set(re.findall(r'^\|.*`default_hooks\.(\w+)=None`', text, re.M))
    assert table == set(GUARDS)
    for guard in GUARDS.values():
        assert f'`{guard["type"].partition(".")[2]}`' in text
