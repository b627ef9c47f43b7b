"""A worker process: python -m lsafnet_cli.batch.worker NUMBER. Tasks come over a connection, outcomes go back.

It is a program of its own, and not a fork or spawn of its parent, so that threads of the parent do not matter and
scripts that use a batch need no `if __name__ == "__main__"`.
"""

import faulthandler
import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection

from lsafnet_cli.batch.messages import Begun, Free, Message, Task, WorkerSetup
from lsafnet_cli.system.pipes import connect

PARENT_GONE = 70


def serve(connection: "Connection[Message, WorkerSetup | Task | None]") -> None:
    """Do the tasks that come until None comes; end at once where the parent has gone."""
    setup = connection.recv()
    assert isinstance(setup, WorkerSetup)
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks), name="listen", daemon=True).start()
    import torch

    from lsafnet_cli.batch.work import SceneRunner

    if setup.threads is not None:
        torch.set_num_threads(setup.threads)
    lock = threading.Lock()

    def tell(message: Message) -> None:
        with lock:
            connection.send(message)

    with SceneRunner(setup, tell) as runner:
        tell(Free())
        while (task := tasks.get()) is not None:
            tell(Begun(task))
            runner.do(task)
            tell(Free())


def _listen(
    connection: "Connection[Message, WorkerSetup | Task | None]", tasks: "queue.SimpleQueue[Task | None]"
) -> None:
    try:
        while True:
            tasks.put(connection.recv())  # type: ignore[arg-type]
    except (EOFError, OSError):
        os._exit(PARENT_GONE)


def main() -> None:
    """Serve the connection whose number is the only argument."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a Ctrl-C goes to all; the parent decides what it means
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable()
    serve(connect(int(sys.argv[1])))
    os._exit(0)  # without waiting for threads that read ahead


if __name__ == "__main__":
    main()
