#include "cedar/text/lex.h"

struct lexer {
    struct arena *arena;
    str text;
    size_t at;
    struct cedar_token *items;
    size_t count, cap;
    bool forgets; /* the tokens are looked at, not kept */
    struct cedar_diags *diags;
    struct cedar_comments *comments; /* NULL: they are skipped like white space */
    size_t comment_cap;
};

static const char *const token_names[] = {
    [CEDAR_T_END] = "the end of the text",
    [CEDAR_T_IDENT] = "a name",
    [CEDAR_T_NUMBER] = "a number",
    [CEDAR_T_STRING] = "a string",
    [CEDAR_T_SLOT] = "a slot",
    [CEDAR_T_QUESTION] = "`?`",
    [CEDAR_T_AT] = "`@`",
    [CEDAR_T_DOT] = "`.`",
    [CEDAR_T_COMMA] = "`,`",
    [CEDAR_T_SEMICOLON] = "`;`",
    [CEDAR_T_COLON] = "`:`",
    [CEDAR_T_PATH] = "`::`",
    [CEDAR_T_LPAREN] = "`(`",
    [CEDAR_T_RPAREN] = "`)`",
    [CEDAR_T_LBRACE] = "`{`",
    [CEDAR_T_RBRACE] = "`}`",
    [CEDAR_T_LBRACKET] = "`[`",
    [CEDAR_T_RBRACKET] = "`]`",
    [CEDAR_T_EQ] = "`==`",
    [CEDAR_T_NE] = "`!=`",
    [CEDAR_T_LT] = "`<`",
    [CEDAR_T_LE] = "`<=`",
    [CEDAR_T_GE] = "`>=`",
    [CEDAR_T_GT] = "`>`",
    [CEDAR_T_OR] = "`||`",
    [CEDAR_T_AND] = "`&&`",
    [CEDAR_T_PLUS] = "`+`",
    [CEDAR_T_MINUS] = "`-`",
    [CEDAR_T_STAR] = "`*`",
    [CEDAR_T_SLASH] = "`/`",
    [CEDAR_T_PERCENT] = "`%`",
    [CEDAR_T_NOT] = "`!`",
    [CEDAR_T_ASSIGN] = "`=`",
};

/* Longest first, so that the first match is the right one. */
static const struct {
    str text;
    enum cedar_token_kind kind;
} signs[] = {
    {S("::"), CEDAR_T_PATH},    {S("=="), CEDAR_T_EQ},       {S("!="), CEDAR_T_NE},
    {S("<="), CEDAR_T_LE},      {S(">="), CEDAR_T_GE},       {S("||"), CEDAR_T_OR},
    {S("&&"), CEDAR_T_AND},     {S("@"), CEDAR_T_AT},        {S("."), CEDAR_T_DOT},
    {S(","), CEDAR_T_COMMA},    {S(";"), CEDAR_T_SEMICOLON}, {S(":"), CEDAR_T_COLON},
    {S("("), CEDAR_T_LPAREN},   {S(")"), CEDAR_T_RPAREN},    {S("{"), CEDAR_T_LBRACE},
    {S("}"), CEDAR_T_RBRACE},   {S("["), CEDAR_T_LBRACKET},  {S("]"), CEDAR_T_RBRACKET},
    {S("<"), CEDAR_T_LT},       {S(">"), CEDAR_T_GT},        {S("+"), CEDAR_T_PLUS},
    {S("-"), CEDAR_T_MINUS},    {S("*"), CEDAR_T_STAR},      {S("/"), CEDAR_T_SLASH},
    {S("%"), CEDAR_T_PERCENT},  {S("!"), CEDAR_T_NOT},       {S("="), CEDAR_T_ASSIGN},
    {S("?"), CEDAR_T_QUESTION},
};

/* Unicode White_Space beyond ASCII, in UTF-8. */
static const str wide_spaces[] = {
    S("\xc2\x85"),     S("\xc2\xa0"),     S("\xe1\x9a\x80"), S("\xe2\x80\x80"), S("\xe2\x80\x81"),
    S("\xe2\x80\x82"), S("\xe2\x80\x83"), S("\xe2\x80\x84"), S("\xe2\x80\x85"), S("\xe2\x80\x86"),
    S("\xe2\x80\x87"), S("\xe2\x80\x88"), S("\xe2\x80\x89"), S("\xe2\x80\x8a"), S("\xe2\x80\xa8"),
    S("\xe2\x80\xa9"), S("\xe2\x80\xaf"), S("\xe2\x81\x9f"), S("\xe3\x80\x80"),
};

const char *cedar_token_name(enum cedar_token_kind k)
{
    return token_names[k];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

bool cedar_is_ident(str s)
{
    if (s.n == 0 || !is_name_start(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!is_name(s.p[i]))
            return false;
    }
    return true;
}

bool cedar_is_reserved(str word)
{
    static const str words[] = {S("true"), S("false"), S("if"),   S("then"), S("else"),
                                S("in"),   S("is"),    S("like"), S("has"),  S("__cedar")};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq(word, words[i]))
            return true;
    }
    return false;
}

static char peek(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static size_t wide_space(str rest)
{
    for (size_t i = 0; i < sizeof wide_spaces / sizeof wide_spaces[0]; i++) {
        if (str_starts(rest, wide_spaces[i]))
            return wide_spaces[i].n;
    }
    return 0;
}

static str trim_end(str s)
{
    for (;;) {
        size_t n = s.n;
        while (s.n > 0 && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r')))
            s.n--;
        for (size_t i = 0; i < sizeof wide_spaces / sizeof wide_spaces[0]; i++) {
            if (str_ends(s, wide_spaces[i]))
                s.n -= wide_spaces[i].n;
        }
        if (s.n == n)
            return s;
    }
}

static bool trails(const struct lexer *l, uint32_t start)
{
    const struct cedar_comments *all = l->comments;
    if (l->count == 0)
        return false;
    uint32_t end = l->items[l->count - 1].span.end;
    if (all->count && all->items[all->count - 1].span.start >= end)
        return false; /* an earlier one stands between */
    return str_find_char(str_of(l->text.p + end, start - end), '\n', 0) < 0;
}

static void keep_comment(struct lexer *l, uint32_t start)
{
    struct cedar_comments *all = l->comments;
    if (all->count == l->comment_cap) {
        l->comment_cap = l->comment_cap ? l->comment_cap * 2 : 16;
        struct cedar_comment *items = ARENA_ARRAY(l->arena, struct cedar_comment, l->comment_cap);
        if (all->count)
            memcpy(items, all->items, all->count * sizeof *items);
        all->items = items;
    }
    struct cedar_comment made = {.span = {start, (uint32_t)l->at},
                                 .text = trim_end(str_of(l->text.p + start, l->at - start)),
                                 .before = (uint32_t)l->count,
                                 .trails = trails(l, start)};
    all->items[all->count++] = made;
}

static void skip_space(struct lexer *l)
{
    while (l->at < l->text.n) {
        char c = l->text.p[l->at];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            l->at++;
        } else if (c == '/' && peek(l, 1) == '/') {
            size_t start = l->at;
            while (l->at < l->text.n && l->text.p[l->at] != '\n' && l->text.p[l->at] != '\r')
                l->at++;
            if (l->comments)
                keep_comment(l, (uint32_t)start);
        } else {
            size_t wide = (c & 0x80) ? wide_space(str_skip(l->text, l->at)) : 0;
            if (wide == 0)
                return;
            l->at += wide;
        }
    }
}

static void push(struct lexer *l, enum cedar_token_kind kind, size_t start, str text)
{
    if (l->forgets)
        return;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct cedar_token *items = ARENA_ARRAY(l->arena, struct cedar_token, cap);
        if (l->count)
            memcpy(items, l->items, l->count * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = (struct cedar_token){
        .kind = kind, .span = {(uint32_t)start, (uint32_t)l->at}, .text = text};
}

static void lex_word(struct lexer *l, enum cedar_token_kind kind, size_t start)
{
    size_t from = l->at;
    while (is_name(peek(l, 0)))
        l->at++;
    push(l, kind, start, str_of(l->text.p + from, l->at - from));
}

static void lex_number(struct lexer *l)
{
    size_t start = l->at;
    while (is_digit(peek(l, 0)))
        l->at++;
    push(l, CEDAR_T_NUMBER, start, str_of(l->text.p + start, l->at - start));
}

static bool lex_string(struct lexer *l)
{
    size_t start = l->at++;
    while (l->at < l->text.n && l->text.p[l->at] != '"') {
        if (l->text.p[l->at] == '\\' && l->at + 1 < l->text.n && l->text.p[l->at + 1] != '\n')
            l->at++;
        else if (l->text.p[l->at] == '\\')
            break;
        l->at++;
    }
    if (peek(l, 0) != '"') {
        cedar_diag(l->diags, CEDAR_ERROR, "unterminated-string",
                   (struct cedar_span){(uint32_t)start, (uint32_t)start + 1},
                   "end the string with a double quote; write a quote inside it as \\\"",
                   "this string has no end");
        return false;
    }
    l->at++;
    push(l, CEDAR_T_STRING, start, str_of(l->text.p + start + 1, l->at - start - 2));
    return true;
}

static bool lex_sign(struct lexer *l)
{
    char first = peek(l, 0), second = peek(l, 1);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        str sign = signs[i].text;
        if (sign.p[0] == first && (sign.n == 1 || sign.p[1] == second)) {
            size_t start = l->at;
            l->at += signs[i].text.n;
            push(l, signs[i].kind, start, str_of(l->text.p + start, signs[i].text.n));
            return true;
        }
    }
    return false;
}

/* Characters that people write, and what to write instead. A quote takes what it encloses on its
 * line along, so that it is said once. */
static const struct {
    str text, close;
    const char *help;
} odd_characters[] = {
    {S("'"), S("'"), "text stands in double quotes: \"text\""},
    {S("`"), S("`"), "text stands in double quotes: \"text\""},
    {S("\xe2\x80\x9c"), S("\xe2\x80\x9d"), "text stands in straight quotes: \"text\""},
    {S("\xe2\x80\x98"), S("\xe2\x80\x99"), "text stands in straight double quotes: \"text\""},
    {S("&"), S(""), "write && for and"},
    {S("|"), S(""), "write || for or"},
    {S("#"), S(""), "comments begin with //"},
    {S("\xe2\x89\xa0"), S(""), "write !="},
    {S("\xe2\x89\xa4"), S(""), "write <="},
    {S("\xe2\x89\xa5"), S(""), "write >="},
    {S("\xef\xbb\xbf"), S(""), "save the file without a byte order mark"},
};

enum { QUOTE_BYTES_MAX = 100 }; /* how far the end of a quote is looked for */

/* The help for c; what a quote encloses is stepped over. */
static const char *odd_help(struct lexer *l, str c)
{
    for (size_t i = 0; i < sizeof odd_characters / sizeof odd_characters[0]; i++) {
        if (!str_eq(c, odd_characters[i].text))
            continue;
        str line = str_take(str_skip(l->text, l->at), QUOTE_BYTES_MAX), rest;
        (void)str_cut(line, '\n', &line, &rest);
        ptrdiff_t close = odd_characters[i].close.n ? str_find(line, odd_characters[i].close) : -1;
        if (close >= 0)
            l->at += (size_t)close + odd_characters[i].close.n;
        return odd_characters[i].help;
    }
    return c.n == 1 && ((unsigned char)c.p[0] < 0x20 || c.p[0] == 0x7f)
               ? "remove it"
               : "such characters belong in strings and comments only";
}

static void bad_character(struct lexer *l)
{
    size_t start = l->at++;
    while (l->at < l->text.n && (l->text.p[l->at] & 0xc0) == 0x80)
        l->at++;
    str c = str_of(l->text.p + start, l->at - start);
    const char *help = odd_help(l, c);
    struct cedar_span span = {(uint32_t)start, (uint32_t)l->at};
    if (str_eq(c, S("\xef\xbb\xbf")))
        cedar_diag(l->diags, CEDAR_ERROR, "character", span, help,
                   "a byte order mark is no part of the language");
    else if (c.n == 1 && ((unsigned char)c.p[0] < 0x20 || c.p[0] == 0x7f))
        cedar_diag(l->diags, CEDAR_ERROR, "character", span, help, "control character 0x%02x",
                   (unsigned)(unsigned char)c.p[0]);
    else
        cedar_diag(l->diags, CEDAR_ERROR, "character", span, help, "unexpected character `%.*s`",
                   STR(c));
}

/* False to stop: what follows an open string would only be noise. */
static bool lex_one(struct lexer *l)
{
    char c = peek(l, 0);
    if (is_name_start(c)) {
        lex_word(l, CEDAR_T_IDENT, l->at);
    } else if (is_digit(c)) {
        lex_number(l);
    } else if (c == '"') {
        return lex_string(l);
    } else if (c == '?' && is_name_start(peek(l, 1))) {
        l->at++;
        lex_word(l, CEDAR_T_SLOT, l->at - 1);
    } else if (!lex_sign(l)) {
        bad_character(l);
    }
    return true;
}

bool cedar_lex(struct arena *a, str text, struct cedar_tokens *out, struct cedar_diags *d)
{
    return cedar_lex_comments(a, text, out, NULL, d);
}

static bool check_text(str text, struct cedar_diags *d)
{
    if (text.n > CEDAR_TEXT_BYTES_MAX) {
        cedar_diag(d, CEDAR_ERROR, "too-long", (struct cedar_span){0}, "split it",
                   "the text has more than %d bytes", CEDAR_TEXT_BYTES_MAX);
        return false;
    }
    if (!str_is_utf8(text)) {
        cedar_diag(d, CEDAR_ERROR, "character", (struct cedar_span){0}, "save it as UTF-8",
                   "the text is not UTF-8");
        return false;
    }
    return true;
}

static bool lex_all(struct lexer *l)
{
    size_t errors = l->diags->errors;
    for (skip_space(l); l->at < l->text.n; skip_space(l)) {
        if (!lex_one(l))
            break;
    }
    push(l, CEDAR_T_END, l->at, (str){0});
    return l->diags->errors == errors;
}

bool cedar_lex_comments(struct arena *a, str text, struct cedar_tokens *out,
                        struct cedar_comments *comments, struct cedar_diags *d)
{
    if (!check_text(text, d))
        return false;
    struct lexer l = {.arena = a, .text = text, .diags = d, .comments = comments};
    if (comments)
        *comments = (struct cedar_comments){0};
    bool ok = lex_all(&l);
    *out = (struct cedar_tokens){l.items, l.count};
    return ok;
}

bool cedar_lexer_open(struct cedar_lexer *l, struct arena *a, str text, struct cedar_diags *d)
{
    struct lexer all = {.text = text, .diags = d, .forgets = true};
    *l = (struct cedar_lexer){.arena = a, .text = text};
    return check_text(text, d) && lex_all(&all);
}

void cedar_lexer_next(struct cedar_lexer *l)
{
    struct cedar_diags none = {0};
    struct lexer some = {.arena = l->arena,
                         .text = l->text,
                         .at = l->at,
                         .items = l->tokens.items,
                         .cap = l->cap,
                         .diags = &none};
    for (skip_space(&some); some.at < some.text.n; skip_space(&some)) {
        (void)lex_one(&some);
        if (some.items[some.count - 1].kind == CEDAR_T_SEMICOLON)
            break;
    }
    if (some.count == 0 || some.items[some.count - 1].kind != CEDAR_T_SEMICOLON)
        push(&some, CEDAR_T_END, some.at, (str){0});
    l->at = some.at;
    l->tokens = (struct cedar_tokens){some.items, some.count};
    l->cap = some.cap;
}
