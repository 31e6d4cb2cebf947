/* The main of a fuzz target without a fuzzer: every file of the folders (or
 * files) on the command line is given to it once; then, so that a target
 * without a corpus is exercised too, every prefix of each. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, PREFIXES_UP_TO = 4096 };

static int n_inputs;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    if (f == NULL || data == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    size_t n = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    for (size_t i = 0; i < n && n <= PREFIXES_UP_TO; i++) {
        LLVMFuzzerTestOneInput(data, i);
    }
    free(data);
    n_inputs++;
}

static void replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            replay(file);
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%s: %d inputs\n", argv[0], n_inputs);
    return n_inputs > 0 ? 0 : 1;
}
