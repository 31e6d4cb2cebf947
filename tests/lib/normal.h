/* normal: the normal distribution, slowly and in more digits than needed. */
#ifndef TESTS_LIB_NORMAL_H
#define TESTS_LIB_NORMAL_H

/* The probability of [left, right] to 14 digits, however narrow it is. */
long double normal_mass(double left, double right, double mu, double sigma);

#endif
