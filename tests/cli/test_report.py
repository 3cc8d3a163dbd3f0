"""``asr-gru report``: what it writes, and what it refuses in one line."""

from .test_train_and_evaluate import train


def test_report_of_a_run(run, data):
    trained = train(run, data)
    assert trained.status == 0, trained.err
    assert f"report: {data / 'run' / 'report.html'}" in trained.err
    (data / "run" / "report.html").unlink()
    written = run("report", data / "run", "--root", data)
    assert written.status == 0
    assert written.err == f"wrote {data / 'run' / 'report.html'}\n"
    whole = (data / "run" / "report.html").read_text()
    assert "Word error rate" in whole
    assert '<div class="posteriorgram"' in whole
    assert run("report", data / "run", "--output", data / "other.html").status == 0
    assert '<div class="posteriorgram"' not in (data / "other.html").read_text()


def test_refusals(run, data):
    def refused(*arguments):
        result = run("report", *arguments)
        assert result.err.count("\n") == 1
        assert "Traceback" not in result.err
        return result.status, result.err

    assert refused(data)[0] == 1
    assert "no checkpoint here; give the folder of a training run" in refused(data)[1]
    status, message = refused(data, "--root", data / "missing")
    assert (status, "no such folder" in message) == (2, True)
    status, message = refused(data, "--output", data)
    assert (status, "is a folder" in message) == (2, True)
    (data / "checkpoint.pt").write_bytes(b"no")
    assert "not a checkpoint of asr-gru train" in refused(data)[1]
