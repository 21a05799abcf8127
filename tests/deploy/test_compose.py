"""docker-compose.yml and deploy/, read as data: no container engine runs here. Whatever one file says of another, of
the command line or of the settings is compared with what is there."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from typing import Any, Final

import pytest
import yaml

from pipeline.shells.cli import parser_for
from pipeline.shells.settings import PREFIX, Settings, load_settings
from tests.build import root

ROOT: Final = root()
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if "build" in service}
SCRAPES: Final[dict[str, dict[str, Any]]] = {
    job["job_name"]: job for job in yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
}
SOURCES: Final[list[dict[str, Any]]] = yaml.safe_load(
    (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
)["datasources"]
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS: Final = [
    tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")
]


def settings_of(service: str) -> Settings:
    return load_settings(environment=SERVICES[service]["environment"])


def listeners(name: str) -> dict[str, str]:
    """`INSIDE://kafka:19092,OUTSIDE://127.0.0.1:9092` as name → address."""
    given = SERVICES["kafka"]["environment"][name]
    return dict(one.split("://") for one in given.split(","))


def published(service: str) -> dict[str, str]:
    """Port on this machine → port in the container, of those published on 127.0.0.1."""
    ports = [str(port).split(":") for port in SERVICES[service].get("ports", [])]
    return {port[1]: port[2] for port in ports if len(port) == 3 and port[0] == "127.0.0.1"}


def words_of(instruction: str) -> list[str]:
    """The words of the last ENTRYPOINT or CMD."""
    given = [rest for name, rest in INSTRUCTIONS if name == instruction][-1]
    return [str(word) for word in yaml.safe_load(given)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_published_port_is_bound_to_this_machine(service: str) -> None:
    assert len(published(service)) == len(SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_to_a_full_version(service: str) -> None:
    name, _, tag = SERVICES[service]["image"].rpartition(":")
    assert name
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_our_image_has_the_version_of_the_distribution() -> None:
    assert {service["image"] for service in OURS.values()} == {f"relaywatch:{version('relaywatch')}"}


@pytest.mark.parametrize("base", re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
def test_every_base_image_is_pinned_and_is_a_python_that_we_take(base: str) -> None:
    found = re.fullmatch(r"python:3\.(\d+)\.\d+-slim-\w+", base)
    assert found is not None
    assert int(found[1]) >= 11


def test_every_mounted_file_exists() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    paths = [ROOT / mount.split(":")[0] for mount in mounts if mount.startswith(("./", "/"))]
    assert paths
    assert [path for path in paths if not path.exists()] == []


def test_every_named_volume_is_declared_and_used() -> None:
    mounts = [str(volume) for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts if not mount.startswith((".", "/"))} == set(COMPOSE["volumes"])


def test_every_mount_of_a_file_of_ours_is_read_only() -> None:
    mounts = [str(volume) for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert [mount for mount in mounts if mount.startswith("./") and not mount.endswith(":ro")] == []


@pytest.mark.parametrize("service", OURS)
def test_every_command_is_one_that_relaywatch_takes(service: str) -> None:
    words = OURS[service]["command"]
    assert parser_for(words).parse_args(words).command == words[0]


def test_the_image_starts_a_worker_where_it_is_told_nothing() -> None:
    assert words_of("ENTRYPOINT") == ["relaywatch"]
    words = words_of("CMD")
    assert parser_for(words).parse_args(words).command == "worker"
    assert SERVICES["worker"]["command"] == words


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting_with_a_value_that_it_takes(service: str) -> None:
    known = {f"{PREFIX}{one.name.upper()}" for one in dataclasses.fields(Settings)}
    assert set(OURS[service]["environment"]) <= known
    assert all(isinstance(value, str) for value in OURS[service]["environment"].values())
    settings_of(service)


def test_the_topics_are_made_where_the_worker_reads_them() -> None:
    topics, worker = settings_of("topics"), settings_of("worker")
    assert (topics.kafka, topics.namespace) == (worker.kafka, worker.namespace)


def test_containers_reach_kafka_at_an_address_that_it_advertises_and_listens_on() -> None:
    address = settings_of("worker").kafka
    assert listeners("KAFKA_ADVERTISED_LISTENERS")["INSIDE"] == address
    host, port = address.split(":")
    assert host in SERVICES
    assert listeners("KAFKA_LISTENERS")["INSIDE"] == f":{port}"


def test_this_machine_reaches_kafka_at_the_default_of_the_settings() -> None:
    default = Settings().kafka
    host, port = default.split(":")
    assert listeners("KAFKA_ADVERTISED_LISTENERS")["OUTSIDE"] == default
    assert host == "127.0.0.1"
    assert published("kafka")[port] == port
    assert listeners("KAFKA_LISTENERS")["OUTSIDE"] == f":{port}"


def test_every_listener_of_kafka_has_a_protocol() -> None:
    protocols = dict(
        one.split(":") for one in SERVICES["kafka"]["environment"]["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert set(protocols) == set(listeners("KAFKA_LISTENERS"))


def test_the_health_of_kafka_is_asked_at_a_listener_of_its_own() -> None:
    port = str(SERVICES["kafka"]["healthcheck"]["test"][-1]).rpartition(":")[2]
    assert f":{port}" in listeners("KAFKA_LISTENERS").values()


def test_prometheus_scrapes_the_worker_where_it_serves_its_metrics() -> None:
    worker = settings_of("worker")
    assert SCRAPES["relaywatch"]["static_configs"][0]["targets"] == [f"worker:{worker.metrics_port}"]
    assert worker.metrics_host == "0.0.0.0"
    assert worker.metrics_port == Settings().metrics_port
    assert published("worker") == {str(worker.metrics_port): str(worker.metrics_port)}


def test_the_image_serves_and_checks_the_port_of_the_settings() -> None:
    port = str(Settings().metrics_port)
    assert ("EXPOSE", port) in INSTRUCTIONS
    assert re.findall(r"127\.0\.0\.1:(\d+)/ready", DOCKERFILE) == [port]


def test_grafana_has_one_source_and_it_is_the_prometheus_of_this_file() -> None:
    (source,) = SOURCES
    assert source["type"] == "prometheus"
    assert source["isDefault"] is True
    host, port = source["url"].removeprefix("http://").split(":")
    assert host in SERVICES
    assert published(host)[port] == port


def test_prometheus_reads_the_file_that_is_mounted() -> None:
    (mount,) = [one for one in SERVICES["prometheus"]["volumes"] if one.startswith("./")]
    assert f"--config.file={mount.split(':')[1]}" in SERVICES["prometheus"]["command"]


@pytest.mark.parametrize("service", [name for name in SERVICES if name not in ("topics", "worker")])
def test_every_service_from_elsewhere_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


def test_the_worker_starts_when_its_topics_are_made_and_is_started_again_when_it_ends() -> None:
    assert SERVICES["worker"]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert SERVICES["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert SERVICES["worker"]["restart"] == "unless-stopped"
    assert SERVICES["topics"]["restart"] == "on-failure"


def test_every_service_that_another_waits_for_is_there() -> None:
    awaited = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    assert awaited <= set(SERVICES)


def test_every_secret_is_demanded_and_none_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    demanded = re.findall(r"\$\{(\w+):\?[^}]+\}", text)
    assert text.count("${") == len(demanded)
    lines = [line for line in (DEPLOY / "example.env").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == [f"{name}=" for name in demanded]


def test_git_does_not_keep_the_secrets() -> None:
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_everything_that_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sources = []
    for name, rest in INSTRUCTIONS:
        if name == "COPY" and not rest.startswith("--from"):
            sources += shlex.split(rest)[:-1]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(sent) == sorted(sources)


def test_the_image_does_not_run_as_root() -> None:
    users = [rest for name, rest in INSTRUCTIONS if name == "USER"]
    assert users
    assert users[-1] not in ("root", "0")


def test_a_worker_needs_nothing_that_starts_a_private_kafka() -> None:
    """The image leaves these two out."""
    left_out = re.findall(r"pip uninstall --yes ([\w ]+)", DOCKERFILE)[0].split()
    program = (
        "import sys; from pipeline.shells.commands import load; load('worker'); load('topics');"
        "import pipeline.shells.worker, pipeline.shells.topics_admin;"
        f"print([name for name in {left_out!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_promtool_accepts_the_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None and os.environ.get("CI") != "true":
        pytest.skip("promtool is not there: apt-get install prometheus")
    assert promtool is not None, "CI=true needs promtool: apt-get install prometheus"
    done = subprocess.run(
        [promtool, "check", "config", str(DEPLOY / "prometheus/prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
