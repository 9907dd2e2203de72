// The machine that the architectural tests run on: a user program of pvmrun. It ends with exit(0), and pvmrun writes the
// signature between the two symbols when it has.

#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#define RVMODEL_DATA_SECTION

#define RVMODEL_BOOT

#define RVMODEL_HALT \
    li a0, 0;        \
    li a7, 93;       \
    ecall;

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
