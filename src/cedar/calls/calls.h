/* calls: the engine as pure functions, JSON in and JSON out.
 *
 * Names and shapes are those of the npm package @cedar-policy/cedar-wasm 4.12.0, so that the
 * official engine is a drop-in oracle for this one, and the other way round:
 *
 *     isAuthorized        {principal, action, resource, context, policies, entities, schema?,
 *                          validateRequest?}
 *     validate            {schema, policies, validationSettings?}
 *     checkParsePolicySet {staticPolicies?, templates?, templateLinks?}
 *     checkParseSchema    a schema: its text, or an object in the JSON syntax
 *     checkParseEntities  {entities, schema?}
 *     checkParseContext   {context, schema?, action?}
 *
 *     policyToJson, policyToText, templateToJson, templateToText
 *                         a policy: its text, or an object in the JSON form
 *     policySetTextToParts
 *                         a text
 *     schemaToJson, schemaToText
 *                         a schema
 *     schemaToJsonWithResolvedTypes
 *                         the text of a schema
 *     formatPolicies      {policyText, lineWidth?, indentWidth?}
 *     getValidRequestEnvsPolicy, getValidRequestEnvsTemplate
 *                         [policy, schema]: the package's two arguments in an array
 *     getCedarVersion, getCedarSDKVersion, getCedarLangVersion
 *                         nothing; the version whose behaviour this engine has
 *
 * An answer is {"type": "success", ..} or {"type": "failure", "errors": [..]}; an error is
 * {message, help, code, url, severity, sourceLocations, related}. Where the package throws (an
 * argument of the wrong shape, an unknown member), the answer here is a failure. The texts of
 * messages are our own, and so are the codes (finding.h, or null). Places are byte offsets into the
 * text they are about. Text made of JSON is spaced our own way; what is given in the form that is
 * wanted comes back as it was.
 *
 * Limits: CEDAR_TEXT_BYTES_MAX of each text, CEDAR_POLICY_JSON_DEPTH_MAX levels of JSON (of which
 * only long chains of operators can use more than CEDAR_DEPTH_MAX), and those of entities.h and
 * schema.h. A call remembers nothing, reads no file, no clock, no network. Thread-safe: one arena
 * per thread. */
#pragma once
#include "base/json.h"

#define CEDAR_LANGUAGE_VERSION "4.5"
#define CEDAR_SDK_VERSION      "4.12.0"

/* Appends the answer to out. Everything on the way is made in the arena, which the caller empties.
 * input comes from json_read (no member twice), of any depth; NULL where the call takes nothing.
 * False, with nothing written, only if there is no call of that name. */
MUST_USE bool cedar_call(struct arena *a, str name, const json *input, struct buf *out);
