/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that have actions, as `tenuo key list` and `tenuo srl add`: which options go with which action, and how many
 * words it takes. What the actions do is the command's.
 */
#include "cli.h"

#include <string.h>

error_t cli_push(struct cli_words *words, const char *word)
{
    words->v = cli_grow(words->v, words->n + 1, sizeof *words->v);
    words->v[words->n++] = word;
    return 0;
}

void cli_belongs(struct cli_choice *choice, unsigned to, const char *option)
{
    if ((choice->wanted & to) != choice->wanted)
        choice->odd = option;
    choice->wanted &= to;
}

static const struct cli_action *find(const struct cli_action *actions, const char *name)
{
    for (size_t i = 0; name && actions[i].name; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

int cli_choose(struct cli *cli, const struct cli_action *actions, const struct cli_choice *choice, const char *name,
               size_t nwords, const char *which, const struct cli_action **ret)
{
    const struct cli_action *action = find(actions, name);
    if (!action)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "say %s", which);
    if (!(choice->wanted & action->bit))
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "%s does not go with %s", choice->odd, action->name);
    if (nwords < action->least || nwords > action->most)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "%s wants %s", action->name, action->words);
    *ret = action;
    return CLI_YES;
}
