/* The portal's pages for people themselves: who am I, sign in, enrol, sign out. */
#include "door/portal_int.h"
#include "http/url.h"

static void join(struct buf *b, const json *list)
{
    const json *item;
    bool first = true;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &item); first = false)
        HTML(b, first ? "$" : ", $", json_str(item));
}

static void home(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    str person = json_get_str(result, S("person"));
    if (error) {
        visit_error(v, error);
        return;
    }
    if (!person.n) {
        visit_redirect(v, S("/signin"));
        return;
    }
    html_begin(v, &b, "Who I am", "", person);
    HTML(&b, "<dl><dt>Name</dt><dd id=\"who\">$</dd><dt>Roles</dt><dd>", person);
    join(&b, json_get(result, S("roles")));
    HTML(&b,
         "</dd><dt>Signed in by</dt><dd id=\"method\">$ ($)</dd><dt>Verified at</dt><dd>$</dd>"
         "</dl><p><a href=\"/holds\">What waits for approval</a></p>"
         "<p><a href=\"/tasks\">Tasks</a></p>",
         json_get_str(result, S("method")), json_get_str(result, S("amr")),
         json_get_str(result, S("authenticated")));
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_home(struct visit *v)
{
    visit_ask(v, "session.show", (str){0}, home);
}

str visit_next(struct visit *v)
{
    str rest = v->r->head.parts.query, name, value;
    struct err err;
    while (rest.n && url_form_next(v->a, &rest, &name, &value, &err))
        if (str_eq(name, S("next")) &&
            (str_eq(value, S("holds")) || str_eq(value, S("tasks")) ||
             (str_starts(value, S("consent/")) && id_is_valid(str_skip(value, 8), 'r'))))
            return str_fmt(v->a, "/%.*s", STR(value));
    return S("/");
}

static void sign_in(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    str provider = json_get_str(result, S("provider"));
    if (error) {
        visit_error(v, error);
        return;
    }
    html_begin(v, &b, "Sign in", "signin", (str){0});
    HTML(&b,
         "<p><button id=\"go\" data-next=\"$\">Sign in with a passkey</button></p>"
         "<p class=\"hint\">You have none? An administrator of this gateway makes a link for you: "
         "<code>ambit person invite NAME</code>.</p>",
         visit_next(v));
    if (provider.n)
        HTML(&b, "<p><a id=\"provider\" href=\"/signin/provider?next=$\">Sign in with $</a></p>",
             str_skip(visit_next(v), 1), provider);
    html_end(&b);
    visit_page(v, 200, &b);
}

void page_sign_in(struct visit *v)
{
    visit_ask(v, "session.show", (str){0}, sign_in);
}

/* The code stands in the fragment; the script sends it. */
void page_enrol(struct visit *v)
{
    struct buf b = {0};
    html_begin(v, &b, "Enrol a passkey", "enrol", (str){0});
    HTML(&b,
         "<p>This device, or a security key, will be the way in which the gateway knows you. "
         "The link that brought you here works once.</p>"
         "<p><button id=\"go\">Make a passkey$</button></p>",
         S(""));
    html_end(&b);
    visit_page(v, 200, &b);
}

/* ---- what the script asks ---- */

static str body_text(struct visit *v)
{
    struct buf b = {0};
    json_write(&b, v->body);
    str out = str_dup(v->a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static void pass_on(struct visit *v, const json *result, const json *error)
{
    struct buf b = {0};
    if (error) {
        visit_error(v, error);
        return;
    }
    json_write(&b, result);
    visit_json(v, 200, buf_str(&b));
    buf_fini(&b);
}

/* The session goes into a cookie that no script can read. */
static void signed_in(struct visit *v, const json *result, const json *error)
{
    if (error) {
        visit_error(v, error);
        return;
    }
    visit_set_session(v, json_get_str(result, S("session")));
    visit_json(v, 200, S("{\"ok\":true}"));
}

void page_sign_in_begin(struct visit *v)
{
    visit_ask(v, "signin.begin", (str){0}, pass_on);
}

void page_sign_in_finish(struct visit *v)
{
    visit_ask(v, "signin.finish", body_text(v), signed_in);
}

void page_enrol_begin(struct visit *v)
{
    visit_ask(v, "enrol.begin", body_text(v), pass_on);
}

void page_enrol_finish(struct visit *v)
{
    visit_ask(v, "enrol.finish", body_text(v), signed_in);
}

static void signed_out(struct visit *v, const json *result, const json *error)
{
    (void)result;
    (void)error;
    visit_set_session(v, (str){0});
    visit_redirect(v, S("/signin"));
}

void page_sign_out(struct visit *v)
{
    visit_ask(v, "session.end", (str){0}, signed_out);
}
