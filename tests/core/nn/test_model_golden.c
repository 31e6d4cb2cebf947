/* The model against PyTorch's numbers (tests/golden/torch, made by
 * oracles/torch_reference.py). */
#include "tests/lib/test_main.h"

#include "core/nn/model.h"
#include "tests/lib/torch_golden.h"

static const char *const files[] = {
    "tests/golden/torch/torch-notebook.safetensors",
    "tests/golden/torch/torch-padding-learned.safetensors"};

START_TEST(agrees_with_pytorch)
{
    struct torch_golden g;
    struct err err;
    ck_assert_msg(torch_golden_check(files[_i], &g, &err) == 0, "%s", err.msg);
    ck_assert_msg(g.logprob_err <= 1e-5, "logprob %g", g.logprob_err);
    ck_assert_msg(g.loss_err <= 1e-5, "loss %g", g.loss_err);
    ck_assert_msg(g.final_err <= 1e-5, "final %g", g.final_err);
    ck_assert_uint_ge(g.n_grads, 23);
    for (size_t i = 0; i < g.n_grads; i++) {
        ck_assert_msg(g.grads[i].err <= 1e-4, "grad %s %g", g.grads[i].name,
                      g.grads[i].err);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model_golden");
    TCase *t = tcase_create("torch");
    tcase_add_loop_test(t, agrees_with_pytorch, 0,
                        (int)(sizeof(files) / sizeof(files[0])));
    suite_add_tcase(s, t);
    return s;
}
