#include "core/base/build.h"

const char BUILD_ID[] = PARZEN_BUILD; /* this object alone is given it */
