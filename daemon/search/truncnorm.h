/* truncnorm: the standard normal distribution cut to [a, b], in log space.
 *
 * Formulas: shared with Optuna (optuna.md 1.7, 1.8); every function is accurate
 * in both tails, where the plain distribution function is 0 or 1. */
#ifndef DAEMON_SEARCH_TRUNCNORM_H
#define DAEMON_SEARCH_TRUNCNORM_H

/* ln Phi(a). */
double truncnorm_log_ndtr(double a);
/* The x with ln Phi(x) = y; y <= 0. */
double truncnorm_ndtri_exp(double y);
/* ln(Phi(b) - Phi(a)); a <= b. */
double truncnorm_log_mass(double a, double b);
/* The x in [a, b] below which a fraction u of the mass lies; 0 <= u <= 1. */
double truncnorm_ppf(double u, double a, double b);

#endif
