"""The routes. Every error is JSON: {"error": one line}."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from importlib import resources
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from compoundnet import __version__

from .about import about
from .bodies import Body, GoneError
from .limits import Limits, RequestError
from .metrics import Counted, Metrics
from .service import Service
from .uploads import FORM, JSON

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
# The page asks nobody but us, and no other page may frame it.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_IMAGE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {"schema": {"type": "object", "properties": {"file": _IMAGE}, "required": ["file"]}},
            JSON: {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "byte"}},
                    "required": ["image"],
                }
            },
        },
    }
}
_Answered = Callable[[Body, int], Awaitable[Response]]
_Work = Callable[[bytes], Awaitable[Response]]
TOP, MAX_TOP = 5, 1000
_TOPS = {b"": TOP, **{b"top=%d" % top: top for top in range(1, MAX_TOP + 1)}}
_PREDICT = SimpleNamespace(path="/predict")  # what the counters look for


def create(service: Service, metrics: Metrics, is_ready: Callable[[], bool], engine: str = "") -> ASGIApp:
    """The application of one service. ``is_ready`` turns false when the server begins to stop."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="compoundnet", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan
    )  # their pages load scripts from elsewhere
    metrics.at_work.set_function(lambda: service.gate.inside)
    _add_errors(app, service.limits)
    _add_page(app)
    _add_probes(app, service, metrics, is_ready)
    _add_about(app, service, engine)
    answered = _add_work(app, service, metrics, engine)
    return Counted(_Quick(app, answered, service.limits), metrics)


def _add_work(app: FastAPI, service: Service, metrics: Metrics, engine: str) -> _Answered:
    which = {"model": service.pretrained.weights.name, "engine": engine}

    async def answered(body: Body, top: int) -> Response:
        async def work(content: bytes) -> Response:
            answer = await service.predict(body.kind, content, top)
            metrics.observe(answer.ms, answer.batch)
            return _json({**answer.to_dict(), **which})

        return await _bounded(body, service, work)

    @app.post("/predict", openapi_extra=_BODY)
    async def predict(request: Request, top: Annotated[int, Query(ge=1, le=MAX_TOP)] = TOP) -> Response:
        """The most probable classes of one picture, and the milliseconds of each stage."""
        return await answered(Body(request.scope, request.receive, service.limits), top)

    @app.post("/explain", openapi_extra=_BODY)
    async def explain(request: Request, index: Annotated[int | None, Query(alias="class")] = None) -> Response:
        """PNG: the class activation map of the most probable (or the given) class over the picture."""
        body = Body(request.scope, request.receive, service.limits)

        async def work(content: bytes) -> Response:
            image, chosen = await service.explain(body.kind, content, index)
            return Response(image, media_type="image/png", headers={"X-Class-Index": str(chosen)})

        return await _bounded(body, service, work)

    return answered


class _Quick:
    """Answers the plain form of the one request that is asked often before any routing; the rest goes on.

    Routing, validation and its layers take longer than all else that is done for such a request.
    """

    def __init__(self, app: ASGIApp, answered: _Answered, limits: Limits) -> None:
        self._app, self._answered, self._limits = app, answered, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        top = None
        if scope["type"] == "http" and scope["path"] == "/predict" and scope["method"] == "POST":
            top = _TOPS.get(scope["query_string"])
        if top is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _PREDICT
        try:
            response = await self._answered(Body(scope, receive, self._limits), top)
        except Exception as error:
            await _broken(error)(scope, receive, send)
            raise
        await response(scope, receive, send)


async def _bounded(body: Body, service: Service, work: _Work) -> Response:
    """Do the work on a body within the limits; what goes wrong is an answer too."""
    try:
        body.check()
        with service.gate.entered():
            return await work(await body.read())
    except RequestError as problem:
        answer = _refused(problem)
    except GoneError:
        return _error(400, "the body broke off")  # nobody is left to read it
    if answer.status_code != HTTPStatus.REQUEST_TIMEOUT:  # that sender is not sending
        await body.drop()
    return answer


def _add_probes(app: FastAPI, service: Service, metrics: Metrics, is_ready: Callable[[], bool]) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """200 as long as the process answers."""
        return _json({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        """200 while new requests are welcome."""
        return _json({"status": "ready"}) if is_ready() else _error(503, "the server is starting or stopping")

    @app.get("/metrics")
    async def text() -> Response:
        """Counters in Prometheus's text format."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/selftest")
    async def selftest() -> Response:
        """Golden images through the whole path, against the plain model: 200 when equal, 500 when not."""
        try:
            with service.gate.entered():
                verdict = await service.selftest()
        except RequestError as problem:
            return _refused(problem)
        data = {"passed": verdict.passed, **asdict(verdict)}
        if verdict.passed:
            return _json(data)
        error = (
            f"logits differ by {verdict.difference:.2g} of the largest; at most {verdict.tolerance:g} is float noise"
        )
        return _json({"error": error, **{k: v for k, v in data.items() if k != "difference"}}, 500)


def _add_about(app: FastAPI, service: Service, engine: str) -> None:
    told = about(service.pretrained.weights, engine)

    @app.get("/model")
    async def model() -> Response:
        """What answers: network, preprocessing, licence, and how its weights came about step by step."""
        return _json(told)


def _add_page(app: FastAPI) -> None:
    folder = resources.files("compoundnet.serve")
    for path, (name, kind) in _FILES.items():
        content = (folder / name).read_bytes()

        async def page(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers=_PAGE_HEADERS)

        app.add_api_route(path, page, include_in_schema=False)


def _add_errors(app: FastAPI, limits: Limits) -> None:
    # Bodies of refused requests are still on their way when these run.
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        await Body(request.scope, request.receive, limits).drop()
        path = request.url.path if request.url.path.isprintable() else ascii(request.url.path)
        text = f"{request.method} {path:.200}: {HTTPStatus(error.status_code).phrase.lower()}"
        return _error(error.status_code, text, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        await Body(request.scope, request.receive, limits).drop()
        first = error.errors()[0]
        return _error(400, f"{first['loc'][-1]}: {first['msg']}; got {first['input']!r:.80}")

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        return _broken(error)


def _refused(problem: RequestError) -> Response:
    headers = {} if problem.retry_seconds is None else {"Retry-After": str(problem.retry_seconds)}
    return _error(problem.status, problem.text, headers)


def _broken(error: Exception) -> Response:
    return _error(500, f"the server failed: {type(error).__name__}")


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json({"error": text}, status, headers)


def _json(data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(data), status, dict(headers or {}), "application/json")
