/* SPDX-License-Identifier: Apache-2.0 */
/* matches(): a search with a regular expression of the dialect that the regex matcher accepts. */
#include "cel.h"

struct cel_value tn_cel_matches(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_STRING) || !cel_is(&c->args[1], CEL_STRING))
        return cel_error("matches() takes texts");
    return cel_error("matches() needs RE2, which this build lacks");
}
