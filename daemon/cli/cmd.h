/* cmd: the commands: each gets its own part of the command line (argv[0] is
 * its word) and returns the exit code. */
#ifndef DAEMON_CLI_CMD_H
#define DAEMON_CLI_CMD_H
struct cli;

/* X(word, function, help) */
#define CMD_LIST(X)                                                            \
    X("run", cmd_run, "create a study, or continue it, and follow it")         \
    X("resume", cmd_resume, "continue a study, maybe to a larger target")      \
    X("pause", cmd_pause, "start no new trials after the running ones")        \
    X("stop", cmd_stop, "end a study")                                         \
    X("studies", cmd_studies, "list the studies")                              \
    X("status", cmd_status, "state, progress and running trials of a study")   \
    X("trials", cmd_trials, "list a study's trials")                           \
    X("show", cmd_show, "everything about one trial")                          \
    X("log", cmd_log, "what a trial or a preparation printed")                 \
    X("best", cmd_best, "best parameters, value and checkpoint")               \
    X("importances", cmd_importances, "how much each parameter matters")       \
    X("watch", cmd_watch, "follow a study live")                               \
    X("replay", cmd_replay, "recompute every suggestion of a study")           \
    X("enqueue", cmd_enqueue, "try these parameters next, once")               \
    X("retry", cmd_retry, "try failed trials again")                           \
    X("delete", cmd_delete, "delete a study, rows and files")                  \
    X("train", cmd_train, "one training with fixed values, no daemon")         \
    X("evaluate", cmd_evaluate, "how a model does on labelled texts")          \
    X("predict", cmd_predict, "classes for texts, from a file or a pipe too")  \
    X("export", cmd_export,                                                    \
      "a model, trials as CSV or JSON, a file for Optuna")                     \
    X("data", cmd_data, "look at a data set")                                  \
    X("tokenizer", cmd_tokenizer, "train, use and look at tokenizers")         \
    X("daemon", cmd_daemon, "start, stop and find the daemon")                 \
    X("doctor", cmd_doctor, "check installation, state and database")

#define X(word, function, help)                                                \
    int function(struct cli *c, int argc, char **argv);
CMD_LIST(X)
#undef X

#endif
