import subprocess
import sys
from base64 import urlsafe_b64decode
from typing import NamedTuple

import pytest

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka import local
from pipeline.shells.kafka.local import Broker, LocalKafkaError, local_kafka, new_cluster_id


def test_a_cluster_id_is_of_16_octets_and_is_never_taken_for_an_option():
    ids = [new_cluster_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert {len(urlsafe_b64decode(f"{one}==")) for one in ids} == {16}
    assert not [one for one in ids if one.startswith(("-", "_"))]


class Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(
    ("free", "said"),
    [(0, r"Kafka stopped; the disk of .* is full\. Name a folder with room: TMPDIR"), (1 << 30, "its log ends: why")],
    ids=["no room", "room"],
)
def test_a_kafka_that_ends_before_its_user_is_named_in_place_of_what_its_clients_say(free, said, tmp_path, monkeypatch):
    monkeypatch.setattr(local.tempfile, "tempdir", str(tmp_path))
    folder = local._new_folder()
    (folder / "kafka.log").write_text("why\n")
    process = subprocess.Popen([sys.executable, "-c", "", str(folder)])
    monkeypatch.setattr(local, "start_broker", lambda *_: Broker(process.pid, "127.0.0.1:1", str(folder)))
    monkeypatch.setattr(local.shutil, "disk_usage", lambda _: Usage(free))
    process.wait()
    with pytest.raises(LocalKafkaError, match=said), local_kafka():
        raise RelayWatchError("Kafka at 127.0.0.1:1 did not answer within 8 s")
    assert not folder.exists()
