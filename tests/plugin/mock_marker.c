/* SPDX-License-Identifier: Apache-2.0 */
/* A good plugin whose constructor leaves a file behind: proof that its code ran. */
#include "mock.h"

#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_marker(void)
{
    const char *path = getenv("TN_MARKER");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd >= 0)
        close(fd);
}

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("marker"), .resolver = &ops
};
