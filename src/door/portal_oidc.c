/* Signing in at an OpenID provider: the browser's way there and back. The sign-in is bound to this
 * browser by a cookie of its own, so nobody can bring it an answer of theirs. */
#include "door/portal_int.h"
#include "http/form.h"

static void set_handle(struct visit *v, str handle)
{
    visit_set_cookie(v, v->d->login_cookie, handle);
}

static void sent_there(struct visit *v, const json *result, const json *error)
{
    if (error) {
        visit_error(v, error);
        return;
    }
    set_handle(v, json_get_str(result, S("handle")));
    visit_redirect(v, json_get_str(result, S("redirect")));
}

void page_provider(struct visit *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("next"), visit_next(v));
    jw_end_obj(&w);
    visit_ask(v, "oidc.begin", buf_str(&b), sent_there);
    buf_fini(&b);
}

static void come_back(struct visit *v, const json *result, const json *error)
{
    str next = json_get_str(result, S("next"));
    set_handle(v, (str){0});
    if (error) {
        visit_error(v, error);
        return;
    }
    visit_set_session(v, json_get_str(result, S("session")));
    visit_redirect(v, str_starts(next, S("/")) ? next : S("/"));
}

void page_callback(struct visit *v)
{
    static const char *const names[] = {"code", "state", "iss"};
    struct form *f = ARENA_NEW(v->a, struct form);
    struct err err;
    struct buf b = {.wipe = true};
    struct jw w = jw(&b);
    if (!form_read(v->a, v->r->head.parts.query, f, &err)) {
        visit_refuse(v, 400, S("the login provider's answer cannot be read"));
        return;
    }
    jw_obj(&w);
    jw_kstr(&w, S("handle"), visit_cookie(v, v->d->login_cookie));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        jw_kstr(&w, str_z(names[i]), form_get(f, str_z(names[i])));
    jw_end_obj(&w);
    visit_ask(v, "oidc.finish", buf_str(&b), come_back);
    buf_wipe(&b);
}
