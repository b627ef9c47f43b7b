import errno
import os
import threading
import time
from contextlib import closing

import pytest

from lsafnet_cli.errors import OutputError
from lsafnet_cli.system import locks
from lsafnet_cli.system.apart import apart
from lsafnet_cli.system.background import Background, run_ahead, run_in_lanes
from lsafnet_cli.system.beside import beside, within
from lsafnet_cli.system.locks import NoLocksError, lock_file, lock_of, locked_outputs


def threads() -> int:
    return threading.active_count()


def test_items_come_in_order_and_the_thread_ends():
    before = threads()
    assert list(run_ahead(range(100), 3)) == list(range(100))
    assert threads() == before


def test_no_more_than_depth_items_are_made_ahead():
    made = []
    items = run_ahead((made.append(n) or n for n in range(50)), 2)
    assert next(items) == 0
    time.sleep(0.1)
    assert len(made) <= 5
    items.close()


def test_an_error_reaches_whoever_waits_with_its_cause():
    def failing():
        yield 1
        raise OSError("disk gone") from ValueError("why")

    items = run_ahead(failing(), 2)
    assert next(items) == 1
    with pytest.raises(OSError, match="disk gone") as caught:
        next(items)
    assert isinstance(caught.value.__cause__, ValueError)


def test_closing_ends_the_thread_and_closes_what_it_ran():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threads()
    with closing(run_ahead(endless(), 1)) as items:
        next(items)
    assert closed == [True]
    assert threads() == before


def test_the_thread_begins_before_anything_is_taken_and_ends_when_nothing_is():
    begun = threading.Event()

    def items():
        begun.set()
        yield 1
        yield 2

    before = threads()
    ahead = run_ahead(items(), 1)
    assert begun.wait(5)
    ahead.close()
    assert threads() == before


def test_work_is_done_in_order_and_all_of_it():
    done = []
    with Background(done.append, 2) as background:
        for number in range(50):
            background.put(number)
    assert done == list(range(50))


def test_an_error_of_the_work_is_raised_by_put_or_at_the_end():
    def fail(number):
        raise OSError(f"cannot write {number}")

    with pytest.raises(OSError, match="cannot write 0"), Background(fail, 1) as background:
        for number in range(50):
            background.put(number)
    with pytest.raises(OSError, match="cannot write 7"), Background(fail, 1) as background:
        background.put(7)


def test_leaving_by_an_error_drops_what_waits():
    done = []

    def slow(number):
        time.sleep(0.02)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), Background(slow, 20) as background:
        for number in range(20):
            background.put(number)
        raise KeyboardInterrupt
    assert len(done) < 20


def fail_for_three(number):
    if number == 3:
        raise OSError("three")
    return number * 10


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_lanes_give_results_in_order_and_the_first_error(lanes):
    assert list(run_in_lanes(lambda n: n * 10, range(20), lanes)) == list(range(0, 200, 10))
    results = run_in_lanes(fail_for_three, range(20), lanes)
    assert [next(results) for _ in range(3)] == [0, 10, 20]
    with pytest.raises(OSError, match="three"):
        next(results)


def test_lanes_work_at_the_same_time():
    together = threading.Barrier(2, timeout=10)
    assert len(list(run_in_lanes(lambda _: together.wait(), range(4), 2))) == 4


@pytest.mark.parametrize("start", [beside, apart])
def test_work_elsewhere_returns_its_result_or_raises_its_error(start):
    with start(divmod, 17, 5) as one, start(divmod, 9, 4) as other:
        assert (other(), one()) == ((2, 1), (3, 2))
    with pytest.raises(ZeroDivisionError), start(divmod, 17, 0) as wait:
        wait()


def test_an_error_waits_for_the_thread_beside():
    ended = threading.Event()

    def work():
        time.sleep(0.2)
        ended.set()

    with pytest.raises(KeyError), beside(work):
        raise KeyError
    assert ended.is_set()


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_ends_the_process_apart(error):
    start = time.monotonic()
    with pytest.raises(error), apart(time.sleep, 60):
        raise error
    assert time.monotonic() - start < 30  # it would have slept for a minute


def test_a_process_apart_that_dies_is_told_of():
    with pytest.raises(RuntimeError, match="_exit ended with exit code 7"), apart(os._exit, 7) as wait:
        wait()


def test_the_thread_ends_though_a_wake_up_was_lost():
    """As happens when Ctrl-C strikes in `queue.put`: the next wake-up goes to a waiter that has gone."""
    background = Background([].append, 2)
    gone = threading.Lock()
    gone.acquire()
    with background:
        waiters = background._waiting.not_empty._waiters
        while not waiters:
            time.sleep(0.01)
        waiters.appendleft(gone)
    assert not background._thread.is_alive()


def test_what_takes_too_long_is_left_behind():
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    go = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.1, go.wait)
    go.set()


def test_what_a_thread_still_writes_after_an_interruption_stays_locked_until_it_ends(tmp_path):
    go, output = threading.Event(), tmp_path / "c.tif"
    with pytest.raises(KeyboardInterrupt), locked_outputs([output]), beside(go.wait):
        raise KeyboardInterrupt
    with pytest.raises(OutputError, match="another run is writing this output"), locked_outputs([output]):
        pass
    go.set()
    deadline = time.monotonic() + 20
    while lock_of(output).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with locked_outputs([output]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_files_cannot_be_locked_a_run_that_may_goes_on_and_says_so(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(locks.FileLock, "acquire", none)
    told = []
    with locked_outputs([tmp_path / "c.tif"], told.append):
        pass
    assert len(told) == 1
    assert "does not support locks" in told[0]
    with pytest.raises(NoLocksError), locked_outputs([tmp_path / "c.tif"]):
        pass


def test_who_waited_for_a_lock_that_is_gone_by_then_holds_one_that_others_meet(tmp_path):
    """The file of a lock is removed with the lock; one that holds the removed file would keep nobody away."""
    path, held, done = tmp_path / "c.lock", threading.Event(), threading.Event()

    def waits():
        with lock_file(path, wait=True, keep=False):
            held.set()
            done.wait(20)

    waiter = threading.Thread(target=waits)
    with lock_file(path, keep=False) as first:
        assert first
        waiter.start()
        assert not held.wait(0.2)
    assert held.wait(20)
    with lock_file(path, keep=False) as third:
        assert not third
    done.set()
    waiter.join()
