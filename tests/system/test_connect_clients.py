"""The official client library through the gateway: over HTTP and through `ambit connect`, in each era."""

import json
import os
import queue
import subprocess
import threading
import time

import pytest

from harness import ROOT, wait_until

OPS = ["help/read_ticket", "help/search_tickets", "help/slow_report", "up/echo", "up/never", "up/huge"]
ERAS = ["legacy", "auto", "modern"]


class Agent:
    """examples/agent/agent.mjs as a process; one step, one answer."""

    def __init__(self, node, folder, era, *how):
        self.transcript = folder / f"transcript-{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [str(node), str(ROOT / "examples/agent/agent.mjs"), "--era", era, "--transcript", str(self.transcript),
             *map(str, how)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.hello = self.answer()
        assert "connected" in self.hello, self.process.stderr.read()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put({"ended": self.process.wait()})

    def answer(self, seconds=30):
        return self.lines.get(timeout=seconds)

    def step(self, **step):
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        assert self.answer() == {"ended": 0}, self.process.stderr.read()


@pytest.fixture
def house(gateway, helpdesk, hostile):
    g = gateway(mcpServers={"help": helpdesk.server(), "up": {"url": hostile.url, "answerWait": "5s", "operations": {
        t: {"effect": "read"} for t in ("echo", "never", "huge")}}}, secrets={"helpdesk-key": helpdesk.key},
        agents={"desk": {"select": {"uid": os.getuid()}}})
    g.task = g.open_task(OPS)
    return g


@pytest.fixture(params=["http", "connect"])
def way(request, house, node, tmp_path):
    """way(era) -> Agent"""
    def make(era):
        if request.param == "http":
            token = tmp_path / "token"
            token.write_text(house.token(house.task))
            return Agent(node, tmp_path, era, "--url", house.url, "--token-file", token)
        return Agent(node, tmp_path, era, "--", house.binary, "connect", "--socket", house.agent_path,
                     "--task", house.task)
    return make


@pytest.mark.parametrize("era", ERAS)
def test_official_client(way, house, helpdesk, era):
    agent = way(era)
    assert agent.hello["connected"]["name"] == "ambit"
    assert agent.hello["era"] == ("legacy" if era == "legacy" else "modern")
    assert sorted(agent.step(list=True)["tools"]) == sorted(o.replace("/", "__") for o in OPS)
    assert agent.step(call="help__read_ticket", args={"ticket": 1})["result"]["structuredContent"]["id"] == 1

    report = agent.step(call="help__slow_report", args={"seconds": 2}, progress=True)
    values = [p["progress"] for p in report["progress"]]
    assert not report["result"].get("isError"), report
    assert len(values) >= 2 and values == sorted(set(values))

    refused = agent.step(call="help__refund", args={"order": "O-1001", "amount_cents": 1, "reason": "x"})
    assert refused["result"]["isError"]
    wrong = agent.step(call="help__read_ticket", args={"ticket": "x"})
    assert wrong["result"]["isError"]
    large = agent.step(call="up__huge", args={"megabytes": 2})
    assert len(large["result"]["content"][0]["text"]) >= 2 << 20

    # The client gives up: the call is cancelled, and its outcome stands long before the upstream's wait is over.
    begun = time.monotonic()
    gone = agent.step(call="up__never", args={}, timeout=500)
    assert "error" in gone
    def ended():
        return [e for e in house.trace(house.task)["entries"]
                if e["record"]["type"] == "outcome" and e["record"]["tool"] == "never"]
    wait_until(ended, "the outcome")
    assert time.monotonic() - begun < 3.5
    [o] = ended()
    assert o["record"]["status"] == "unknown"
    assert agent.step(call="up__echo", args={"n": 1})["result"]["structuredContent"] == {"n": 1}
    agent.close()
    assert helpdesk.key not in agent.transcript.read_text()


PARALLEL = """
import { connectHttp, connectStdio } from 'AGENT';
const [era, url, token, command, ...args] = process.argv.slice(2);
const agent = await (url === '-' ? connectStdio({ command, args, era }) : connectHttp({ url, token, era }));
const asked = Array.from({ length: 24 }, (_, n) => n);
const answers = await Promise.all(asked.map(n => agent.callTool('up__echo', { n })));
const wrong = asked.filter(n => answers[n].structuredContent?.n !== n);
console.log(JSON.stringify({ wrong }));
await agent.close();
"""


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("through", ["http", "connect"])
def test_calls_in_parallel_on_one_client(house, node, tmp_path, era, through):
    script = tmp_path / "parallel.mjs"
    script.write_text(PARALLEL.replace("AGENT", str(ROOT / "examples/agent/agent.mjs")))
    how = ([house.url, house.token(house.task)] if through == "http" else
           ["-", "-", house.binary, "connect", "--socket", house.agent_path, "--task", house.task])
    done = subprocess.run([str(node), str(script), era, *map(str, how)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout) == {"wrong": []}, done.stdout + done.stderr


SDK1 = """
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
const [url, token] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } });
const client = new Client({ name: 'old', version: '1' });
await client.connect(transport);
const names = (await client.listTools()).tools.map(t => t.name);
const progress = [];
const report = await client.callTool({ name: 'help__slow_report', arguments: { seconds: 2 } }, undefined, { onprogress: p => progress.push(p.progress) });
const echo = await client.callTool({ name: 'up__echo', arguments: { a: 1 } });
await client.ping();
console.log(JSON.stringify({ names, progress, report: !report.isError, echo: echo.structuredContent, session: !!transport.sessionId }));
await transport.terminateSession();
await client.close();
"""


def test_first_generation_client(house, node):
    script = ROOT / "build/sdk1-client.mjs"  # beside the modules, where the library is found
    script.write_text(SDK1)
    try:
        done = subprocess.run([str(node), str(script), house.url, house.token(house.task)], capture_output=True,
                              text=True, timeout=60)
    finally:
        script.unlink()
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert sorted(got["names"]) == sorted(o.replace("/", "__") for o in OPS)
    assert got["report"] and len(got["progress"]) >= 2 and got["echo"] == {"a": 1} and got["session"]
