"""docker-compose.yml and deploy/, read as data: no container engine runs here. Whatever one file says of another, of
the command line or of the settings is compared with what is there. tests/kafka/test_compose_broker.py starts Kafka."""

import base64
import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pipeline.shells.cli import parser_for
from pipeline.shells.commands import COMMANDS
from pipeline.shells.files.resources import scenario_names
from pipeline.shells.kafka.jars import KAFKA as KAFKA_COORDINATE
from pipeline.shells.settings import PREFIX, Settings, load_settings
from tests.build import root
from tests.deploy.tools import tool

ROOT: Final = root()
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if "build" in service}
SCRAPES: Final[dict[str, dict[str, Any]]] = {
    job["job_name"]: job for job in yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
}
PROVISIONING: Final = DEPLOY / "grafana/provisioning"
SOURCES: Final[dict[str, dict[str, Any]]] = {
    source["type"]: source
    for file in (PROVISIONING / "datasources").glob("*.yml")
    for source in yaml.safe_load(file.read_text())["datasources"]
}
KAFKA: Final = dict(
    line.split("=", 1)
    for line in (DEPLOY / "kafka/server.properties").read_text().splitlines()
    if line and not line.startswith("#")
)
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS: Final = [
    tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")
]


def settings_of(service: str) -> Settings:
    return load_settings(environment=SERVICES[service]["environment"])


def listeners(name: str) -> dict[str, str]:
    """`INSIDE://kafka:19092,OUTSIDE://127.0.0.1:9092` as name → address."""
    return dict(one.split("://") for one in KAFKA[name].split(","))


def mounts(service: str) -> dict[str, str]:
    """Path in the container → path of ours or name of a volume."""
    given = [str(volume).split(":") for volume in SERVICES[service].get("volumes", [])]
    return {mount[1]: mount[0] for mount in given}


def found_at(service: str, path: str) -> Path | None:
    """Where a file of ours comes from that the container sees at this path; None where none is mounted there."""
    for target, source in mounts(service).items():
        if source.startswith("./") and path.startswith(target):
            return ROOT / source / path.removeprefix(target).lstrip("/")
    return None


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
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", SERVICES[service]["image"])


def test_every_image_of_others_is_pinned_by_digest_or_named_among_those_that_are_not() -> None:
    """A tag can be given to another image; a digest is the image."""
    security = (ROOT / "docs/security.md").read_text()
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    by_tag = {image for image in images if "@sha256:" not in image}
    assert len(by_tag) < len(set(images))
    assert [image for image in sorted(by_tag) if f"`{image}`" not in security] == []


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
    assert listeners("advertised.listeners")["INSIDE"] == address
    host, port = address.split(":")
    assert host in SERVICES
    assert listeners("listeners")["INSIDE"] == f":{port}"


def test_this_machine_reaches_kafka_at_the_default_of_the_settings() -> None:
    default = Settings().kafka
    host, port = default.split(":")
    assert listeners("advertised.listeners")["OUTSIDE"] == default
    assert host == "127.0.0.1"
    assert published("kafka")[port] == port
    assert listeners("listeners")["OUTSIDE"] == f":{port}"


def test_every_listener_of_kafka_has_a_protocol() -> None:
    protocols = dict(one.split(":") for one in KAFKA["listener.security.protocol.map"].split(","))
    assert set(protocols) == set(listeners("listeners"))


def test_the_health_of_kafka_is_asked_at_a_listener_of_its_own() -> None:
    port = str(SERVICES["kafka"]["healthcheck"]["test"][-1]).rpartition(":")[2]
    assert f":{port}" in listeners("listeners").values()


def test_prometheus_asks_the_name_of_the_workers_for_all_of_them_and_scrapes_where_they_serve_their_metrics() -> None:
    worker = settings_of("worker")
    (discovery,) = SCRAPES["relaywatch"]["dns_sd_configs"]
    assert (discovery["names"], discovery["type"], discovery["port"]) == (["worker"], "A", worker.metrics_port)
    assert worker.metrics_host == "0.0.0.0"
    assert worker.metrics_port == Settings().metrics_port
    assert SERVICES["worker"]["expose"] == [str(worker.metrics_port)]
    (mission,) = [one for one in SCRAPES["relaywatch"]["relabel_configs"] if one["target_label"] == "mission"]
    assert mission["replacement"] == worker.mission


def test_several_workers_run_and_no_two_want_the_same_port_or_name() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] > 1
    assert published("worker") == {}
    assert "container_name" not in SERVICES["worker"]
    assert settings_of("worker").instance == "", "its default is made of the host name, and each has its own"


def test_the_image_serves_and_checks_the_port_of_the_settings() -> None:
    port = str(Settings().metrics_port)
    assert ("EXPOSE", port) in INSTRUCTIONS
    assert re.findall(r"127\.0\.0\.1:(\d+)/ready", DOCKERFILE) == [port]


def test_grafana_has_two_sources_and_they_are_services_of_this_file() -> None:
    assert set(SOURCES) == {"prometheus", "alertmanager"}
    for kind, source in SOURCES.items():
        host, port = source["url"].removeprefix("http://").split(":")
        assert host == source["uid"] == kind
        assert published(host)[port] == port
    assert [kind for kind, source in SOURCES.items() if source.get("isDefault")] == ["prometheus"]


def test_grafana_reads_its_dashboards_where_they_are_mounted_and_opens_with_one_of_them() -> None:
    providers = [
        provider
        for file in (PROVISIONING / "dashboards").glob("*.yml")
        for provider in yaml.safe_load(file.read_text())["providers"]
    ]
    assert providers
    assert {provider["options"]["path"] for provider in providers} <= set(mounts("grafana"))
    home = found_at("grafana", SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home is not None
    assert home.is_file()


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_every_file_that_a_command_names_is_mounted(service: str) -> None:
    (named,) = [word.split("=")[1] for word in SERVICES[service]["command"] if word.startswith("--config.file=")]
    file = found_at(service, named)
    assert file is not None
    assert file.is_file()
    (storage,) = [word.split("=")[1] for word in SERVICES[service]["command"] if ".path=" in word]
    assert mounts(service)[storage] == f"{service}-data"


def test_prometheus_finds_its_rules_and_its_alertmanager() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    for pattern in configuration["rule_files"]:
        assert list((DEPLOY / "prometheus").glob(pattern.removeprefix("/etc/prometheus/")))
    targets = [
        target
        for one in configuration["alerting"]["alertmanagers"]
        for static in one["static_configs"]
        for target in static["targets"]
    ]
    assert targets == ["alertmanager:9093"]


def test_kafka_starts_with_the_files_that_are_mounted() -> None:
    shell, script = SERVICES["kafka"]["command"]
    assert shell == "sh"
    file = found_at("kafka", script)
    assert file is not None
    text = file.read_text()
    assert subprocess.run(["sh", "-n", str(file)], capture_output=True).returncode == 0
    (properties,) = re.findall(r"^properties=(\S+)$", text, re.MULTILINE)
    log4j = SERVICES["kafka"]["environment"]["KAFKA_LOG4J_OPTS"].partition("=")[2]
    for path in (properties, log4j):
        named = found_at("kafka", path)
        assert named is not None
        assert named.is_file()
    assert KAFKA["log.dirs"].startswith(tuple(path for path, name in mounts("kafka").items() if name == "kafka-data"))


def test_the_health_check_of_kafka_does_not_ask_for_the_memory_of_the_broker() -> None:
    """Both are Java in one container, with its environment and within its limit."""
    assert "KAFKA_HEAP_OPTS" not in SERVICES["kafka"]["environment"]
    (heap,) = re.findall(r"-Xmx(\d+)m", (DEPLOY / "kafka/start.sh").read_text())
    # 256 MB is what Kafka's tools take where nothing is said; about as much lies beside a heap.
    assert int(heap) + 2 * 256 <= gigabytes(SERVICES["kafka"]["mem_limit"]) * 1024


def gigabytes(text: str) -> float:
    return float(text[:-1]) / {"m": 1024, "g": 1}[text[-1]]


def test_the_cluster_has_an_id_that_kafka_takes() -> None:
    name = SERVICES["kafka"]["environment"]["CLUSTER_ID"]
    assert len(base64.urlsafe_b64decode(f"{name}==")) == 16
    assert not name.startswith("-")


def test_the_kafka_of_the_containers_is_the_kafka_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"].partition("@")[0].rpartition(":")[2] == KAFKA_COORDINATE.rpartition(":")[2]


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_read_only_and_may_nothing_that_it_does_not_need(service: str) -> None:
    given = SERVICES[service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in given
    assert "cap_add" not in given
    assert re.fullmatch(r"\d+[mg]", given["mem_limit"])
    assert given["logging"]["options"]["max-size"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_runs_as_root(service: str) -> None:
    user, group = SERVICES[service]["user"].split(":")
    assert int(user) > 0
    # Grafana's files belong to the group of root, as its image is made.
    assert int(group) > 0 or service == "grafana"


def test_the_user_of_our_containers_is_the_one_that_the_image_makes() -> None:
    (made,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    assert {service["user"] for service in OURS.values()} == {f"{made}:{made}"}


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_container_writes_goes_to_a_volume_or_to_memory(service: str) -> None:
    assert any(str(one).split(":")[0] == "/tmp" for one in SERVICES[service]["tmpfs"])
    for target, source in mounts(service).items():
        assert source.startswith("./") or source in COMPOSE["volumes"], target


def test_the_demo_is_asked_for_by_name_and_replays_what_it_wrote_before() -> None:
    asked = {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]}
    assert asked == {"demo-recording", "demo"}
    writes = parser_for(OURS["demo-recording"]["command"]).parse_args(OURS["demo-recording"]["command"])
    replays = parser_for(OURS["demo"]["command"]).parse_args(OURS["demo"]["command"])
    assert writes.scenario in scenario_names()
    assert writes.output == replays.file
    assert mounts("demo")[str(replays.file.parent)] == mounts("demo-recording")[str(writes.output.parent)]
    assert replays.loop
    assert (replays.origin, replays.into_live) == ("replay", False)
    assert SERVICES["demo"]["depends_on"]["demo-recording"]["condition"] == "service_completed_successfully"
    assert settings_of("demo").namespace == settings_of("worker").namespace


def test_a_container_that_ends_does_not_fail_those_who_wait() -> None:
    """`docker compose up --wait` fails where one ends, unless another waits for just that."""
    awaited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert {name for name, service in SERVICES.items() if service["restart"] == "on-failure"} == awaited


@pytest.mark.parametrize("service", [name for name in SERVICES if name not in OURS])
def test_every_service_from_elsewhere_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("service", OURS)
def test_of_our_containers_the_worker_alone_has_the_health_check_of_the_image(service: str) -> None:
    assert OURS[service].get("healthcheck") == (None if service == "worker" else {"disable": True})


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


def test_no_command_of_a_container_misses_what_the_image_leaves_out(tmp_path: Path) -> None:
    """pymavlink is pruned by the very words of the Dockerfile; a distribution that is left out cannot be imported."""
    left_out = re.findall(r"uninstall --yes ([\w ]+)", DOCKERFILE)[0].split()
    (prune,) = [rest for name, rest in INSTRUCTIONS if name == "RUN" and "pymavlink" in rest]
    whole = Path(next(iter(find_spec("pymavlink").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    pruned = tmp_path / "lib/python3.11/site-packages/pymavlink"
    shutil.copytree(whole, pruned)
    before = octets(pruned)
    subprocess.run(["sh", "-euc", prune.replace("/opt/relaywatch", str(tmp_path))], check=True)
    assert octets(pruned) < before / 10
    program = (
        f"import sys; sys.path.insert(0, {str(pruned.parent)!r}); sys.modules.update(dict.fromkeys({left_out!r}))\n"
        "from pipeline.shells.commands import COMMANDS, load\n"
        f"for name in {[name for name in COMMANDS if name not in ('demo', 'kafka')]!r}: load(name)\n"
        "import pipeline.shells.worker.app, pipeline.shells.kafka.topics_admin\n"
        "from pymavlink.dialects.v20 import all as definitions\n"
        "print(definitions.__file__, len(definitions.mavlink_map))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, messages = done.stdout.split()
    assert file.startswith(str(tmp_path))
    assert int(messages) > 300


def octets(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_docker_compose_accepts_the_file_and_demands_the_password(tmp_path: Path) -> None:
    """Debian's is 1.29: it knows the compose specification, but for `name`."""
    compose = tool("docker-compose")
    known = tmp_path / "docker-compose.yml"
    known.write_text((ROOT / "docker-compose.yml").read_text().replace(f"name: {COMPOSE['name']}\n", ""))
    words = [compose, "--project-directory", str(ROOT), "--file", str(known)]

    def config(password: str) -> subprocess.CompletedProcess[str]:
        secrets = tmp_path / "secrets.env"
        secrets.write_text((DEPLOY / "example.env").read_text().rstrip() + password)
        return subprocess.run(
            [*words, "--env-file", str(secrets), "config"], capture_output=True, text=True, env={"PATH": os.defpath}
        )

    done = config("a password")
    assert done.returncode == 0, done.stderr
    understood = yaml.safe_load(done.stdout)["services"]
    assert set(understood) == set(SERVICES)
    assert understood["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "a password"
    refused = config("")
    assert refused.returncode != 0
    assert "set it in deploy/.env" in refused.stderr
