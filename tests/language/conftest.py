import pytest

from tests.language.small_models import ARPA


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "small.arpa"
    path.write_text(ARPA)
    return path
