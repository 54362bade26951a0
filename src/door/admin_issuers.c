/* What people read of the issuers whose proofs of identity count. */
#include "base/clock.h"
#include "base/limits.h"
#include "door/admin_int.h"

static void write_issuer(struct jw *w, const struct trust_state *s, int64_t now_ms)
{
    char confirmed[CLOCK_TEXT_SIZE];
    bool spiffe = s->issuer->kind == ISSUER_SPIFFE;
    jw_obj(w);
    jw_kstr(w, S("issuer"), s->issuer->name);
    jw_kstr(w, S("kind"), spiffe ? S("spiffe") : S("oidc"));
    jw_kstr(w, S("id"), spiffe ? s->issuer->trust_domain : s->issuer->url);
    jw_kstr(w, S("state"), str_z(trust_age_name(s->age)));
    if (s->confirmed_ms >= 0) {
        jw_kstr(w, S("confirmed"), clock_text(s->confirmed_ms, confirmed));
        jw_ki64(w, S("ageSeconds"), (now_ms - s->confirmed_ms) / 1000);
    }
    jw_ki64(w, S("refreshSeconds"), s->refresh_s);
    if (s->sequence >= 0)
        jw_ki64(w, S("sequence"), s->sequence);
    if (spiffe)
        jw_ki64(w, S("certificates"), (int64_t)s->certificates);
    jw_ki64(w, S("keys"), (int64_t)s->keys);
    jw_ki64(w, S("unusableKeys"), spiffe ? 0 : (int64_t)s->passed_over);
    jw_kstr(w, S("problem"), s->problem);
    jw_end_obj(w);
}

void on_identity_issuers(struct request *r)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("trustDomain"), r->g->conf->trust_domain);
    jw_key(&w, S("issuers"));
    jw_arr(&w);
    for (size_t i = 0; i < trust_issuers(r->g->trust); i++) {
        struct trust_state s;
        trust_state(r->g->trust, i, r->now_ms, &s);
        write_issuer(&w, &s, r->now_ms);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}
