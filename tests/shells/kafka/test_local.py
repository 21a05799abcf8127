from base64 import urlsafe_b64decode

from pipeline.shells.kafka.local import new_cluster_id


def test_a_cluster_id_is_of_16_octets_and_is_never_taken_for_an_option():
    ids = [new_cluster_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert {len(urlsafe_b64decode(f"{one}==")) for one in ids} == {16}
    assert not [one for one in ids if one.startswith(("-", "_"))]
