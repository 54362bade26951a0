#include "cedar/policy/advice.h"

#define ENTITY_FORM "an entity is written as Type::\"id\""
#define NO_NULL     "there is no null; whether an attribute is there is tested with `has`"
#define NO_SIZE                                                                                    \
    "sets have no size; they are tested with .isEmpty(), .contains(..), .containsAll(..) and "     \
    ".containsAny(..)"
#define USE_LIKE   "texts are tested with `like`, where * stands for any text: x like \"a*\""
#define IN_CONTEXT "what a call brings along is in context, as in context.name"
#define MISSING    "something to compare or combine is missing in front of it"
#define AFTER_OP   "something to compare or combine is missing behind the operator"

static const struct {
    enum advice_place place;
    str found;
    const char *help;
} rows[] = {
    {ADVICE_EFFECT, S("allow"), "write permit"},
    {ADVICE_EFFECT, S("grant"), "write permit"},
    {ADVICE_EFFECT, S("permit"), "write permit, in lower case"},
    {ADVICE_EFFECT, S("deny"), "write forbid"},
    {ADVICE_EFFECT, S("block"), "write forbid"},
    {ADVICE_EFFECT, S("forbid"), "write forbid, in lower case"},
    {ADVICE_EFFECT, S(";"), "remove it: one semicolon ends a policy"},
    {ADVICE_EFFECT, S("/"), "comments begin with // and end with their line"},
    {ADVICE_EFFECT, S("="), "an annotation is written as @name(\"text\")"},

    {ADVICE_SCOPE, S("="), "write == to compare"},
    {ADVICE_SCOPE, S("!="), "a scope excludes nothing; add unless { principal == Type::\"id\" }"},
    {ADVICE_SCOPE, S("."), "attributes are tested behind the scope: when { principal.name == .. }"},
    {ADVICE_SCOPE, S("||"),
     "several actions are written as action in [.., ..]; all else belongs in when { .. }"},
    {ADVICE_SCOPE, S("&&"), "one test for each variable; all else belongs in when { .. }"},
    {ADVICE_SCOPE, S("::"), "`is` takes a type alone; one entity is written as == Type::\"id\""},
    {ADVICE_SCOPE, S("action"), "put a comma in front of it"},
    {ADVICE_SCOPE, S("resource"), "put a comma in front of it"},
    {ADVICE_SCOPE, S(")"), "name all three: (principal, action, resource)"},
    {ADVICE_SCOPE, S("context"),
     "the context is tested behind the scope: when { context.name == .. }"},

    {ADVICE_ENTITY, S(")"), "an entity must follow, as Type::\"id\""},
    {ADVICE_ENTITY, S(","), "an entity must follow, as Type::\"id\""},
    {ADVICE_ENTITY, S("{"), "a list of actions is written as [Action::\"a\", Action::\"b\"]"},

    {ADVICE_TYPE, S("("), "write the type without parentheses"},

    {ADVICE_CLAUSE, S("if"), "a condition begins with when or unless"},
    {ADVICE_CLAUSE, S("where"), "a condition begins with when or unless"},
    {ADVICE_CLAUSE, S("{"), "a condition begins with when or unless"},
    {ADVICE_CLAUSE, S("&&"), "put both in one clause, or begin another with when"},
    {ADVICE_CLAUSE, S("and"), "put both in one clause, or begin another with when"},
    {ADVICE_CLAUSE, S("}"), "remove it, or open a brace in front"},
    {ADVICE_CLAUSE, S("permit"), "the policy in front of it needs a semicolon at its end"},
    {ADVICE_CLAUSE, S("forbid"), "the policy in front of it needs a semicolon at its end"},
    {ADVICE_CLAUSE, S("@"), "the policy in front of it needs a semicolon at its end"},

    {ADVICE_OPERAND, S("="), "write == to compare"},
    {ADVICE_OPERAND, S(">"), "write != for what differs; else something is missing in front of it"},
    {ADVICE_OPERAND, S("."), ADVICE_NUMBERS},
    {ADVICE_OPERAND, S("=="), MISSING},
    {ADVICE_OPERAND, S("&&"), MISSING},
    {ADVICE_OPERAND, S("||"), MISSING},
    {ADVICE_OPERAND, S("}"), AFTER_OP},
    {ADVICE_OPERAND, S(")"), AFTER_OP},
    {ADVICE_OPERAND, S("]"), AFTER_OP},
    {ADVICE_OPERAND, S(";"), AFTER_OP},
    {ADVICE_OPERAND, S("has"), "it stands between two: principal has name"},
    {ADVICE_OPERAND, S("in"), "it stands between two: principal in Type::\"id\""},
    {ADVICE_OPERAND, S("is"), "it stands between two: principal is Type"},
    {ADVICE_OPERAND, S("like"), "it stands between two: context.name like \"a*\""},

    {ADVICE_OPERATOR, S("and"), "write &&"},
    {ADVICE_OPERATOR, S("or"), "write ||"},
    {ADVICE_OPERATOR, S("not"), "write ! in front of the whole: !(a in b)"},
    {ADVICE_OPERATOR, S("then"), "a choice is written as: if a then b else c"},
    {ADVICE_OPERATOR, S("else"), "a choice is written as: if a then b else c"},
    {ADVICE_OPERATOR, S("?"),
     "a choice is written as: if a then b else c; attributes are tested with `has`"},
    {ADVICE_OPERATOR, S(";"), "close the brace of this clause in front of it"},
    {ADVICE_OPERATOR, S(""), "close the brace of this clause, and end the policy with a semicolon"},
    {ADVICE_OPERATOR, S(")"), "remove it, or open a parenthesis in front"},
    {ADVICE_OPERATOR, S("]"), "remove it, or open a bracket in front"},
    {ADVICE_OPERATOR, S("["),
     "`has` takes names with dots, has a.b, or one in quotes, has \"a b\""},
    {ADVICE_OPERATOR, S("::"),
     "`is` takes a type alone; one entity is compared as == Type::\"id\""},
    {ADVICE_OPERATOR, S(":"), "a record is written as {name: value}, in braces of its own"},
    {ADVICE_OPERATOR, S(","), "put && between conditions"},
    {ADVICE_OPERATOR, S("!"), "write != to compare, && ! to combine"},
    {ADVICE_OPERATOR, S("equals"), "write =="},
    {ADVICE_OPERATOR, S("eq"), "write =="},
    {ADVICE_OPERATOR, S("contains"), "write it as set.contains(element)"},
    {ADVICE_OPERATOR, S("matches"), USE_LIKE},

    {ADVICE_VARIABLE, S("null"), NO_NULL},
    {ADVICE_VARIABLE, S("nil"), NO_NULL},
    {ADVICE_VARIABLE, S("none"), NO_NULL},
    {ADVICE_VARIABLE, S("undefined"), NO_NULL},
    {ADVICE_VARIABLE, S("true"), "write true, in lower case"},
    {ADVICE_VARIABLE, S("false"), "write false, in lower case"},
    {ADVICE_VARIABLE, S("not"), "write !"},
    {ADVICE_VARIABLE, S("input"), IN_CONTEXT},
    {ADVICE_VARIABLE, S("request"), IN_CONTEXT},
    {ADVICE_VARIABLE, S("env"), IN_CONTEXT},
    {ADVICE_VARIABLE, S("user"), "who asks is called principal"},
    {ADVICE_VARIABLE, S("subject"), "who asks is called principal"},
    {ADVICE_VARIABLE, S("object"), "what is asked for is called resource"},

    {ADVICE_MEMBER, S("has"), "write it as: value has name"},
    {ADVICE_MEMBER, S("in"), "write it as: value in Type::\"id\""},
    {ADVICE_MEMBER, S("is"), "write it as: value is Type"},
    {ADVICE_MEMBER, S("like"), "write it as: value like \"a*\""},

    {ADVICE_METHOD, S("length"), NO_SIZE},
    {ADVICE_METHOD, S("size"), NO_SIZE},
    {ADVICE_METHOD, S("count"), NO_SIZE},
    {ADVICE_METHOD, S("startsWith"), USE_LIKE},
    {ADVICE_METHOD, S("endsWith"), USE_LIKE},
    {ADVICE_METHOD, S("matches"), USE_LIKE},
    {ADVICE_METHOD, S("contain"), "write contains"},
    {ADVICE_METHOD, S("includes"), "write contains"},
    {ADVICE_METHOD, S("equals"), "write == to compare"},
    {ADVICE_METHOD, S("empty"), "write isEmpty"},
    {ADVICE_METHOD, S("toLowerCase"),
     "letters are compared as they are; normalise them before the call"},
};

const char *advice_find(enum advice_place place, str found)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].place == place && str_eq_nocase(rows[i].found, found))
            return rows[i].help;
    }
    return NULL;
}
