/* reader: the walk over configuration JSON that both finds values and collects problems, private to
 * this folder. A `struct at` is a place: a value, its path for messages and a key whose line is
 * known. */
#pragma once
#include "base/json.h"
#include "conf/conf.h"

struct reader {
    struct arena *a;
    struct json_file file;
    struct conf_problems *problems;
    str dir;
    int64_t answer_wait_ms; /* limits.answerWait: what bindings have that do not say */
};

struct at {
    const json *v;
    str path;
    unsigned line;
};

/* Describes one member of an object: unknown members are problems, with the closest known name. */
struct member_list {
    const char *const *names; /* NULL-terminated */
};

void problem(struct reader *r, struct at at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void warning(struct reader *r, struct at at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The member of an object; v is NULL if absent (the path still names it). */
struct at at_member(struct reader *r, struct at obj, const char *name);
/* Checks that at is an object with known members only. False (and a problem) if not an object. */
bool at_object(struct reader *r, struct at at, const char *const *names);

/* Each returns the default if absent; a wrong type is a problem and gives the default too. */
str at_str(struct reader *r, struct at at, str dflt);
bool at_bool(struct reader *r, struct at at, bool dflt);
int64_t at_int(struct reader *r, struct at at, int64_t dflt, int64_t min, int64_t max);
int64_t at_duration(struct reader *r, struct at at, int64_t dflt_ms);
str at_path(struct reader *r, struct at at,
            str dflt); /* relative ones start at the file's folder */
void at_str_list(struct reader *r, struct at at, str **out, size_t *n);
void at_path_list(struct reader *r, struct at at, str **out, size_t *n);

/* for (struct each e = each_of(r, at); each_next(&e);) ... e.name, e.at */
struct each {
    struct reader *r;
    struct json_iter it;
    struct at parent, at;
    str name;
    size_t index;
};
struct each each_of(struct reader *r, struct at at);
bool each_next(struct each *e);

/* "127.0.0.1:8931" and the like. In conf_read.c */
bool address_is_loopback(str address);

/* "identity". In conf_identity.c */
void read_identity(struct reader *r, struct at at, struct conf *c);
/* True: the listener serves the trust bundle, and all of it has been checked. */
bool read_listener_bundle(struct reader *r, struct at at, struct conf_listener *l);
/* "portal", people.NAME.oidc, agents.NAME.client. In conf_portal.c */
void read_portal(struct reader *r, struct at at, struct conf *c);
void read_person_oidc(struct reader *r, struct at at, struct conf_person *p);
/* The issuers that the two above name. */
void check_login(struct reader *r, struct at top, const struct conf *c);
void read_agent_client(struct reader *r, struct at at, struct conf_agent *g);

/* "issuers", one of them, and agents.<name>.proofs. In conf_issuer.c and conf_proof.c */
void read_issuer(struct reader *r, struct each *e, struct conf_issuer *i);
void read_proofs(struct reader *r, struct at at, struct conf_agent *g);
/* What must agree between issuers and proofs, and rules that are too wide. */
void check_issuers(struct reader *r, struct at top, struct conf *c);
void check_proofs(struct reader *r, struct at top, const struct conf *c);

/* agents.NAME.select and .launch. In conf_select.c */
void conf_select_none(struct conf_select *s);
void read_select(struct reader *r, struct at at, struct conf_agent *g);
void read_launch(struct reader *r, struct at at, struct conf_agent *g);

/* What tasks need of the configuration. In conf_task.c */
void read_templates(struct reader *r, struct at at, struct conf *c);
void read_task_limits(struct reader *r, struct at limits, struct conf *c);
void read_agent_review(struct reader *r, struct at agent, struct conf_agent *g);
void read_label(struct reader *r, struct at at, struct data_label *out);
void read_amount(struct reader *r, struct at at, struct conf_amount *out);

/* mcpServers: one binding. In conf_binding.c */
void read_binding(struct reader *r, str name, struct at at, struct conf_binding *b);
/* The binding whose operations core itself carries out. */
void internal_binding(struct arena *a, struct conf_binding *b);
/* The members of a listener that speak of OAuth, after the others; and the issuer, after all
 * listeners. In conf_oauth.c */
void read_listener_oauth(struct reader *r, struct at at, struct conf_listener *l);
void read_oauth(struct reader *r, struct at top, struct conf *c);
