"""Holds events (JSON Lines on standard input) to the OCSF schema with two packages that are not ours: ocsf-json-schema makes a
JSON Schema of each class, which allows no unknown member, and jsonschema applies it.

    ocsf_check.py [COMPILED-SCHEMA]

Without a file it is the package's newest schema, 1.8, which lacks what 1.9 added: those members are taken off first."""

import json
import sys

import jsonschema
import ocsf_json_schema

SINCE_1_9 = ("ai_agent", "attestation_list")


def older(event):
    event = {k: v for k, v in event.items() if k not in SINCE_1_9}
    event["metadata"] = {**event["metadata"], "profiles": [p for p in event["metadata"]["profiles"] if p != "record_integrity"]}
    return event


def main():
    given = sys.argv[1] if len(sys.argv) > 1 else None
    if given:
        with open(given) as f:
            schema = json.load(f)
    else:
        schema = ocsf_json_schema.get_ocsf_schema(version="1.8.0")
    maker, made, wrong, n = ocsf_json_schema.OcsfJsonSchemaEmbedded(schema), {}, 0, 0
    for n, line in enumerate(sys.stdin, 1):
        event = json.loads(line)
        if not given:
            event = older(event)
        profiles = tuple(event["metadata"]["profiles"])
        key = event["class_uid"], profiles
        if key not in made:
            name = maker.lookup_class_name_from_uid(event["class_uid"])
            made[key] = jsonschema.Draft202012Validator(maker.get_class_schema(name, list(profiles)))
        for e in made[key].iter_errors(event):
            wrong += 1
            print(f"line {n} ({event['metadata'].get('event_code')}): {e.json_path}: {e.message[:300]}")
    print(f"{n} events, {len(made)} classes, version {schema['version']}, {wrong} errors")
    return 1 if wrong or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
