// The second word of a two-word result: in format 3 the module keeps it, in the older ones the host does.
#include <stdint.h>
static int32_t word;
__attribute__((export_name("setTempRet0"), used)) void setTempRet0(int32_t v) { word = v; }
__attribute__((used)) int32_t getTempRet0(void) { return word; }
int32_t high_word(void) { return word; }
