/* The portal's pages for work: what waits for approval, tasks. */
#include "door/portal_int.h"
#include "http/url.h"

/* An asker who is nobody goes to sign in and comes back. */
static bool turned_away(struct visit *v, const json *error, const char *next)
{
    if (!error)
        return false;
    if (str_eq(json_get_str(error, S("code")), S("unauthenticated")) && next)
        visit_redirect(v, str_fmt(v->a, "/signin?next=%s", next));
    else
        visit_error(v, error);
    return true;
}

/* ---- holds ---- */

static void holds(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    const json *h;
    size_t n = 0;
    if (turned_away(v, error, "holds"))
        return;
    html_begin(v, &b, "What waits for approval", "", S("you"));
    buf_put(&b, S("<table><thead><tr><th>Operation</th><th>Effect</th><th>Agent</th><th>For</th>"
                  "<th>Purpose</th><th>Until</th></tr></thead><tbody>"));
    for (struct json_iter it = json_iter(json_get(result, S("holds"))); json_next(&it, NULL, &h);
         n++)
        HTML(&b,
             "<tr><td><a href=\"/hold/$\">$/$</a></td><td>$</td><td>$</td><td>$</td><td>$</td>"
             "<td>$</td></tr>",
             json_get_str(h, S("hold")), json_get_str(h, S("binding")), json_get_str(h, S("tool")),
             json_get_str(h, S("effect")), json_get_str(h, S("agent")), json_get_str(h, S("owner")),
             json_get_str(h, S("purpose")), json_get_str(h, S("expires")));
    buf_put(&b, n ? S("</tbody></table>") : S("</tbody></table><p>Nothing waits.</p>"));
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_holds(struct visit *v)
{
    visit_ask(v, "hold.list", (str){0}, holds);
}

static void hold(struct visit *v, const json *h, const json *error)
{
    struct buf b = {0};
    const json *statements = json_get(h, S("statements"));
    if (turned_away(v, error, "holds"))
        return;
    html_begin(v, &b, "Decide on one call", "decide", S("you"));
    HTML(&b,
         "<dl><dt>Operation</dt><dd>$/$</dd><dt>Effect</dt><dd>$</dd><dt>Agent</dt><dd>$</dd>"
         "<dt>For</dt><dd>$</dd><dt>Purpose</dt><dd>$</dd><dt>State</dt><dd id=\"state\">$</dd>"
         "<dt>Until</dt><dd>$</dd><dt>Exactly what will be sent</dt>"
         "<dd><pre id=\"arguments\">$</pre></dd><dt>Digest of all of it</dt>"
         "<dd><code>$</code></dd></dl>",
         json_get_str(h, S("binding")), json_get_str(h, S("tool")), json_get_str(h, S("effect")),
         json_get_str(h, S("agent")), json_get_str(h, S("owner")), json_get_str(h, S("purpose")),
         json_get_str(h, S("state")), json_get_str(h, S("expires")),
         json_get_str(h, S("arguments")), json_get_str(h, S("digest")));
    if (str_eq(json_get_str(h, S("state")), S("pending")))
        HTML(
            &b,
            "<p class=\"decide\" data-hold=\"$\">"
            "<button data-decision=\"approve\" data-statement=\"$\">Approve with a passkey</button>"
            "<button data-decision=\"deny\" data-statement=\"$\">Deny with a passkey</button></p>",
            json_get_str(h, S("hold")), json_get_str(statements, S("approve")),
            json_get_str(statements, S("deny")));
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_hold(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("hold"), v->rest);
    jw_end_obj(&w);
    visit_ask(v, "hold.show", buf_str(&b), hold);
    buf_fini(&b);
}

static void decided(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    if (turned_away(v, error, NULL))
        return;
    json_write(&b, result);
    visit_json(v, 200, buf_str(&b));
    buf_fini(&b);
}

void page_decide(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    bool approve = str_eq(json_get_str(v->body, S("decision")), S("approve"));
    jw_obj(&w);
    jw_kstr(&w, S("hold"), json_get_str(v->body, S("hold")));
    jw_kvalue(&w, S("assertion"), json_get(v->body, S("assertion")));
    jw_end_obj(&w);
    visit_ask(v, approve ? "hold.approve" : "hold.deny", buf_str(&b), decided);
    buf_fini(&b);
}

/* ---- tasks ---- */

static void tasks(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    const json *t, *op;
    if (turned_away(v, error, "tasks"))
        return;
    html_begin(v, &b, "Tasks", "", S("you"));
    buf_put(&b, S("<table><thead><tr><th>Task</th><th>Agent</th><th>Owner</th><th>Purpose</th>"
                  "<th>Operations</th><th>Calls left</th><th>State</th><th></th></tr></thead>"
                  "<tbody>"));
    for (struct json_iter it = json_iter(json_get(result, S("tasks"))); json_next(&it, NULL, &t);) {
        HTML(&b, "<tr><td><code>$</code></td><td>$</td><td>$</td><td>$</td><td>",
             json_get_str(t, S("task")), json_get_str(t, S("agent")), json_get_str(t, S("owner")),
             json_get_str(t, S("purpose")));
        for (struct json_iter o = json_iter(json_get(t, S("operations")));
             json_next(&o, NULL, &op);)
            HTML(&b, "$<br>", json_str(op));
        HTML(&b, "</td><td>$</td><td>$</td><td>", json_number(json_get(t, S("callsLeft"))),
             json_get_str(t, S("state")));
        if (str_eq(json_get_str(t, S("state")), S("active")))
            HTML(&b,
                 "<form method=\"post\" action=\"/task/close\">"
                 "<input type=\"hidden\" name=\"csrf\" value=\"$\">"
                 "<input type=\"hidden\" name=\"task\" value=\"$\"><button>Close</button></form>",
                 v->csrf, json_get_str(t, S("task")));
        buf_put(&b, S("</td></tr>"));
    }
    buf_put(&b, S("</tbody></table>"));
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_tasks(struct visit *v)
{
    visit_ask(v, "task.list", (str){0}, tasks);
}

static void closed(struct visit *v, const json *result, const json *error)
{
    (void)result;
    if (!turned_away(v, error, NULL))
        visit_redirect(v, S("/tasks"));
}

void page_close_task(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    struct err err;
    str rest = v->r->body, name, value, task = {0};
    while (rest.n && url_form_next(v->a, &rest, &name, &value, &err))
        if (str_eq(name, S("task")))
            task = value;
    jw_obj(&w);
    jw_kstr(&w, S("task"), id_is_valid(task, 't') ? task : (str){0});
    jw_kstr(&w, S("reason"), S("closed at the portal"));
    jw_end_obj(&w);
    visit_ask(v, "task.close", buf_str(&b), closed);
    buf_fini(&b);
}
