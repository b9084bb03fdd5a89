/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for the fuzz targets where there is no libFuzzer: replays files and folders, and can make its own random
 * inputs. Usage: TARGET [-n COUNT] [-s SEED] FILE|FOLDER... With -n, COUNT inputs come from a fixed generator.
 */
#include "fuzz.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (1u << 20)
#define MAX_RANDOM 512

static unsigned long inputs;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_FILE);
    REQUIRE(f != NULL && data != NULL);
    size_t n = fread(data, 1, MAX_FILE, f);
    (void)fclose(f);
    uint8_t *exact = malloc(n == 0 ? 1 : n); /* so that ASan sees a read past the end */
    REQUIRE(exact != NULL);
    memcpy(exact, data, n);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    inputs++;
}

static void replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    REQUIRE(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        REQUIRE(snprintf(name, sizeof name, "%s/%s", path, entry->d_name) < (int)sizeof name);
        replay_file(name);
    }
    (void)closedir(folder);
}

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void make_inputs(unsigned long count, uint64_t seed)
{
    uint8_t data[MAX_RANDOM];
    while (count-- > 0) {
        size_t n = (size_t)(next(&seed) % sizeof data);
        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)next(&seed);
        (void)LLVMFuzzerTestOneInput(data, n);
        inputs++;
    }
}

int main(int argc, char **argv)
{
    unsigned long count = 0, seed = 1;
    int option;
    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        if (option == '?')
            return 2;
        unsigned long value = strtoul(optarg, NULL, 10);
        *(option == 'n' ? &count : &seed) = value;
    }
    make_inputs(count, seed);
    for (int i = optind; i < argc; i++) {
        struct stat st;
        REQUIRE(stat(argv[i], &st) == 0);
        if (S_ISDIR(st.st_mode))
            replay_folder(argv[i]);
        else
            replay_file(argv[i]);
    }
    (void)printf("%lu inputs\n", inputs);
    return inputs == 0;
}
