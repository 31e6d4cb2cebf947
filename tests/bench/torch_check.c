/* torch-check FILE.safetensors: the model against a golden file of PyTorch's,
 * one JSON object: logprob_err, loss_err, final_err, grad_err {name: ...}. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/nn/model.h"
#include "tests/lib/torch_golden.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const struct torch_golden *g)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_FRAME);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "logprob_err");
    json_put_double(&w, g->logprob_err);
    json_put_key(&w, "loss_err");
    json_put_double(&w, g->loss_err);
    json_put_key(&w, "final_err");
    json_put_double(&w, g->final_err);
    json_put_key(&w, "undetermined_err");
    json_put_double(&w, g->undetermined_err);
    json_put_key(&w, "grad_err");
    json_open(&w, '{');
    for (size_t i = 0; i < g->n_grads; i++) {
        json_put_key(&w, g->grads[i].name);
        json_put_double(&w, g->grads[i].err);
    }
    json_close(&w, '}');
    json_put_key(&w, "kernels");
    json_put_string(&w, model_kernels(MODEL_PRECISION_FLOAT32));
    json_close(&w, '}');
    puts(text.data);
    buf_fini(&text);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: torch-check FILE.safetensors\n");
        return 2;
    }
    model_set_threads(1);
    struct torch_golden g;
    struct err err;
    if (torch_golden_check(argv[1], &g, &err) != 0) {
        fprintf(stderr, "torch-check: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    print(&g);
    return EXIT_SUCCESS;
}
