/* lex: Cedar's tokens, for policies and for the human schema syntax alike.
 *
 * Whole text in, array of tokens out, in the arena given; the tokens borrow the text. White space
 * is Unicode White_Space; comments run from // to the end of the line. A byte order mark is
 * refused, as is anything that is not UTF-8. Keywords are plain identifiers here: who parses
 * compares the text. The last token is always CEDAR_T_END. Limit: CEDAR_TEXT_BYTES_MAX. Pure;
 * thread-safe. */
#pragma once
#include "base/err.h"
#include "cedar/text/diag.h"

enum {
    CEDAR_TEXT_BYTES_MAX = 16 << 20, /* of one policy or schema text */
    CEDAR_DEPTH_MAX = 128,           /* of nesting, in any text or value: bounds every recursion */
};

enum cedar_token_kind {
    CEDAR_T_END = 0,
    CEDAR_T_IDENT,    /* [_a-zA-Z][_a-zA-Z0-9]* , reserved words included */
    CEDAR_T_NUMBER,   /* digits; text holds them */
    CEDAR_T_STRING,   /* text is the inside of the quotes, escapes untouched: see cedar_unescape */
    CEDAR_T_SLOT,     /* ?name; text holds the name without the mark */
    CEDAR_T_QUESTION, /* a ? that no name follows (optional members in a schema) */
    CEDAR_T_AT,
    CEDAR_T_DOT,
    CEDAR_T_COMMA,
    CEDAR_T_SEMICOLON,
    CEDAR_T_COLON,
    CEDAR_T_PATH, /* :: */
    CEDAR_T_LPAREN,
    CEDAR_T_RPAREN,
    CEDAR_T_LBRACE,
    CEDAR_T_RBRACE,
    CEDAR_T_LBRACKET,
    CEDAR_T_RBRACKET,
    CEDAR_T_EQ,
    CEDAR_T_NE,
    CEDAR_T_LT,
    CEDAR_T_LE,
    CEDAR_T_GE,
    CEDAR_T_GT,
    CEDAR_T_OR,
    CEDAR_T_AND,
    CEDAR_T_PLUS,
    CEDAR_T_MINUS,
    CEDAR_T_STAR,
    CEDAR_T_SLASH,
    CEDAR_T_PERCENT,
    CEDAR_T_NOT,
    CEDAR_T_ASSIGN, /* = */
};

struct cedar_token {
    enum cedar_token_kind kind;
    struct cedar_span span; /* with the quotes of a string and the mark of a slot */
    str text;
};

struct cedar_tokens {
    struct cedar_token *items;
    size_t count; /* with the end token */
};

/* False when the text cannot be cut into tokens; the reasons are in d (which must have been
 * initialised with this text). */
MUST_USE bool cedar_lex(struct arena *a, str text, struct cedar_tokens *out, struct cedar_diags *d);

/* The tokens of a text statement by statement, so that a long one takes little memory. open says
 * whether the text can be cut, as cedar_lex does; then each next leaves in tokens those up to and
 * with the next semicolon, or with the end, in place of those before. */
struct cedar_lexer {
    struct arena *arena;
    str text;
    size_t at;
    struct cedar_tokens tokens;
    size_t cap;
};
MUST_USE bool cedar_lexer_open(struct cedar_lexer *l, struct arena *a, str text,
                               struct cedar_diags *d);
void cedar_lexer_next(struct cedar_lexer *l);

/* A comment, from its // to the end of its line; text is without the white space at its end. */
struct cedar_comment {
    struct cedar_span span;
    str text;
    uint32_t before; /* index of the token it stands in front of: that of the end for the last */
    bool trails;     /* it stands on the line of the token before it, and is the first there */
};
struct cedar_comments {
    struct cedar_comment *items;
    size_t count;
};
/* The same, and the comments in their order: for those who write the text anew. */
MUST_USE bool cedar_lex_comments(struct arena *a, str text, struct cedar_tokens *out,
                                 struct cedar_comments *comments, struct cedar_diags *d);
/* For messages: "`::`", "a string", "the end of the text" ... */
const char *cedar_token_name(enum cedar_token_kind k);

/* Words that are no name of an entity type, attribute after a dot, or record key without quotes:
 * true false if then else in is like has __cedar. */
bool cedar_is_reserved(str word);
/* [_a-zA-Z][_a-zA-Z0-9]* ; says nothing about reserved words. */
bool cedar_is_ident(str s);

/* Undoes the escapes of the inside of a string token. On false *bad is the place (offset into raw)
 * and length of the offending escape. \n \r \t \\ \0 \' \" \xHH (to 7f) \u{1-6 hex digits}. */
MUST_USE bool cedar_unescape(struct arena *a, str raw, str *out, struct cedar_span *bad);

/* A `like` pattern: the literal pieces between its stars, in order. "a*b" is {"a", "b"}; n stars
 * make n+1 pieces, any of which may be empty. */
struct cedar_pattern {
    str *pieces;
    size_t count; /* >= 1 */
};
/* As cedar_unescape, with \* for a literal star; one written by its number, \u{2a}, is no literal
 * but a wildcard, as in the official engine. */
MUST_USE bool cedar_unescape_pattern(struct arena *a, str raw, struct cedar_pattern *out,
                                     struct cedar_span *bad);
/* Linear in |s| * pieces at worst, no backtracking. Both must be UTF-8. */
bool cedar_pattern_match(const struct cedar_pattern *p, str s);

/* Writes s as a Cedar string literal with its quotes. Characters that cannot be seen become
 * escapes. */
void cedar_quote(struct buf *out, str s);
void cedar_quote_pattern(struct buf *out, const struct cedar_pattern *p);
