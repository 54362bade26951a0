//! Answers calls to the official engine: {"call": name, ..} in, its answer or {"error": text} out.
//! One function per call; the table below names them.

use cedar_policy::*;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::str::FromStr;

type Answer = Result<Value, String>;

const CALLS: &[(&str, fn(&Value) -> Answer)] = &[
    ("tpe", tpe),
    ("queryAction", query_action),
    ("queryResource", query_resource),
    ("queryPrincipal", query_principal),
    ("validateMode", validate_mode),
    ("validateLevel", validate_level),
];

// ---- reading ----

fn told<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String + '_ {
    move |e| format!("{what}: {e}")
}

fn text<'v>(v: &'v Value, name: &str) -> Result<&'v str, String> {
    v[name].as_str().ok_or_else(|| format!("{name}: no string"))
}

fn schema(v: &Value) -> Result<Schema, String> {
    Schema::from_str(text(v, "schema")?).map_err(told("schema"))
}

fn policies(v: &Value) -> Result<PolicySet, String> {
    PolicySet::from_str(text(v, "policies")?).map_err(told("policies"))
}

fn type_name(v: &Value) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(text(v, "type")?).map_err(told("type"))
}

fn uid(v: &Value) -> Result<EntityUid, String> {
    Ok(EntityUid::from_type_name_and_id(type_name(v)?, EntityId::new(text(v, "id")?)))
}

fn partial_uid(v: &Value) -> Result<PartialEntityUid, String> {
    Ok(PartialEntityUid::new(type_name(v)?, v["id"].as_str().map(EntityId::new)))
}

fn context(v: &Value, schema: &Schema, action: Option<&EntityUid>) -> Result<Option<Context>, String> {
    match &v["context"] {
        Value::Null => Ok(None),
        c => Context::from_json_value(c.clone(), action.map(|a| (schema, a)))
            .map(Some)
            .map_err(told("context")),
    }
}

fn partial_entities(v: &Value, schema: &Schema) -> Result<PartialEntities, String> {
    PartialEntities::from_json_value(v["entities"].clone(), schema).map_err(told("entities"))
}

fn entities(v: &Value, schema: &Schema) -> Result<Entities, String> {
    Entities::from_json_value(v["entities"].clone(), Some(schema)).map_err(told("entities"))
}

// ---- writing ----

fn uid_json(uid: &EntityUid) -> Value {
    json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()})
}

fn decision_json(d: Option<Decision>) -> Value {
    match d {
        Some(Decision::Allow) => json!("allow"),
        Some(Decision::Deny) => json!("deny"),
        None => Value::Null,
    }
}

// ---- calls ----

fn tpe(v: &Value) -> Answer {
    let schema = schema(v)?;
    let action = uid(&v["action"])?;
    let request = PartialRequest::new(
        partial_uid(&v["principal"])?,
        action.clone(),
        partial_uid(&v["resource"])?,
        context(v, &schema, Some(&action))?,
        &schema,
    )
    .map_err(told("request"))?;
    let entities = partial_entities(v, &schema)?;
    let policies = policies(v)?;
    let answer = policies.tpe(&request, &entities, &schema).map_err(told("tpe"))?;
    let mut classes = serde_json::Map::new();
    let mut note = |ids: Vec<&PolicyId>, class: &str| {
        for id in ids {
            classes.insert(id.to_string(), json!(class));
        }
    };
    note(answer.true_permits().chain(answer.true_forbids()).collect(), "true");
    note(answer.false_permits().chain(answer.false_forbids()).collect(), "false");
    note(answer.error_permits().chain(answer.error_forbids()).collect(), "error");
    note(answer.residual_permits().chain(answer.residual_forbids()).collect(), "residual");
    let residuals: serde_json::Map<String, Value> = answer
        .residual_policies()
        .map(|p| (p.id().to_string(), json!(p.to_string())))
        .collect();
    Ok(json!({"decision": decision_json(answer.decision()), "classes": classes, "residuals": residuals}))
}

fn query_action(v: &Value) -> Answer {
    let schema = schema(v)?;
    let request = ActionQueryRequest::new(
        partial_uid(&v["principal"])?,
        partial_uid(&v["resource"])?,
        context(v, &schema, None)?,
        schema.clone(),
    )
    .map_err(told("request"))?;
    let entities = partial_entities(v, &schema)?;
    let policies = policies(v)?;
    let found = policies.query_action(&request, &entities).map_err(told("query"))?;
    let actions: Vec<Value> = found
        .map(|(action, decision)| json!({"action": uid_json(action), "decision": decision_json(decision)}))
        .collect();
    Ok(json!({"actions": actions}))
}

fn query_resource(v: &Value) -> Answer {
    let schema = schema(v)?;
    let action = uid(&v["action"])?;
    let request = ResourceQueryRequest::new(
        uid(&v["principal"])?,
        action.clone(),
        type_name(&v["resource"])?,
        context(v, &schema, Some(&action))?.ok_or("context: absent")?,
        &schema,
    )
    .map_err(told("request"))?;
    let policies = policies(v)?;
    let found = policies
        .query_resource(&request, &entities(v, &schema)?, &schema)
        .map_err(told("query"))?;
    Ok(json!({"entities": found.map(|u| uid_json(&u)).collect::<Vec<_>>()}))
}

fn query_principal(v: &Value) -> Answer {
    let schema = schema(v)?;
    let action = uid(&v["action"])?;
    let request = PrincipalQueryRequest::new(
        type_name(&v["principal"])?,
        action.clone(),
        uid(&v["resource"])?,
        context(v, &schema, Some(&action))?.ok_or("context: absent")?,
        &schema,
    )
    .map_err(told("request"))?;
    let policies = policies(v)?;
    let found = policies
        .query_principal(&request, &entities(v, &schema)?, &schema)
        .map_err(told("query"))?;
    Ok(json!({"entities": found.map(|u| uid_json(&u)).collect::<Vec<_>>()}))
}

// ---- validation ----

/// {policy: [kinds of its errors] ..}
fn kinds_json(found: &ValidationResult) -> Value {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for e in found.validation_errors() {
        let shown = format!("{e:?}");
        let mut kind = shown.split(['(', ' ']).next().unwrap_or_default();
        if kind == "EntityDerefLevelViolation" && shown.contains("LiteralDerefTarget") {
            kind = "LiteralDerefTarget";
        }
        all.entry(e.policy_id().to_string()).or_default().insert(kind.to_string());
    }
    json!(all)
}

fn mode(v: &Value) -> Result<ValidationMode, String> {
    match text(v, "mode")? {
        "strict" => Ok(ValidationMode::Strict),
        "permissive" => Ok(ValidationMode::Permissive),
        other => Err(format!("mode: {other}")),
    }
}

fn validate_mode(v: &Value) -> Answer {
    let found = Validator::new(schema(v)?).validate(&policies(v)?, mode(v)?);
    Ok(json!({"errors": kinds_json(&found)}))
}

/// "levels": numbers, or null for validation without a level.
fn validate_level(v: &Value) -> Answer {
    let validator = Validator::new(schema(v)?);
    let (policies, mode) = (policies(v)?, mode(v)?);
    let levels = v["levels"].as_array().ok_or("levels: no array")?;
    let answers: Vec<Value> = levels
        .iter()
        .map(|level| match level.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(n) => kinds_json(&validator.validate_with_level(&policies, mode, n)),
            None => kinds_json(&validator.validate(&policies, mode)),
        })
        .collect();
    Ok(json!({"levels": answers}))
}

// ---- lines ----

fn answer(line: &str) -> Answer {
    let v: Value = serde_json::from_str(line).map_err(told("line"))?;
    let name = text(&v, "call")?;
    let (_, call) = CALLS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("no call {name}"))?;
    call(&v)
}

fn main() {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let v = answer(&line).unwrap_or_else(|e| json!({"error": e}));
        if writeln!(out, "{v}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
