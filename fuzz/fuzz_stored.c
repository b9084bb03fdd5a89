/* SPDX-License-Identifier: Apache-2.0 */
/* What a key store may answer: an entry of any bytes, and names of any bytes. Properties: what passes the judge is text
 * that can be printed and numbers that agree; judging it again changes nothing; a name that parses is written the same;
 * the versions of an id are ascending, and each is found where it was noted. */
#include "../core/instance_store.c"

#include "../common/versions.h"
#include "fuzz.h"

static void entry(const uint8_t *data, size_t size)
{
    struct tenuo_key_entry e = { 0 }, again;
    memcpy(&e, data, size < sizeof e ? size : sizeof e);
    e.size = sizeof e;
    if (size % 2 == 0) { /* or nothing gets past the id */
        memset(e.id, 0, sizeof e.id);
        memcpy(e.id, "key", 3);
    }
    if (judge(&e) != NULL)
        return;
    REQUIRE(strlen(e.id) < sizeof e.id && tn_key_id_valid(e.id) && strlen(e.note) < sizeof e.note);
    for (const char *p = e.note; *p != '\0'; p++)
        REQUIRE(*p >= 0x20 && *p < 0x7f);
    REQUIRE(e.version != 0 || (e.oldest == 0 && e.newest == 0));
    REQUIRE(e.oldest <= e.version && (e.newest == 0 || e.newest >= e.version) && e.newest != UINT32_MAX);
    REQUIRE((e.has_public_key == 0 || e.has_public_key == 1) && e.created_at >= 0 && e.expires_at >= 0);
    again = e;
    REQUIRE(judge(&again) == NULL && memcmp(&again, &e, sizeof e) == 0);
}

static void names(const uint8_t *data, size_t size)
{
    struct tn_versions v = { 0 };
    struct source source = { data, size };
    char id[TENUO_KEY_ID_MAX + 1], written[TN_VERSION_NAME_BYTES];
    uint32_t version, suffix;
    while (source.len != 0) {
        struct source name = source_part(&source);
        if (!tn_version_parse((const char *)name.p, name.len, id, &version))
            continue;
        tn_version_name(id, version, written);
        REQUIRE(strlen(written) == name.len && memcmp(written, name.p, name.len) == 0);
        tn_versions_note(&v, "k", (const char *)name.p, name.len);
    }
    for (size_t i = 0; i < v.count; i++) {
        REQUIRE(i == 0 || v.n[i] > v.n[i - 1]);
        REQUIRE(tn_versions_find(&v, v.n[i], &suffix) && suffix == v.n[i]);
    }
    REQUIRE(tn_versions_find(&v, 0, &suffix) == v.plain);
    REQUIRE(v.plain ? tn_versions_newest(&v) > (v.count == 0 ? 0 : v.n[v.count - 1]) : tn_versions_newest(&v) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    entry(data, size);
    names(data, size);
    return 0;
}
