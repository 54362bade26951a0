"""Makes the cases, has each engine decide them, checks that all decide alike, and prints the tables."""

import argparse
import contextlib
import io
import json
import math
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import apps
import gateway

HERE = pathlib.Path(__file__).resolve().parent
PUBLISHED = "OOPSLA 2024: Cedar 28.7 to 35.2 times as fast as OpenFGA, 42.8 to 80.8 times as fast as Rego"

# What an engine is given of a gateway case of n policies: requests, and whether it validates. A scan of all policies
# takes milliseconds where there are many, and validation by the crate minutes.
GATEWAY_LIMITS = {
    "crate": {10: 4096, 100: 2000, 1000: 300, 10000: 40},
    "cedar-go": {10: 4096, 100: 2000, 1000: 300, 10000: 40},
    "opa": {10: 2000, 100: 2000, 1000: 1000},
    "casbin": {10: 1000, 100: 1000, 1000: 300},
}
CRATE_VALIDATES_MAX = 1000
APP_WORLDS = {"crate": 200, "cedar-go": 20, "opa": 20}


class Bench:
    def __init__(self, options):
        self.options = options
        self.top = pathlib.Path(options.top)
        self.cases = self.top / "build/bench/cedar"
        peers = self.top / "build/peers"
        go = peers / "cedar-go-bench"
        self.commands = {"ambit": [self.top / "build/lto/src/cedar/cedar_bench"],
                         "crate": [peers / "cedar-crate-bench/release/cedar-crate-bench"],
                         **{name: [go, name] for name in ("cedar-go", "opa", "casbin")}}
        chosen = {"ambit", *options.peers.split(",")}
        self.commands = {k: v for k, v in self.commands.items() if k in chosen and v[0].exists()}
        if "ambit" not in self.commands:
            sys.exit("bench: there is no cedar_bench in build/lto")
        self.rows = []

    def write_case(self, name, files):
        folder = self.cases / name
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            stale.unlink()
        for file, content in files.items():
            with open(folder / file, "w") as f:
                if file.endswith(".jsonl"):
                    f.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in content)
                elif isinstance(content, str):
                    f.write(content)
                else:
                    json.dump(content, f)
        return folder

    def run(self, engine, folder, **options):
        command = [*map(str, self.commands[engine]), str(folder)]
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)] if value else []
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"bench: {engine} failed on {folder.name}: {done.stderr.strip()[-400:]}")
        row = {"case": folder.name, **json.loads(done.stdout)}
        self.agree(engine, folder)
        self.rows.append(row)
        print(f"  {folder.name}: {engine} p50 {row['p50_ns']:.0f} ns", file=sys.stderr)
        return row

    def agree(self, engine, folder):
        if engine == "ambit":
            return
        theirs = (folder / f"{engine}.decisions").read_text()
        ours = (folder / "ambit.decisions").read_text()[:len(theirs)]
        if not theirs or ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), len(ours))
            sys.exit(f"bench: {engine} decides request {at} of {folder.name} otherwise")

    def gateway(self):
        sizes = [10, 100, 1000] if self.options.quick else [10, 100, 1000, 10000, 100000]
        rows = {}
        for n in sizes:
            folder = self.write_case(f"gateway-{n}", gateway.case(n, 4096))
            of = rows[n] = {"ambit": self.run("ambit", folder, rounds=10)}
            for engine, limits in GATEWAY_LIMITS.items():
                if engine in self.commands and n in limits:
                    validate = engine == "crate" and n <= CRATE_VALIDATES_MAX
                    of[engine] = self.run(engine, folder, requests=limits[n], validate=validate)
        return rows

    def apps(self):
        sizes = [10] if self.options.quick else [5, 20, 50]
        worlds = 20 if self.options.quick else 200
        rows = {}
        for name in apps.APPS:
            for size in sizes:
                folder = self.write_case(f"{name}-{size}", apps.case(name, size, worlds))
                of = rows[name, size] = {"ambit": self.run("ambit", folder, worlds=worlds)}
                for engine, most in APP_WORLDS.items():
                    if engine in self.commands and (engine != "opa" or (folder / "policy.rego").exists()):
                        # With one policy for each link a scan of them takes its time.
                        few = most // 10 if name.endswith("templates") else most
                        of[engine] = self.run(engine, folder, worlds=min(few, worlds))
                for big in folder.glob("*.jsonl"):
                    big.unlink()
        return rows


def duration(ns):
    if ns < 10000:
        return f"{ns:,.0f} ns"
    return f"{ns / 1e3:,.0f} us" if ns < 1e7 else f"{ns / 1e6:,.0f} ms"


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def times(row, ambit):
    if not row:
        return ""
    ratio = row["p50_ns"] / ambit["p50_ns"]
    return f"{duration(row['p50_ns'])} ({ratio:,.0f}x)" if ratio >= 10 else f"{duration(row['p50_ns'])} ({ratio:.1f}x)"


def slope(rows):
    """Of the line through log(policies), log(p50)."""
    points = [(math.log(n), math.log(of["ambit"]["p50_ns"])) for n, of in rows.items()]
    mx, my = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)


def print_gateway(rows):
    print("**Gateway policies, Ambit**\n")
    table(["policies", "p50", "p99", "decision only p50", "from JSON p50", "from JSON p99", "policies run for each",
           "read", "validate", "compile", "bytes each"],
          [[f"{n:,}", *(duration(a[k]) for k in ("p50_ns", "p99_ns", "quick_p50_ns", "json_p50_ns", "json_p99_ns")),
            f"{a['evaluated'] / a['requests']:.1f}",
            *(f"{a[k]:,.1f} ms" for k in ("parse_ms", "validate_ms", "compile_ms")), f"{a['bytes_per_policy']:,.0f}"]
           for n, a in ((n, of["ambit"]) for n, of in rows.items())])
    print(f"Slope of log p50 over log policies: {slope(rows):.3f}. Reading the clock takes "
          f"{next(iter(rows.values()))['ambit']['timer_ns']:.0f} ns and is in these figures.\n")
    print("**Beside others, p50 of a decision and how many times Ambit's**\n")
    table(["policies", "Ambit", "official crate", "cedar-go", "OPA", "Casbin"],
          [[f"{n:,}", duration(of["ambit"]["p50_ns"]), *(times(of.get(e), of["ambit"]) for e in GATEWAY_LIMITS)]
           for n, of in rows.items()])
    print("**Beside the official crate**\n")
    table(["policies", "from JSON, Ambit", "from JSON, crate", "load, Ambit", "load, crate", "validate, Ambit",
           "validate, crate"],
          [[f"{n:,}", duration(a["json_p50_ns"]), duration(c["json_p50_ns"]), f"{a['parse_ms'] + a['compile_ms']:,.1f} ms",
            f"{c['parse_ms']:,.1f} ms", f"{a['validate_ms']:,.1f} ms",
            f"{c['validate_ms']:,.1f} ms" if c["validate_ms"] else "not run"]
           for n, a, c in ((n, of["ambit"], of["crate"]) for n, of in rows.items() if "crate" in of)])


def print_apps(rows):
    print("**Applications, p50 (p99) of a decision, and how many times Ambit's p50**\n")
    body = []
    for (name, size), of in rows.items():
        ours = of["ambit"]
        cells = [name, size, f"{duration(ours['p50_ns'])} ({duration(ours['p99_ns'])})"]
        for engine in APP_WORLDS:
            row = of.get(engine)
            cells.append(f"{duration(row['p50_ns'])} ({duration(row['p99_ns'])}), "
                         f"{row['p50_ns'] / ours['p50_ns']:,.0f}x" if row else "")
        body.append(cells)
    table(["application", "entities of a type", "Ambit", "official crate", "cedar-go", "OPA"], body)
    pairs = [(of["opa"]["p50_ns"] / of["crate"]["p50_ns"], of["opa"]["p50_ns"] / of["ambit"]["p50_ns"])
             for of in rows.values() if "opa" in of and "crate" in of]
    if pairs:
        print(f"OPA's p50 is {min(p[0] for p in pairs):.1f} to {max(p[0] for p in pairs):.1f} times the crate's here, "
              f"{min(p[1] for p in pairs):.0f} to {max(p[1] for p in pairs):.0f} times Ambit's. Published: {PUBLISHED}.\n")


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return "absent"


def print_conditions(bench, seconds):
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    lock = (HERE / "crate/Cargo.lock").read_text()
    crate = re.search(r'name = "cedar-policy"\nversion = "([^"]+)"', lock).group(1)
    go = dict(re.findall(r"^\t(\S+) (v\S+)$", (HERE / "go/go.mod").read_text(), re.M))
    versions = [f"cedar-policy {crate} ({first_line('rustc', '--version')})"]
    versions += [f"{module.split('/', 1)[1]} {version}" for module, version in go.items()]
    print(f"Conditions: {os.cpu_count()} cores ({model.group(1).strip() if model else platform.machine()}), "
          f"{platform.system()} {platform.release()}, {first_line('cc', '--version')}, release with LTO; "
          f"{', '.join(versions)}, {first_line('go', 'version')}. Load average {bench.load:.1f} before, "
          f"{os.getloadavg()[0]:.1f} after, {seconds:.0f} s in all. All engines gave the same decisions.\n")


def put_into(page, text):
    """Between the two marks of the page."""
    begin, end = "<!-- tests/bench/cedar/run --docs: begin -->\n", "<!-- end -->"
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + "\n" + text.strip() + "\n\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="gateway,apps")
    parser.add_argument("--peers", default="crate,cedar-go,opa,casbin")
    parser.add_argument("--json")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/bench.md")
    bench, start = Bench(parser.parse_args()), time.monotonic()
    bench.load = os.getloadavg()[0]
    only = bench.options.only.split(",")
    of_gateway = bench.gateway() if "gateway" in only else {}
    of_apps = bench.apps() if "apps" in only else {}
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print_conditions(bench, time.monotonic() - start)
        if of_gateway:
            print_gateway(of_gateway)
        if of_apps:
            print_apps(of_apps)
    print(text.getvalue(), end="")
    if bench.options.docs:
        put_into(bench.top / "docs/bench.md", text.getvalue())
    if bench.options.json:
        pathlib.Path(bench.options.json).write_text(json.dumps(bench.rows, indent=1))


main()
