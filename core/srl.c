/* SPDX-License-Identifier: Apache-2.0 */
/* A revocation list once it is decoded: lookup, order and content hash. Never changes after tn_srl_settle. */
#include "srl.h"

#include <sodium.h>
#include <stdlib.h>

#include "crypto.h"
#include "mem.h"

#define PREFIX "tnu_wrt_"
#define PREFIX_LEN (sizeof PREFIX - 1)

static int digit(uint8_t c)
{
    if (tn_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tn_srl_id(struct tn_str text, uint8_t ret_id[16])
{
    int bad = 0;
    if (text.n != TN_SRL_ID_TEXT || memcmp(text.p, PREFIX, PREFIX_LEN) != 0)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int hi = digit(text.p[PREFIX_LEN + 2 * i]), lo = digit(text.p[PREFIX_LEN + 2 * i + 1]);
        bad |= hi | lo; /* negative when either is no digit */
        ret_id[i] = (uint8_t)((unsigned)hi << 4 | (unsigned)lo);
    }
    return bad >= 0;
}

void tn_srl_id_text(const uint8_t id[16], char ret_text[TENUO_WARRANT_ID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(ret_text, PREFIX, PREFIX_LEN);
    for (size_t i = 0; i < 16; i++) {
        ret_text[PREFIX_LEN + 2 * i] = digits[id[i] >> 4];
        ret_text[PREFIX_LEN + 2 * i + 1] = digits[id[i] & 15];
    }
    ret_text[TN_SRL_ID_TEXT] = '\0';
}

int tn_srl_id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

int tn_srl_odd_cmp(const void *a, const void *b)
{
    const struct tn_str *x = a, *y = b;
    return tn_str_cmp(*x, *y);
}

struct tenuo_srl *tn_srl_new(size_t nids, size_t nodd)
{
    size_t ids, odd;
    struct tenuo_srl *s;
    if (!tn_mul_size(nids, sizeof s->ids[0], &ids) || !tn_mul_size(nodd, sizeof s->odd[0], &odd))
        return NULL;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    s->ids = ids == 0 ? NULL : malloc(ids);
    s->odd = odd == 0 ? NULL : malloc(odd);
    if ((ids != 0 && s->ids == NULL) || (odd != 0 && s->odd == NULL)) {
        tenuo_srl_unref(s);
        return NULL;
    }
    return s;
}

static bool is_sorted(const void *base, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
    const uint8_t *p = base;
    for (size_t i = 1; i < n; i++)
        if (cmp(p + (i - 1) * size, p + i * size) > 0)
            return false;
    return true;
}

#define ID_BYTES 16

/* Counting sort by one byte of the ids, stable: least byte first, the last pass has them in order. False when all have
 * the same there, which is so for most bytes of a time: nothing was moved then. */
static bool sort_pass(uint8_t (*to)[ID_BYTES], uint8_t (*from)[ID_BYTES], size_t n, size_t byte)
{
    size_t at[256] = { 0 }, sum = 0;
    for (size_t i = 0; i < n; i++)
        at[from[i][byte]]++;
    if (at[from[0][byte]] == n)
        return false;
    for (size_t v = 0; v < 256; v++) {
        size_t count = at[v];
        at[v] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(to[at[from[i][byte]]++], from[i], ID_BYTES);
    return true;
}

/* Half the time of qsort for a million ids in any order, and no order is worse than another. */
static void sort_ids(uint8_t (*ids)[ID_BYTES], size_t n)
{
    uint8_t(*other)[ID_BYTES] = malloc(n * sizeof *other), (*in)[ID_BYTES] = ids, (*out)[ID_BYTES] = other;
    if (other == NULL) {
        qsort(ids, n, sizeof *ids, tn_srl_id_cmp);
        return;
    }
    for (size_t b = ID_BYTES; b-- > 0;)
        if (sort_pass(out, in, n, b)) {
            uint8_t(*swap)[ID_BYTES] = in;
            in = out;
            out = swap;
        }
    if (in != ids)
        memcpy(ids, in, n * sizeof *ids);
    free(other);
}

void tn_srl_settle(struct tenuo_srl *srl)
{
    /* A list that was made by us is sorted already. */
    if (!is_sorted(srl->ids, srl->nids, sizeof srl->ids[0], tn_srl_id_cmp))
        sort_ids(srl->ids, srl->nids);
    if (!is_sorted(srl->odd, srl->nodd, sizeof srl->odd[0], tn_srl_odd_cmp))
        qsort(srl->odd, srl->nodd, sizeof srl->odd[0], tn_srl_odd_cmp);
    srl->different = srl->nids + srl->nodd;
    for (size_t i = 1; i < srl->nids; i++)
        srl->different -= memcmp(srl->ids[i - 1], srl->ids[i], 16) == 0;
    for (size_t i = 1; i < srl->nodd; i++)
        srl->different -= tn_str_eq(srl->odd[i - 1], srl->odd[i]);
}

struct tenuo_srl *tenuo_srl_ref(struct tenuo_srl *srl)
{
    atomic_fetch_add_explicit(&srl->refs, 1, memory_order_relaxed);
    return srl;
}

void tenuo_srl_unref(struct tenuo_srl *srl)
{
    if (srl == NULL || atomic_fetch_sub_explicit(&srl->refs, 1, memory_order_acq_rel) != 1)
        return;
    tenuo_srl_unref(srl->newest); /* which has none itself */
    free(srl->ids);
    free(srl->odd);
    free(srl->text);
    free(srl);
}

uint64_t tenuo_srl_version(const struct tenuo_srl *srl) { return srl->version; }
int64_t tenuo_srl_issued_at(const struct tenuo_srl *srl) { return (int64_t)srl->issued_at; }
const uint8_t *tenuo_srl_issuer(const struct tenuo_srl *srl) { return srl->issuer; }
const uint8_t *tenuo_srl_sha256(const struct tenuo_srl *srl) { return srl->sha256; }
size_t tenuo_srl_count(const struct tenuo_srl *srl) { return srl->different; }

int tenuo_srl_contains(const struct tenuo_srl *srl, const uint8_t id[16])
{
    size_t lo = 0, hi = srl->nids;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = memcmp(id, srl->ids[mid], 16);
        if (c == 0)
            return 1;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return 0;
}

bool tn_srl_step(struct tn_srl_walk *w, struct tn_str *ret)
{
    const struct tenuo_srl *s = w->srl;
    struct tn_str id = { (const uint8_t *)w->text, TN_SRL_ID_TEXT };
    if (w->i == s->nids && w->j == s->nodd)
        return false;
    if (w->i < s->nids) {
        tn_srl_id_text(s->ids[w->i], w->text);
        if (w->j == s->nodd || tn_str_cmp(id, s->odd[w->j]) < 0) {
            w->i++;
            *ret = id;
            return true;
        }
    }
    *ret = s->odd[w->j++];
    return true;
}

bool tn_srl_step_over(struct tn_srl_walk *w, struct tn_str *ret)
{
    const struct tenuo_srl *s = w->srl;
    size_t i = w->i;
    if (!tn_srl_step(w, ret))
        return false;
    if (w->i > i) {
        while (w->i < s->nids && memcmp(s->ids[w->i], s->ids[i], 16) == 0)
            w->i++;
    } else {
        while (w->j < s->nodd && tn_str_eq(s->odd[w->j], *ret))
            w->j++;
    }
    return true;
}

int tenuo_srl_each(const struct tenuo_srl *srl, int (*each)(void *arg, const char *id, size_t len), void *arg)
{
    struct tn_srl_walk w = { .srl = srl };
    struct tn_str id;
    int r = 0;
    while (r == 0 && tn_srl_step_over(&w, &id))
        r = each(arg, (const char *)id.p, id.n);
    return r;
}

/* SHA-256 over the version, big-endian, and each id with a zero byte behind it (10.3). */
void tenuo_srl_content_hash(const struct tenuo_srl *srl, uint8_t ret_hash[32])
{
    struct tn_srl_walk w = { .srl = srl };
    crypto_hash_sha256_state st;
    struct tn_str id;
    uint8_t version[8];
    for (size_t i = 0; i < sizeof version; i++)
        version[i] = (uint8_t)(srl->version >> (56 - 8 * i));
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, version, sizeof version);
    while (tn_srl_step(&w, &id)) {
        static const uint8_t zero = 0;
        crypto_hash_sha256_update(&st, id.p, id.n);
        crypto_hash_sha256_update(&st, &zero, 1);
    }
    crypto_hash_sha256_final(&st, ret_hash);
}
