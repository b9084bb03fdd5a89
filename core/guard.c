/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded slots. One sodium_malloc costs three or four pages and locked memory is scarce, so a page is shared by many
 * keys. libsodium does not say when locking failed: we lock once more and look.
 */
#include "guard.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SLOTS 63 /* with libsodium's 16-byte canary, one page of 4096 */

struct tn_guard_page {
    struct tn_guard_page *next;
    uint8_t *memory;
    bool used[PAGE_SLOTS];
    unsigned count;
};

/* The canary lies in the same page: after a fork the page is empty and must not be given back to libsodium. */
static void wipe_on_fork(uint8_t *memory)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *start = memory - (uintptr_t)memory % page;
    size_t len = (size_t)(memory - start) + (size_t)PAGE_SLOTS * TN_GUARD_SLOT;
    (void)madvise(start, (len + page - 1) / page * page, MADV_WIPEONFORK);
}

static struct tn_guard_page *new_page(struct tn_guard *g)
{
    struct tn_guard_page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return NULL;
    page->memory = sodium_malloc((size_t)PAGE_SLOTS * TN_GUARD_SLOT);
    if (page->memory == NULL) {
        free(page);
        return NULL;
    }
    if (sodium_mlock(page->memory, (size_t)PAGE_SLOTS * TN_GUARD_SLOT) != 0 && !g->warned) {
        tn_log(g->log, 4, "keys in memory cannot be locked against swapping: %s; raise RLIMIT_MEMLOCK (LimitMEMLOCK=)",
               strerror(errno));
        g->warned = true;
    }
    wipe_on_fork(page->memory);
    sodium_memzero(page->memory, (size_t)PAGE_SLOTS * TN_GUARD_SLOT);
    page->next = g->pages;
    g->pages = page;
    return page;
}

uint8_t *tn_guard_take(struct tn_guard *g)
{
    struct tn_guard_page *page = g->pages;
    while (page != NULL && page->count == PAGE_SLOTS)
        page = page->next;
    if (page == NULL)
        page = new_page(g);
    if (page == NULL)
        return NULL;
    for (size_t i = 0; i < PAGE_SLOTS; i++) {
        if (page->used[i])
            continue;
        page->used[i] = true;
        page->count++;
        return page->memory + i * TN_GUARD_SLOT;
    }
    return NULL;
}

void tn_guard_give(struct tn_guard *g, uint8_t *slot)
{
    for (struct tn_guard_page *page = g->pages; page != NULL && slot != NULL; page = page->next) {
        uintptr_t start = (uintptr_t)page->memory, at = (uintptr_t)slot;
        if (at < start || at >= start + (uintptr_t)PAGE_SLOTS * TN_GUARD_SLOT)
            continue;
        sodium_memzero(slot, TN_GUARD_SLOT);
        page->used[(at - start) / TN_GUARD_SLOT] = false;
        page->count--;
        return;
    }
}

void tn_guard_free(struct tn_guard *g)
{
    while (g->pages != NULL) {
        struct tn_guard_page *next = g->pages->next;
        sodium_free(g->pages->memory);
        free(g->pages);
        g->pages = next;
    }
}

void tn_guard_forget(struct tn_guard *g)
{
    while (g->pages != NULL) {
        struct tn_guard_page *next = g->pages->next;
        free(g->pages);
        g->pages = next;
    }
}
