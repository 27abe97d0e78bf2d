"""Checkpoints that are whole, whatever happens while they are written."""

import errno
import multiprocessing
import os
import resource
import shutil
import signal
import socket

import pytest
import torch

from mmvit.engine.guards.checkpoints import (
    AtomicBackend,
    explain_full_disk,
    newest_checkpoint,
)
from tests.support.toy import toy_runner, train_until_killed


@pytest.fixture
def backend():
    return AtomicBackend()


@pytest.fixture
def full_disk(monkeypatch):
    """Call it, and nothing more can be synced to the disk."""

    def fill():
        def fail(_):
            raise OSError(errno.ENOSPC, 'No space left on device')

        monkeypatch.setattr(os, 'fsync', fail)

    return fill


def names_in(folder):
    return sorted(path.name for path in folder.glob('*.pth*'))


def save(path, step=0):
    torch.save(dict(step=step), path)


def test_backend_writes(backend, tmp_path):
    path = tmp_path / 'new' / 'file'
    backend.put(b'first', str(path))
    backend.put(b'second', path)
    assert path.read_bytes() == b'second'
    backend.put_text('ö', str(path))
    assert path.read_text(encoding='utf-8') == 'ö'
    assert os.listdir(path.parent) == ['file']


def test_backend_syncs_before_it_renames(backend, tmp_path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        function = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *args, name=name, function=function: (
                calls.append(name),
                function(*args),
            ),
        )
    backend.put(b'x', str(tmp_path / 'file'))
    # The last one is for the folder, which holds the name.
    assert calls == ['fsync', 'replace', 'fsync']


def test_full_disk_leaves_the_old_file(backend, tmp_path, full_disk):
    path = tmp_path / 'file'
    backend.put(b'old', str(path))
    full_disk()
    with pytest.raises(OSError, match='No space left'):
        backend.put(b'new', str(path))
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['file'], 'what was begun is removed'


def test_file_beyond_a_limit(backend, tmp_path):
    path, limits = tmp_path / 'file', resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError) as error:
            backend.put(b'x' * 2000, str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f'{path} cannot be written: the limit' in str(error.value)
    assert os.listdir(tmp_path) == []


def test_full_disk_of_a_log(tmp_path):
    error = OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(OSError) as found:
        explain_full_disk(error, str(tmp_path / 'run'))
    assert f'a file in {tmp_path / "run"}, such as a log' in str(found.value)
    assert 'MiB are free' in str(found.value)
    # Errors that name a file, and others
    explain_full_disk(OSError(errno.ENOSPC, 'No space', 'file'), 'run')
    explain_full_disk(FileNotFoundError(errno.ENOENT, 'gone'), 'run')
    explain_full_disk(KeyboardInterrupt(), 'run')


def test_newest_of_nothing(tmp_path):
    assert newest_checkpoint(str(tmp_path / 'none')) is None
    (tmp_path / 'epoch_1.pth').write_bytes(b'')
    save(tmp_path / 'best_mIoU_epoch_1.pth')
    assert newest_checkpoint(str(tmp_path)) is None


def test_newest_counts(tmp_path):
    for step in (9, 10, 100):
        save(tmp_path / f'iter_{step}.pth')
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_100.pth')
    (tmp_path / 'last_checkpoint').write_text('iter_10.pth')
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_10.pth')


@pytest.mark.parametrize('cut', ['empty', 'half', 'tail'])
def test_newest_passes_over_what_was_cut_off(tmp_path, cut):
    for step in (1, 2, 3):
        save(tmp_path / f'epoch_{step}.pth')
    (tmp_path / 'last_checkpoint').write_text('epoch_3.pth')
    data = (tmp_path / 'epoch_3.pth').read_bytes()
    keep = dict(empty=0, half=len(data) // 2, tail=len(data) - 30)[cut]
    (tmp_path / 'epoch_3.pth').write_bytes(data[:keep])
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_2.pth')


def test_newest_passes_over_what_is_damaged(tmp_path):
    for step in (1, 2):
        path = tmp_path / f'epoch_{step}.pth'
        torch.save(dict(weights=torch.ones(1000)), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')


def test_newest_is_in_another_folder(tmp_path, fresh_runs):
    out = dict(out_dir=str(tmp_path / 'disk'))
    toy_runner(tmp_path / 'run', epochs=1, checkpoint=out).train()
    path = tmp_path / 'disk/run/epoch_1.pth'
    assert newest_checkpoint(str(tmp_path / 'run')) == str(path)
    fresh_runs()
    runner = toy_runner(tmp_path / 'run', 2, checkpoint=out, resume=True)
    runner.train()
    assert runner.iter == 4
    assert names_in(path.parent) == ['epoch_2.pth']


def test_interrupted_is_the_newest(tmp_path):
    for name in ('epoch_3', 'interrupted', 'iter_9'):
        save(tmp_path / f'{name}.pth')
    assert newest_checkpoint(str(tmp_path)).endswith('interrupted.pth')
    # A regular one was written, and the run killed before it was removed.
    (tmp_path / 'last_checkpoint').write_text('epoch_3.pth')
    assert newest_checkpoint(str(tmp_path)).endswith('epoch_3.pth')


def test_resume_removes_what_was_cut_off(tmp_path, fresh_runs):
    toy_runner(tmp_path, epochs=1).train()
    host = socket.gethostname()
    for owner in ('', f'.{host}-999999999', '.elsewhere-1'):
        (tmp_path / f'epoch_2.pth{owner}.unfinished').write_bytes(b'half')
    own = tmp_path / f'epoch_9.pth.{host}-{os.getpid()}.unfinished'
    own.write_bytes(b'half')
    fresh_runs()
    toy_runner(tmp_path, epochs=3, resume=True).train()
    assert names_in(tmp_path) == ['epoch_3.pth', own.name], (
        'what a living process writes is left alone'
    )


def test_newest_by_a_name_from_before_a_move(tmp_path):
    for step in (6, 7):
        save(tmp_path / f'epoch_{step}.pth')
    # As mmengine's own hook writes it
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_6.pth')
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_6.pth')


@pytest.mark.parametrize(
    'text',
    [
        *(b'', b'gone.pth', b'/elsewhere/epoch_8.pth', b'.', b'..'),
        *(b'\xff\xfe\x00garbage', b'a\x00b.pth', b'x' * 5000, b'a\nb'),
    ],
    ids=lambda text: text[:8].hex(),
)
def test_newest_with_a_wrong_last_checkpoint(tmp_path, text):
    save(tmp_path / 'epoch_7.pth')
    (tmp_path / 'last_checkpoint').write_bytes(text)
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_7.pth')


def test_run_keeps_as_many_as_asked(tmp_path, fresh_runs):
    toy_runner(tmp_path, epochs=4, checkpoint=dict(max_keep_ckpts=2)).train()
    assert names_in(tmp_path) == ['epoch_3.pth', 'epoch_4.pth']
    # A name, not a path: the folder may be moved.
    assert (tmp_path / 'last_checkpoint').read_text() == 'epoch_4.pth'


def test_old_one_goes_after_the_new_one_is_there(
    tmp_path, fresh_runs, full_disk
):
    toy_runner(tmp_path, epochs=1).train()
    fresh_runs()
    runner = toy_runner(tmp_path, epochs=2, resume=True)
    full_disk()
    with pytest.raises(OSError, match='No space left'):
        runner.train()
    assert names_in(tmp_path) == ['epoch_1.pth']
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')


def test_moved_folder_is_resumed(tmp_path, fresh_runs):
    toy_runner(tmp_path / 'old', epochs=1).train()
    (tmp_path / 'old').rename(tmp_path / 'new')
    fresh_runs()
    runner = toy_runner(tmp_path / 'new', epochs=2, resume=True)
    runner.train()
    assert runner.iter == 4
    assert names_in(tmp_path / 'new') == ['epoch_2.pth']
    assert not (tmp_path / 'old').exists()


def test_best_is_kept(tmp_path, fresh_runs):
    toy_runner(
        tmp_path,
        epochs=4,
        scores=[1, 3, 2, 2],
        checkpoint=dict(save_best='score', rule='greater'),
    ).train()
    assert names_in(tmp_path) == ['best_score_epoch_2.pth', 'epoch_4.pth']


def test_a_validation_without_a_metric_has_no_best(tmp_path, fresh_runs):
    """As one with the loss, of a detector that finds nothing yet."""
    toy_runner(
        tmp_path,
        epochs=3,
        scores=[None, 3, None],
        checkpoint=dict(save_best='score', rule='greater'),
    ).train()
    assert names_in(tmp_path) == ['best_score_epoch_2.pth', 'epoch_3.pth']


def test_best_by_a_metric_of_another_name(tmp_path, fresh_runs):
    best = dict(save_best='scoer', rule='greater')
    run = toy_runner(tmp_path, epochs=1, scores=[1], checkpoint=best)
    with pytest.raises(ValueError, match="is 'scoer', .* measured score"):
        run.train()


def test_best_goes_on_after_a_resume(tmp_path, fresh_runs):
    best = dict(save_best='score', rule='greater')
    toy_runner(tmp_path, 2, scores=[1, 3], checkpoint=best).train()
    fresh_runs()
    toy_runner(tmp_path, 3, scores=[2], checkpoint=best, resume=True).train()
    assert names_in(tmp_path) == ['best_score_epoch_2.pth', 'epoch_3.pth']
    fresh_runs()
    toy_runner(tmp_path, 4, scores=[4], checkpoint=best, resume=True).train()
    assert names_in(tmp_path) == ['best_score_epoch_4.pth', 'epoch_4.pth']


def test_best_of_a_copied_folder(tmp_path, fresh_runs):
    best = dict(save_best='score', rule='greater')
    toy_runner(tmp_path / 'old', 1, scores=[1], checkpoint=best).train()
    shutil.copytree(tmp_path / 'old', tmp_path / 'new')
    fresh_runs()
    toy_runner(
        tmp_path / 'new', 2, scores=[2], checkpoint=best, resume=True
    ).train()
    assert names_in(tmp_path / 'new') == [
        'best_score_epoch_2.pth',
        'epoch_2.pth',
    ]
    assert names_in(tmp_path / 'old') == [
        'best_score_epoch_1.pth',
        'epoch_1.pth',
    ], 'the folder that was copied is left alone'


def test_best_on_a_full_disk(tmp_path, fresh_runs, monkeypatch):
    best = dict(save_best='score', rule='greater')
    toy_runner(tmp_path, 1, scores=[1], checkpoint=best).train()
    fresh_runs()
    runner = toy_runner(tmp_path, 2, scores=[2], checkpoint=best, resume=True)
    replace = os.replace

    def fail(source, target):
        if 'best' in str(target):
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='No space left'):
        runner.train()
    assert 'best_score_epoch_1.pth' in names_in(tmp_path)


@pytest.fixture(scope='module')
def forks():
    # Autograd does not survive a fork of a process that has used it, and a
    # new Python for each kill would take long: fork from a clean process.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tests.support.toy'])
    return context


@pytest.mark.slow
@pytest.mark.parametrize(
    ('moment', 'left'),
    [
        ('write', 'epoch_1.pth'),
        ('rename', 'epoch_1.pth'),
        ('last_checkpoint', 'epoch_2.pth'),
        ('removal', 'epoch_2.pth'),
    ],
)
def test_kill_leaves_a_checkpoint(tmp_path, fresh_runs, forks, moment, left):
    process = forks.Process(target=train_until_killed, args=(tmp_path, moment))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / left)
    runner = toy_runner(tmp_path, resume=True)
    runner.train()
    assert runner._load_from.endswith(left)
    assert runner.epoch == 3
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_3.pth')
    assert names_in(tmp_path) == ['epoch_3.pth']


def test_resume_removes_what_was_replaced(tmp_path, fresh_runs):
    toy_runner(tmp_path, epochs=2).train()
    # As if the run had been killed before it removed these
    save(tmp_path / 'epoch_1.pth')
    save(tmp_path / 'epoch_7.pth')
    fresh_runs()
    toy_runner(tmp_path, 2, resume=True).train()
    assert names_in(tmp_path) == ['epoch_2.pth', 'epoch_7.pth']


def test_resume_elsewhere_removes_nothing(tmp_path, fresh_runs):
    toy_runner(tmp_path / 'run', epochs=2).train()
    (tmp_path / 'other').mkdir()
    save(tmp_path / 'other/epoch_1.pth')
    fresh_runs()
    last = str(tmp_path / 'run/epoch_2.pth')
    toy_runner(tmp_path / 'other', 2, resume=True, load_from=last).train()
    assert names_in(tmp_path / 'other') == ['epoch_1.pth']
