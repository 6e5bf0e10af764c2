"""Ray behind the protocol of `concurrent.futures.Executor`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class RayExecutor(Executor):
    """Calls as tasks of a running Ray cluster, one core each; a failed task is not repeated.

    Values travel by pickle, so functions must be importable where the tasks run. `shutdown` does
    not end the cluster: who started it ends it.
    """

    def __init__(self) -> None:
        import ray

        self._ray = ray
        self._task = ray.remote(num_cpus=1, max_retries=0)(_call)
        self._open: dict[Future[Any], Any] = {}
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A call as a task.

        Raises:
            RuntimeError: After `shutdown`, as for every executor.
        """
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        reference = self._task.remote(fn, args, kwargs)
        future: Future[Any] = Future()
        self._open[future] = reference
        reference.future().add_done_callback(lambda done: self._finish(future, done))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the protocol
        """Take no more calls; wait for those under way, or cancel them."""
        self._closed = True
        under_way = dict(self._open)
        if cancel_futures:
            for future, reference in under_way.items():
                future.cancel()
                self._ray.cancel(reference, force=True)
        elif wait:
            for future in under_way:
                future.exception()

    def _finish(self, future: Future[Any], done: Future[Any]) -> None:
        self._open.pop(future, None)
        if not future.set_running_or_notify_cancel():
            return
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:  # the error of the call itself, without Ray's words around it
            future.set_exception(getattr(error, "cause", None) or error)


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)
