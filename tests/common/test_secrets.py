import pytest

from twotower.common.secrets import has_password, mask_credentials, without, without_credentials


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://host:5000/api", "http://host:5000/api"),
        ("at http://user:pa/ss@host:5000 now", "at http://***@host:5000 now"),
        ("at http://user:p@ss@host:5000/a@b", "at http://***@host:5000/a@b"),
        ("'http://token@host'", "'http://***@host'"),
        ("postgresql://me:***@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg2://u:p@h/db?passWord=x&y=z", "postgresql+psycopg2://***@h/db?passWord=***&y=z"),
        ("https://b.s3.net/k?X-Amz-Signature=ab&partNumber=1", "https://b.s3.net/k?X-Amz-Signature=***&partNumber=1"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("host=h password=x;y dbname='d'", "host=h password=***;y dbname='d'"),
        ("{'password': 'x', 'user': 'me'}", "{'password': '***', 'user': 'me'}"),
        ("hpo.password: there is no such key", "hpo.password: there is no such key"),
        ("is it? no=t", "is it? no=t"),
        ("got 'postgresql://me:s3cr…", "got 'postgresql://***…"),
        ("http://host:5000/api/…", "http://host:5000/api/…"),
    ],
)  # fmt: skip
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked


def test_what_the_environment_keeps_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0k.en\n")
    monkeypatch.setenv("TWOTOWER_API_KEY", "first, second")
    monkeypatch.setenv("PGPASSWORD", "me")  # too short to be told from other words
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    text = mask_credentials(r"false: Invalid header value b'Bearer t0k.en\n', tell me second")
    assert text == r"false: Invalid header value b'Bearer ***\n', tell me ***"


def test_only_whole_words_are_secrets() -> None:
    assert without("user postgres of postgresql, (x+y)", ["postgres", "x+y", "(x+y)", "r"]) == (
        "user *** of postgresql, (x+y)".replace("(x+y)", "***")
    )


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (None, None),
        ("http://me:s/ecret@host:5000/a@b", "http://host:5000/a@b"),
        ("postgresql://h/db?password=x&sslmode=require", "postgresql://h/db?password=***&sslmode=require"),
        ("sqlite:////a@b/mlflow.db", "sqlite:////a@b/mlflow.db"),
        ("databricks://shop", "databricks://shop"),
    ],
)  # fmt: skip
def test_a_uri_that_is_written_down_has_no_credentials(uri: str | None, shown: str | None) -> None:
    assert without_credentials(uri) == shown


@pytest.mark.parametrize(
    ("uri", "has"),
    [
        ("postgresql://me:x@host/db", True),
        ("postgresql://host/db?user=me&password=x", True),
        ("postgresql://me@host/db?sslmode=require", False),
        ("sqlite:////a:b@c/study.db", False),
    ],
)
def test_which_uris_have_a_password(uri: str, has: bool) -> None:
    assert has_password(uri) is has
