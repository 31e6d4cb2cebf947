/* follow: watch a study until it is over, on the terminal or as lines. */
#ifndef DAEMON_CLI_FOLLOW_H
#define DAEMON_CLI_FOLLOW_H
struct cli;
struct json;

/* Follow from what `study` (its view) says on, news go to stderr, then show how
 * it ended. Returns the exit code: of the study's end, of Ctrl-C (only the view
 * ends), of a daemon that died and did not come back or of a study that was
 * deleted. n_history: as many of the trials finished before are shown first. */
int follow_to_end(struct cli *c, const struct json *study, int n_history);

#endif
