/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constraints as people write them: ARG=TYPE:VALUE. `tenuo help constraints` prints the vocabulary below, which is the
 * documentation of this file and of constraint_json.c. A value without a known type is refused: a forgotten "exact:"
 * must not become a glob.
 */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char cli_constraint_help[] =
    "Constraints say what an argument of a tool may be: -c ARG=TYPE:VALUE\n"
    "\n"
    "  ARG=*, ARG=any                     any value, but the argument must be there\n"
    "  ARG=exact:TEXT                     this text; ARG=exact:=JSON for any other value\n"
    "  ARG=pattern:GLOB                   ? * ** [a-z] [!a]; * also crosses '/'\n"
    "  ARG=regex:RE                       found anywhere in the text: anchor it with ^ and $\n"
    "  ARG=range:LO..HI                   number; either end may be empty; LO<..<HI leaves out the ends\n"
    "  ARG=oneof:A,B,C                    one of these texts, or a JSON list of values\n"
    "  ARG=notoneof:A,B                   anything but these\n"
    "  ARG=cidr:NETWORK                   an address within 10.0.0.0/8, 2001:db8::/32 ...\n"
    "  ARG=url:PATTERN                    https://*.example.com/api/*; query and user are not looked at\n"
    "  ARG=contains:A,B                   a list that holds all of these\n"
    "  ARG=subset:A,B                     a list that holds nothing else\n"
    "  ARG=subpath:/ROOT                  a path at or below ROOT, after . and .. are resolved\n"
    "  ARG=urlsafe:[OPTION;...]           a URL that does not lead into the inner network; options:\n"
    "                                     schemes=, allow_domains=, deny_domains=, allow_ports= (comma lists), and\n"
    "                                     block_private= block_loopback= block_metadata= block_reserved=\n"
    "                                     block_internal_tlds= (yes or no; the last is no by default)\n"
    "  ARG=shlex:ls,cat                   a command line of one simple command with one of these programs\n"
    "  ARG=cel:EXPRESSION                 needs the matcher plugin cel, as regex needs regex\n"
    "\n"
    "With JSON everything can be said: -c ARG:=JSON, or --constraint-json 'ARG=JSON', where JSON is one of\n"
    "\n"
    "  5, true, null, \"text\"              exactly this value\n"
    "  {\"exact\": VALUE}                   the same for lists and objects\n"
    "  {\"wildcard\": true}\n"
    "  {\"pattern\": T}  {\"regex\": T}  {\"cidr\": T}  {\"url\": T}  {\"cel\": T}\n"
    "  {\"range\": {\"min\": 1, \"max\": 9, \"min_inclusive\": true, \"max_inclusive\": false}}\n"
    "  {\"oneof\": [V, ...]}  {\"notoneof\": [V, ...]}  {\"contains\": [V, ...]}  {\"subset\": [V, ...]}\n"
    "  {\"all\": [C, ...]}  {\"any\": [C, ...]}  {\"not\": C}\n"
    "  {\"subpath\": T, \"case_sensitive\": true, \"allow_equal\": true}\n"
    "  {\"urlsafe\": {\"schemes\": [T], \"allow_domains\": [T], \"deny_domains\": [T], \"allow_ports\": [N], "
    "\"block_private\": true,\n"
    "               \"block_loopback\": true, \"block_metadata\": true, \"block_reserved\": true, "
    "\"block_internal_tlds\": false}}\n"
    "  {\"shlex\": [T, ...]}\n"
    "  {\"cbor\": \"HEX\"}                    the wire form [type, payload]\n"
    "\n"
    "An option of -c before the first --tool is for all tools, one after --tool NAME for that tool alone. A tool "
    "without any constraint\n"
    "allows every argument; with one, arguments that are not named are refused unless --allow-unknown is given.\n";

void cli_hazard(struct cli_hazards *hazards, const char *sentence)
{
    if (hazards->count < sizeof hazards->text / sizeof hazards->text[0])
        hazards->text[hazards->count++] = sentence;
}

/* constraints.md 5.9: the port of the scheme is dropped when the pattern is read, a missing path allows all paths. */
static void url_hazards(const char *text, size_t len, struct cli_hazards *hazards)
{
    const char *host = memmem(text, len, "://", 3);
    if (!host)
        return;
    host += 3;
    size_t left = len - (size_t)(host - text);
    const char *path = memchr(host, '/', left);
    size_t host_len = path ? (size_t)(path - host) : left;
    if (!path || path + 1 == text + len)
        cli_hazard(hazards, "a URL pattern without a path allows every path");
    bool https = len > 8 && strncasecmp(text, "https://", 8) == 0,
         http = len > 7 && strncasecmp(text, "http://", 7) == 0;
    if ((https && host_len > 4 && memcmp(host + host_len - 4, ":443", 4) == 0) ||
        (http && host_len > 3 && memcmp(host + host_len - 3, ":80", 3) == 0))
        cli_hazard(hazards, "the scheme's own port in a URL pattern counts as no port: every port is allowed");
}

/* Length of the quoted text at `text`, quotes and all; 0 when none begins here. Tripled quotes are three texts. */
static size_t quoted_length(const char *text, size_t len)
{
    size_t i = 1;
    if (len == 0 || (*text != '\'' && *text != '"'))
        return 0;
    while (i < len && text[i] != *text)
        i += text[i] == '\\' ? 2 : 1;
    return i < len ? i + 1 : len;
}

static bool is_anchored(const char *text, size_t len)
{
    return len > 3 && text[1] == '^' && text[len - 2] == '$';
}

/* constraints.md H-1, H-9: a search that looks like a match, and what keeps an expression from being narrowed. */
static void cel_hazards(const char *text, size_t len, struct cli_hazards *hazards)
{
    bool comment = false, search = false, matches = false;
    for (size_t i = 0; i < len; i++) {
        size_t quoted = quoted_length(text + i, len - i);
        if (quoted > 0) {
            search |= matches && !is_anchored(text + i, quoted);
            matches = false;
            i += quoted - 1;
        } else if (len - i >= 8 && memcmp(text + i, "matches(", 8) == 0) {
            matches = true;
            i += 7;
        } else if (len - i >= 2 && memcmp(text + i, "//", 2) == 0) {
            comment = true;
            break;
        }
    }
    if (search)
        cli_hazard(hazards, "matches() with a pattern without ^ at its start and $ at its end also matches inside "
                            "longer texts");
    if (comment)
        cli_hazard(hazards, "an expression with a comment cannot be delegated");
}

static void text_hazards(enum tenuo_constraint_type type, const char *text, size_t len, struct cli_hazards *hazards)
{
    if (type == TENUO_C_PATTERN && ((len == 1 && *text == '*') || (len == 2 && memcmp(text, "**", 2) == 0)))
        cli_hazard(hazards, "this pattern allows every text");
    if (type == TENUO_C_REGEX && (len < 2 || *text != '^' || text[len - 1] != '$'))
        cli_hazard(hazards, "a regex without ^ at its start and $ at its end also matches inside longer texts");
    if (type == TENUO_C_CEL)
        cel_hazards(text, len, hazards);
    if (type == TENUO_C_URL_PATTERN)
        url_hazards(text, len, hazards);
}

int cli_constraint_of_text(enum tenuo_constraint_type type, const char *text, size_t len, struct tenuo_constraint **ret,
                           struct cli_hazards *hazards, struct tenuo_error *err)
{
    text_hazards(type, text, len, hazards);
    return tenuo_constraint_text(type, text, len, ret, err);
}

/* Makes JSON of a comma list, so that there is one builder for each type. `numbers`: ports. */
static json_t *comma_list(const char *text, bool numbers)
{
    json_t *list = json_array();
    if (!list)
        cli_no_memory();
    while (*text) {
        size_t len = strcspn(text, ",");
        char digits[8] = "";
        uint64_t n;
        if (numbers && len < sizeof digits)
            memcpy(digits, text, len);
        cli_append(list,
                   numbers && cli_number_parse(digits, 65535, &n) ? json_integer((json_int_t)n) : cli_text(text, len));
        text += len + (text[len] == ',');
    }
    return list;
}

/* {"TYPE": inner} through the JSON builder; takes `inner`. */
static int through_json(const char *type, json_t *inner, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                        struct tenuo_error *err)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, type, inner);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        cli_no_memory();
    int code = cli_constraint_from_json(text, strlen(text), ret, hazards, err);
    free(text);
    json_decref(object);
    return code;
}

static int list_value(const char *type, const char *text, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                      struct tenuo_error *err)
{
    json_t *list = *text == '[' ? cli_json_load(type, text, strlen(text), err) : comma_list(text, false);
    return list ? through_json(type, list, ret, hazards, err) : err->code;
}

static bool number(const char *text, size_t len, double *ret)
{
    char copy[64], *end;
    if (len == 0 || len >= sizeof copy || strspn(text, "+-0123456789.eE") < len)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *ret = strtod(copy, &end); /* never a locale: the command does not call setlocale */
    return *end == '\0' && isfinite(*ret);
}

static int range_value(const char *text, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    const char *dots = strstr(text, "..");
    double min = 0, max = 0;
    if (!dots)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "range wants LO..HI, LO.., ..HI or LO<..<HI");
    size_t min_len = (size_t)(dots - text);
    const char *high = dots + 2;
    bool min_open = min_len && dots[-1] == '<', max_open = *high == '<';
    min_len -= min_open;
    high += max_open;
    size_t max_len = strlen(high);
    if ((min_len && !number(text, min_len, &min)) || (max_len && !number(high, max_len, &max)) ||
        (min_open && !min_len) || (max_open && !max_len))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "range: both ends are decimal numbers or empty");
    return tenuo_constraint_range(min_len ? &min : NULL, max_len ? &max : NULL, !min_open, !max_open, ret, err);
}

static bool yes_no(const char *text, bool *ret)
{
    *ret = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    return *ret || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

/* Options "key=value;key=value" as the JSON object that constraint_json.c reads. */
static int urlsafe_value(const char *text, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                         struct tenuo_error *err)
{
    json_t *options = json_object();
    char *copy = strdup(text), *rest = copy, *option;
    bool on, good = true;
    if (!options || !copy)
        cli_no_memory();
    while (good && (option = strsep(&rest, ";"))) {
        char *equals = strchr(option, '=');
        if (!*option)
            continue;
        if (!equals || json_object_get(options, (*equals = '\0', option)))
            good = false;
        else if (strncmp(option, "block_", 6) == 0)
            good = yes_no(equals + 1, &on) && json_object_set_new(options, option, json_boolean(on)) == 0;
        else
            cli_set(options, option, comma_list(equals + 1, strcmp(option, "allow_ports") == 0));
    }
    free(copy);
    if (good)
        return through_json("urlsafe", options, ret, hazards, err);
    json_decref(options);
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                         "urlsafe wants OPTION=VALUE;... ; see 'tenuo help constraints'");
}

static int typed(const char *type, size_t type_len, const char *value, struct tenuo_constraint **ret,
                 struct cli_hazards *hazards, struct tenuo_error *err)
{
    static const struct {
        const char *name;
        enum tenuo_constraint_type type;
    } texts[] = { { "pattern", TENUO_C_PATTERN },
                  { "regex", TENUO_C_REGEX },
                  { "cidr", TENUO_C_CIDR },
                  { "url", TENUO_C_URL_PATTERN },
                  { "cel", TENUO_C_CEL } };
    static const char *const lists[] = { "oneof", "notoneof", "contains", "subset", "shlex" };
    char name[16] = "";
    if (type_len < sizeof name)
        memcpy(name, type, type_len);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(name, texts[i].name) == 0)
            return cli_constraint_of_text(texts[i].type, value, strlen(value), ret, hazards, err);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(name, lists[i]) == 0)
            return list_value(lists[i], value, ret, hazards, err);
    if (strcmp(name, "exact") == 0 && *value == '=') {
        json_t *json = cli_json_load("exact", value + 1, strlen(value + 1), err);
        return json ? through_json("exact", json, ret, hazards, err) : err->code;
    }
    if (strcmp(name, "exact") == 0 || strcmp(name, "subpath") == 0)
        return through_json(name, cli_text(value, strlen(value)), ret, hazards, err);
    if (strcmp(name, "range") == 0)
        return range_value(value, ret, err);
    if (strcmp(name, "urlsafe") == 0)
        return urlsafe_value(value, ret, hazards, err);
    if (strcmp(name, "all") == 0 || strcmp(name, "any") == 0 || strcmp(name, "not") == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "'%s' is written as JSON: -c 'ARG:={\"%s\": ...}'", name,
                             name);
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                         "no constraint type before the ':'; see 'tenuo help constraints'");
}

int cli_constraint_from_text(const char *text, size_t *ret_name_len, struct tenuo_constraint **ret,
                             struct cli_hazards *hazards, struct tenuo_error *err)
{
    const char *equals = strchr(text, '=');
    bool json = equals && equals > text && equals[-1] == ':';
    size_t name_len = equals ? (size_t)(equals - text) - json : 0;
    struct tenuo_error why = { 0 };
    int code;
    if (name_len == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "a constraint is ARG=TYPE:VALUE or ARG:=JSON");
    const char *value = equals + 1, *colon = strchr(value, ':');
    if (json)
        code = cli_constraint_from_json(value, strlen(value), ret, hazards, &why);
    else if (strcmp(value, "*") == 0 || strcmp(value, "any") == 0 || strcmp(value, "wildcard") == 0)
        code = tenuo_constraint_wildcard(ret, &why);
    else if (strcmp(value, "urlsafe") == 0)
        code = urlsafe_value("", ret, hazards, &why);
    else
        code = typed(value, colon ? (size_t)(colon - value) : sizeof "urlsafe" * 2, colon ? colon + 1 : "", ret,
                     hazards, &why);
    if (code) /* a constraint that can never match is a mistake on the command line, not an answer */
        return cli_set_error(err, code == TENUO_E_NOMEM ? code : TENUO_E_INVALID_ARGUMENT, "constraint on '%.*s': %s",
                             (int)(name_len < 64 ? name_len : 64), text, why.msg);
    *ret_name_len = name_len;
    return TENUO_OK;
}
