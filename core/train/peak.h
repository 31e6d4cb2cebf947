/* peak: the most memory that this process had resident at once. */
#ifndef CORE_TRAIN_PEAK_H
#define CORE_TRAIN_PEAK_H
#include <stdbool.h>
#include <stdint.h>

/* Count from now on. False when the kernel does not let us: then peak_bytes is
 * of the process since its start. */
bool peak_reset(void);
/* Memory of mapped files (the program, the data set) included. 0: not known. */
int64_t peak_bytes(void);

#endif
