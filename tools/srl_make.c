/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists that are signed: the first one, and each that follows from the one before. A list's file is replaced in one
 * step under a lock, so that it is always whole, two runs never sign one version, and a full disk changes
 * nothing.
 */
#include "srl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 10000u
#define LOCK_PAUSE_MS 20u

/* What we signed is read again, as a verifier will, before it is written anywhere. `old`: the file that it replaces. */
static int sign(struct srl_run *r, const struct tenuo_srl_builder *builder, const struct tenuo_signer *signer,
                const char *path, const struct stat *old, struct tenuo_srl **ret, struct tenuo_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = tenuo_srl_builder_sign(builder, signer, r->at, &bytes, &len, err);
    if (!code)
        code = tenuo_srl_parse(bytes, len, tenuo_signer_public_key(signer), ret, err);
    if (!code)
        code = old ? cli_replace_file(path, bytes, len, old, err) : cli_write_file(path, bytes, len, 0644, true, err);
    tenuo_bytes_free(bytes, len);
    return code;
}

static void report(struct srl_run *r, const struct tenuo_srl *list, size_t added, size_t dropped)
{
    if (!r->cli->json) {
        printf("version %ju, %zu id%s (%zu added, %zu pruned)\n", (uintmax_t)tenuo_srl_version(list),
               tenuo_srl_count(list), tenuo_srl_count(list) == 1 ? "" : "s", added, dropped);
        return;
    }
    json_t *object = cli_object(r->cli, true);
    cli_set(object, "list", srl_json(list, false));
    cli_set(object, "added", json_integer((json_int_t)added));
    cli_set(object, "pruned", json_integer((json_int_t)dropped));
    cli_emit(r->cli, object);
}

static int is_file(const char *path, struct tenuo_error *err)
{
    if (strcmp(path, "-") == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "a list is a file that grows; give its name, not standard input or output");
    return TENUO_OK;
}

static int is_there(const char *path, struct tenuo_error *err)
{
    return cli_set_error(err, TENUO_E_SYSTEM, "%s: is there already; 'tenuo srl add' adds to a list", path);
}

int srl_create(struct srl_run *r, struct tenuo_error *err)
{
    const char *path = r->words.v[0];
    struct tenuo_srl_builder *builder = NULL;
    struct tenuo_signer *signer = NULL;
    struct tenuo_srl *made = NULL;
    struct stat st;
    if (is_file(path, err))
        return err->code;
    if (lstat(path, &st) == 0) /* a second first list would take back what the first one revoked */
        return is_there(path, err);
    int code = cli_signer(r->cli, r->key, r->key_id, NULL, &signer, err);
    if (!code)
        code = tenuo_srl_builder_new(r->version ? r->version : 1, &builder, err);
    if (!code)
        code = srl_add_words(r, 1, builder, err);
    if (!code)
        code = sign(r, builder, signer, path, NULL, &made, err);
    if (code == TENUO_E_SYSTEM && lstat(path, &st) == 0) /* another run was faster */
        code = is_there(path, err);
    if (!code)
        report(r, made, tenuo_srl_count(made), 0);
    tenuo_srl_unref(made);
    tenuo_srl_builder_free(builder);
    tenuo_signer_free(signer);
    return code;
}

/* A file of its own, which only writers of the list can open: whoever may read a list must not be able to keep it from
 * growing. It stays. *ret_fd is -1 while another run holds it. */
static int try_lock(const char *lock_path, int *ret_fd, struct tenuo_error *err)
{
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
    if (fd < 0)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot be opened to lock the list: %s", lock_path,
                             strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    *ret_fd = fd;
    return TENUO_OK;
}

/* One run at a time; whoever revokes many warrants at once waits for the others. */
static int lock(const char *path, int *ret_fd, struct tenuo_error *err)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
    size_t size = strlen(path) + sizeof ".lock";
    char *lock_path = cli_alloc(size, 1);
    int fd = -1, code = TENUO_OK;
    snprintf(lock_path, size, "%s.lock", path);
    for (unsigned waited = 0; !code && fd < 0 && waited <= LOCK_WAIT_MS; waited += LOCK_PAUSE_MS) {
        code = try_lock(lock_path, &fd, err);
        if (!code && fd < 0)
            nanosleep(&pause, NULL);
    }
    if (!code && fd < 0)
        code = cli_set_error(err, TENUO_E_SYSTEM, "%s: other runs have held it for %u s; try again", lock_path,
                             LOCK_WAIT_MS / 1000);
    free(lock_path);
    *ret_fd = fd;
    return code;
}

/* What is there, which must be a list's file. */
static int look(const char *path, struct stat *ret, struct tenuo_error *err)
{
    if (stat(path, ret) != 0)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(ret->st_mode))
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: is no regular file", path);
    return TENUO_OK;
}

struct pruning {
    uint8_t (*ids)[TENUO_WARRANT_ID_BYTES];
    size_t n;
};

static int id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, TENUO_WARRANT_ID_BYTES);
}

/* What can be no id of a warrant is no business of pruning: it stays. */
static int keep(void *arg, const char *text, size_t len)
{
    const struct pruning *p = arg;
    uint8_t id[TENUO_WARRANT_ID_BYTES];
    return len != TENUO_WARRANT_ID_TEXT_BYTES - 1 || tenuo_warrant_id_parse(text, len, id, NULL) != TENUO_OK ||
           bsearch(id, p->ids, p->n, sizeof *p->ids, id_cmp) == NULL;
}

static int next_version(const struct srl_run *r, const struct tenuo_srl *old, uint64_t *ret, struct tenuo_error *err)
{
    uint64_t before = tenuo_srl_version(old);
    if (before == UINT64_MAX)
        return cli_set_error(err, TENUO_E_SRL_INVALID, "the list has the last version that there is");
    *ret = r->version ? r->version : before + 1;
    return TENUO_OK; /* the builder refuses one that is not higher */
}

/* The list that follows `old`, with everything that was asked for. */
static int follow(struct srl_run *r, const struct tenuo_srl *old, const struct tenuo_signer *signer,
                  struct tenuo_srl_builder **ret, size_t *ret_dropped, struct tenuo_error *err)
{
    struct pruning pruned = { 0 };
    uint64_t version = 0;
    int code = next_version(r, old, &version, err);
    if (!code)
        code = srl_expired_ids(r, tenuo_signer_public_key(signer), &pruned.ids, &pruned.n, err);
    if (!code && pruned.n)
        qsort(pruned.ids, pruned.n, sizeof *pruned.ids, id_cmp);
    if (!code)
        code = tenuo_srl_builder_new(version, ret, err);
    if (!code)
        code = tenuo_srl_builder_carry(*ret, old, pruned.n ? keep : NULL, &pruned, ret_dropped, err);
    free(pruned.ids);
    if (!code)
        code = srl_add_words(r, 1, *ret, err);
    return code ? code : srl_add_requests(r, tenuo_signer_public_key(signer), *ret, err);
}

/* Unless --issuer says that the key was changed, the list so far is by the key that signs the next one. */
static int add_locked(struct srl_run *r, const char *path, const struct stat *st, const struct tenuo_signer *signer,
                      struct tenuo_error *err)
{
    const uint8_t *issuer = r->has_issuer ? r->issuer : tenuo_signer_public_key(signer);
    struct tenuo_srl_builder *builder = NULL;
    struct tenuo_srl *old = NULL, *made = NULL;
    size_t dropped = 0, added = 0;
    int code = srl_read(path, issuer, &old, err);
    if (!code)
        code = follow(r, old, signer, &builder, &dropped, err);
    if (!code)
        code = sign(r, builder, signer, path, st, &made, err);
    if (!code) {
        tenuo_srl_diff(old, made, NULL, NULL, &added, NULL);
        report(r, made, added, dropped);
    }
    tenuo_srl_builder_free(builder);
    tenuo_srl_unref(old);
    tenuo_srl_unref(made);
    return code;
}

/* Who could read the list must know when that has changed. */
static void check_owner(struct cli *cli, const char *path, const struct stat *old)
{
    struct stat now;
    if (stat(path, &now) == 0 && (now.st_uid != old->st_uid || now.st_gid != old->st_gid))
        cli_warn(cli, "%s: belonged to user %ju and group %ju, and now belongs to user %ju and group %ju", path,
                 (uintmax_t)old->st_uid, (uintmax_t)old->st_gid, (uintmax_t)now.st_uid, (uintmax_t)now.st_gid);
}

/* Verifiers may trust the issuer of the list so far alone: of a key with versions that one signs on, unless --issuer
 * says that it is changed. */
static int open_signer(struct srl_run *r, const char *path, struct tenuo_signer **ret, struct tenuo_error *err)
{
    struct tenuo_srl *old = NULL;
    struct tenuo_error why = { 0 };
    bool keep = r->key_id && !r->key && !r->has_issuer && srl_read(path, NULL, &old, &why) == TENUO_OK;
    int code = keep ? cli_signer(r->cli, NULL, r->key_id, tenuo_srl_issuer(old), ret, err) : TENUO_E_HOLDER_MISMATCH;
    tenuo_srl_unref(old);
    return code == TENUO_E_HOLDER_MISMATCH ? cli_signer(r->cli, r->key, r->key_id, NULL, ret, err) : code;
}

int srl_add(struct srl_run *r, struct tenuo_error *err)
{
    const char *path = r->words.v[0];
    struct tenuo_signer *signer = NULL;
    struct stat st;
    char *real = NULL;
    int fd = -1;
    if (is_file(path, err))
        return err->code;
    real = realpath(path, NULL); /* through a link, so that the link stays one */
    if (!real)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    int code = open_signer(r, real, &signer, err);
    if (!code) /* no lock beside what is no list */
        code = look(real, &st, err);
    if (!code)
        code = lock(real, &fd, err);
    if (!code) /* as the run before left it */
        code = look(real, &st, err);
    if (!code)
        code = add_locked(r, real, &st, signer, err);
    if (!code)
        check_owner(r->cli, real, &st);
    if (fd >= 0)
        close(fd);
    tenuo_signer_free(signer);
    free(real);
    return code;
}

int srl_request(struct srl_run *r, struct tenuo_error *err)
{
    const char *reason = r->reason ? r->reason : "";
    uint8_t id[TENUO_WARRANT_ID_BYTES], *bytes = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_signer *signer = NULL;
    size_t len = 0;
    char text[TENUO_WARRANT_ID_TEXT_BYTES];
    if (!r->out || (r->cli->json && strcmp(r->out, "-") == 0))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "say with --output where the request is written%s",
                             r->out ? "; with --json that is a file" : "");
    int code = srl_id_of_word(r->words.v[0], id, &stack, err);
    if (!code)
        code = cli_signer(r->cli, r->key, r->key_id, NULL, &signer, err);
    if (!code)
        code = tenuo_revocation_request_create(id, reason, strlen(reason), signer, r->at, &bytes, &len, err);
    if (!code)
        code = cli_write_file(r->out, bytes, len, 0644, false, err);
    if (!code && r->cli->json) {
        json_t *object = cli_object(r->cli, true);
        tenuo_warrant_id_text(id, text);
        cli_set(object, "warrant_id", json_string(text));
        cli_set(object, "requested_at", json_integer(r->at));
        cli_set(object, "requestor", cli_key_json(tenuo_signer_public_key(signer)));
        cli_emit(r->cli, object);
    }
    tenuo_bytes_free(bytes, len);
    tenuo_signer_free(signer);
    tenuo_stack_free(stack);
    return code;
}
