/* Writes quick-data.jsonl: conversations made from quick_data_topics.h, the
 * same bytes on every run. `make quick-data` checks the file that is shipped.
 *
 * Each conversation has one topic, and most mention another one in passing:
 * what tells them apart is where and how a phrase is said, not that it is. */
#include "configs/quick_data_topics.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_TOPICS = ARRAY_LEN(topics),
    N_ROUNDS = 84, /* conversations per topic */
    TALK_MAX = 2000,
    SEED = 20240607,
    VAGUE = 10,  /* percent: of openings that do not say what it is about, */
    DETOUR = 15, /* of sentences that mention another topic, */
    INTERRUPTION = 20, /* of turns in which something comes between */
};

/* {a} {b} {h} {H}: thing, task and hints of the matter; {m} another thing of
 * the same topic; {A} {B} thing and task of another topic, {f} {F} the fields;
 * {x} an aside of the other topic; {p} a person, {w} a time. */
static const char *const greetings[] = {"Hi!", "Hello.", "Hey there.",
                                        "Good morning.", ""};
static const char *const vague[] = {"Can I ask you something?",
                                    "I need some advice.",
                                    "I am stuck and need a second opinion."};
static const char *const openings[] = {
    "I have a question about {a}.",
    "Can you help me with {a}?",
    "I want to {b} and do not know where to begin.",
    "My {p} asked me how to {b}.",
    "Is it hard to {b}?",
    "I have tried to {b} {w}.",
    "My {p} and I cannot agree about {a}.",
    "I have {a} and need advice.",
    "It is about {f} again: I have {a}.",
    "I promised my {p} to {b}."};
static const char *const opening_detours[] = {
    "I wanted to {B}, but that can wait. Now I have to {b}.",
    "This is not about {F} again. It is about {a}.",
    "Last time it was {A}. Today it is {a}.",
    "My {p} has {A}, and I have {a}."};
static const char *const invitations[] = {
    "Of course. What have you tried so far?",
    "Questions about {f} are welcome.", "Happy to help. What is the goal?",
    "Many people ask about {f}. Tell me more.", "I am listening."};
static const char *const questions[] = {
    "What is the best way to {b}?",           "How do other people {b}?",
    "I tried to {b} {w}, and it went wrong.", "What would you do about {a}?",
    "I have {a}, and I want to {b}.",         "My {p} could never {b}. Can I?",
    "First there was {m}, and now {a}.",      "Can anybody {b}?"};
static const char *const question_detours[] = {
    "I know how to {B}. But how do I {b}?",
    "It is easier to {B} than to {b}, is it not?",
    "My {p} only talks about {F}, but I want to {b}."};
static const char *const follow_ups[] = {
    "How long will that take?",      "And if that does not work?",
    "Can a beginner do that?",       "That sounds easier than I thought.",
    "Does that also help with {m}?", "And what about {m}?"};
static const char *const interruptions[] = {"One moment, {x}.", "Sorry, {x}.",
                                            "I must be quick, because {x}.",
                                            "Please be brief: {x}."};
static const char *const assurances[] = {"{H}", "{H}", "Yes. {H}",
                                         "Give it two weeks. {H}",
                                         "Most people need a few attempts."};
static const char *const thanks[] = {"Thanks, that helps.",
                                     "Great, I will tell my {p}.",
                                     "Thank you!",
                                     "Good. I will try to {b} now.",
                                     "Thanks. I have to go, {x}.",
                                     "Perfect. Next time we talk about {F}."};
static const char *const farewells[] = {
    "You are welcome!", "Come back if {a} still troubles you.",
    "Any time. Have a nice day!", "I am glad I could help.",
    "My pleasure. Take care!"};
static const char *const people[] = {"sister", "brother", "neighbour", "friend",
                                     "mother", "father",  "colleague", "cousin",
                                     "wife",   "husband"};
static const char *const times[] = {
    "yesterday",     "last week",       "this month",    "since Sunday",
    "twice already", "for a long time", "on the weekend"};

struct talk {
    struct rng rng;
    struct buf text;
    const struct topic *topic, *other;
    const struct matter *matter, *second; /* of the topic */
};

#define PICK(t, list) ((list)[rng_below(&(t)->rng, ARRAY_LEN(list))])

static const char *slot(struct talk *t, char name)
{
    switch (name) {
    case 'a':
        return t->matter->thing;
    case 'b':
        return t->matter->task;
    case 'h':
        return t->matter->hints[0];
    case 'H':
        return t->matter->hints[1];
    case 'm':
        return t->second->thing;
    case 'A':
        return PICK(t, t->other->matters).thing;
    case 'B':
        return PICK(t, t->other->matters).task;
    case 'f':
        return t->topic->field;
    case 'F':
        return t->other->field;
    case 'x':
        return PICK(t, t->other->asides);
    case 'p':
        return PICK(t, people);
    case 'w':
        return PICK(t, times);
    default:
        abort();
    }
}

/* Append a sentence, filling its slots. */
static void say(struct talk *t, const char *pattern)
{
    char last = t->text.len > 0 ? t->text.data[t->text.len - 1] : ' ';
    if (last != ' ' && pattern[0] != '\0') {
        buf_char(&t->text, ' ');
    }
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '{') {
            buf_str(&t->text, slot(t, p[1]));
            p += 2;
        } else {
            buf_char(&t->text, *p);
        }
    }
}

static bool chance(struct talk *t, uint32_t percent)
{
    return rng_below(&t->rng, 100) < percent;
}

static void turn(struct talk *t, const char *speaker)
{
    buf_str(&t->text, t->text.len > 0 ? "\n\n" : "");
    buf_str(&t->text, speaker);
    buf_char(&t->text, ' ');
}

static void opening(struct talk *t)
{
    turn(t, "User:");
    say(t, PICK(t, greetings));
    if (chance(t, VAGUE)) {
        say(t, PICK(t, vague));
    } else if (chance(t, DETOUR)) {
        say(t, PICK(t, opening_detours));
    } else {
        say(t, PICK(t, openings));
    }
    turn(t, "AI:");
    say(t, PICK(t, invitations));
}

static void middle(struct talk *t)
{
    turn(t, "User:");
    if (chance(t, INTERRUPTION)) {
        say(t, PICK(t, interruptions));
    }
    if (chance(t, DETOUR)) {
        say(t, PICK(t, question_detours));
    } else {
        say(t, PICK(t, questions));
    }
    turn(t, "AI:");
    say(t, "{h}");
}

static void ending(struct talk *t, int n_exchanges)
{
    if (n_exchanges > 2) {
        turn(t, "User:");
        say(t, PICK(t, follow_ups));
        if (chance(t, INTERRUPTION)) {
            say(t, PICK(t, interruptions));
        }
        turn(t, "AI:");
        say(t, PICK(t, assurances));
    }
    if (n_exchanges > 3) {
        turn(t, "User:");
        say(t, PICK(t, thanks));
        turn(t, "AI:");
        say(t, PICK(t, farewells));
    }
}

static void write_talk(struct talk *t, size_t topic)
{
    size_t other = (topic + 1 + rng_below(&t->rng, N_TOPICS - 1)) % N_TOPICS;
    size_t matter = rng_below(&t->rng, N_MATTERS);
    size_t second =
        (matter + 1 + rng_below(&t->rng, N_MATTERS - 1)) % N_MATTERS;
    t->topic = &topics[topic];
    t->other = &topics[other];
    t->matter = &t->topic->matters[matter];
    t->second = &t->topic->matters[second];
    buf_reset(&t->text);
    opening(t);
    middle(t);
    ending(t, 2 + (int)rng_below(&t->rng, 3));

    struct buf line;
    buf_init(&line, 2 * TALK_MAX);
    struct json_out out;
    json_out_init(&out, &line, JSON_COMPACT);
    json_open(&out, '{');
    json_put_key(&out, "topic");
    json_put_string(&out, t->topic->name);
    json_put_key(&out, "completion");
    json_put_string(&out, t->text.data);
    json_close(&out, '}');
    puts(line.data);
    buf_fini(&line);
}

int main(void)
{
    struct talk t;
    rng_mt19937(&t.rng, SEED);
    buf_init(&t.text, TALK_MAX);
    for (int round = 0; round < N_ROUNDS; round++) {
        uint32_t order[N_TOPICS];
        for (uint32_t i = 0; i < N_TOPICS; i++) {
            order[i] = i;
        }
        rng_shuffle(&t.rng, order, N_TOPICS);
        for (size_t i = 0; i < N_TOPICS; i++) {
            write_talk(&t, order[i]);
        }
    }
    buf_fini(&t.text);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
