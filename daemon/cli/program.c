#include "daemon/cli/program.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/field.h"
#include "daemon/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int program_run(const char *path, const char *const *argv, bool with_errors,
                struct buf *out)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (with_errors) {
            dup2(ends[1], STDERR_FILENO);
        }
        execv(path, (char *const *)argv);
        _exit(127);
    }
    close(ends[1]);
    char bytes[4096];
    ssize_t n = 0;
    while (pid > 0 && ((n = read(ends[0], bytes, sizeof(bytes))) > 0 ||
                       (n < 0 && errno == EINTR))) {
        buf_add(out, bytes, n > 0 ? (size_t)n : 0);
    }
    close(ends[0]);
    if (pid <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

static int code_by_name(const char *name)
{
#define X(code, number, meaning)                                               \
    if (strcmp(name, #code) == 0) {                                            \
        return ERR_##code;                                                     \
    }
    ERR_LIST(X)
#undef X
    return ERR_IO;
}

static int refused(const struct json *error, struct err *err)
{
    int code = code_by_name(field_text(error, "code"));
    return err_set(err, code, "%s", field_text(error, "message"));
}

int program_ask_parzend(const char **argv, struct json **out, struct err *err)
{
    struct buf said;
    struct json *root = NULL;
    char *path = launch_beside_us("parzend");
    argv[0] = path;
    buf_init(&said, BUF_MAX_RESPONSE);
    int code = program_run(path, argv, false, &said);
    int rc = 0;
    if (said.overflow) {
        rc = err_set(err, ERR_LIMIT, "%s: its answer is too large", path);
    } else if (said.data == NULL ||
               json_parse(said.data, said.len, &root, NULL) != 0 ||
               json_kind(root) != JSON_OBJECT) {
        rc = err_set(err, ERR_IO, "%s gave no answer (exit code %d)", path,
                     code);
    } else if (field_get(root, "error") != NULL) {
        rc = refused(field_get(root, "error"), err);
    }
    if (rc == 0) {
        *out = root;
    } else {
        json_free(root);
    }
    buf_fini(&said);
    free(path);
    return rc;
}
