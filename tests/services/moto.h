/* SPDX-License-Identifier: Apache-2.0 */
/* Starts tests/services/moto_server.py (moto itself, and a labelled front for faults), and asks it to do things. */
#ifndef TN_TEST_MOTO_H
#define TN_TEST_MOTO_H

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/stage.h"
#include "../unit/tap.h"

static struct {
    pid_t pid;
    FILE *to, *from;
    json_t *about; /* ports and keys */
} moto;

/* The interpreter that tests/services/install_moto.sh made, or NULL. */
static inline const char *moto_python(void)
{
    static char path[1024];
    const char *cache = getenv("TENUO_CACHE"), *home = getenv("HOME");
    if (cache != NULL)
        snprintf(path, sizeof path, "%s/moto-5.2.5/bin/python", cache);
    else
        snprintf(path, sizeof path, "%s/.cache/tenuo/moto-5.2.5/bin/python", home != NULL ? home : "");
    return access(path, X_OK) == 0 ? path : NULL;
}

static inline json_t *moto_line(void)
{
    static char line[1 << 20];
    return fgets(line, sizeof line, moto.from) == NULL ? NULL : json_loads(line, 0, NULL);
}

static inline void moto_end(void)
{
    if (moto.pid <= 0)
        return;
    kill(moto.pid, SIGKILL);
    waitpid(moto.pid, NULL, 0);
    fclose(moto.to);
    fclose(moto.from);
    json_decref(moto.about);
    moto.pid = 0;
}

/* False, with a skip, when it is not installed. It ends with us: its standard input does. */
static inline bool moto_begin(const char *script)
{
    const char *python = moto_python();
    int in[2], out[2];
    if (python == NULL) {
        skip_test("moto", "not installed: run tests/services/install_moto.sh with TENUO_CACHE set");
        return false;
    }
    if (pipe(in) != 0 || pipe(out) != 0)
        exit(1);
    moto.pid = fork();
    if (moto.pid == 0) {
        const int log = open(stage_path("moto.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(log, 2);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        unsetenv("LD_PRELOAD");
        execl(python, python, script, stage_root, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    fcntl(in[1], F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    moto.to = fdopen(in[1], "w");
    moto.from = fdopen(out[0], "r");
    moto.about = moto_line();
    if (moto.about == NULL) {
        printf("Bail out! moto did not start\n");
        exit(1);
    }
    return true;
}

/* The answer to one line; owned by the caller. `ask` is taken. Anything but ok ends the program. */
static inline json_t *moto_ask(json_t *ask)
{
    char *text = json_dumps(ask, 0);
    json_decref(ask);
    fprintf(moto.to, "%s\n", text);
    fflush(moto.to);
    json_t *answer = moto_line();
    if (answer == NULL || !json_is_true(json_object_get(answer, "ok"))) {
        printf("Bail out! moto: %s: %s\n", text,
               answer == NULL ? "gone" : json_string_value(json_object_get(answer, "problem")));
        exit(1);
    }
    free(text);
    return answer;
}

static inline void moto_do(json_t *ask)
{
    json_decref(moto_ask(ask));
}

/* As the administrator, through the vendor's own library. */
static inline void moto_aws(const char *service, const char *call, json_t *args)
{
    moto_do(json_pack("{ss ss ss so}", "do", "aws", "service", service, "call", call, "args", args));
}

static inline int moto_port(const char *which)
{
    return (int)json_integer_value(json_object_get(moto.about, which));
}

static inline const char *moto_key(const char *user, const char *part)
{
    return json_string_value(json_object_get(json_object_get(json_object_get(moto.about, "keys"), user), part));
}

static inline void front(const char *fault, int times, int ms)
{
    moto_do(json_pack("{ss ss si si}", "do", "front", "fault", fault, "times", times, "ms", ms));
}

/* Requests of an action ("total": of all) since the last question. */
static inline int front_seen(const char *action)
{
    json_t *a = moto_ask(json_pack("{ss}", "do", "requests"));
    json_t *n = strcmp(action, "total") == 0 ? json_object_get(a, "total")
                                             : json_object_get(json_object_get(a, "seen"), action);
    int seen = strcmp(action, "metadata") == 0 ? (int)json_array_size(json_object_get(a, "metadata"))
                                               : (int)json_integer_value(n);
    json_decref(a);
    return seen;
}

/* Whose name the environment has. */
static inline void moto_as(const char *user)
{
    setenv("AWS_ACCESS_KEY_ID", moto_key(user, "AccessKeyId"), 1);
    setenv("AWS_SECRET_ACCESS_KEY", moto_key(user, "SecretAccessKey"), 1);
    if (moto_key(user, "SessionToken") != NULL)
        setenv("AWS_SESSION_TOKEN", moto_key(user, "SessionToken"), 1);
    else
        unsetenv("AWS_SESSION_TOKEN");
}

static inline void moto_clean_environment(void)
{
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "http_proxy",
        "HTTPS_PROXY",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

#endif
