/* Thousands of histories of a daemon, each from one seed.
 *
 *   SIM_SEEDS=n     how many (default below)
 *   SIM_SEED=s      this one alone
 *   SIM_STORE=k     the real store in every k-th (default below), 0: never */
#include "tests/lib/test_main.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SEEDS = 300, STORE_EVERY = 7 };
#else
enum { SEEDS = 10000, STORE_EVERY = 7 };
#endif
enum { STEPS = 300 };

static uint64_t from_env(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void add_up(struct sim *all, const struct sim *s)
{
    all->n_steps += s->n_steps;
    all->seen.trials += s->seen.trials;
    all->seen.attempts += s->seen.attempts;
    all->seen.deaths += s->seen.deaths;
    all->seen.restarts += s->seen.restarts;
    all->seen.failed_commits += s->seen.failed_commits;
    all->seen.users += s->seen.users;
    all->seen.changes += s->seen.changes;
    all->seen.words += s->seen.words;
    all->seen.replays += s->seen.replays;
    all->seen.losses += s->seen.losses;
    all->seen.adoptions += s->seen.adoptions;
    all->seen.infeasible += s->seen.infeasible;
    all->seen.stale += s->seen.stale;
}

START_TEST(whatever_happens_the_invariants_hold)
{
    uint64_t first = from_env("SIM_SEED", 0);
    uint64_t n = from_env("SIM_SEEDS", getenv("SIM_SEED") != NULL ? 1 : SEEDS);
    uint64_t every = from_env("SIM_STORE", STORE_EVERY);
    static struct sim all, s;
    for (uint64_t seed = first; seed < first + n; seed++) {
        sim_init(&s, seed, every != 0 && seed % every == 0);
        for (int i = 0; i < STEPS; i++) {
            sim_step(&s);
        }
        sim_settle(&s);
        add_up(&all, &s);
        sim_fini(&s);
    }
    printf("%" PRIu64 " histories: %" PRIu64 " steps, %" PRId64
           " trials in %" PRId64 " attempts, %" PRId64 " deaths of workers, "
           "%" PRId64 " of daemons, %" PRId64 " failed commits, %" PRId64
           " users, %" PRId64 " changed configs, %" PRId64
           " words kept in %" PRId64 " troubles, %" PRId64
           " times lost, %" PRId64 " adoptions, %" PRId64
           " infeasible trials, %" PRId64 " second looks\n",
           n, all.n_steps, all.seen.trials, all.seen.attempts, all.seen.deaths,
           all.seen.restarts, all.seen.failed_commits, all.seen.users,
           all.seen.changes, all.seen.words, all.seen.replays, all.seen.losses,
           all.seen.adoptions, all.seen.infeasible, all.seen.stale);
    ck_assert(n < 100 || (all.seen.deaths > 0 && all.seen.restarts > 0 &&
                          all.seen.failed_commits > 0 && all.seen.changes > 0 &&
                          all.seen.words > 0 && all.seen.losses > 0 &&
                          all.seen.adoptions > 0 && all.seen.infeasible > 0 &&
                          all.seen.stale > 0));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sim");
    TCase *c = tcase_create("sim");
    tcase_set_timeout(c, 1800);
    tcase_add_test(c, whatever_happens_the_invariants_hold);
    suite_add_tcase(s, c);
    return s;
}
