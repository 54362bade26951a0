//! The official engine under the load of one case; see ../bench.c for what the cases are.
//!
//!     cedar-crate-bench CASE [--worlds N] [--requests N] [--validate]

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Schema, ValidationMode, Validator,
};
use serde_json::Value;

struct Options {
    folder: PathBuf,
    worlds: usize,
    requests: usize,
    validate: bool,
}

#[derive(Default)]
struct Tally {
    decide: Vec<u64>,
    from_json: Vec<u64>,
    decisions: String,
    errors: usize,
    policies: usize,
    parse: Duration,
    validate: Duration,
}

fn options() -> Options {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().expect("usage: cedar-crate-bench CASE"));
    let mut o = Options { folder, worlds: usize::MAX, requests: usize::MAX, validate: false };
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--worlds" => o.worlds = number(),
            "--requests" => o.requests = number(),
            "--validate" => o.validate = true,
            other => panic!("unknown option {other}"),
        }
    }
    o
}

fn load(t: &mut Tally, text: &str, validator: Option<&Validator>) -> PolicySet {
    let start = Instant::now();
    let set = PolicySet::from_str(text).expect("policies");
    t.parse += start.elapsed();
    if let Some(v) = validator {
        let start = Instant::now();
        assert!(v.validate(&set, ValidationMode::Strict).validation_passed(), "policies are not valid");
        t.validate += start.elapsed();
    }
    t.policies += set.num_of_policies();
    set
}

fn request(v: &Value) -> Request {
    let uid = |name: &str| EntityUid::from_json(v[name].clone()).expect("uid");
    let context = Context::from_json_value(v["context"].clone(), None).expect("context");
    Request::new(uid("principal"), uid("action"), uid("resource"), context, None).expect("request")
}

fn run_world(t: &mut Tally, shared: Option<&PolicySet>, line: &str, o: &Options) {
    let authorizer = Authorizer::new();
    let world: Value = serde_json::from_str(line).expect("world");
    let own = world["policies"].as_str().map(|text| load(t, text, None));
    let set = own.as_ref().or(shared).expect("policies");
    let entities = Entities::from_json_value(world["entities"].clone(), None).expect("entities");
    let values: Vec<&Value> = world["requests"].as_array().expect("requests").iter().take(o.requests).collect();
    let requests: Vec<Request> = values.iter().map(|v| request(v)).collect();
    let texts: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    for r in &requests {
        let response = authorizer.is_authorized(r, set, &entities);
        t.decisions.push(if response.decision() == Decision::Allow { 'A' } else { 'D' });
        t.errors += usize::from(response.diagnostics().errors().next().is_some());
    }
    for r in &requests {
        let start = Instant::now();
        black_box(authorizer.is_authorized(black_box(r), set, &entities));
        t.decide.push(start.elapsed().as_nanos() as u64);
    }
    for text in &texts {
        let start = Instant::now();
        let r = request(&serde_json::from_str(text).expect("request"));
        black_box(authorizer.is_authorized(&r, set, &entities));
        t.from_json.push(start.elapsed().as_nanos() as u64);
    }
}

fn percentile(samples: &mut [u64], part: f64) -> u64 {
    samples.sort_unstable();
    samples.get(((samples.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(0)
}

fn validator(folder: &Path) -> Option<Validator> {
    let text = fs::read_to_string(folder.join("schema.cedarschema")).ok()?;
    Some(Validator::new(Schema::from_cedarschema_str(&text).expect("schema").0))
}

fn main() {
    let o = options();
    let mut t = Tally::default();
    let validator = if o.validate { validator(&o.folder) } else { None };
    let shared = fs::read_to_string(o.folder.join("policies.cedar")).ok();
    let shared = shared.map(|text| load(&mut t, &text, validator.as_ref()));
    let worlds = BufReader::new(fs::File::open(o.folder.join("worlds.jsonl")).expect("worlds"));
    for line in worlds.lines().take(o.worlds) {
        run_world(&mut t, shared.as_ref(), &line.expect("line"), &o);
    }
    fs::write(o.folder.join("crate.decisions"), &t.decisions).expect("decisions");
    println!(
        "{{\"engine\":\"crate\",\"p50_ns\":{},\"p99_ns\":{},\"json_p50_ns\":{},\"json_p99_ns\":{},\"parse_ms\":{:.3},\"validate_ms\":{:.3},\"policies\":{},\"requests\":{},\"errors\":{}}}",
        percentile(&mut t.decide, 0.5), percentile(&mut t.decide, 0.99),
        percentile(&mut t.from_json, 0.5), percentile(&mut t.from_json, 0.99),
        t.parse.as_secs_f64() * 1e3, t.validate.as_secs_f64() * 1e3, t.policies, t.decisions.len(), t.errors
    );
}
