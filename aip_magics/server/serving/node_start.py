"""How a node of a version starts within the budget of all nodes: its share, its worker, its model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aip_magics.errors import AipError, ApiError, FailedPrecondition, PredictionError, ResourceExhausted
from aip_magics.server import descriptors
from aip_magics.server.serving import memory
from aip_magics.server.serving.node_budget import Claim, NodeBudget, NodeShare
from aip_magics.server.serving.node_spec import NodeSpec
from aip_magics.server.serving.request_queue import Node

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorkerClient

LOAD_SECONDS = 600.0

StartWorker = Callable[[NodeSpec], Awaitable["AsyncWorkerClient"]]


class NodeStarter:
    """Starts the nodes of one version. `measured` is how many bytes of memory the last one held; None: not known."""

    def __init__(self, start_worker: StartWorker, budget: NodeBudget) -> None:
        self.measured: int | None = None
        self._start_worker = start_worker
        self._budget = budget
        self._model_size: int | None = None  # bytes of its files

    async def start(self, node_spec: NodeSpec, claim: Claim) -> Node:
        """Start a node and load the model.

        Raises:
            FailedPrecondition: The model is larger than the budget.
            ResourceExhausted: There is no room for the node.
            PredictionError: The model cannot be loaded (WorkerError: the process failed).
        """
        share = await self._take_share(node_spec, claim)
        try:
            worker = await self._start_worker(node_spec)
            try:
                node = Node(worker, await worker.load(LOAD_SECONDS), share)
                self.measured = await self._budget.loaded(share, worker.pid) or self.measured
            except BaseException:
                await worker.close()
                raise
        except BaseException:
            self._budget.release(share)
            raise
        return node

    async def _take_share(self, node_spec: NodeSpec, claim: Claim) -> NodeShare:
        custom = node_spec.prediction_class is not None
        if self._model_size is None:
            self._model_size = await asyncio.to_thread(memory.model_bytes, node_spec.model_dir, custom=custom)
        if not custom:
            self._budget.check_model(self._model_size)
        return await self._budget.take(self._model_size, self.measured, claim)


def start_error(error: AipError | OSError) -> ApiError:
    """What requests are told that wait for a node which did not start."""
    if isinstance(error, (ResourceExhausted, FailedPrecondition)):
        return error
    if descriptors.is_exhausted(error):
        return descriptors.exhausted()
    reason = str(error)
    if isinstance(error, AipError):
        reason = error.detail if isinstance(error, PredictionError) else error.message
    return ApiError(f"No node could be started for this version: {reason}", code=500, status="INTERNAL")
