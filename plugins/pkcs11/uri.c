/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line's RFC 7512 URI: which token is meant, and how an object's label (or id) and a key id are told from each
 * other. A key id is never put into a URI: names are compared as the bytes that the token has, so nothing needs
 * escaping and nothing can be escaped from. Whatever is not understood is refused, or it would match any token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

#define PLACE "{key_id}"
#define ESCAPED "%7Bkey_id%7D"
#define URI_MAX 1000

static int refuse(const struct p11 *p, const char *why)
{
    p->host->error(p->host, "uri: %s", why);
    return TENUO_E_CONF;
}

/* The braces are escaped, as a URI wants them. */
static bool escape(const char *text, char out[URI_MAX + sizeof ESCAPED])
{
    const char *place = strstr(text, PLACE);
    if (strlen(text) > URI_MAX)
        return false;
    if (place == NULL) {
        snprintf(out, URI_MAX + sizeof ESCAPED, "%s", text);
        return strpbrk(text, "{}") == NULL;
    }
    snprintf(out, URI_MAX + sizeof ESCAPED, "%.*s%s%s", (int)(place - text), text, ESCAPED, place + sizeof PLACE - 1);
    return strpbrk(out, "{}") == NULL;
}

static bool set_part(char part[P11_PART_MAX + 1], const char *bytes, size_t n)
{
    if (n > P11_PART_MAX || memchr(bytes, '\0', n) != NULL)
        return false;
    memcpy(part, bytes, n);
    part[n] = '\0';
    return true;
}

/* object= or id=, with the place in it once. */
static bool set_name(struct p11 *p, CK_ATTRIBUTE_TYPE named, const CK_ATTRIBUTE *a)
{
    const char *bytes = a->pValue;
    const char *place = bytes == NULL ? NULL : memmem(bytes, a->ulValueLen, PLACE, sizeof PLACE - 1);
    if (place == NULL)
        return false;
    p->named = named;
    const char *rest = place + sizeof PLACE - 1;
    return set_part(p->prefix, bytes, (size_t)(place - bytes)) &&
           set_part(p->suffix, rest, a->ulValueLen - (size_t)(rest - bytes));
}

static int set_names(struct p11 *p, bool has_place)
{
    const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(p->uri, CKA_LABEL);
    const CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(p->uri, CKA_ID);
    if (label != NULL && id != NULL)
        return refuse(p, "want object= or id=, not both");
    if (label == NULL && id == NULL && !has_place) {
        p->named = CKA_LABEL;
        return TENUO_OK;
    }
    if (!has_place || (label == NULL && id == NULL))
        return refuse(p, "want {key_id} in object= or in id=, so that each key id has an object of its own");
    if (!set_name(p, label != NULL ? CKA_LABEL : CKA_ID, label != NULL ? label : id))
        return refuse(p, "want {key_id} once in object= or id=, with at most 100 bytes on either side");
    return TENUO_OK;
}

static int judge(struct p11 *p, bool has_place)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(p->uri, CKA_CLASS);
    if (p11_kit_uri_any_unrecognized(p->uri))
        return refuse(p,
                      "an attribute that RFC 7512 does not have: token, serial, manufacturer, model, slot-id, object, "
                      "id and the like");
    if (a != NULL && (a->ulValueLen != sizeof class || memcmp(a->pValue, &class, sizeof class) != 0))
        return refuse(p, "want type=private, or no type");
    return set_names(p, has_place);
}

int p11_uri_set(struct p11 *p, const char *text)
{
    char escaped[URI_MAX + sizeof ESCAPED];
    if (strstr(text, "pin-value") != NULL || strstr(text, "pin-source") != NULL || strstr(text, "pinfile") != NULL)
        return refuse(p, "a PIN does not belong here, where many can read it: use pin_file= or pin_credential=");
    if (strchr(text, '?') != NULL)
        return refuse(p, "nothing may follow '?': the module is named by module=, the PIN by pin_file= or "
                         "pin_credential=");
    if (!escape(text, escaped))
        return refuse(p, "too long, or a brace that is not of " PLACE ", which may be there once");
    p->uri = p11_kit_uri_new();
    if (p->uri == NULL)
        return TENUO_E_NOMEM;
    int r = p11_kit_uri_parse(escaped, P11_KIT_URI_FOR_ANY, p->uri);
    if (r == P11_KIT_URI_NO_MEMORY)
        return TENUO_E_NOMEM;
    if (r != P11_KIT_URI_OK)
        return refuse(p, "no RFC 7512 URI; want for example pkcs11:token=tenuo;object=" PLACE);
    return judge(p, strstr(text, PLACE) != NULL);
}

bool p11_uri_matches_module(const struct p11 *p, const CK_INFO *info)
{
    return p11_kit_uri_match_module_info(p->uri, info) == 1;
}

bool p11_uri_matches(const struct p11 *p, CK_FUNCTION_LIST *f, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(p->uri);
    CK_SLOT_INFO slot_info;
    if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
        return false;
    memset(&slot_info, 0, sizeof slot_info);
    return f->C_GetSlotInfo(slot, &slot_info) == CKR_OK && p11_kit_uri_match_slot_info(p->uri, &slot_info) == 1 &&
           p11_kit_uri_match_token_info(p->uri, info) == 1;
}

size_t p11_name(const struct p11 *p, const char *text, char ret_name[P11_NAME_BYTES])
{
    int n = snprintf(ret_name, P11_NAME_BYTES, "%s%s%s", p->prefix, text, p->suffix);
    return n < 0 ? 0 : (size_t)n;
}

bool p11_unname(const struct p11 *p, const char *name, size_t len, const char **ret_text, size_t *ret_len)
{
    size_t prefix = strlen(p->prefix), suffix = strlen(p->suffix);
    if (len <= prefix + suffix || memcmp(name, p->prefix, prefix) != 0 ||
        memcmp(name + len - suffix, p->suffix, suffix) != 0)
        return false;
    *ret_text = name + prefix;
    *ret_len = len - prefix - suffix;
    return true;
}
