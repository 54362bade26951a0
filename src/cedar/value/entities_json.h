/* entities_json: entities and contexts from their JSON form.
 *
 * [{"uid": {"type","id"}, "attrs": {..}, "parents": [uid..], "tags": {..}} ..]. A uid may be
 * wrapped in {"__entity": ..}; unknown members are ignored, attrs and parents are mandatory.
 * Values: bool, integer in i64, string, array (set), object (record), {"__entity": {"type","id"}},
 * {"__extn": {"fn", "arg" | "args"}}. null, fractions and integers out of range are refused. As in
 * the official engine, an escape object with another member beside it is a plain record.
 *
 * Without a schema a plain string stays a string. Who knows the expected types installs a hook. The
 * JSON must come from json_read (it bounds depth). Everything is made in the arena; errors name
 * entity and attribute. */
#pragma once
#include "base/json.h"
#include "cedar/value/entities.h"

/* Where a value stands. entity is NULL for the context. */
struct cedar_json_place {
    const struct cedar_uid *entity;
    str name;
    bool is_tag;
};
struct cedar_json_hook {
    /* Converts v itself and sets *taken, or leaves *taken false for the plain conversion. */
    bool (*convert)(void *ctx, struct arena *a, const struct cedar_json_place *at, const json *v,
                    struct cedar_value *out, bool *taken, struct err *err);
    void *ctx;
};

/* Adds all entities to the store, which the caller seals. hook may be NULL. */
MUST_USE bool cedar_entities_from_json(struct cedar_entities *s, const json *array,
                                       const struct cedar_json_hook *hook, struct err *err);
/* An object; absent reads as {}. */
MUST_USE bool cedar_context_from_json(struct arena *a, const json *object,
                                      const struct cedar_json_hook *hook, struct cedar_value *out,
                                      struct err *err);
/* An object's members as a record; at says whose they are, its name aside. */
MUST_USE bool cedar_record_from_json(struct arena *a, const json *object,
                                     const struct cedar_json_hook *hook,
                                     const struct cedar_json_place *at, struct cedar_value *out,
                                     struct err *err);
MUST_USE bool cedar_value_from_json(struct arena *a, const json *v, struct cedar_value *out,
                                    struct err *err);
/* {"fn": "ip", "arg" | "args": ..}, whatever else is in it: the inside of an __extn. */
bool cedar_json_is_call(const json *v);
/* {"type","id"} or {"__entity": {"type","id"}}; borrows the JSON tree. */
MUST_USE bool cedar_uid_from_json(const json *v, struct cedar_uid *out, struct err *err);

/* ---- writing: what the readers above make the same of, with a schema or without ---- */
/* Extension values are in their escape. Refused, with part of it written: a record with a member
 * __entity, __extn or __expr, which would be read as what it is not. */
MUST_USE bool cedar_value_to_json(struct buf *out, const struct cedar_value *v, struct err *err);
/* The entities of the store itself, in the order of adding; not those of its base. */
MUST_USE bool cedar_entities_to_json(struct buf *out, const struct cedar_entities *s,
                                     struct err *err);
