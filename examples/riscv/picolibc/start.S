# The start of a user program with picolibc: pointers that the compiler counts on, thread-local data, constructors, and then
# main(argc, argv, environ). At the start the stack pointer points to argc, argv[0] ... 0, environ[0] ... 0.
        .section .text.start, "ax"
        .globl _start
_start:
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      tp, __thread_data
        mv      s0, sp
        andi    sp, sp, -16

        la      a0, __thread_data
        la      a1, __thread_image
        la      a2, __thread_image_size
        call    memcpy
        call    __libc_init_array

        lw      a0, 0(s0)
        addi    a1, s0, 4
        slli    a2, a0, 2
        add     a2, a2, a1
        addi    a2, a2, 4
        la      t0, environ
        sw      a2, 0(t0)
        call    main
        call    exit
