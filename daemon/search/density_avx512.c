#define LANES    8
#define OPS      density_avx512
#define OPS_NAME "avx512"
#include "daemon/search/density.inc"
