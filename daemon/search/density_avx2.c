#define LANES    4
#define OPS      density_avx2
#define OPS_NAME "avx2"
#include "daemon/search/density.inc"
