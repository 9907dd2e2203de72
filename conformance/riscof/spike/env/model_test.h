// The machine that the architectural tests run on: Spike, without an operating system. It ends by a write to `tohost`.

#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#define RVMODEL_DATA_SECTION           \
    .pushsection .tohost, "aw", @progbits; \
    .align 8; .global tohost; tohost: .dword 0; \
    .align 8; .global fromhost; fromhost: .dword 0; \
    .popsection;

#define RVMODEL_BOOT

#define RVMODEL_HALT \
    li x1, 1;        \
    write_tohost:    \
    sw x1, tohost, t5; \
    j write_tohost;

// Sixteen bytes, as all models have to agree on how a signature is padded.
#define RVMODEL_DATA_BEGIN \
    .align 4;              \
    .global begin_signature; \
    begin_signature:

#define RVMODEL_DATA_END \
    .align 4;            \
    .global end_signature; \
    end_signature:       \
    RVMODEL_DATA_SECTION

// No console and no interrupts.
#define RVMODEL_IO_INIT
#define RVMODEL_IO_WRITE_STR(_R, _STR)
#define RVMODEL_IO_CHECK()
#define RVMODEL_IO_ASSERT_GPR_EQ(_S, _R, _I)
#define RVMODEL_IO_ASSERT_SFPR_EQ(_F, _R, _I)
#define RVMODEL_IO_ASSERT_DFPR_EQ(_D, _R, _I)
#define RVMODEL_SET_MSW_INT
#define RVMODEL_CLEAR_MSW_INT
#define RVMODEL_CLEAR_MTIMER_INT
#define RVMODEL_CLEAR_MEXT_INT

#endif
