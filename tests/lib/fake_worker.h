/* fake_worker: a scripted worker inside every test program.
 *
 * A test program started with PARZEN_FAKE_WORKER=SCRIPT in its environment is a
 * worker on file descriptor 3 instead of a test: give "/proc/self/exe" as the
 * pool's worker program and set the variable. Scripts:
 *   good        HELLO; answers ASSIGN by one REPORT and DONE; QUIT ends it
 *   mute        never says HELLO
 *   other-build HELLO of another build
 *   crash       HELLO, then abort() on the first ASSIGN, with last words
 *   exit        HELLO, then exit(3) on the first ASSIGN
 *   leave       HELLO, then exit(0) on the first ASSIGN
 *   hang        HELLO, then never reads again; ignores SIGABRT and SIGTERM
 *   garbage     HELLO, then bytes that are no frame on the first ASSIGN
 *   flood       HELLO, then REPORTs without end on the first ASSIGN
 *   half        HELLO, then half a frame and exit(0) on the first ASSIGN
 *   idle-exit   HELLO, then exit(3) before anything is asked of it
 *   close       HELLO, then closes the channel and lives on */
#ifndef TESTS_LIB_FAKE_WORKER_H
#define TESTS_LIB_FAKE_WORKER_H

#define FAKE_WORKER_ENV "PARZEN_FAKE_WORKER"

#endif
