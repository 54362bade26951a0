/* `ambit cedar format`, `translate-policy`, `translate-schema` and `link`. */
#include "cedar/policy/format.h"
#include "cedar/policy/policy_set_json.h"
#include "cedar/policy/print.h"
#include "cmd/cedar.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The result's text in w->out, or the complaint. */
static int finish(struct work *w, bool ok, const struct err *err)
{
    if (!ok)
        calls_fail(&w->call, "%s", err->text);
    return work_end(w, 0);
}

/* Keeps the file's mode. */
static bool replace(struct work *w, str path, str text)
{
    const char *z = str_dup(w->call.a, path).p;
    struct stat st;
    struct err err;
    mode_t mode = stat(z, &st) == 0 ? st.st_mode & 0777 : 0644;
    if (file_write(AT_FDCWD, z, text, mode, &err))
        return true;
    calls_fail(&w->call, "%.*s: %s", STR(path), err.text);
    return false;
}

/* ---- format ---- */

static bool read_widths(struct cli *c, struct cedar_format_options *out)
{
    str line = args_get(&c->args, "line-width"), indent = args_get(&c->args, "indent-width");
    uint64_t columns = out->line_width;
    int64_t level = out->indent_width;
    if ((args_has(&c->args, "line-width") && !str_to_u64(line, &columns)) ||
        (args_has(&c->args, "indent-width") && !str_to_i64(indent, &level)) ||
        columns > INT32_MAX || level > INT32_MAX || level < INT32_MIN)
        return false;
    *out = (struct cedar_format_options){(uint32_t)columns, (int32_t)level};
    return true;
}

int cedar_format_verb(struct cli *c)
{
    struct work w;
    struct cedar_format_options how = CEDAR_FORMAT_DEFAULT;
    struct cedar_diags *d = ARENA_NEW(&c->arena, struct cedar_diags);
    bool write = args_has(&c->args, "write"), check = args_has(&c->args, "check");
    str name, text, made;
    if (write && check)
        return cli_usage(c, "--write and --check exclude each other");
    if (write &&
        (!args_has(&c->args, "policies") || str_eq(args_get(&c->args, "policies"), S("-"))))
        return cli_usage(c, "--write needs --policies FILE");
    if (!read_widths(c, &how))
        return cli_usage(c, "a width must be a number");
    work_begin(&w, c);
    if (!work_input(&w, "policies", &name, &text))
        return work_end(&w, EXIT_FAILED);
    if (!cedar_format(&c->arena, text, &how, &made, d)) {
        d->name = name;
        calls_fail_diags(&w.call, S("policies"), d);
        return work_end(&w, EXIT_FAILED);
    }
    if (write)
        (void)!replace(&w, name, made);
    else
        buf_put(&w.out, made);
    return work_end(&w, check && !str_eq(text, made) ? EXIT_FAILED : 0);
}

/* ---- translate-policy ---- */

/* The options table has no --policy-format: the direction says it. */
static bool read_set(struct work *w, bool is_json, struct calls_policies *out)
{
    return is_json ? work_policies_json(w, out) : work_policies(w, false, out);
}

int cedar_translate_policy_verb(struct cli *c)
{
    static const char *const directions[] = {"cedar-to-json", "json-to-cedar", NULL};
    struct work w;
    struct calls_policies set;
    struct err err;
    size_t to_cedar;
    if (!args_has(&c->args, "direction"))
        return cli_usage(c, "--direction is missing");
    work_begin(&w, c);
    if (!work_choice(&w, "direction", directions, &to_cedar) || !read_set(&w, to_cedar, &set))
        return work_end(&w, EXIT_FAILED);
    if (to_cedar)
        return finish(&w, cedar_policies_print(&w.out, &set.all, &err), &err);
    bool ok = cedar_policies_to_json(&w.out, &set.all, &err);
    buf_putc(&w.out, '\n');
    return finish(&w, ok, &err);
}

/* ---- translate-schema ---- */

int cedar_translate_schema_verb(struct cli *c)
{
    static const char *const directions[] = {"json-to-cedar", "cedar-to-json",
                                             "cedar-to-json-with-resolved-types", NULL};
    static bool (*const print[])(struct arena *, const struct schema_source *, str *,
                                 struct err *) = {schema_print_text, schema_print_json,
                                                  schema_print_resolved_json};
    struct work w;
    struct schema_source source;
    struct err err;
    str name, text, made = {0};
    size_t direction;
    if (!args_has(&c->args, "direction"))
        return cli_usage(c, "--direction is missing");
    work_begin(&w, c);
    if (!work_choice(&w, "direction", directions, &direction) ||
        !work_input(&w, "schema", &name, &text) ||
        !calls_read_schema_text(&w.call, name, text, direction == 0, &source))
        return work_end(&w, EXIT_FAILED);
    bool ok = print[direction](&c->arena, &source, &made, &err);
    buf_put(&w.out, made);
    if (ok && !str_ends(made, S("\n")))
        buf_putc(&w.out, '\n');
    return finish(&w, ok, &err);
}

/* ---- link ---- */

static void write_link(struct jw *w, str template_id, str link_id, const json *values)
{
    jw_obj(w);
    jw_kstr(w, S("template_id"), template_id);
    jw_kstr(w, S("link_id"), link_id);
    jw_kvalue(w, S("args"), values);
    jw_end_obj(w);
}

/* The file of links with one more. */
static bool remember_link(struct work *w, str template_id, str link_id, const json *values)
{
    str path = str_dup(w->call.a, args_get(&w->cli->args, "template-linked")), text = {0};
    const json *list = NULL, *one;
    struct stat st;
    struct buf b = {0};
    struct jw out = jw(&b);
    if (stat(path.p, &st) == 0 && !work_file(w, path, &text))
        return false;
    if (text.n && !work_json(w, path, text, &list))
        return false;
    jw_arr(&out);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &one);)
        jw_value(&out, one);
    write_link(&out, template_id, link_id, values);
    jw_end_arr(&out);
    buf_putc(&b, '\n');
    bool ok = replace(w, path, buf_str(&b));
    buf_fini(&b);
    return ok;
}

/* An object whose members are slots, each filled with a string. */
static bool are_values(const json *v)
{
    const json *one;
    str name;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one);)
        if ((!str_eq(name, S("?principal")) && !str_eq(name, S("?resource"))) ||
            json_type(one) != JSON_STRING)
            return false;
    return json_type(v) == JSON_OBJECT;
}

int cedar_link_verb(struct cli *c)
{
    struct work w;
    struct calls_policies set;
    const json *values;
    struct err err;
    str template_id = args_get(&c->args, "template-id"), link_id = args_get(&c->args, "new-id");
    if (!args_has(&c->args, "template-id") || !args_has(&c->args, "new-id") ||
        !args_has(&c->args, "arguments"))
        return cli_usage(c, "--template-id, --new-id and --arguments are all needed");
    work_begin(&w, c);
    if (!work_json(&w, S("--arguments"), args_get(&c->args, "arguments"), &values) ||
        !are_values(values))
        return cli_usage(c, "--arguments must be a JSON object of ?principal and ?resource");
    if (!work_policies(&w, true, &set) || !work_link(&w, &set, template_id, link_id, values))
        return work_end(&w, EXIT_FAILED);
    bool ok = cedar_policy_print(&w.out, &set.all.items[set.all.count - 1], &err);
    if (ok && args_has(&c->args, "template-linked"))
        (void)!remember_link(&w, template_id, link_id, values);
    return finish(&w, ok, &err);
}
