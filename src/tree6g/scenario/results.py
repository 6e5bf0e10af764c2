"""Whether models give what the services that they answer bring: tokens, or images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tree6g.compute.model import catalogue
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.model import AiService, Cloud, Scenario, Site


def problems(scenario: Scenario) -> Iterator[Problem]:
    """Convolutional networks that answer with tokens, language models that answer with images."""
    for place, model, names in _answering(scenario):
        gives = "image" if model in catalogue.image_names() else "token"
        wrong = [
            service.name
            for service in scenario.services
            if isinstance(service, AiService)
            and (not names or service.name in names)
            and service.result != gives
        ]
        if wrong:
            text = f"expected a model whose result is that of {', '.join(wrong)}; got '{model}', "
            text += f"which gives {gives}s. Name the services that it answers, or set `result`."
            yield Problem(place=place, text=text)
    for i, service in enumerate(scenario.services):
        if isinstance(service, AiService) and service.result == "image" and service.split:
            text = "expected no split of a service whose result is an image; got one."
            yield Problem(place=("services", i, "split"), text=text)


def _answering(scenario: Scenario) -> Iterator[tuple[Place, str, Sequence[str]]]:
    """Every model with its place and the services that it is named for; none: all."""
    kinds: tuple[tuple[str, Sequence[Site | Cloud]], ...] = (
        ("sites", scenario.sites),
        ("clouds", scenario.clouds),
    )
    for kind, hosts in kinds:
        for i, host in enumerate(hosts):
            for k, server in enumerate(host.servers):
                yield (kind, i, "servers", k, "model"), server.model, server.services
    if scenario.devices is not None:
        yield ("devices", "model"), scenario.devices.model, scenario.devices.services
