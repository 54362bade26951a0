/* The authorization endpoint and the page on which an owner consents, in plain words. */
#include "door/portal_int.h"
#include "http/form.h"

/* ---- the endpoint ---- */

/* To the client's own address, which core has checked, or on to the owner. */
static void begun(struct visit *v, const json *result, const json *error)
{
    str to = json_get_str(result, S("redirect"));
    if (error)
        visit_error(v, error);
    else if (to.n)
        visit_redirect(v, to);
    else
        visit_redirect(v, str_fmt(v->a, "/consent/%.*s", STR(json_get_str(result, S("request")))));
}

void page_authorize(struct visit *v)
{
    struct form *f = ARENA_NEW(v->a, struct form);
    struct err err;
    struct buf b = {0};
    struct jw w = jw(&b);
    if (!form_read(v->a, v->r->head.parts.query, f, &err)) {
        visit_refuse(v, 400,
                     S("the request of the program that sent you here cannot be read; "
                       "nothing was granted"));
        return;
    }
    jw_obj(&w);
    jw_key(&w, S("query"));
    jw_obj(&w);
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].value.n)
            jw_kstr(&w, f->v[i].name, f->v[i].value);
    jw_end_obj(&w);
    jw_end_obj(&w);
    visit_ask(v, "authorize.begin", buf_str(&b), begun);
    buf_fini(&b);
}

/* ---- the page ---- */

/* What each effect means for somebody who has never read a policy. */
static const struct {
    const char *effect, *words;
} WORDS[] = {
    {"read", "look at data"},
    {"advise", "write what others will act on"},
    {"write", "change data"},
    {"delete", "delete data"},
    {"transfer", "move money or goods"},
    {"approve", "approve in your name"},
    {"export", "send data out"},
    {"execute", "run programs"},
    {"admin", "do anything there (nobody has said what this does)"},
};

static str words_of(str effect)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (str_eq(effect, str_z(WORDS[i].effect)))
            return str_z(WORDS[i].words);
    return str_z(WORDS[8].words);
}

static str as_text(struct visit *v, const json *value)
{
    struct buf b = {0};
    json_write(&b, value);
    str out = str_dup(v->a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static void put_operations(struct visit *v, struct buf *b, const json *list)
{
    const json *op;
    buf_put(b, S("<table id=\"operations\"><thead><tr><th>It may</th><th>by</th><th>only with</th>"
                 "<th></th></tr></thead><tbody>"));
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &op);)
        HTML(b, "<tr><td>$</td><td><code>$</code></td><td><code>$</code></td><td>$</td></tr>",
             words_of(json_get_str(op, S("effect"))), json_get_str(op, S("operation")),
             json_get(op, S("grant")) ? as_text(v, json_get(json_get(op, S("grant")), S("args")))
                                      : (str){0},
             json_bool(json_get(op, S("highImpact")))
                 ? S("each call waits for an approval, unless a policy says otherwise")
                 : (str){0});
    buf_put(b, S("</tbody></table>"));
}

static void consent(struct visit *v, const json *z, const json *error)
{
    struct buf b = {0};
    if (error && str_eq(json_get_str(error, S("code")), S("unauthenticated"))) {
        visit_redirect(v, str_fmt(v->a, "/signin?next=consent/%.*s", STR(v->rest)));
        return;
    }
    if (error) {
        visit_error(v, error);
        return;
    }
    html_begin(v, &b, "Do you consent?", "consent", json_get_str(z, S("owner")));
    HTML(&b,
         "<p>The program <strong id=\"agent\">$</strong>, for which you answer, asks for a task."
         "</p><dl><dt>What for, in its own words</dt><dd id=\"purpose\">$</dd>"
         "<dt>The program</dt><dd>$ $ (<code>$</code>)</dd>",
         json_get_str(z, S("agent")), json_get_str(z, S("purpose")),
         json_get_str(z, S("agentPurpose")), json_get_str(z, S("model")),
         json_get_str(z, S("client")));
    HTML(&b,
         "<dt>How much</dt><dd>At most $ calls, until $</dd>"
         "<dt>All bounds</dt><dd><pre>$</pre></dd>"
         "<dt>You are sent back to</dt><dd><code>$</code></dd></dl>",
         json_number(json_get(z, S("calls"))), json_get_str(z, S("deadline")),
         as_text(v, json_get(z, S("task"))), json_get_str(z, S("redirectUri")));
    put_operations(v, &b, json_get(z, S("operations")));
    HTML(&b,
         "<p class=\"decide\" data-request=\"$\">"
         "<button data-decision=\"consent\" data-statement=\"$\">Consent with a passkey</button>",
         json_get_str(z, S("request")), json_get_str(z, S("statement")));
    if (json_bool(json_get(z, S("readOnly"))))
        buf_put(&b, S("<button data-decision=\"consent\">Consent (it only reads)</button>"));
    buf_put(&b, S("<button data-decision=\"decline\">Decline</button></p>"
                  "<p class=\"hint\">You can close the task at any time under Tasks.</p>"));
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_consent(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("request"), v->rest);
    jw_end_obj(&w);
    visit_ask(v, "consent.show", buf_str(&b), consent);
    buf_fini(&b);
}

static void decided(struct visit *v, const json *result, const json *error)
{
    struct buf b = {.wipe = true};
    if (error) {
        visit_error(v, error);
        return;
    }
    json_write(&b, result);
    visit_json(v, 200, buf_str(&b));
    buf_wipe(&b);
}

void page_consent_decide(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("request"), json_get_str(v->body, S("request")));
    jw_kstr(&w, S("decision"), json_get_str(v->body, S("decision")));
    if (json_get(v->body, S("assertion")))
        jw_kvalue(&w, S("assertion"), json_get(v->body, S("assertion")));
    jw_end_obj(&w);
    visit_ask(v, "consent.decide", buf_str(&b), decided);
    buf_fini(&b);
}
