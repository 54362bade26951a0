/* portal_int: one request of a browser on its way through the portal. */
#pragma once
#include "base/json.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "door/portal.h"

struct portal_door {
    struct portal_door_opts o;
    struct map waiting; /* id as bytes -> struct visit */
    uint64_t next_id;
    str host;                                         /* that requests must name */
    bool secure;                                      /* the origin is https */
    str session_cookie, browser_cookie, login_cookie; /* their names */
    struct arena arena;
};

struct visit;
/* Exactly one of result and error is there. */
typedef void visit_then(struct visit *v, const json *result, const json *error);

/* Lives in the arena of its request. */
struct visit {
    struct portal_door *d;
    struct http_request *r;
    struct arena *a;
    str session; /* cookie, as sent; core judges it */
    str browser; /* cookie, or new */
    bool browser_is_new;
    str csrf;                /* what a POST of this browser and session must bring */
    str rest;                /* of the path, behind the route's prefix */
    const json *body;        /* of a JSON POST */
    struct field cookies[3]; /* to be set */
    size_t cookies_n;
    uint64_t id; /* of the question that is out; 0: none */
    int64_t since_ms;
    visit_then *then;
    void *more; /* the page's own */
};

/* Asks core, and goes on in then. params: JSON object as text, empty for none. */
void visit_ask(struct visit *v, const char *method, str params, visit_then *then);
/* ---- answers; each ends the visit ---- */
void visit_page(struct visit *v, int status, struct buf *html); /* takes the buffer */
void visit_json(struct visit *v, int status, str body);
void visit_redirect(struct visit *v,
                    str to); /* to a path of ours, or an address core has checked */
void visit_static(struct visit *v, str type, str body);
/* A page, or JSON for a script, that says what was wrong. */
void visit_refuse(struct visit *v, int status, str text);
void visit_error(struct visit *v, const json *error);
void visit_set_session(struct visit *v, str id); /* empty: forget it */
void visit_set_cookie(struct visit *v, str name, str value);
str visit_cookie(const struct visit *v, str name); /* empty: none, or one that is not ours */
/* Where the browser goes after it signed in: a page of ours, never an address. */
str visit_next(struct visit *v);

/* ---- HTML ---- */
/* Each $ in the format stands for the next text, escaped; the numbers must agree (asserted). */
void html_put(struct buf *b, const char *format, const str *texts, size_t n);
#define HTML(b, format, ...)                                                                       \
    html_put((b), (format), (const str[]){__VA_ARGS__},                                            \
             sizeof((const str[]){__VA_ARGS__}) / sizeof(str))
/* Everything up to the content, and after it. person: who is signed in; empty: nobody. */
void html_begin(struct visit *v, struct buf *b, const char *title, const char *script, str person);
void html_end(struct buf *b);

/* ---- pages; the table of routes is in portal.c ---- */
typedef void page(struct visit *v);
page page_home, page_sign_in, page_enrol, page_sign_out; /* portal_people.c */
page page_sign_in_begin, page_sign_in_finish, page_enrol_begin, page_enrol_finish;
page page_holds, page_hold, page_decide, page_tasks, page_close_task; /* portal_work.c */
page page_authorize, page_consent, page_consent_decide;               /* portal_consent.c */
page page_provider, page_callback;                                    /* portal_oidc.c */
