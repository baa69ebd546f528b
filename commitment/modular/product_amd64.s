#include "textflag.h"

// One word: y[i] times x, plus the upper half that the word before left (carry chain CF), plus z[i] (carry chain OF).
// The upper half stays in "above" for the next word. The two chains never meet, so the additions overlap.
#define WORD(at, below, above) \
	MULXQ at(SI), AX, above \
	ADCXQ below, AX         \
	ADOXQ at(DI), AX        \
	MOVQ  AX, at(DI)

#define EIGHT(at) \
	WORD(at+0, R8, R9)  \
	WORD(at+8, R9, R8)  \
	WORD(at+16, R8, R9) \
	WORD(at+24, R9, R8) \
	WORD(at+32, R8, R9) \
	WORD(at+40, R9, R8) \
	WORD(at+48, R8, R9) \
	WORD(at+56, R9, R8)

// func addProduct(z, y *[64]uint64, x uint64) (carry uint64)
TEXT ·addProduct(SB), NOSPLIT, $0-32
	MOVQ z+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ x+16(FP), DX
	XORQ R8, R8 // nothing below the first word; clears both carries
	EIGHT(0)
	EIGHT(64)
	EIGHT(128)
	EIGHT(192)
	EIGHT(256)
	EIGHT(320)
	EIGHT(384)
	EIGHT(448)
	MOVQ $0, AX // both carries belong to the word above; it cannot overflow, as z + y*x has 65 words
	ADCXQ AX, R8
	ADOXQ AX, R8
	MOVQ R8, carry+24(FP)
	RET
