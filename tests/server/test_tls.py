"""Certificates that are given, and self-signed ones that are made again or for unusual names."""

import ssl

import pytest

from asr_gru.errors import ConfigError
from asr_gru.server.tls import check_certificate, self_signed


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
def test_a_broken_file_is_replaced(tmp_path, broken):
    first = self_signed(tmp_path, ["localhost"])
    assert self_signed(tmp_path, ["localhost"]) == first
    (tmp_path / broken).write_text("")
    certificate, key, _ = self_signed(tmp_path, ["localhost"])
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_a_certificate_beside_another_key_is_replaced(tmp_path):
    """Two servers that begin at once may each write one of the files."""
    self_signed(tmp_path, ["localhost"])
    other = self_signed(tmp_path / "other", ["localhost"])[1]
    (tmp_path / "key.pem").write_bytes(other.read_bytes())
    certificate, key, _ = self_signed(tmp_path, ["localhost"])
    check_certificate(certificate, key)


def test_a_host_name_may_have_any_letters(tmp_path):
    certificate, _, fingerprint = self_signed(tmp_path, ["jürgens-rechner", "localhost"])
    assert self_signed(tmp_path, ["jürgens-rechner", "localhost"])[2] == fingerprint
    assert b"xn--jrgens-rechner-gsb" in ssl.PEM_cert_to_DER_cert(certificate.read_text())


def test_files_that_are_no_certificate_and_its_key_are_refused(tmp_path):
    certificate, key, _ = self_signed(tmp_path / "one", ["localhost"])
    other = self_signed(tmp_path / "other", ["localhost"])[1]
    check_certificate(certificate, key)
    (tmp_path / "empty.pem").write_text("")
    for wrong in ((certificate, other), (key, certificate), (tmp_path / "empty.pem", key)):
        with pytest.raises(ConfigError, match="not a certificate and its key; give both in PEM"):
            check_certificate(*wrong)
    with pytest.raises(FileNotFoundError, match=r"none\.pem"):
        check_certificate(tmp_path / "none.pem", key)
